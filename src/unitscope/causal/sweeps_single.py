"""Importance of every unit, and for every class: ranked on one half of the documents, tested on the other.

The unit whose removal costs most on some items owes part of that to these items (the winner's curse). So units are
ranked by what their removal costs on half A, and what is reported of them is measured on half B, where the same units
cost less; `Left` says how much less. How well the two halves agree on all units is the order's reliability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from unitscope import edits
from unitscope.causal.bench import Bench
from unitscope.causal.bound import Value, of_class
from unitscope.causal.effects import Effect, Sums
from unitscope.causal.sweeps import Remover
from unitscope.rankings.base import ALL, Origin, Ranking
from unitscope.stats.discoveries import adjust

Floats = NDArray[np.float64]
FIRST = (1, 10, 100)


@dataclass(frozen=True)
class Left:
    """The mean effect of the first n units of half A's order: on A, and what is left of it on B."""

    n_units: int
    chosen: float
    effect: Effect

    @property
    def share(self) -> float:
        """What is left of A's effect; NaN where there was none."""
        return self.effect.effect / self.chosen if self.chosen else float("nan")


@dataclass(frozen=True)
class Tested:
    """Effects of taking out U units, one by one, on a task or on one class of it (`target`).

    `chosen` [U] are effects on half A, `effects` [U] those on half B with false discovery rates `q` [U]. `order` [U]
    are indices of units, the one first whose removal is worst on half A. `reliability` is the rank correlation
    (Spearman's) of the halves' effects.
    """

    target: str
    chosen: Floats
    effects: tuple[Effect, ...]
    q: Floats
    order: NDArray[np.intp]
    reliability: float
    left: tuple[Left, ...]


@dataclass(frozen=True)
class Single:
    """What taking out each unit does to a task and to its classes. `unedited` is the value on half B."""

    units: tuple[str, ...]
    rising: bool
    unedited: float
    unedited_chosen: float
    whole: Tested
    classes: tuple[Tested, ...] = ()

    def rankings(self, origin: Origin) -> list[Ranking]:
        """Units by what their removal costs on half A: for the task (`all`), and for each class."""
        sign = -1.0 if self.rising else 1.0
        parts = [part for part in (self.whole, *self.classes) if not np.isnan(part.chosen).all()]
        return [Ranking.of_scores(sign * part.chosen, self.units, part.target, origin) for part in parts]

    def causal(self, level: float = 0.05) -> tuple[str, ...]:
        """Units with an effect on half B at this false discovery rate, the worst on half A first."""
        return tuple(self.units[at] for at in self.whole.order if self.whole.q[at] <= level)


def single(
    choosing: Bench, testing: Bench, units: Sequence[str], *, rising: bool, remove: Remover = edits.zero
) -> Single:
    """Take out each unit alone, on items of half A (`choosing`) and of half B (`testing`).

    Where the task's numbers have classes, the same for the value of each class; false discovery rates are then over
    all units and classes together.
    """
    made = [remove([unit]) for unit in units]
    a, b = (bench.measured(made, "taking out single units") for bench in (choosing, testing))
    whole = _tested(ALL, a, b, rising, (a.value, b.value))
    names = testing.task.classes
    known = {name: at for at, name in enumerate(choosing.task.classes)}  # a half may lack a class
    parts = [
        _tested(name, a, b, rising, (of_class(known[name]) if name in known else _unknown, of_class(at)))
        for at, name in enumerate(names)
        if len(names) > 1
    ]
    q = adjust(np.concatenate([part.q for part in parts])).reshape(len(parts), -1) if parts else ()
    return Single(
        tuple(units),
        rising,
        float(b.values[0]),
        float(a.values[0]),
        _with_q(whole, adjust(whole.q)),
        tuple(_with_q(part, each) for part, each in zip(parts, q)),
    )


def _unknown(sums: Floats) -> Floats:
    return np.full(sums.shape[:-1], np.nan)


def _tested(target: str, a: Sums, b: Sums, rising: bool, value: tuple[Value, Value]) -> Tested:
    """With p-values in place of q, until all are known. `value` makes values of sums of A and of B."""
    values = value[0](a.statistics.sum(axis=1))
    chosen = np.asarray(values[1:] - values[0], np.float64)
    effects = tuple(b.effect(at, value=value[1]) for at in range(1, len(chosen) + 1))
    harm = -chosen if rising else chosen
    order = np.argsort(-harm, kind="stable")
    left = tuple(
        Left(n, float(chosen[order[:n]].mean()), b.effect((order[:n] + 1).tolist(), value=value[1]))
        for n in FIRST
        if n < len(chosen) or n == 1
    )
    found = np.array([each.effect for each in effects])
    p = np.array([each.p for each in effects], np.float64)
    return Tested(target, chosen, effects, p, order, correlation(chosen, found), left)


def _with_q(part: Tested, q: Floats) -> Tested:
    return Tested(part.target, part.chosen, part.effects, q, part.order, part.reliability, part.left)


def correlation(one: Floats, other: Floats) -> float:
    """Spearman's rank correlation; NaN where either is constant or not known everywhere."""
    if len(one) < 2 or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("nan")
    ranks = [rankdata(each) for each in (one, other)]
    if any(each.std() == 0 for each in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
