"""Tasks beside plain computations with the module itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from unitscope import edits
from unitscope.causal.effects import measured
from unitscope.causal.tasks import LanguageModelling, Measured, pooled_state, trained_head
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.huggingface import from_pretrained
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


def labelled() -> list[Item]:
    draw = np.random.default_rng(0)
    made = []
    for n in range(60):
        kind = ("dog", "house")[n % 2]
        words = [*draw.choice(["the", "a", "old", "red", "saw"], 4), kind, "."]
        made.append(Item(f"s{n}", f"s{n}", {"source": Text.from_words(words)}, {"kind": kind}))
    return made


def test_a_head_is_trained_and_judged(tiny_model: Path) -> None:
    model, all_items = from_pretrained(tiny_model), labelled()
    head = trained_head(model, all_items[:40], "kind")
    assert head.classes == ("dog", "house")
    assert head.n_trained == 40
    task = head.bound(model, all_items[40:])
    right = measured(model, task, [Edit()], list(range(20))).values[0]
    assert right == 1.0
    args, kwargs, _ = model.fed([task.items[0]])
    with torch.no_grad():
        hidden = model.module(*args, **kwargs).last_hidden_state[0].mean(dim=0)
    logits = hidden @ head.weight.T + head.bias
    loss = trained_head(model, all_items[:40], "kind", by="loss").bound(model, all_items[40:])
    found = measured(model, loss, [Edit()], list(range(20)))
    own = head.classes.index(task.items[0].labels["kind"])
    assert found.sums[0, 0] == pytest.approx(float(-logits.log_softmax(0)[own]), rel=1e-4)


def test_heads_that_cannot_be(tiny_model: Path) -> None:
    model = from_pretrained(tiny_model)
    with pytest.raises(TaskError, match=r"0 class\(es\) by the label 'kidn'.*Labels here: kind"):
        trained_head(model, labelled(), "kidn")
    head = trained_head(model, labelled(), "kind")
    with pytest.raises(TaskError, match="No item has a label 'kind'"):
        head.bound(model, items("the dog"))


def test_any_function(tiny_model: Path) -> None:
    model = from_pretrained(tiny_model)
    task = Measured(lambda output, batch: output.last_hidden_state[:, 0, 0]).bound(model, items(*SENTENCES))
    assert measured(model, task, [Edit()], [0] * 5).counts.tolist() == [1.0] * 5
    wrong = Measured(lambda output, batch: output.last_hidden_state).bound(model, items(*SENTENCES))
    with pytest.raises(TaskError, match="one number an item"):
        measured(model, wrong, [Edit()], [0] * 5)


def test_padding_is_left_out_of_the_mean() -> None:
    hidden = torch.tensor([[[1.0], [3.0], [100.0]], [[1.0], [2.0], [3.0]]])
    assert pooled_state(hidden, [2, 3])[:, 0].tolist() == [2.0, 2.0]
