"""Units chosen from weights, beside plain loops over prefixes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from unitscope.errors import PlanError
from unitscope.probes import selection

# Eighths, so that sums are exact and ties are frequent.
WEIGHTS = st.tuples(st.integers(1, 4), st.integers(1, 8)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-16, 16).map(lambda n: n / 8))
)


def loop_by_mass(weights: NDArray[np.float64], share: float, rising: bool = False) -> list[list[int]]:
    chosen = []
    for row in np.abs(weights).tolist():
        order = sorted(range(len(row)), key=lambda unit: (row[unit] if rising else -row[unit], unit))
        total, taken = 0.0, []
        for unit in order:
            if taken and total >= share * sum(row):
                break
            taken.append(unit)
            total += row[unit]
        chosen.append(taken)
    return chosen


def loop_ordering(weights: NDArray[np.float64], steps: int) -> list[int]:
    found: list[int] = []
    for step in range(steps + 1):
        new = {unit for taken in loop_by_mass(weights, step / steps) for unit in taken} - set(found)
        new = {unit for unit in new if np.abs(weights[:, unit]).max() > 0}
        found += sorted(new, key=lambda unit: (-np.abs(weights[:, unit]).max(), unit))
    return found + [unit for unit in range(weights.shape[1]) if unit not in found]


def lists(chosen: selection.Selection) -> list[list[int]]:
    return [units.tolist() for units in chosen.of_class]


def test_worked_cases() -> None:
    assert selection.ordering(np.array([[4, 1, 5], [1, 1, 10]])).tolist() == [2, 0, 1]
    assert lists(selection.by_mass(np.array([[5, 1, 1], [1, 10, 1]]), 0.5)) == [[0], [1]]
    assert lists(selection.by_threshold(np.array([[5, 1, 2, 1], [1, 10, 1, 6]]), 2)) == [[0], [1, 3]]


def test_a_prefix_that_reaches_the_share_exactly_is_enough() -> None:
    assert lists(selection.by_mass(np.array([[5, 4, 1]]), 0.5)) == [[0]]
    assert lists(selection.by_mass(np.array([[5, 4, 1]]), 0.51)) == [[0, 1]]
    assert lists(selection.by_mass(np.array([[5, -4, 1]]), 1.0)) == [[0, 1, 2]]
    assert lists(selection.by_mass(np.array([[5, 4, 0]]), 1.0)) == [[0, 1]]
    assert lists(selection.by_mass(np.array([[0, 0, 0]]), 1.0)) == [[0]]  # one at least


@given(WEIGHTS, st.integers(0, 8))
def test_units_by_mass_are_those_of_a_plain_loop(weights: NDArray[np.float64], eighths: int) -> None:
    before = weights.copy()
    assert lists(selection.by_mass(weights, eighths / 8)) == loop_by_mass(weights, eighths / 8)
    assert lists(selection.bottom_by_mass(weights, eighths / 8)) == loop_by_mass(weights, eighths / 8, rising=True)
    np.testing.assert_array_equal(weights, before)


@given(WEIGHTS, st.sampled_from([1, 4, 16]))
def test_the_ordering_is_that_of_a_plain_loop(weights: NDArray[np.float64], steps: int) -> None:
    found = selection.ordering(weights, steps)
    assert found.tolist() == loop_ordering(weights, steps)
    assert sorted(found.tolist()) == list(range(weights.shape[1]))


@given(WEIGHTS)
def test_what_is_shared_and_exclusive_adds_up(weights: NDArray[np.float64]) -> None:
    chosen = selection.by_mass(weights, 0.5)
    exclusive = [unit for of in range(len(weights)) for unit in chosen.exclusive(of).tolist()]
    assert sorted([*exclusive, *chosen.shared.tolist()]) == chosen.overall.tolist()
    assert chosen.overall.tolist() == sorted({unit for units in lists(chosen) for unit in units})


def test_fixed_numbers_and_the_other_end() -> None:
    weights = np.array([[3.0, -1.0, 2.0, 2.0], [0.0, 1.0, -4.0, 0.0]])
    assert lists(selection.top(weights, 2)) == [[0, 2], [2, 1]]
    assert lists(selection.bottom(weights, 2)) == [[1, 2], [0, 3]]
    assert lists(selection.top(weights, 0)) == [[], []]


def test_random_units_are_drawn_by_seed_without_repeats() -> None:
    one, other = selection.random_units(1000, 200, seed=1), selection.random_units(1000, 200, seed=2)
    assert len(np.unique(one)) == 200
    assert 0 <= one.min() < one.max() < 1000
    np.testing.assert_array_equal(one, selection.random_units(1000, 200, seed=1))
    assert 10 < len(np.intersect1d(one, other)) < 90  # 40 expected


def test_units_by_layer() -> None:
    layer_of_unit, layers = selection.of_layers(["a:0", "a:1", "b.c@in:0", "a:2"])
    assert layers == ("a", "b.c@in")
    chosen = selection.Selection((np.array([2, 0]), np.array([2, 0, 3]), np.array([], np.intp)), 4)
    assert chosen.by_layer(layer_of_unit, 2).tolist() == [[1, 1], [2, 1], [0, 0]]
    assert chosen.shared.tolist() == [0, 2]
    assert [chosen.exclusive(of).tolist() for of in range(3)] == [[], [3], []]


def test_bad_values_say_what_was_expected() -> None:
    weights = np.ones((2, 3))
    with pytest.raises(PlanError, match=r"Got 1\.5 for the share of weight mass\. Expected: a number from 0 to 1"):
        selection.by_mass(weights, 1.5)
    with pytest.raises(PlanError, match=r"Got weights of shape \(3,\)\. Expected: \[classes, units\]"):
        selection.ordering(np.ones(3))
    with pytest.raises(PlanError, match="no finite numbers"):
        selection.ordering(np.array([[1.0, np.nan]]))
    with pytest.raises(PlanError, match=r"Got factor 0 for the threshold"):
        selection.by_threshold(weights, 0)
    with pytest.raises(PlanError, match=r"Got 4 units to choose\. Expected: 0 to 3"):
        selection.top(weights, 4)
    with pytest.raises(PlanError, match="Got 0 steps"):
        selection.ordering(weights, 0)
