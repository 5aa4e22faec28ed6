"""Sweeps over a planted network: what it gives depends on known units; others hold the same and do nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from unitscope import edits
from unitscope.activations import Activations
from unitscope.causal.sweeps import curve, importance, specificity, to_means
from unitscope.causal.tasks import Bound, LanguageModelling, Measured
from unitscope.changes import Put
from unitscope.concepts.table import ConceptTable
from unitscope.errors import TaskError
from unitscope.models.adapters import Encoded
from unitscope.models.huggingface import from_pretrained
from unitscope.models.torch import TorchModel
from unitscope.rankings.base import Origin, Ranking
from unitscope.sites import Item, Text
from unitscope.study.prepare import Sites

N_UNITS, CAUSES = 12, (2, 5, 7)
WEIGHTS = (3.0, 2.0, 1.0)


class Planted(nn.Module):
    """Units hold one signal each; 0, 1 and 3 copy those of 2, 5 and 7; the output reads 2, 5 and 7 alone."""

    def __init__(self) -> None:
        super().__init__()
        self.units, self.out = nn.Linear(N_UNITS, N_UNITS, bias=False), nn.Linear(N_UNITS, 1, bias=False)
        mixing = torch.eye(N_UNITS)
        for copy, cause in zip((0, 1, 3), CAUSES):
            mixing[copy] = mixing[cause]
        with torch.no_grad():
            self.units.weight.copy_(mixing)
            self.out.weight.zero_()
            self.out.weight[0, list(CAUSES)] = torch.tensor(WEIGHTS)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.out(self.units(values))
        return found


class Numbers:
    """Texts of words that are numbers: each is the seed of a site's signals."""

    pads = False

    def encode(self, texts: Sequence[Text]) -> Encoded:
        values = [[np.random.default_rng(int(w)).normal(1, 1, N_UNITS) for w in text.words] for text in texts]
        spans = [np.array(text.spans).reshape(-1, 2) for text in texts]
        return Encoded(spans, (torch.tensor(np.array(values), dtype=torch.float32),))

    probe_word = "1"


def planted() -> tuple[TorchModel, Bound]:
    words = np.random.default_rng(3).integers(1, 10_000, (40, 4))
    items = [Item(f"s{n}", f"s{n}", {"source": Text.from_words([str(w) for w in row])}) for n, row in enumerate(words)]
    model = TorchModel(Planted().eval(), Numbers())
    return model, Measured(lambda output, batch: output[..., 0].mean(dim=1)).bound(model, items)


def unit(n: int) -> str:
    return f"units:{n}"


def test_importance_finds_the_causes_and_no_copy() -> None:
    model, task = planted()
    everything = [unit(n) for n in range(N_UNITS)]
    found = importance(model, task, everything, range(40))
    assert found.causal() == tuple(unit(n) for n in CAUSES)
    by = dict(zip(found.units, found.effects))
    for n in set(range(N_UNITS)) - set(CAUSES):
        assert (by[unit(n)].effect, by[unit(n)].p) == (0.0, 1.0)
    for n, weight in zip(CAUSES, WEIGHTS):
        assert by[unit(n)].effect == pytest.approx(-weight, rel=0.25)


def test_a_curve_falls_by_the_causes_and_not_by_copies() -> None:
    model, task = planted()
    order = [2, 5, 7, 4, 6, 8, 9, 10, 11, 3, 1, 0]
    ranking = Ranking(tuple(unit(n) for n in order), -np.arange(12.0), "all", Origin("made"))
    found = curve(model, task, ranking, range(40), sizes=(1, 3, 99), n_draws=3)
    assert found.unedited == pytest.approx(6.0, rel=0.1)
    by = {(p.selection, p.n_units, p.draw): p for p in found.points}
    assert by["top", 3, 0].value == pytest.approx(0.0, abs=1e-6)
    assert by["bottom", 3, 0].effect.effect == 0.0
    assert by["top", 12, 0].value == by["bottom", 12, 0].value == pytest.approx(by["random", 12, 1].value)
    assert found.beyond[3].high < 0
    drawn = np.mean([by["random", 3, k].value for k in (1, 2, 3)])
    assert found.random[3].effect == pytest.approx(drawn - found.unedited)
    again = curve(model, task, ranking, range(40), sizes=(1, 3, 99), n_draws=3)
    assert (again.sums.sums == found.sums.sums).all()
    with pytest.raises(TaskError, match="numbers from 1 up"):
        curve(model, task, ranking, range(40), sizes=(0,))


def test_means_are_over_the_chosen_sites() -> None:
    table = ConceptTable(("a",), ("c",), np.array([0, 1]), np.array([0], np.int32), 4)
    held = Activations.of_arrays({"units": np.arange(8, dtype=np.float32).reshape(4, 2)}, table)
    remove = to_means(held, ["units:1", "units:0"], np.array([True, True, False, False]))
    step = remove(["units:1"]).steps[0]
    assert step.target.units == (1,)
    assert isinstance(step.change, Put)
    assert step.change.numbers.tolist() == [2.0]
    with pytest.raises(TaskError, match="no values of the unit 'units:7'"):
        to_means(held, ["units:7"], np.ones(4, np.bool_))


def test_specificity_is_the_difference_of_plain_means(language_model: Callable[[str], Path]) -> None:
    model = from_pretrained(language_model("gpt2"))
    draw = np.random.default_rng(0)
    texts = [list(draw.choice(["the", "old", "dog", "saw", "a", "house"], 6)) for _ in range(40)]
    items = [Item(str(n), str(n), {"source": Text.from_words(words)}) for n, words in enumerate(texts)]
    words = [word for text in texts for word in text]
    at = np.flatnonzero([word == "dog" for word in words]).astype(np.int32)
    table = ConceptTable(("word:dog",), ("word",), np.array([0, len(at)]), at, len(words))
    item, position = np.repeat(np.arange(40, dtype=np.int32), 6), np.tile(np.arange(6, dtype=np.int32), 40)
    sites = Sites(item, position, np.full(len(words), 6, np.int32), np.zeros(len(words), np.int32))
    held = Activations.of_arrays({"h.0.mlp.act": np.zeros((len(words), 64), np.float32)}, table, sites=sites)
    task = LanguageModelling().bound(model, items)
    found = specificity(model, task, [("h.0.mlp.act:3", "word:dog")], held, range(40))[0]

    def losses(edit: Any, item: Item) -> torch.Tensor:
        args, kwargs, _ = model.fed([item])
        with torch.no_grad():
            hidden = model.edited(edit, items=[item])(*args, **kwargs).last_hidden_state[0]
        weight, _, _ = model.head()
        loss: torch.Tensor = nn.functional.cross_entropy(
            hidden[:-1] @ weight.to(hidden).T, kwargs["input_ids"][0, 1:], reduction="none"
        )
        return loss

    inside, outside = [], []
    for one, text in zip(items, texts):
        change = losses(edits.zero("h.0.mlp.act:3"), one) - losses(edits.Edit(), one)
        for value, place in zip(change.tolist(), task.places[int(one.id)].tolist()):
            (inside if text[place] == "dog" else outside).append(value)
    assert (found.n_inside, found.n_outside) == (len(inside), len(outside))
    assert found.inside.effect == pytest.approx(np.mean(inside), abs=1e-5)
    assert found.difference.effect == pytest.approx(np.mean(inside) - np.mean(outside), abs=1e-5)
    assert found.difference.low < found.difference.effect < found.difference.high
    with pytest.raises(TaskError, match="no concept 'word:cat'"):
        specificity(model, task, [("h.0.mlp.act:3", "word:cat")], held, range(40))
