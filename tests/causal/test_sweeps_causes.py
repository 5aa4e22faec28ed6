"""Read, write, cause against plain loops over a tiny language model, and what counts as a contradiction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from unitscope import edits
from unitscope.activations import Activations
from unitscope.causal.bench import Bench
from unitscope.causal.effects import Effect
from unitscope.causal.sweeps_causes import Cause, Reading, causes_of, class_of, contradictions, of_others
from unitscope.causal.tasks import LanguageModelling
from unitscope.concepts.table import ConceptTable
from unitscope.errors import TaskError
from unitscope.models.huggingface import from_pretrained
from unitscope.sites import Item, Text
from unitscope.study.prepare import Sites

NAN = float("nan")
NONE = Effect(NAN, NAN, NAN, NAN)
UNIT = "h.0.mlp.act:3"


def test_at_sites_it_is_what_plain_loops_say(language_model: Callable[[str], Path]) -> None:
    model = from_pretrained(language_model("gpt2"))
    draw = np.random.default_rng(0)
    texts = [list(draw.choice(["the", "old", "dog", "saw", "a", "house"], 6)) for _ in range(40)]
    items = [Item(str(n), str(n), {"source": Text.from_words(words)}) for n, words in enumerate(texts)]
    words = [word for text in texts for word in text]
    at = np.flatnonzero([word == "dog" for word in words]).astype(np.int32)
    table = ConceptTable(("words:dog",), ("words",), np.array([0, len(at)]), at, len(words))
    item, position = np.repeat(np.arange(40, dtype=np.int32), 6), np.tile(np.arange(6, dtype=np.int32), 40)
    sites = Sites(item, position, np.full(len(words), 6, np.int32), np.zeros(len(words), np.int32))
    own = draw.normal(size=(len(words), 64)).astype(np.float32)
    held = Activations.of_arrays({"h.0.mlp.act": own}, table, sites=sites)
    bench = Bench(model, LanguageModelling().bound(model, items), list(range(40)))
    removers = (edits.zero, lambda units: edits.set(list(units), 0.5))
    reading = Reading(UNIT, "words:dog", 0.9, 0.2, tokens=(" a", " b"), token_ids=(4, 9))
    found = causes_of(bench, [reading], held, removers)[0]

    def scores(edit: Any, item: Item) -> tuple[torch.Tensor, torch.Tensor]:
        args, kwargs, _ = model.fed([item])
        with torch.no_grad():
            hidden = model.edited(edit, items=[item])(*args, **kwargs).last_hidden_state[0]
        weight, _, _ = model.head()
        logits = hidden[:-1] @ weight.to(hidden).T
        loss = nn.functional.cross_entropy(logits, kwargs["input_ids"][0, 1:], reduction="none")
        return loss, torch.log_softmax(logits, 1)[:, [4, 9]].mean(1)

    above = own[:, 3] > np.quantile(own[held.halves.a, 3], 0.9)
    inside, other, written = [], [], []
    for n, (one, text) in enumerate(zip(items, texts)):
        base, removed, set_to = (scores(each, one) for each in (edits.Edit(), *(r([UNIT]) for r in removers)))
        for k, place in enumerate(bench.task.places[n].tolist()):
            if place >= 0 and text[place] == "dog":
                inside.append(float(removed[0][k] - base[0][k]))
                other.append(float(set_to[0][k] - base[0][k]))
            if place >= 0 and above[6 * n + place]:
                written.append(float(removed[1][k] - base[1][k]))
    assert (found.n_inside, found.n_written) == (len(inside), len(written))
    assert found.inside.effect == pytest.approx(np.mean(inside), abs=1e-5)
    assert found.other.effect == pytest.approx(np.mean(other), abs=1e-5)
    assert found.apart.effect == pytest.approx(np.mean(inside) - np.mean(other), abs=1e-5)
    assert found.written.effect == pytest.approx(np.mean(written), abs=1e-5)
    low = Reading(UNIT, "words:dog", 0.9, 0.2, sign=-1, tokens=(" a",), token_ids=(4,))
    below = own[:, 3] < np.quantile(own[held.halves.a, 3], 0.1)
    n_below = sum(below[6 * n + place] for n in range(40) for place in bench.task.places[n].tolist() if place >= 0)
    assert causes_of(bench, [low], held, removers)[0].n_written == n_below


def test_by_class_where_numbers_have_classes(plant: Callable[..., Any]) -> None:
    made = plant(lambda units: units[..., 0] + 0 * units[..., 1])
    classes = ["World" if n % 2 else "Sports" for n in range(40)]
    bench = made.bench(classes=classes)
    removers = (edits.zero, lambda units: edits.set(list(units), 1.0))
    readings = [
        Reading("units:0", "labels:World", 0.9, 0.1),
        Reading("units:1", "labels:World", 0.8, 0.1),
        Reading("units:0", "words:the", 0.9, 0.1),
    ]
    found = causes_of(bench, readings, None, removers, rising=True)  # type: ignore[arg-type]
    assert [each.reading.unit for each in found] == ["units:0", "units:1"], "one concept is no class"
    mine = [n for n in range(40) if n % 2]
    rest = [n for n in range(40) if not n % 2]
    fall = made.value(["units:0"], mine) - made.value([], mine)
    elsewhere = made.value(["units:0"], rest) - made.value([], rest)
    assert found[0].inside.effect == pytest.approx(fall, abs=1e-5)
    assert found[0].outside.effect == pytest.approx(elsewhere, abs=1e-5)
    assert found[0].difference.effect == pytest.approx(fall - elsewhere, abs=1e-5)
    assert found[0].n_inside == 20
    assert "costs nothing there" in found[1].contradiction
    with pytest.raises(TaskError, match="None of the 1 matches"):
        causes_of(bench, readings[2:], None, removers)  # type: ignore[arg-type]
    with pytest.raises(TaskError, match="nor classes"):
        causes_of(made.bench(), readings, None, removers)  # type: ignore[arg-type]


def cause(**parts: Effect) -> Cause:
    named = {name: parts.get(name, NONE) for name in ("inside", "outside", "difference", "other", "apart", "written")}
    return Cause(Reading(UNIT, "x", 0.9, 0.1), **named, n_inside=1, n_written=1, q=0.1, verdict="", contradiction="")


COSTS, NOTHING, GAINS = (Effect(at, at - 0.05, at + 0.05, 0.1) for at in (0.1, 0.0, -0.1))


@pytest.mark.parametrize(
    ("found", "told", "said"),
    [
        (cause(inside=COSTS, other=COSTS, apart=NOTHING, written=GAINS), "specific", []),
        (cause(), "–", []),
        (cause(inside=NOTHING, other=NOTHING), "no difference", ["costs nothing there"]),
        (cause(inside=COSTS, other=COSTS, apart=NOTHING), "elsewhere", ["more where x is not"]),
        (cause(inside=COSTS, other=COSTS, apart=NOTHING, written=NOTHING), "specific", ["do not become less likely"]),
        (cause(inside=COSTS, other=COSTS, apart=NOTHING, written=COSTS), "specific", ["become more likely"]),
        (cause(inside=COSTS, other=NOTHING, apart=COSTS), "specific", ["disagree: only zero costs"]),
        (cause(inside=COSTS, other=NOTHING, apart=NOTHING), "specific", []),
    ],
)
def test_contradictions(found: Cause, told: str, said: list[str]) -> None:
    reading = Reading(UNIT, "x", 0.9, 0.1, tokens=(" a", " b"), token_ids=(1, 2))
    given = contradictions(reading, found, told)
    assert len(given) == len(said)
    assert all(part in whole for part, whole in zip(said, given))


def test_a_gain_is_a_loss_where_more_is_better() -> None:
    found = cause(inside=GAINS, other=GAINS, apart=NOTHING)
    reading = Reading(UNIT, "x", 0.9, 0.1)
    assert contradictions(reading, found, "specific", rising=True) == []
    assert len(contradictions(reading, found, "specific", rising=False)) == 1


def test_classes_by_name_and_all_others() -> None:
    assert class_of("upos:NOUN", ("VERB", "NOUN")) == 1
    assert class_of("upos:NOUN", ("upos:NOUN",)) == 0
    assert class_of("NOUN", ("VERB",)) == -1
    assert class_of("labels:class=Sci/Tech", ("", "World", "Sci/Tech")) == 2
    assert of_others(0)(np.array([9.0, 1, 2, 10, 2, 4])) == pytest.approx(0.5)
