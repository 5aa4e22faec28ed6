"""What edits do to a task: paired differences over items, with block-jackknife intervals.

Of a task the statistics of each item are kept (see `unitscope.causal.bound`). A value is a function of their sums; an
effect is the edited value less the unedited one, on the same items, and its standard error that of the delete-one-block
jackknife of the difference (Miller 1974), with Student's t on one degree of freedom less than blocks. Below 10 blocks
there is no interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from unitscope.causal.bound import Bound, Value, balanced, ratio
from unitscope.edits import Edit
from unitscope.models.editing import Editable

Floats = NDArray[np.float64]
MIN_BLOCKS, LEVEL = 10, 0.95
ROUNDING = 1e-6
"""Effects no greater than this share of the mean size of a task's numbers are what another order of sums gives too."""


@dataclass(frozen=True)
class Effect:
    """A mean difference, its interval (NaN below 10 blocks) and p-value of no difference.

    p is 1 where the difference is 0 or within rounding (`ROUNDING`).
    """

    effect: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Sums:
    """A task's statistics by edit and item: `statistics` [E, I, K] and `block` [I]; `value` makes values of sums."""

    statistics: Floats
    block: NDArray[np.int64]
    value: Value = ratio

    @property
    def values(self) -> Floats:
        """The task's value under each edit, [E]."""
        return self.value(self.statistics.sum(axis=1))

    @property
    def is_mean(self) -> bool:
        """Whether statistics are sums of numbers and how many there are, so that an item has a value of its own."""
        return self.value in (ratio, balanced)

    @property
    def sums(self) -> Floats:
        """Sums of numbers by edit and item, [E, I]; for values that are ratios."""
        found: Floats = self.statistics[..., : self.statistics.shape[-1] // 2].sum(axis=-1)
        return found

    @property
    def counts(self) -> Floats:
        """How many numbers an item has, [I]; for values that are ratios."""
        found: Floats = self.statistics[0, :, self.statistics.shape[-1] // 2 :].sum(axis=-1)
        return found

    @cached_property
    def by_block(self) -> Floats:
        """Statistics summed over each block's items, [E, B, K]."""
        index = np.unique(self.block, return_inverse=True)[1].reshape(-1)
        found = np.zeros((int(index.max(initial=-1)) + 1, len(self.statistics), self.statistics.shape[2]))
        np.add.at(found, index, self.statistics.swapaxes(0, 1))
        return np.ascontiguousarray(found.swapaxes(0, 1))

    def effect(self, at: int | Sequence[int], against: int | Sequence[int] = 0, value: Value | None = None) -> Effect:
        """The value under edit `at` less that under `against`, by default the first (unedited).

        Of several edits the mean of their values is taken. `value` is used in place of the task's own: for one class'
        part of it, say. Blocks in which no statistic of these edits differs from 0 do not count.
        """
        first, second = (np.atleast_1d(np.asarray(each)) for each in (at, against))
        n = len(first)
        return self._judged(
            np.concatenate([first, second]), lambda each: each[:n].mean(axis=0) - each[n:].mean(axis=0), value
        )

    def combination(self, weights: Mapping[int, float], value: Value | None = None) -> Effect:
        """The sum of weighted values of edits; for contrasts of several, whose weights add up to 0."""
        factors = np.array(list(weights.values()), np.float64)
        return self._judged(np.array(list(weights), np.intp), lambda each: np.tensordot(factors, each, 1), value)

    def _judged(self, chosen: NDArray[np.intp], made: Callable[[Floats], Floats], value: Value | None) -> Effect:
        """A number made of the values of chosen edits, with its jackknife interval."""
        value = value or self.value
        by_block = self.by_block[chosen]
        by_block = by_block[:, (by_block != 0).any(axis=(0, 2))]
        whole = by_block.sum(axis=1)
        effect = float(made(value(whole)))
        if by_block.shape[1] < MIN_BLOCKS or not np.isfinite(effect):
            return Effect(effect, float("nan"), float("nan"), float("nan"))
        without = made(value(whole[:, None] - by_block))
        if not np.isfinite(without).all():
            return Effect(effect, float("nan"), float("nan"), float("nan"))
        return _judged(effect, without, least=ROUNDING * float(np.abs(value(np.abs(by_block).sum(axis=1))).max()))


def measured(
    model: Editable, task: Bound, edits: Sequence[Edit], block: Sequence[int], *, batch_size: int = 32
) -> Sums:
    """A task under each edit, each alone. `block` [I] are the blocks of the task's items.

    Raises TaskError where a value is no finite number.
    """
    return Sums(task.statistics(model, edits, batch_size), np.asarray(block, np.int64), task.value)


def effect_of(difference: Floats, counts: Floats, block: NDArray[np.int64], least: float = 0.0) -> Effect:
    """Mean difference from sums [I] by item, weighted by `counts` [I], over blocks [I]; `least` is what is rounding."""
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
    return _judged(effect, without, least=least)


def contrast(
    inside: tuple[Floats, Floats], outside: tuple[Floats, Floats], block: NDArray[np.int64], least: float = 0.0
) -> Effect:
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
    return _judged(effect, first - second, int(carrying.sum()), least)


def _judged(effect: float, without: Floats, n_carrying: int | None = None, least: float = 0.0) -> Effect:
    n = len(without)
    error = float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    freedom = (n if n_carrying is None else n_carrying) - 1
    if error == 0.0:
        return Effect(effect, effect, effect, 1.0 if abs(effect) <= least else 0.0)
    reach = float(student.ppf(0.5 + LEVEL / 2, freedom)) * error
    p = 1.0 if abs(effect) <= least else float(2 * student.sf(abs(effect) / error, freedom))
    return Effect(effect, effect - reach, effect + reach, p)
