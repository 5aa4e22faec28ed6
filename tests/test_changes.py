"""Changes on arrays of which the outcome is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unitscope.changes import Add, ProjectOut, Put, Resample, Scale, Swap, mixed
from unitscope.errors import EditError


class Around:
    def __init__(self, n_rows: int, n_positions: int) -> None:
        self.shape = (n_rows, n_positions)

    def keys(self) -> np.ndarray:
        return mixed(np.arange(self.shape[0] * self.shape[1], dtype=np.uint64).reshape(self.shape))

    def donated(self, change: Swap) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full((*self.shape, 2), 9.0), torch.tensor([[True, False]] * self.shape[0])


VALUES = torch.arange(12.0).reshape(3, 2, 2)


def test_what_changes_make_of_values() -> None:
    around = Around(3, 2)
    numbers = np.array([2.0, -1.0], np.float32)
    assert torch.equal(Put(numbers).apply(VALUES, around), torch.tensor([2.0, -1.0]).expand(3, 2, 2))
    assert torch.equal(Scale(numbers).apply(VALUES, around), VALUES * torch.tensor([2.0, -1.0]))
    assert torch.equal(Add(numbers[:1]).apply(VALUES, around), VALUES + 2)
    swapped = Swap({}).apply(VALUES, around)
    assert (swapped[:, 0] == 9).all()
    assert torch.equal(swapped[:, 1], VALUES[:, 1])
    with pytest.raises(EditError, match=r"Got 3 values for 2 units\. Expected: one a unit"):
        Put(np.zeros(3, np.float32)).apply(VALUES, around)
    assert torch.equal(VALUES, torch.arange(12.0).reshape(3, 2, 2))


@given(st.integers(1, 3), st.integers(0, 99))
def test_projections_leave_nothing_of_the_directions(k: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    directions = draw.normal(size=(k, 5))
    directions = np.concatenate([directions, directions[:1] * 3])  # one of them again
    change = ProjectOut.of(directions)
    values = torch.from_numpy(draw.normal(size=(2, 3, 5)))
    found = change.apply(values, Around(2, 3))
    assert (found @ torch.from_numpy(directions).T).abs().max() < 1e-10
    assert torch.allclose(change.apply(found, Around(2, 3)), found), "twice is once"
    assert change.axes.shape == (k, 5)


def test_draws_are_of_whole_rows_even_and_by_seed() -> None:
    pool = np.arange(20, dtype=np.float32).reshape(10, 2)
    values = torch.zeros(40, 50, 2)
    found = Resample(pool, 1).apply(values, Around(40, 50))
    assert set(map(tuple, found.reshape(-1, 2).tolist())) == set(map(tuple, pool.tolist()))
    counts = np.bincount((found[..., 0] / 2).long().flatten(), minlength=10)
    assert counts.min() > 140, "each of ten rows is drawn about 200 times"
    assert counts.max() < 260
    assert torch.equal(found, Resample(pool, 1).apply(values, Around(40, 50)))
    assert not torch.equal(found, Resample(pool, 2).apply(values, Around(40, 50)))
