"""Single units on two halves: classes as by plain loops, and the winner's curse where there is nothing to win."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from unitscope.causal.sweeps_single import correlation, single
from unitscope.rankings.base import Origin

A, B = list(range(0, 40, 2)), list(range(1, 40, 2))


def test_effects_of_units_and_classes_are_those_of_plain_loops(plant: Callable[..., Any]) -> None:
    made = plant(lambda units: units[..., 0] + units[..., 1] * units[..., 2] - 2 * units[..., 5])
    classes = ["yes" if n % 3 else "no" for n in range(40)]
    units = [f"units:{n}" for n in range(6)]
    benches = [made.bench(items=half, classes=classes) for half in (A, B)]
    found = single(*benches, units, rising=True)
    assert [part.target for part in found.classes] == ["no", "yes"]
    for part in (found.whole, *found.classes):
        for half, effects in ((A, part.chosen), (B, [each.effect for each in part.effects])):
            mine = [n for n in half if part.target in ("all", classes[n])]
            plain = [made.value([unit], mine) - made.value([], mine) for unit in units]
            assert list(effects) == pytest.approx(plain, abs=1e-4)
        assert part.order.tolist() == np.argsort(part.chosen, kind="stable").tolist(), "a loss of value is worse"
    rankings = found.rankings(Origin("importance"))
    assert [each.target for each in rankings] == ["all", "no", "yes"]
    assert rankings[0].units[0] == units[int(np.argmin(found.whole.chosen))]
    turned = single(*benches, units, rising=False)
    assert turned.rankings(Origin("importance"))[0].units[0] == units[int(np.argmax(found.whole.chosen))]
    rates = np.concatenate([part.q for part in found.classes])
    p = np.array([each.p for part in found.classes for each in part.effects])
    assert rates.max() == pytest.approx(p.max()), "one family over units and classes"


def test_classes_are_told_by_name_where_a_half_lacks_one(plant: Callable[..., Any]) -> None:
    made = plant(lambda units: units[..., 0])
    classes = ["b" if n in A or n % 3 else "a" for n in range(40)]
    found = single(made.bench(items=A, classes=classes), made.bench(items=B, classes=classes), ["units:0"], rising=True)
    by = {part.target: part for part in found.classes}
    assert np.isnan(by["a"].chosen).all()
    assert by["b"].chosen[0] == pytest.approx(found.whole.chosen[0])
    assert [each.target for each in found.rankings(Origin("importance"))] == ["all", "b"]


def test_chosen_effects_do_not_last_where_there_are_none(plant: Callable[..., Any]) -> None:
    weights = torch.ones(60)
    made = plant(lambda units: units @ weights.to(units.dtype), n_units=60, mean=0.0)
    units = [f"units:{n}" for n in range(60)]
    found = single(made.bench(items=A), made.bench(items=B), units, rising=True)
    ten = next(each for each in found.whole.left if each.n_units == 10)
    assert ten.chosen < -0.15
    assert abs(ten.share) < 0.4
    assert ten.effect.low < 0 < ten.effect.high
    assert abs(found.whole.reliability) < 0.3
    assert len(found.causal()) <= 3


def test_chosen_effects_last_where_they_are_real(plant: Callable[..., Any]) -> None:
    weights = torch.tensor([4.0, 2.0, *[0.1] * 18])
    made = plant(lambda units: units @ weights.to(units.dtype), n_units=20)
    units = [f"units:{n}" for n in range(20)]
    found = single(made.bench(items=A), made.bench(items=B), units, rising=True)
    assert found.units[found.whole.order[0]] == "units:0"
    assert found.causal()[:2] == ("units:0", "units:1")
    assert found.whole.left[0].share == pytest.approx(1, abs=0.2)


def test_correlation_is_spearmans() -> None:
    draw = np.random.default_rng(0)
    one, other = draw.integers(0, 5, 30).astype(float), draw.normal(size=30)
    assert correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert np.isnan(correlation(np.ones(4), np.arange(4.0)))
    assert np.isnan(correlation(np.array([1.0, np.nan]), np.arange(2.0)))
