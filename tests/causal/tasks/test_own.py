"""The network's own classes beside those of the whole model as its makers load it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from unitscope import edits
from unitscope.causal.effects import measured
from unitscope.causal.tasks.base import Words
from unitscope.causal.tasks.checkpoints import kind_of
from unitscope.causal.tasks.own import OwnClasses, OwnTop, OwnWords
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.huggingface import from_pretrained
from unitscope.sites import Item

FFN = "encoder.layer.0.intermediate"


def cut(model: Any) -> Any:
    def without(_: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
        new = output.clone()
        new[:, 1:-1] = 0
        return new

    model.bert.encoder.layer[0].intermediate.register_forward_hook(without)
    return model


def plain(kind: str, folder: Path, item: Item, *, edited: bool = False) -> torch.Tensor:
    model = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(folder).eval()
    model = cut(model) if edited else model
    ids = transformers.AutoTokenizer.from_pretrained(folder)(item.grids["source"].text, return_tensors="pt")
    with torch.no_grad():
        return model(**ids).logits[0]


def test_the_head_of_a_checkpoint(classifier: Callable[[str], Path], labelled: list[Item]) -> None:
    folder, items = classifier("SequenceClassification"), labelled[:12]
    model = from_pretrained(folder)
    bound = OwnClasses("good", "loss").bound(model, items)
    assert bound.classes == ("Bad", "Good")
    found = measured(model, bound, [Edit(), edits.zero(FFN)], range(12), batch_size=5)
    top = measured(model, OwnTop(True).bound(model, items), [Edit(), edits.zero(FFN)], range(12), batch_size=5)
    for at, item in enumerate(items):
        own = {"bad": 0, "good": 1}[item.labels["good"]]
        first = int(plain("SequenceClassification", folder, item).argmax())
        for row in (0, 1):
            logits = plain("SequenceClassification", folder, item, edited=bool(row))
            assert found.sums[row, at] == pytest.approx(float(-logits.log_softmax(0)[own]), rel=1e-4)
            assert top.sums[row, at] == pytest.approx(float(logits.softmax(0)[first]), rel=1e-4)
    same = measured(model, OwnTop().bound(model, items), [Edit(), edits.zero(FFN)], range(12))
    assert same.values[0] == 1
    accuracy = measured(model, OwnClasses("good").bound(model, items), [Edit()], range(12))
    firsts = [int(plain("SequenceClassification", folder, item).argmax()) for item in items]
    assert accuracy.values[0] == np.mean([["bad", "good"].index(i.labels["good"]) == f for i, f in zip(items, firsts)])
    with pytest.raises(TaskError, match=r"label 'kind' that is one of the network's 3 classes.*Labels here: dog"):
        OwnClasses("kind").bound(model, items)
    numbered = OwnClasses("n").bound(model, items)
    assert numbered.left_out == sum(int(item.labels["n"]) > 2 for item in items)


def test_the_head_of_words(classifier: Callable[[str], Path], labelled: list[Item]) -> None:
    folder, items = classifier("TokenClassification"), labelled[:8]
    names, tags = ("upos:NOUN", "upos:DET", "upos:OTHER"), {"the": 1, "a": 1, "old": 2, "red": 2, ".": -1}
    classes = {item.id: np.array([tags.get(word, 0) for word in item.grids["source"].words]) for item in items}
    model = from_pretrained(folder)
    bound = OwnWords(Words(names, classes, "source", "upos"), "loss").bound(model, items)
    assert bound.classes == ("DET", "NOUN")
    found = measured(model, bound, [Edit(), edits.zero(FFN)], range(len(bound.items)), batch_size=3)
    for at, item in enumerate(bound.items):
        own = classes[item.id]
        assert bound.places[at].tolist() == [n for n, each in enumerate(own) if each in (0, 1)]
        for row in (0, 1):
            shares = plain("TokenClassification", folder, item, edited=bool(row))[1:-1].log_softmax(1)
            wanted = -sum(float(shares[n, {0: 1, 1: 0}[each]]) for n, each in enumerate(own) if each in (0, 1))
            assert found.sums[row, at] == pytest.approx(wanted, rel=1e-4)
    assert kind_of(model) == "ForTokenClassification", "by which 'own:upos' is told from a label of items"
    with pytest.raises(TaskError, match=r"None of the classes of 'xpos'.*DET, NOUN, VERB"):
        OwnWords(Words(("xpos:NN",), classes, "source", "xpos")).bound(model, items)


def test_a_network_without_classes(tiny_model: Path, labelled: list[Item]) -> None:
    model = from_pretrained(tiny_model)
    with pytest.raises(TaskError, match="gives hidden states, and no classes of its own"):
        OwnClasses("good").bound(model, labelled)
    with pytest.raises(TaskError, match=r"no classes of its own\..*label:COLUMN"):
        OwnTop().bound(model, labelled)
