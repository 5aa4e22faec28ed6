"""Statistics of tasks and their values, beside loops over items, numbers and blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import t as student

from unitscope import edits
from unitscope.causal.bound import Bound, balanced, of_class, ratio
from unitscope.causal.effects import Sums, measured
from unitscope.errors import TaskError
from unitscope.models.huggingface import from_pretrained
from unitscope.sites import Item, Text

BLOCKS = np.repeat(np.arange(15), 2)


def _statistics(seed: int = 0) -> np.ndarray:
    """Three edits, 30 items, sums and counts of two classes."""
    draw = np.random.default_rng(seed)
    counts = draw.integers(1, 5, (1, 30, 2)).repeat(3, axis=0)
    return np.concatenate([counts * draw.random((3, 30, 2)), counts], axis=2)


@pytest.mark.parametrize("value", [ratio, balanced, of_class(1)])
def test_effect_of_any_value_is_its_jackknife(value: Any) -> None:
    made = _statistics()
    found = Sums(made, BLOCKS, value).effect(2)
    difference = lambda keep: float(value(made[2, keep].sum(axis=0)) - value(made[0, keep].sum(axis=0)))  # noqa: E731
    without = np.array([difference(block != BLOCKS) for block in range(15)])
    error = np.sqrt(14 / 15 * ((without - without.mean()) ** 2).sum())
    assert found.effect == pytest.approx(difference(BLOCKS >= 0))
    assert found.high - found.effect == pytest.approx(student.ppf(0.975, 14) * error)


def test_several_edits_are_averaged_as_values() -> None:
    sums = Sums(_statistics(), BLOCKS, balanced)
    apart = sums.effect(0, [1, 2])
    assert apart.effect == pytest.approx(sums.values[0] - sums.values[1:].mean())
    assert apart.effect == pytest.approx(-sums.effect([1, 2], 0).effect)


def test_class_without_numbers_in_most_blocks_has_no_interval() -> None:
    made = _statistics()
    made[:, BLOCKS > 0, 1] = made[:, BLOCKS > 0, 3] = 0
    found = Sums(made, BLOCKS, balanced).effect(1)
    assert np.isfinite(found.effect)
    assert np.isnan(found.low)


def test_values_written_out() -> None:
    sums = np.array([1.0, 6.0, 4.0, 8.0])
    assert float(ratio(sums)) == 7 / 12
    assert float(balanced(sums)) == (1 / 4 + 6 / 8) / 2
    assert float(of_class(0)(sums)) == 1 / 4
    assert np.isnan(balanced(np.array([1.0, 0.0, 4.0, 0.0])))


@pytest.fixture
def small(tiny_model: Path) -> Any:
    return from_pretrained(tiny_model)


def _items() -> list[Item]:
    texts = ["the old dog saw a house", "she walks", "they see a river"]
    return [Item(str(n), str(n), {"source": Text.from_words(text.split())}) for n, text in enumerate(texts)]


def test_statistics_by_class_are_sums_over_the_numbers_of_each(small: Any) -> None:
    items = _items()
    classes = [np.arange(item.grids["source"].n_sites) % 2 for item in items]

    def read(output: Any, batch: Any) -> list[torch.Tensor]:
        lengths = [item.grids["source"].n_sites for item in batch]
        return [output.last_hidden_state[row, :n, 0] for row, n in enumerate(lengths)]

    bound = Bound(tuple(items), read, classes=("a", "b"), of_number=tuple(classes))
    flat = Bound(tuple(items), read)
    edit = edits.zero("encoder.layer.0.intermediate:3")
    found = bound.statistics(small, [edits.Edit(), edit])
    assert found.shape == (2, 3, 4)
    assert found[..., :2].sum(axis=-1) == pytest.approx(flat.statistics(small, [edits.Edit(), edit])[..., 0])
    assert found[1, :, 2:].tolist() == [[3, 3], [1, 1], [2, 2]]
    assert measured(small, bound, [edits.Edit()], [0, 1, 2]).values.shape == (1,)


def test_numbers_that_are_not_finite_and_wrong_entries_are_errors(small: Any) -> None:
    items = tuple(_items())
    with pytest.raises(TaskError, match="no finite number"):
        Bound(items, lambda _, batch: [torch.tensor([float("nan")])] * len(batch)).statistics(small, [edits.Edit()])
    with pytest.raises(TaskError, match="gave 1 entries for 3 items"):
        Bound(items, lambda *_: [torch.ones(1)]).statistics(small, [edits.Edit()], 8)
