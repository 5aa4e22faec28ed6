"""Probes of the edited network's words beside the plain model's states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from unitscope import edits
from unitscope.causal.bound import of_class
from unitscope.causal.effects import measured
from unitscope.causal.tasks.base import Words
from unitscope.causal.tasks.words import WordClassification, trained_probe
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.huggingface import from_pretrained
from unitscope.sites import Item, Text

NAMES = ("tag:DET", "tag:ADJ", "tag:NOUN", "tag:PUNCT", "tag:X")
TAGS = {"the": 0, "a": 0, "old": 1, "red": 1, "saw": 2, "dog": 2, "house": 2, "river": 2, ".": 3}


@pytest.fixture(scope="module")
def words(labelled: list[Item]) -> Words:
    found = {item.id: np.array([TAGS[word] for word in item.grids["source"].words]) for item in labelled}
    found["s3"][1] = -1
    return Words(NAMES, found, "source", "tag")


def states(folder: Path, item: Item, how: str, layer: int = -1, cut: Any = None) -> torch.Tensor:
    """Each word's value in the plain model: words of one token, so their place is known."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    if cut is not None:
        cut(model)
    ids = tokens(item.grids["source"].text, return_tensors="pt")
    with torch.no_grad():
        return model(**ids, output_hidden_states=True).hidden_states[layer][0, 1:-1]


@pytest.mark.parametrize("layer", ["", "encoder.layer.1", "encoder.layer.0"])
def test_probe_is_read_in_the_edited_network(tiny_model: Path, labelled: list[Item], words: Words, layer: str) -> None:
    model = from_pretrained(tiny_model)
    probe = trained_probe(model, labelled[:40], words, layer=layer)
    assert probe.words.names == NAMES[:4], "no word to train on has the last class"
    bound = probe.bound(model, labelled[40:])
    address = "encoder.layer.0.intermediate"
    units = [f"{address}:{n}" for n in range(0, 32, 2)]
    found = measured(model, bound, [Edit(), edits.zero(units), edits.zero(address)], range(20), batch_size=7)

    def cut(model: Any) -> None:
        def without(_: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
            new = output.clone()
            new[:, 1:-1, ::2] = 0
            return new

        model.encoder.layer[0].intermediate.register_forward_hook(without)

    for at, item in enumerate(bound.items):
        own = words.of(item)
        assert bound.places[at].tolist() == list(range(len(own)))
        for row, change in ((0, None), (1, cut)):
            values = states(tiny_model, item, "last", 1 if layer.endswith("0") else 2, change)
            right = (values @ probe.weight.T + probe.bias).argmax(dim=1).numpy() == own
            assert found.sums[row, at] == right.sum()
    assert found.values[0] > 0.9
    assert found.values[2] < found.values[0]
    noun = found.effect(2, value=of_class(bound.classes.index("tag:NOUN")))
    assert noun.effect <= 0


def test_loss_balance_and_words_left_out(tiny_model: Path, labelled: list[Item], words: Words) -> None:
    model = from_pretrained(tiny_model)
    probe = trained_probe(model, labelled[40:], words, by="loss")
    bound = probe.bound(model, labelled[:10])
    place = [item.id for item in bound.items].index("s3")
    assert 1 not in bound.places[place].tolist()
    found = measured(model, bound, [Edit()], range(len(bound.items)))
    item = bound.items[0]
    logits = states(tiny_model, item, "last") @ probe.weight.T + probe.bias
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(words.of(item)), reduction="sum")
    assert found.sums[0, 0] == pytest.approx(float(loss), rel=1e-3)
    balanced = WordClassification(probe.words, probe.weight, probe.bias, by="balanced").bound(model, labelled[:10])
    by_class = measured(model, balanced, [Edit()], range(10))
    parts = by_class.statistics[0].sum(axis=0).reshape(2, -1)
    assert by_class.values[0] == pytest.approx((parts[0] / parts[1]).mean())
    assert len(balanced.classes) == 4
    rare = {item.id: np.where(words.of(item) == 3, 4 if item.id == "s0" else -1, words.of(item)) for item in labelled}
    known = Words(NAMES, rare, "source", "tag")
    once = WordClassification(known, torch.zeros(5, 16), torch.zeros(5), by="balanced").bound(model, labelled[:10])
    assert "tag:X" not in once.classes, "without its only document it would have no mean"


def test_words_of_several_tokens(tiny_model: Path) -> None:
    model = from_pretrained(tiny_model)
    texts = ["dogs the", "the dogs", "houses the", "the walked", "dogs dogs the", "seeed the"]
    items = [Item(str(n), str(n), {"source": Text.from_words(text.split())}) for n, text in enumerate(texts)]
    classes = {item.id: np.array([int(word == "the") for word in item.grids["source"].words]) for item in items}
    words = Words(("other", "the"), classes, "source", "form")
    tokens = transformers.AutoTokenizer.from_pretrained(tiny_model)
    for how in ("last", "first", "mean", "max"):
        probe = trained_probe(model, items, words, resample=how, by="loss")  # type: ignore[arg-type]
        found = measured(model, probe.bound(model, items), [Edit()], range(6))
        plain = transformers.AutoModel.from_pretrained(tiny_model).eval()
        for at, item in enumerate(items):
            ids = tokens(item.grids["source"].text, return_tensors="pt")
            with torch.no_grad():
                hidden = plain(**ids).last_hidden_state[0]
            total = 0.0
            for word, own in enumerate(classes[item.id]):
                mine = hidden[[n for n, each in enumerate(ids.word_ids(0)) if each == word]]
                value = {"last": mine[-1], "first": mine[0], "mean": mine.mean(0), "max": mine.amax(0)}[how]
                total -= float((value @ probe.weight.T + probe.bias).log_softmax(0)[own])
            assert found.sums[0, at] == pytest.approx(total, rel=1e-3, abs=1e-5)


def test_what_no_probe_can_be(
    tiny_model: Path, labelled: list[Item], words: Words, translator: Callable[[str], Path]
) -> None:
    model = from_pretrained(tiny_model)
    probe = trained_probe(model, labelled[:40], words, layer="encoder.layer.0.intermediate")
    bound = probe.bound(model, labelled[40:])
    told = r"'encoder.layer.0.intermediate' does not lie above 'encoder.layer.1', which is edited"
    with pytest.raises(TaskError, match=told):
        measured(model, bound, [Edit(), edits.zero("encoder.layer.1:0")], range(20))
    with pytest.raises(TaskError, match=r"does not lie above 'encoder\.layer\.1'"):
        trained_probe(model, labelled, words, layer="encoder.layer.0", edited=["encoder.layer.1"])
    with pytest.raises(TaskError, match="cannot be read in an edited forward"):
        trained_probe(model, labelled, words, layer="encoder.layer.1.output.dense@in")
    one = Words(("tag:DET",), {item.id: np.zeros(item.grids["source"].n_sites, int) for item in labelled})
    with pytest.raises(TaskError, match=r"1 class\(es\)"):
        trained_probe(model, labelled, one)
    with pytest.raises(TaskError, match="No word to judge by has a class of 'tag'"):
        probe.bound(model, [Item("new", "g", {"source": Text.from_words(["dog"])})])
    with pytest.raises(TaskError, match="has values of the words of 'target'"):
        trained_probe(from_pretrained(translator("marian")), labelled, words)
    assert not model.module._forward_hooks, "hooks are gone"
