"""Values of the two sides: in memory or in pieces, without units that are not finite."""

from __future__ import annotations

import numpy as np
import pytest

from unitscope.activations import Activations
from unitscope.concepts.table import ConceptTable
from unitscope.errors import ProbeError
from unitscope.probes.base import Labels, Matrix
from unitscope.probes.sides import Pieces, Side, read_sides

VALUES = np.random.default_rng(2).normal(size=(30, 6)).astype(np.float32)
TABLE = ConceptTable(("a:x",), ("a",), np.array([0, 1], np.int64), np.array([0], np.int32), 30)
TRAIN = np.arange(30) % 3 == 0
HELD = np.arange(30) % 3 == 1
EVERY = np.arange(6)


def activations(values: np.ndarray) -> Activations:
    return Activations.of_arrays({"one": values[:, :2], "two": values[:, 2:]}, TABLE)


def whole(matrix: Matrix, columns: np.ndarray | None = None) -> np.ndarray:
    return np.concatenate([values for _, values in matrix.blocks(columns)])


@pytest.mark.parametrize("memory", [10**9, 1])
def test_both_sides_have_their_own_rows(memory: int) -> None:
    both = activations(VALUES)
    found = read_sides([(both, TRAIN), (both, HELD)], EVERY, memory)
    np.testing.assert_array_equal(whole(found.train), VALUES[TRAIN])
    np.testing.assert_array_equal(whole(found.held), VALUES[HELD])
    assert isinstance(found.train, Pieces) == (memory == 1)
    assert (found.train.n_sites, found.train.n_units, found.dropped) == (10, 6, 0)


@pytest.mark.parametrize("memory", [10**9, 1])
def test_sides_of_two_corpora(memory: int) -> None:
    other = VALUES[::-1] * 2
    found = read_sides([(activations(VALUES), TRAIN), (activations(other), HELD)], EVERY[1:4], memory)
    np.testing.assert_array_equal(whole(found.train), VALUES[TRAIN][:, 1:4])
    np.testing.assert_array_equal(whole(found.held), other[HELD][:, 1:4])


@pytest.mark.parametrize("memory", [10**9, 1])
def test_units_that_are_not_finite_on_either_side_are_left_out(memory: int) -> None:
    values = VALUES.copy()
    values[3, 1], values[4, 4], values[5, 2] = np.nan, np.inf, np.nan  # the last is on neither side
    both = activations(values)
    found = read_sides([(both, TRAIN), (both, HELD)], EVERY, memory)
    assert found.columns.tolist() == [0, 2, 3, 5]
    assert found.dropped == 2
    np.testing.assert_array_equal(whole(found.held), values[HELD][:, [0, 2, 3, 5]])
    with pytest.raises(ProbeError, match="No unit has finite values at all sites"):
        read_sides([(both, TRAIN), (both, HELD)], EVERY[1:2], memory)


def test_large_values_are_finite() -> None:
    both = activations(np.full((30, 6), 3e38, np.float32))
    assert read_sides([(both, TRAIN), (both, HELD)], EVERY).dropped == 0


def test_pieces_give_columns_in_any_order() -> None:
    pieces = Pieces(activations(VALUES), TRAIN, np.array([0, 2, 3, 5]))
    np.testing.assert_array_equal(whole(pieces, np.array([3, 0, 1])), VALUES[TRAIN][:, [5, 0, 2]])
    np.testing.assert_array_equal(whole(pieces, slice(1, 3)), VALUES[TRAIN][:, [2, 3]])


def test_a_side_is_cut_by_sites_and_units() -> None:
    both = activations(VALUES)
    reading = read_sides([(both, TRAIN), (both, HELD)], EVERY)
    labels = Labels(("a", "b"), (np.arange(10) % 2).astype(np.int32))
    side = Side(reading.train, labels, np.arange(10, dtype=np.int32), np.arange(10) * 2)
    keep = np.arange(10) > 6
    part = side.at(keep).of_units(np.array([4, 1]))
    np.testing.assert_array_equal(whole(part.values), VALUES[TRAIN][keep][:, [4, 1]])
    assert (part.truth.tolist(), part.block.tolist(), part.form.tolist()) == ([1, 0, 1], [7, 8, 9], [14, 16, 18])
