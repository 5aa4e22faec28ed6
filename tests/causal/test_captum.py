"""Captum's attributions as methods of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("captum.attr", reason="Captum is not installed")

from collections import Counter

from unitscope.causal.captum import CaptumLayer, neuron
from unitscope.causal.feeding import batches, layers_of
from unitscope.causal.methods import Conductance, Cost, GradientXActivation, IntegratedGradients, Work
from unitscope.causal.path import origin_of
from unitscope.causal.targets import Coordinate
from unitscope.causal.to_tokens import TokenMethod, position_maps
from unitscope.causal.to_units import attribute_units
from unitscope.errors import AttributionError
from unitscope.models import load_model
from unitscope.sites import Item, Text

LAYER = "encoder.layer.1.intermediate"


@pytest.fixture(scope="module")
def bert(tiny_model: Path) -> Any:
    model = load_model(str(tiny_model))
    model.module.double()  # type: ignore[attr-defined]
    return model


def items() -> list[Item]:
    texts = ["the old dog answers .", "she", "they see the red river"]
    return [Item(f"s{at}", "g", {"source": Text.from_words(text.split())}) for at, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (CaptumLayer("LayerConductance", {"n_steps": 4}), Conductance(4, "left")),
        (CaptumLayer("LayerIntegratedGradients", {"n_steps": 4}), IntegratedGradients(4)),
        (CaptumLayer("LayerGradientXActivation"), GradientXActivation()),
    ],
    ids=lambda method: method.name,
)
def test_padded_batches_give_what_ours_give(bert: Any, theirs: Any, ours: Any) -> None:
    found = [attribute_units(bert, items(), layers=[LAYER], target=Coordinate(2), method=m) for m in (theirs, ours)]
    np.testing.assert_allclose(found[0].totals[LAYER], found[1].totals[LAYER], rtol=1e-6, atol=1e-8)
    assert found[0].method.startswith("captum:Layer")


def test_a_neuron_of_theirs_is_one_of_our_sweep(bert: Any) -> None:
    (place,), origin = layers_of(bert, [LAYER]), origin_of(bert)
    (fed,) = batches(bert, items()[:1], 1, Counter())
    work = Work(bert, fed, [place], origin, Coordinate(0), Cost())
    theirs = neuron("NeuronConductance", work, 2, 9, {"n_steps": 6, "method": "gausslegendre"})
    ((_, mine),) = position_maps(bert, items()[:1], LAYER, method=TokenMethod(steps=6, through=Coordinate(0)))
    np.testing.assert_allclose(mine[:, 2, 9].numpy(), theirs[0].numpy(), rtol=1e-6, atol=1e-10)


def test_an_unknown_class_is_told(bert: Any) -> None:
    with pytest.raises(AttributionError, match="Captum has no 'LayerMagic'"):
        attribute_units(bert, items(), layers=[LAYER], target=Coordinate(0), method=CaptumLayer("LayerMagic"))
