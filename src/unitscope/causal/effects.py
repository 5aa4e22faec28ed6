"""What edits do to a task: paired differences over items, with block-jackknife intervals.

Of a task's numbers the sum over each item is kept. A value is the ratio of sums over items of the numbers and of how
many there are; an effect is the edited value less the unedited one, on the same items, and its standard error that of
the delete-one-block jackknife of the ratio (Miller 1974), with Student's t on one degree of freedom less than blocks.
Below 10 blocks there is no interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from unitscope.causal.tasks import Bound
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.editing import Editable
from unitscope.models.many import many

Floats = NDArray[np.float64]
MIN_BLOCKS, LEVEL = 10, 0.95


@dataclass(frozen=True)
class Sums:
    """Sums of a task's numbers by edit and item: `sums` [E, I], how many there are `counts` [I], `block` [I]."""

    sums: Floats
    counts: Floats
    block: NDArray[np.int64]

    @property
    def values(self) -> Floats:
        """The task's value under each edit, [E]."""
        found: Floats = self.sums.sum(axis=1) / self.counts.sum()
        return found


@dataclass(frozen=True)
class Effect:
    """A mean difference, its interval (NaN below 10 blocks) and p-value of no difference (1 where it is exactly 0)."""

    effect: float
    low: float
    high: float
    p: float


def measured(
    model: Editable, task: Bound, edits: Sequence[Edit], block: Sequence[int], *, batch_size: int = 32
) -> Sums:
    """A task under each edit, each alone. `block` [I] are the blocks of the task's items.

    Raises TaskError where a value is no finite number.
    """
    counts = np.zeros(len(task.items))

    def sums(output: object, batch: Sequence[object]) -> list[tuple[float, int]]:
        parts = task.read(output, batch)  # type: ignore[arg-type]
        return [(float(part.double().sum()), len(part)) for part in parts]

    found = many(model, task.items, edits, sums, batch_size=batch_size)
    made = np.array([[each[0] for each in row] for row in found], np.float64).reshape(len(edits), len(task.items))
    if found:
        counts[:] = [each[1] for each in found[0]]
    if not np.isfinite(made).all():
        raise TaskError("The task's value is no finite number for an item.", fix="Check the model and its input.")
    return Sums(made, counts, np.asarray(block, np.int64))


def effect_of(difference: Floats, counts: Floats, block: NDArray[np.int64]) -> Effect:
    """Mean difference from sums [I] by item, weighted by `counts` [I], over blocks [I]."""
    index = np.unique(block, return_inverse=True)[1].reshape(-1)
    n = int(index.max(initial=-1)) + 1
    top = np.bincount(index, weights=difference, minlength=n)
    bottom = np.bincount(index, weights=counts, minlength=n)
    whole = float(bottom.sum())
    if not whole:
        return Effect(float("nan"), float("nan"), float("nan"), float("nan"))
    effect = float(top.sum()) / whole
    n_filled = int((bottom > 0).sum())
    if n_filled < MIN_BLOCKS or (bottom == whole).any():
        return Effect(effect, float("nan"), float("nan"), float("nan"))
    keep = bottom > 0
    without = (top.sum() - top[keep]) / (whole - bottom[keep])
    return _judged(effect, without)


def contrast(inside: tuple[Floats, Floats], outside: tuple[Floats, Floats], block: NDArray[np.int64]) -> Effect:
    """Difference of two mean effects, each from sums and counts [I], on blocks in common."""
    index = np.unique(block, return_inverse=True)[1].reshape(-1)
    parts = [[np.bincount(index, weights=each) for each in pair] for pair in (inside, outside)]
    wholes = [[float(each.sum()) for each in pair] for pair in parts]
    if not (wholes[0][1] and wholes[1][1]):
        return Effect(float("nan"), float("nan"), float("nan"), float("nan"))
    effect = wholes[0][0] / wholes[0][1] - wholes[1][0] / wholes[1][1]
    carrying = parts[0][1] > 0
    left = [whole[1] - pair[1] for whole, pair in zip(wholes, parts, strict=True)]
    if int(carrying.sum()) < MIN_BLOCKS or any((each <= 0).any() for each in left):
        return Effect(effect, float("nan"), float("nan"), float("nan"))
    first, second = ((whole[0] - pair[0]) / n for whole, pair, n in zip(wholes, parts, left, strict=True))
    return _judged(effect, first - second, int(carrying.sum()))


def _judged(effect: float, without: Floats, n_carrying: int | None = None) -> Effect:
    n = len(without)
    error = float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    freedom = (n if n_carrying is None else n_carrying) - 1
    if error == 0.0:
        return Effect(effect, effect, effect, 1.0 if effect == 0.0 else 0.0)
    reach = float(student.ppf(0.5 + LEVEL / 2, freedom)) * error
    return Effect(effect, effect - reach, effect + reach, float(2 * student.sf(abs(effect) / error, freedom)))
