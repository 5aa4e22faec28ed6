"""Dose and response: a unit set to values of its own range, least to greatest, and what a task makes of each.

Settings are quantiles of the unit's values on half A, and zero; the task is measured on half B. Two numbers say whether
the response goes one way: Spearman's correlation of setting and value, whose p-value is over orders of the settings,
and the slope of the straight line through them, whose interval is over documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from unitscope import edits
from unitscope.causal.bench import Bench
from unitscope.causal.effects import Effect, Sums
from unitscope.causal.sweeps_single import correlation
from unitscope.masks import Where

Floats = NDArray[np.float64]
QUANTILES = (0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
N_ORDERS, _EXACT = 10_000, 8


@dataclass(frozen=True)
class Dose:
    """A unit set to `setting`, a `quantile` of its values (NaN for zero), and the task's value then."""

    quantile: float
    setting: float
    value: float
    effect: Effect


@dataclass(frozen=True)
class Doses:
    """A unit's doses by rising setting, with their trend over settings that differ.

    `monotone` is Spearman's correlation of setting and value and `p` that of no order; `slope` the change of the value
    by unit of setting. Both are NaN where fewer than three settings differ. `concept` says where the unit was set;
    empty for all sites.
    """

    unit: str
    unedited: float
    doses: tuple[Dose, ...]
    monotone: float
    p: float
    slope: Effect
    concept: str = ""


def dose_response(
    bench: Bench,
    unit: str,
    values: Floats,
    *,
    quantiles: Sequence[float] = QUANTILES,
    where: Where = None,
    concept: str = "",
    seed: int = 0,
) -> Doses:
    """Set a unit to quantiles of `values` (its own, at sites of another half) and to zero, where a mask holds."""
    asked = [(q, float(np.quantile(values, q))) for q in sorted(set(quantiles))] + [(float("nan"), 0.0)]
    asked.sort(key=lambda each: each[1])
    settings = sorted({setting for _, setting in asked})
    made = [edits.set(unit, setting, where=where) for setting in settings]
    found = bench.measured(made, f"setting {unit}")
    place = {setting: at for at, setting in enumerate(settings, 1)}
    reached = found.values
    doses = tuple(
        Dose(q, setting, float(reached[place[setting]]), found.effect(place[setting])) for q, setting in asked
    )
    at = np.array(settings)
    monotone, p = trend(at, reached[1:], seed)
    return Doses(unit, float(reached[0]), doses, monotone, p, slope(found, at), concept)


def slope(found: Sums, settings: Floats) -> Effect:
    """Least-squares slope of the values under edits 1.. on their settings, with its interval over blocks."""
    if len(settings) < 3:
        return Effect(float("nan"), float("nan"), float("nan"), float("nan"))
    centred = settings - settings.mean()
    weights = centred / (centred**2).sum()
    return found.combination({at: float(weight) for at, weight in enumerate(weights, 1)})


def trend(settings: Floats, values: Floats, seed: int = 0) -> tuple[float, float]:
    """Spearman's correlation of settings [n] and values [n], and the share of orders with one as large (two-sided).

    All orders up to 8 settings, else 10,000 drawn ones.

    >>> [round(each, 4) for each in trend(np.arange(5.0), np.array([1.0, 2.0, 4.0, 8.0, 9.0]))]
    [1.0, 0.0167]
    """
    rho = correlation(settings, values)
    if len(settings) < 3 or rho != rho:
        return float("nan"), float("nan")
    ranks = [rankdata(each) - (len(each) + 1) / 2 for each in (settings, values)]
    n = len(settings)
    if n <= _EXACT:
        orders = np.array(list(permutations(range(n))))
    else:
        draw = np.random.default_rng(seed)
        orders = np.stack([np.arange(n), *(draw.permutation(n) for _ in range(N_ORDERS))])
    drawn = np.abs(ranks[1][orders] @ ranks[0])
    whole = abs(float(ranks[0] @ ranks[1]))
    return rho, float((drawn >= whole * (1 - 1e-12)).mean())
