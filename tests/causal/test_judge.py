"""Judging: a planted model whose attribution is right, and one that is made wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from unitscope.causal.judge import judge, spearman
from unitscope.causal.methods import GradientXActivation
from unitscope.causal.targets import ClassLogit, Coordinate
from unitscope.causal.to_units import attribute_units
from unitscope.errors import AttributionError
from unitscope.models import load_model
from unitscope.models.adapters import Encoded
from unitscope.models.torch import TorchModel
from unitscope.sites import Item, Text


class Letters:
    pads = False

    def encode(self, texts: Any) -> Encoded:
        ids = torch.tensor([[ord(letter) % 128 for letter in text.text] for text in texts])
        return Encoded([[(at, at + 1) for at in range(len(text.text))] for text in texts], (ids,))


class Sum(nn.Module):
    """A weighted sum of 20 units: what taking one out does is its value times its weight."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.embed = nn.Embedding(128, 4)
        self.hidden = nn.Linear(4, 20)
        self.out = nn.Linear(20, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.out(self.hidden(self.embed(ids)).sum(dim=1))


@pytest.fixture(scope="module")
def made() -> tuple[Any, list[Item]]:
    texts = ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st", "uv"]
    return TorchModel(Sum(), Letters()), [Item(text, text, {"source": Text.from_words([text])}) for text in texts]


def test_a_linear_readout_is_judged_right(made: tuple[Any, list[Item]]) -> None:
    model, items = made
    target = ClassLogit(1)
    found = attribute_units(model, items, layers=["hidden"], target=target, method=GradientXActivation())
    (judged,) = judge(model, items, found, target, n_units=15)
    assert len(judged.units) == 15
    assert judged.correlation == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(judged.attribution, judged.effect, rtol=1e-3, atol=1e-5)
    assert judged.comprehensiveness.low > 0
    assert judged.sufficiency.high < 0
    # Half of the units, the upper ones of each item, as a plain sum.
    values = np.sort(found.totals["hidden"], axis=1)[:, ::-1]
    assert judged.comprehensiveness.by_share[4, 0] == pytest.approx(values[:, :10].sum(axis=1).mean(), rel=1e-3)
    assert judged.sufficiency.by_share[4, 0] == pytest.approx(values[:, 10:].sum(axis=1).mean(), rel=1e-3)


def test_a_wrong_attribution_is_judged_wrong(made: tuple[Any, list[Item]]) -> None:
    model, items = made
    target = ClassLogit(1)
    found = attribute_units(model, items, layers=["hidden"], target=target, method=GradientXActivation())
    wrong = replace(found, totals={"hidden": -found.totals["hidden"]})
    (judged,) = judge(model, items, wrong, target, n_units=20)
    assert judged.correlation == pytest.approx(-1, abs=1e-6)
    assert judged.comprehensiveness.high < 0
    with pytest.raises(AttributionError, match="other items or another target"):
        judge(model, items, found, ClassLogit(2))


def test_losses_are_what_hooks_measure(tiny_model: Path) -> None:
    """Sets of units of each item's own, at special tokens too, beside one hook for each set."""
    model, address = load_model(str(tiny_model)), "encoder.layer.1.intermediate"
    texts = ["the old dog saw a house .", "she", "a dog", "they walk the red river and see ."]
    items = [Item(f"s{at}", f"s{at}", {"source": Text.from_words(text.split())}) for at, text in enumerate(texts)]
    target = Coordinate(0)
    found = attribute_units(model, items, layers=[address], target=target, method=GradientXActivation())
    (judged,) = judge(model, items, found, target, n_units=3, shares=(0.1, 0.5), batch_size=3)
    module: Any = model.module  # type: ignore[attr-defined]

    def lost(item: Item, gone: Any) -> float:
        args, kwargs, _ = model.fed([item])  # type: ignore[attr-defined]

        def silence(_m: Any, _i: Any, out: torch.Tensor) -> torch.Tensor:
            return out.index_fill(-1, torch.as_tensor(np.array(gone)), 0.0)

        scores = []
        for hook in (lambda *_: None, silence):
            handle = module.get_submodule(address).register_forward_hook(hook)
            with torch.no_grad():
                scores.append(float(module(*args, **kwargs).last_hidden_state.mean(dim=1)[0, 0]))
            handle.remove()
        return scores[0] - scores[1]

    orders = np.argsort(-found.totals[address], axis=1, kind="stable")
    for share, n in enumerate((3, 16)):
        removed = np.mean([lost(item, order[:n]) for item, order in zip(items, orders, strict=True)])
        left = np.mean([lost(item, order[n:]) for item, order in zip(items, orders, strict=True)])
        assert judged.comprehensiveness.by_share[share, 0] == pytest.approx(removed, abs=1e-6)
        assert judged.sufficiency.by_share[share, 0] == pytest.approx(left, abs=1e-6)
    alone = [np.mean([lost(item, [unit]) for item in items]) for unit in judged.units.tolist()]
    np.testing.assert_allclose(judged.effect, alone, atol=1e-6)


def test_rank_correlation_of_ties_and_constants() -> None:
    assert spearman(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(0.8660254)
    assert np.isnan(spearman(np.ones(3), np.arange(3.0)))
