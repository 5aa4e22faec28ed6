"""What all tasks share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from unitscope.causal.effects import measured
from unitscope.causal.tasks.base import Measured, Words, fitting, pooled_state
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.huggingface import from_pretrained
from unitscope.sites import Item, Text

SENTENCES = ("the old dog saw a house .", "she walks", "they see the red river and a house", "a dog", "not")


def items(*texts: str) -> list[Item]:
    return [Item(f"s{n}", f"s{n}", {"source": Text.from_words(text.split())}) for n, text in enumerate(texts)]


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


def test_pictures_are_pooled_over_their_cells() -> None:
    cells = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert pooled_state(cells, [0])[0].tolist() == [5.5, 17.5]


def test_items_that_fit(tiny_model: Path) -> None:
    model = from_pretrained(tiny_model)
    kept, lengths = fitting(model, items("a dog", "dog " * 80, "not"))
    assert [item.id for item in kept] == ["s0", "s2"]
    assert lengths == {"s0": 4, "s2": 3}


def test_words_of_an_unknown_item() -> None:
    words = Words(("a", "b"), {"s0": np.array([0, 1])})
    known, other = items("a dog", "the old dog")
    assert words.of(known).tolist() == [0, 1]
    assert words.of(other).tolist() == [-1, -1, -1]
