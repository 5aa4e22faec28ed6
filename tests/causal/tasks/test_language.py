"""Losses of tokens beside those of the plain model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from unitscope import edits
from unitscope.causal.bound import of_class
from unitscope.causal.effects import measured
from unitscope.causal.tasks import LanguageModelling
from unitscope.causal.tasks.base import Words
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.huggingface import from_pretrained
from unitscope.models.many import many
from unitscope.sites import Item, Text

SENTENCES = ("the old dog saw a house .", "she walks", "they see the red river and a house", "a dog", "not")


def items(*texts: str) -> list[Item]:
    return [Item(f"s{n}", f"s{n}", {"source": Text.from_words(text.split())}) for n, text in enumerate(texts)]


def test_loss_is_that_of_the_model_itself(language_model: Callable[[str], Path]) -> None:
    import transformers

    folder = language_model("gpt2")
    model = from_pretrained(folder)
    task = LanguageModelling().bound(model, items(*SENTENCES))
    sums = measured(model, task, [Edit(), edits.zero("h.0.mlp.act")], list(range(len(task.items))))
    whole = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    for at, item in enumerate(task.items):
        ids = torch.tensor([tokens(item.grids["source"].text)["input_ids"]])
        with torch.no_grad():
            loss = float(whole(input_ids=ids, labels=ids).loss)
        assert sums.sums[0, at] / sums.counts[at] == pytest.approx(loss, rel=1e-5)
    assert sums.values[1] != pytest.approx(sums.values[0], rel=1e-4)
    assert sums.values[0] == pytest.approx(sums.sums[0].sum() / sums.counts.sum())


def test_tokens_belong_to_the_word_they_end(language_model: Callable[[str], Path]) -> None:
    model = from_pretrained(language_model("gpt2"))
    task = LanguageModelling().bound(model, items("she walks the", "dog" + " dog" * 80))
    assert [item.id for item in task.items] == ["s0"]
    assert task.left_out == 1
    assert task.places[0].tolist() == [0, 1, 1]


def test_what_no_language_model_is(tiny_model: Path) -> None:
    model = from_pretrained(tiny_model)
    task = LanguageModelling().bound(model, items("the old dog"))
    with pytest.raises(TaskError, match="no output embedding"):
        measured(model, task, [Edit()], [0])
    with pytest.raises(TaskError, match="No item has a token to predict"):
        LanguageModelling().bound(from_pretrained(tiny_model), [])


def test_loss_by_class_of_the_word_predicted(language_model: Callable[[str], Path]) -> None:
    model = from_pretrained(language_model("gpt2"))
    texts = items(*SENTENCES)
    tags = {
        item.id: np.array([int(w in ("dog", "house", "river")) - (w == ".") for w in item.grids["source"].words])
        for item in texts
    }
    words = Words(("n:other", "n:noun"), tags, "source", "n")
    plain = LanguageModelling().bound(model, texts)
    each = dict(zip((i.id for i in plain.items), many(model, plain.items, [Edit()], plain.read)[0], strict=True))
    task = LanguageModelling(words)
    assert task.name == "lm:n"
    bound = task.bound(model, texts)
    assert bound.classes == ("n:other", "n:noun", "no n")
    found = measured(model, bound, [Edit()], range(len(bound.items)))
    assert found.values[0] == pytest.approx(measured(model, plain, [Edit()], range(len(plain.items))).values[0])
    tokenizer = model.adapter.tokenizer
    wanted: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for item in bound.items:
        text = item.grids["source"]
        offsets = tokenizer(text.text, return_offsets_mapping=True)["offset_mapping"][1:]
        for loss, (_, end) in zip(each[item.id].tolist(), offsets, strict=True):
            word = next(at for at, (_, stop) in enumerate(text.spans) if end <= stop)
            wanted[int(tags[item.id][word]) % 3].append(loss)
    for at, losses in wanted.items():
        assert of_class(at)(found.statistics[0].sum(axis=0)) == pytest.approx(np.mean(losses), rel=1e-5)
    one = LanguageModelling(words, "n:noun", perplexity=True)
    assert one.name == "lm:n:noun:perplexity"
    value = measured(model, one.bound(model, texts), [Edit()], range(len(bound.items))).values[0]
    assert value == pytest.approx(np.exp(np.mean(wanted[1])), rel=1e-5)
    whole = LanguageModelling(perplexity=True).bound(model, texts)
    assert measured(model, whole, [Edit()], range(len(whole.items))).values[0] == pytest.approx(np.exp(found.values[0]))
    with pytest.raises(TaskError, match="No token to judge by is of a word with 'n:noun'"):
        one.bound(model, items("she walks the"))
