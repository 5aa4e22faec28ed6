"""Differences of two estimates that have intervals, with an interval of their own.

The ends of both intervals are combined without going back to the data (the "method of variance estimates recovery":
Newcombe 1998, Zou & Donner 2008), so that intervals may be skewed, as those of AUROC are:

    low = d - sqrt((b - b_low)^2 + (a_high - a)^2),  high = d + sqrt((b_high - b)^2 + (a - a_low)^2),  d = b - a.

The two are taken to be independent. Estimates from the same documents go up and down together, for which the interval
is wider than need be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Estimates with the ends of their 95 % intervals, each [N]; NaN where there are none."""

    value: Values
    low: Values
    high: Values

    def mirrored(self, where: NDArray[np.bool_]) -> Estimate:
        """Some AUROCs seen from the other end of the unit's scale: x becomes 1 - x."""
        turned = (1 - self.value, 1 - self.high, 1 - self.low)
        return Estimate(*(np.where(where, new, old) for new, old in zip(turned, self._all(), strict=True)))

    def at(self, where: NDArray[np.bool_]) -> Estimate:
        """The same, NaN but at `where`."""
        return Estimate(*(np.where(where, each, np.nan) for each in self._all()))

    def _all(self) -> tuple[Values, Values, Values]:
        return self.value, self.low, self.high


@dataclass(frozen=True)
class Difference:
    """Differences, the ends of their 95 % intervals and two-sided p against no difference, each [N]."""

    value: Values
    low: Values
    high: Values
    p: Values


def difference(a: Estimate, b: Estimate, level: float = 0.95) -> Difference:
    """b - a; NaN where either has no value, and for interval and p where either has no interval.

    >>> found = difference(*(Estimate(*(np.array([x]) for x in three)) for three in ((0.6, 0.5, 0.7), (0.9, 0.8, 0.9))))
    >>> found.value.round(3).item(), found.low.round(3).item(), found.high.round(3).item(), found.p.item() < 0.001
    (0.3, 0.159, 0.4, True)
    """
    value = b.value - a.value
    low = value - np.hypot(b.value - b.low, a.high - a.value)
    high = value + np.hypot(b.high - b.value, a.value - a.low)
    towards = np.where(value > 0, value - low, high - value)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = ndtri(0.5 + level / 2) * np.abs(value) / towards
    z = np.where((value == 0) & (towards == 0), 0.0, z)
    return Difference(value, low, high, 2 * ndtr(-z))
