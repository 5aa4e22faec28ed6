"""What a planted network's units do is found, and of units that only look alike it is said that they do nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from unitscope import edits
from unitscope.causal.ablation import Ablation
from unitscope.causal.effects import measured
from unitscope.causal.methods import (
    Conductance,
    GradientXActivation,
    IntegratedGradients,
    InternalInfluence,
    Method,
)
from unitscope.causal.sweeps import curve, importance, specificity
from unitscope.causal.targets import Function
from unitscope.causal.tasks import Measured
from unitscope.causal.to_units import attribute_units
from unitscope.planted_network import GAIN, LAYER, PREVALENCE, PlantedNetwork, class_scores
from unitscope.rankings.base import Origin, Ranking

N = 120


@pytest.fixture(scope="module")
def network() -> PlantedNetwork:
    return PlantedNetwork.draw(3, n_items=N, n_concepts=3, n_hidden=3, n_noise=6, strength=(0.8, 2.0))


def first_score(output: object, batch: object) -> torch.Tensor:
    return class_scores(output)[:, 0]


def test_detectors_of_a_concept_are_alike(network: PlantedNetwork) -> None:
    values = network.activations.values()
    for concept in range(3):
        own = [at for at, unit in enumerate(network.units) if unit.concept == concept]
        assert len(own) == 6
        together = np.corrcoef(values[:, own].T)
        assert together.min() == pytest.approx(0.9, abs=0.05)
        mask = network.bits[network.words.reshape(-1), concept]
        assert mask.mean() == pytest.approx(PREVALENCE, abs=0.08)
        gaps = values[mask][:, own].mean(axis=0) - values[~mask][:, own].mean(axis=0)
        assert gaps == pytest.approx(GAIN, abs=0.1)
    assert sum(unit.kind == "hidden" for unit in network.units) == 3
    assert network.concepts == network.activations.concepts.names


def test_the_same_seed_gives_the_same_network(network: PlantedNetwork) -> None:
    again = PlantedNetwork.draw(3, n_items=N, n_concepts=3, n_hidden=3, n_noise=6, strength=(0.8, 2.0))
    assert again.units == network.units
    assert (again.tokens == network.tokens).all()
    assert (again.effects == network.effects).all()
    assert PlantedNetwork.draw(4, n_items=2).units != PlantedNetwork.draw(5, n_items=2).units


def test_what_is_reckoned_by_hand_is_what_the_network_does(network: PlantedNetwork) -> None:
    values = network.activations.values().astype(np.float64)
    found = measured(network.model, network.token_task, [edits.Edit()], range(N))
    assert found.values[0] == pytest.approx(network.losses(values).mean(), rel=1e-6)


def test_importance_names_the_causes_and_no_correlate(network: PlantedNetwork) -> None:
    values = network.activations.values().astype(np.float64)
    found = importance(network.model, network.token_task, network.addresses, range(N))
    assert set(found.causal(0.05)) == network.causal
    whole = network.losses(values).mean()
    for at, (unit, effect) in enumerate(zip(network.units, found.effects)):
        without = values.copy()
        without[:, at] = 0
        assert effect.effect == pytest.approx(network.losses(without).mean() - whole, abs=1e-6)
        if unit.kind in ("correlate", "unread", "noise"):
            assert (effect.effect, effect.p) == (0.0, 1.0)
        if unit.kind == "cancelled":
            # What cancels out leaves rounding, which is no effect however regular it is.
            assert abs(effect.effect) < 1e-6
            assert effect.p == 1.0


def test_a_score_falls_by_what_each_unit_adds(network: PlantedNetwork) -> None:
    task = Measured(first_score).bound(network.model, network.items)
    found = importance(network.model, task, network.addresses, range(N))
    means = network.activations.values().astype(np.float64).mean(axis=0)
    n_tokens = network.effects.shape[0] - 3
    assert [each.effect for each in found.effects] == pytest.approx(
        (-means * network.effects[n_tokens]).tolist(), abs=1e-6
    )


@pytest.mark.parametrize("best", ["true", "by correlation"])
def test_a_curve_beats_chance_by_the_causes_alone(network: PlantedNetwork, best: str) -> None:
    causes, others = network.named("cause", "hidden"), network.named("correlate", "unread", "cancelled", "noise")
    # By correlation any detector may come first: here those that do nothing.
    order = causes + others if best == "true" else others + causes
    ranking = Ranking(order, -np.arange(float(len(order))), "all", Origin("made"))
    found = curve(network.model, network.token_task, ranking, range(N), sizes=(len(causes),), n_draws=3)
    beyond = found.beyond[len(causes)]
    assert (beyond.low > 0) if best == "true" else (beyond.high < 0)


def test_a_match_is_specific_only_where_the_unit_is_a_cause(network: PlantedNetwork) -> None:
    found = specificity(network.model, network.token_task, network.matches, network.activations, range(N))
    kinds = {name: unit.kind for name, unit in zip(network.addresses, network.units)}
    assert len(found) == 18
    for each in found:
        if kinds[each.unit] == "cause":
            assert each.difference.low > 0
            assert each.inside.effect > 10 * abs(each.outside.effect)
        else:
            assert abs(each.inside.effect) < 1e-6
            assert each.difference.p == 1.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: Conductance(4),
        lambda: IntegratedGradients(4),
        GradientXActivation,
        lambda: InternalInfluence(4),
        Ablation,
    ],
)
def test_attribution_goes_to_the_causes(network: PlantedNetwork, make: Callable[[], Method]) -> None:
    target = Function(first_score, "class 0")
    found = attribute_units(network.model, network.items, layers=[LAYER], target=target, method=make())
    sizes = dict(zip(network.addresses, found.size(LAYER)))
    assert set(sorted(sizes, key=lambda unit: -sizes[unit])[: len(network.causal)]) == network.causal
    for name, unit in zip(network.addresses, network.units):
        if unit.kind in ("correlate", "unread", "noise"):
            assert sizes[name] == 0.0
        if unit.kind == "cancelled":
            assert sizes[name] < 1e-6
