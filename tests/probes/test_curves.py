"""Curves on units of known use, and the smallest number that is enough."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from unitscope.errors import PlanError
from unitscope.probes.curves import Mode, Point, curve, sizes, smallest
from unitscope.probes.scoring import Accuracy

TRUTH = np.random.default_rng(1).integers(0, 2, 400).astype(np.int32)
BLOCK = np.repeat(np.arange(40, dtype=np.int32), 10)
N_UNITS = 20


def reader(asked: list[tuple[Mode, list[int]]]) -> Callable[[Mode], Callable[[NDArray[np.intp]], NDArray[np.int32]]]:
    """Says the truth at a share of the sites that falls with the first of the units it is given."""

    def of_mode(mode: Mode) -> Callable[[NDArray[np.intp]], NDArray[np.int32]]:
        def predict(units: NDArray[np.intp]) -> NDArray[np.int32]:
            asked.append((mode, units.tolist()))
            right = np.arange(400) % N_UNITS >= units.min()
            return np.where(right, TRUTH, 1 - TRUTH).astype(np.int32)

        return predict

    return of_mode


def points(draws: int = 4) -> tuple[list[Point], list[tuple[Mode, list[int]]]]:
    asked: list[tuple[Mode, list[int]]] = []
    order = np.arange(N_UNITS)
    found = curve(order, reader(asked), Accuracy(), TRUTH, BLOCK, numbers=(2, 10), n_units=N_UNITS, draws=draws, seed=3)
    return found, asked


def test_every_selection_is_asked_in_both_modes() -> None:
    found, asked = points()
    assert [(p.mode, p.n_units, p.selection) for p in found] == [
        (mode, n, selection)
        for mode in ("mask", "retrain")
        for n in (2, 10)
        for selection in ("top", "random", "bottom")
    ]
    assert len(asked) == 2 * 2 * 6
    assert ("mask", [0, 1]) in asked
    assert ("retrain", [18, 19]) in asked
    assert [p.share for p in found[:2]] == [0.1, 0.1]
    drawn = {tuple(units) for mode, units in asked if mode == "mask" and len(units) == 2}
    assert drawn == {tuple(units) for mode, units in asked if mode == "retrain" and len(units) == 2}


def test_scores_are_those_of_the_units_and_draws() -> None:
    found, asked = points()
    by = {(p.mode, p.n_units, p.selection): p.score for p in found}
    assert by["mask", 2, "top"].value == 1.0
    assert by["mask", 2, "bottom"].value == pytest.approx(1 - 18 / N_UNITS)
    drawn = [1 - min(units) / N_UNITS for mode, units in asked[1:5]]
    assert by["mask", 2, "random"].value == pytest.approx(np.mean(drawn))


def test_an_interval_of_draws_is_wider_where_they_differ() -> None:
    found, _ = points()
    by = {(p.mode, p.n_units, p.selection): p.score for p in found}
    wide, narrow = by["mask", 2, "random"], by["mask", 10, "random"]
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert wide.low < wide.value < wide.high


@given(st.integers(1, 3000), st.data())
def test_the_smallest_number_of_a_rising_score_is_found_within_two_percent(n_units: int, data: st.DataObject) -> None:
    enough = data.draw(st.integers(1, n_units))
    asked: list[int] = []

    def score(n: int) -> float:
        asked.append(n)
        return float(n >= enough)

    found = smallest(score, n_units, 1.0)
    assert found.reached
    assert enough <= found.n_units <= enough * 1.03 + 1
    assert max(asked) <= n_units
    assert len(asked) == len(set(asked)) <= 25
    assert [n for n, _ in found.tried] == asked


def test_what_not_even_all_units_reach_is_told() -> None:
    found = smallest(lambda n: n / 10, 10, 2.0)
    assert (found.n_units, found.reached) == (10, False)


def test_bad_shares_and_draws() -> None:
    assert sizes([0.01, 0.011, 1.0], 100) == [1, 100]
    with pytest.raises(PlanError, match=r"Got shares \[0\.0\] of units"):
        sizes([0.0], 10)
    with pytest.raises(PlanError, match="Got 1 draws of random units"):
        points(draws=1)
