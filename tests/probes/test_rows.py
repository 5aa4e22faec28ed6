"""Rows as tensors: every row once, in batches that lie apart; means and scales beside numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unitscope.errors import ProbeError
from unitscope.probes.base import ArrayMatrix
from unitscope.probes.rows import Rows, standardise


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.integers(1, 40), st.integers(1, 50), st.booleans())
def test_batches_have_every_row_once(n_sites: int, size: int, block: int, held: bool) -> None:
    values = np.arange(n_sites * 2, dtype=np.float32).reshape(n_sites, 2)
    rows = Rows(ArrayMatrix(values, block), memory=1 << 20 if held else 0)
    assert rows.held == held
    seen = np.zeros(n_sites)
    for where, batch in rows.batches(size, np.random.default_rng(0)):
        seen[where] += 1
        np.testing.assert_array_equal(batch.numpy(), values[where])
        assert len(batch) <= size
    assert (seen == 1).all()


def test_a_device_that_is_none() -> None:
    with pytest.raises(ProbeError, match=r"Device 'nowhere' cannot be used: .* Use --device cpu"):
        Rows(ArrayMatrix(np.zeros((2, 2), np.float32)), device="nowhere")


@pytest.mark.parametrize("memory", [0, 1 << 30])
def test_means_and_scales_of_kept_sites(memory: int) -> None:
    draw = np.random.default_rng(0)
    values = (draw.normal(size=(3000, 6)) * [1, 1e-3, 1e3, 1, 1, 1] + [0, 5, -1e4, 100, 0, 0]).astype(np.float32)
    values[:, 4] = 0.1
    values[17, 5] = np.inf
    keep = draw.random(3000) < 0.6
    values[~keep, 3] *= 1e4
    found = standardise(Rows(ArrayMatrix(values, 700), memory=memory), keep)
    kept = values[keep].astype(np.float64)
    np.testing.assert_allclose(found.mean[:5], kept[:, :5].mean(0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.scale[:4], kept[:, :4].std(0), rtol=1e-3)
    assert found.constant.tolist() == [False] * 4 + [True] * 2
    assert found.bad.tolist() == [False] * 5 + [True]
    assert np.isinf(found.scale[4:]).all()


def test_read_only_arrays_are_held_without_a_copy() -> None:
    values = np.ones((5, 3), np.float32)
    values.setflags(write=False)
    rows = Rows(ArrayMatrix(values))
    assert next(iter(rows.blocks()))[1].data_ptr() == values.ctypes.data
