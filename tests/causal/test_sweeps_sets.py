"""Pairs and greedy sets against sums by hand: nothing beyond in a linear network, synergy in a product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from unitscope import edits
from unitscope.causal.sweeps_sets import chosen_set, greedy, pairs_of
from unitscope.errors import TaskError
from unitscope.rankings.base import Origin, Ranking
from unitscope.report.ablated_units import kind_of_pair

UNITS = [f"units:{n}" for n in range(6)]


def mixed(units: torch.Tensor) -> torch.Tensor:
    """One unit for itself, two that are needed together, two of which one is enough."""
    either = torch.maximum(units[..., 3].abs(), units[..., 4].abs())
    return units[..., 0] + units[..., 1].abs() * units[..., 2].abs() + 5 * (either > 0.01).to(units.dtype)


def test_effects_add_up_in_a_linear_network(plant: Callable[..., Any]) -> None:
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0, 0.0, 1.5])
    made = plant(lambda units: units @ weights.to(units.dtype))
    found = pairs_of(made.bench(), UNITS)
    assert len(found.pairs) == 15
    for pair in found.pairs:
        assert pair.effect.effect == pytest.approx(made.value(pair.units) - made.value([]), abs=1e-5)
        assert pair.effect.effect == pytest.approx(pair.expected, abs=1e-5)
        assert pair.beyond.effect == pytest.approx(0, abs=1e-5)


def test_synergy_and_redundancy_are_told(plant: Callable[..., Any]) -> None:
    made = plant(mixed)
    found = pairs_of(made.bench(), UNITS[:5])
    by = {pair.units: pair for pair in found.pairs}
    value = made.value
    for (one, other), pair in by.items():
        beyond = value([one, other]) - value([one]) - value([other]) + value([])
        assert pair.beyond.effect == pytest.approx(beyond, abs=1e-4)
    both, either, alone = by["units:1", "units:2"], by["units:3", "units:4"], by["units:0", "units:3"]
    assert kind_of_pair(both, rising=True) == "synergy"
    assert kind_of_pair(either, rising=True) == "redundancy"
    assert kind_of_pair(either, rising=False) == "synergy", "where less is better the signs turn"
    assert kind_of_pair(alone, rising=True) == "additive"
    assert both.beyond.low > 0
    with pytest.raises(TaskError, match="make pairs of"):
        pairs_of(made.bench(), ["units:0"])


def test_a_greedy_set_is_that_of_plain_loops(plant: Callable[..., Any]) -> None:
    made = plant(mixed)
    half = list(range(20))
    bench = made.bench(items=half)
    chosen, scores = chosen_set(bench, UNITS, 4, rising=True, remove=edits.zero)
    plain: list[str] = []
    for score in scores:
        left = [unit for unit in UNITS if unit not in plain]
        values = [made.value([*plain, unit], half) for unit in left]
        plain.append(left[int(np.argmin(np.round(values, 6)))])
        assert score == pytest.approx(min(values) - made.value([], half), abs=1e-4)
    assert chosen == plain


def test_a_greedy_set_finds_what_a_ranking_misses(plant: Callable[..., Any]) -> None:
    made = plant(lambda units: 5 * (units[..., 3].abs() + units[..., 4].abs() > 0.01) + 0.1 * units[..., 0] ** 2)
    ranking = Ranking(tuple(UNITS), -np.arange(6.0), "all", Origin("made"))
    choosing, testing = made.bench(items=list(range(20))), made.bench(items=list(range(20, 40)))
    how = {"rising": True, "n_candidates": 6, "n_draws": 2}
    found = greedy(choosing, testing, ranking, 5, **how)
    assert found.steps[0].unit == "units:0"
    rest = list(range(20, 40))
    for size, step in enumerate(found.steps, 1):
        sets = [each.unit for each in found.steps[:size]]
        assert step.effect.effect == pytest.approx(made.value(sets, rest) - made.value([], rest), abs=1e-4)
        top = made.value(UNITS[:size], rest) - made.value([], rest)
        assert step.top == pytest.approx(top, abs=1e-4)
        assert step.beyond_top.effect == pytest.approx(step.effect.effect - top, abs=1e-4)
        drawn = [made.value(ranking.random(size, k), rest) - made.value([], rest) for k in range(2)]
        assert step.random == pytest.approx(np.mean(drawn), abs=1e-4)
    pruned = greedy(choosing, testing, ranking, 2, **{**how, "n_candidates": 2})
    assert {step.unit for step in pruned.steps} == {"units:0", "units:1"}
    with pytest.raises(TaskError, match="2 candidates for a set of 3"):
        greedy(choosing, testing, ranking, 3, **{**how, "n_candidates": 2})
