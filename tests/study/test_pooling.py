"""Pooling to items, against a loop."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unitscope.study.pooling import pooled_values


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6), st.sampled_from(["mean", "max", "last", "first"]))
def test_pooled_values_are_those_of_a_loop(counts: list[int], pool: str) -> None:
    draw = np.random.default_rng(sum(counts))
    values, valid = draw.normal(size=(sum(counts), 3)).astype(np.float32), draw.random(sum(counts)) < 0.7
    found, there = pooled_values(torch.from_numpy(values), valid, np.array(counts), pool)
    start = 0
    for i, n in enumerate(counts):
        rows = values[start : start + n][valid[start : start + n]]
        start += n
        assert there[i] == bool(len(rows))
        if len(rows):
            expected = {"mean": rows.mean(0), "max": rows.max(0), "last": rows[-1], "first": rows[0]}[pool]
            assert found[i].numpy() == pytest.approx(expected, abs=1e-5)
