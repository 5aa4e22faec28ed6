"""Mean, variance and extremes of each unit, mergeable over sites (Chan, Golub and LeVeque 1983)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.stats import kernels
from unitscope.stats.view import View

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moment:
    """Number of sites; mean, sum of squared deviations, least and greatest value, each [U]."""

    n: int
    mean: Floats
    square: Floats
    least: Floats
    greatest: Floats

    @property
    def variance(self) -> Floats:
        """Population variance [U]; NaN without sites."""
        return self.square / self.n if self.n else np.full_like(self.square, np.nan)

    @classmethod
    def empty(cls, n_units: int) -> Moment:
        """Identity of `merge`."""
        zero, infinite = np.zeros(n_units), np.full(n_units, np.inf)
        return cls(0, zero, zero.copy(), infinite, -infinite)

    def take_units(self, units: NDArray[np.intp]) -> Moment:
        """The moments of some units."""
        return Moment(self.n, self.mean[units], self.square[units], self.least[units], self.greatest[units])

    def merge(self, other: Moment) -> Moment:
        """Moments of both sets of sites together."""
        if not self.n or not other.n:
            return other if other.n else self
        n = self.n + other.n
        share = other.n / n
        gap = other.mean - self.mean
        return Moment(
            n,
            self.mean + gap * share,
            self.square + other.square + gap**2 * (self.n * share),
            np.minimum(self.least, other.least),
            np.maximum(self.greatest, other.greatest),
        )


@dataclass(frozen=True)
class Moments:
    """Ask for the moments of every unit."""

    def compute(self, view: View) -> Moment:
        """Two passes over the decoded values, in float64."""
        if not view.n_sites:
            return Moment.empty(view.n_units)
        found = kernels.moments(view.keys, view.value_of)
        scale = view.scale.astype(np.float64)
        mean, square, least, greatest = found.T
        return Moment(view.n_sites, mean * scale, square * scale**2, least * scale, greatest * scale)
