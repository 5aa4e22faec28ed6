"""Effects on items with a concept and without, beside plain means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from unitscope import edits
from unitscope.activations import Activations
from unitscope.causal.bound import Bound, balanced
from unitscope.causal.sweeps import specificity
from unitscope.causal.tasks import Measured
from unitscope.concepts.table import ConceptTable
from unitscope.errors import TaskError
from unitscope.models.huggingface import from_pretrained
from unitscope.sites import Item, Text
from unitscope.study.prepare import Sites

UNIT = "encoder.layer.0.intermediate:3"


def _words() -> list[list[str]]:
    draw = np.random.default_rng(0)
    return [list(draw.choice(["the", "old", "dog", "saw", "a", "house"], 5)) for _ in range(40)]


def _held(texts: list[list[str]]) -> Activations:
    """Activations whose only concept is the word `dog`; whether the last ten items have it is not known."""
    words = [word for text in texts for word in text]
    at = np.flatnonzero([word == "dog" for word in words]).astype(np.int32)
    known = {"word": np.arange(len(words)) < 30 * 5}
    table = ConceptTable(("word:dog",), ("word",), np.array([0, len(at)]), at, len(words), known)
    place = np.repeat(np.arange(40, dtype=np.int32), 5), np.tile(np.arange(5, dtype=np.int32), 40)
    sites = Sites(*place, np.full(len(words), 5, np.int32), np.zeros(len(words), np.int32))
    return Activations.of_arrays({"encoder.layer.0": np.zeros((len(words), 16), np.float32)}, table, sites=sites)


def test_items_with_the_concept_beside_the_others(tiny_model: Path) -> None:
    model, texts = (
        from_pretrained(tiny_model),
        [text if n < 30 else ["the", "old"] * 3 for n, text in enumerate(_words())],
    )
    texts = [text[:5] for text in texts]
    items = [Item(str(n), str(n), {"source": Text.from_words(text)}) for n, text in enumerate(texts)]

    def first(output: object, batch: object) -> torch.Tensor:
        found: torch.Tensor = output.last_hidden_state[:, 0, 0]  # type: ignore[attr-defined]
        return found

    task = Measured(first).bound(model, items)
    found = specificity(model, task, [(UNIT, "word:dog")], _held(texts), range(40))[0]
    change = []
    for item in items:
        args, kwargs, _ = model.fed([item])
        with torch.no_grad():
            plain, without = (
                float(model.edited(edit, items=[item])(*args, **kwargs).last_hidden_state[0, 0, 0])
                for edit in (edits.Edit(), edits.zero(UNIT))
            )
        change.append(without - plain)
    has = np.array(["dog" in text for text in texts])
    known = np.arange(40) < 30
    inside, outside = np.array(change)[has].mean(), np.array(change)[~has & known].mean()
    assert (found.n_inside, found.n_outside) == (int(has.sum()), int((~has & known).sum()))
    assert found.inside.effect == pytest.approx(inside, abs=1e-6)
    assert found.difference.effect == pytest.approx(inside - outside, abs=1e-6)
    assert found.difference.low < found.difference.effect < found.difference.high


def test_a_value_of_all_items_together_is_refused(tiny_model: Path) -> None:
    model, texts = from_pretrained(tiny_model), _words()
    items = [Item(str(n), str(n), {"source": Text.from_words(text)}) for n, text in enumerate(texts)]
    task = Bound(tuple(items), lambda _, batch: [torch.ones(1)] * len(batch), value=balanced)
    with pytest.raises(TaskError, match="one of all items together"):
        specificity(model, task, [(UNIT, "word:dog")], _held(texts), range(40))
