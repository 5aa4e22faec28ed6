"""Bound tasks: a task on a model's items, as sums that can be added up over items and edits.

Of every item and edit a task keeps a few numbers, its statistics; a value is a function of their sums over items: a
ratio (a mean loss, an accuracy), a mean over classes (balanced accuracy: Brodersen et al. 2010), or one of the task's
own (BLEU). Leaving out items is then a subtraction, which is what intervals rest on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.editing import Editable
from unitscope.models.many import Counted, Output, many
from unitscope.sites import Item

Floats = NDArray[np.float64]
Value: TypeAlias = Callable[[Floats], Floats]
"""From sums of statistics [..., K] to values [...]."""
Measure: TypeAlias = Callable[[Editable, Sequence[Edit], int], Floats]
"""From a model, edits and a batch size to statistics [E, I, K]."""


def ratio(sums: Floats) -> Floats:
    """Mean of all numbers: of K columns the first half are sums by class, the second half how many there are.

    >>> ratio(np.array([3.0, 1.0, 4.0, 4.0]))
    array(0.5)
    """
    n = sums.shape[-1] // 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[..., :n].sum(axis=-1) / sums[..., n:].sum(axis=-1))


def balanced(sums: Floats) -> Floats:
    """Mean over classes of the mean of each class' numbers; NaN where a class has none.

    >>> balanced(np.array([3.0, 1.0, 4.0, 1.0]))
    array(0.875)
    """
    n = sums.shape[-1] // 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((sums[..., :n] / sums[..., n:]).mean(axis=-1))


def of_class(index: int) -> Value:
    """The mean of one class' numbers, of the columns that `ratio` knows."""

    def value(sums: Floats) -> Floats:
        n = sums.shape[-1] // 2
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(sums[..., index] / sums[..., n + index])

    return value


@dataclass(frozen=True)
class Bound:
    """A task over the items that it can measure.

    `read` gives one tensor of numbers an item from one forward of a batch. Tasks that need more than a forward have
    `measure` instead. `places` tells, for tasks with one number a token or word, which site each number belongs to: an
    array an item, -1 for none. `classes` and `of_number` (an array an item) say what class each number is of, where
    values by class are wanted; statistics then have two columns a class.
    """

    items: tuple[Item, ...]
    read: Output | None
    left_out: int = 0
    places: tuple[NDArray[np.int64], ...] = ()
    classes: tuple[str, ...] = ()
    of_number: tuple[NDArray[np.int64], ...] = ()
    value: Value = ratio
    measure: Measure | None = None

    def statistics(
        self, model: Editable, edits: Sequence[Edit], batch_size: int = 32, tick: Counted | None = None
    ) -> Floats:
        """Statistics of each item under each edit alone, [E, I, K]. `tick` is told how much is done.

        Raises TaskError where one is no finite number.
        """
        if self.measure is None:
            found = self._read(model, edits, batch_size, tick)
        else:
            found = self.measure(model, edits, batch_size)
        if not np.isfinite(found).all():
            raise TaskError("The task's value is no finite number for an item.", fix="Check the model and its input.")
        return found

    def _read(self, model: Editable, edits: Sequence[Edit], batch_size: int, tick: Counted | None) -> Floats:
        assert self.read is not None
        n = max(1, len(self.classes))
        classes = {item.id: each for item, each in zip(self.items, self.of_number)}

        def sums(output: Any, batch: Sequence[Item]) -> list[Floats]:
            return [
                self._sums(part, classes.get(item.id), n) for part, item in zip(self._numbers(output, batch), batch)
            ]

        found = many(model, self.items, edits, sums, batch_size=batch_size, tick=tick)
        return np.array(found, np.float64).reshape(len(edits), len(self.items), 2 * n)

    def _numbers(self, output: Any, batch: Sequence[Item]) -> Sequence[torch.Tensor]:
        assert self.read is not None
        parts: Sequence[torch.Tensor] = self.read(output, batch)
        if len(parts) != len(batch):
            raise TaskError(f"The task gave {len(parts)} entries for {len(batch)} items.", expected="one an item")
        return parts

    @staticmethod
    def _sums(numbers: torch.Tensor, of_number: NDArray[np.int64] | None, n: int) -> Floats:
        if of_number is None:
            return np.array([float(numbers.double().sum()), len(numbers)])
        values = numbers.detach().double().cpu().numpy()
        return np.concatenate(
            [
                np.bincount(of_number, weights=values, minlength=n),
                np.bincount(of_number, minlength=n).astype(np.float64),
            ]
        )
