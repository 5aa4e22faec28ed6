"""Sums of each unit's values over each concept, mergeable over sites: means, gaps and correlations follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.stats.view import View


@dataclass(frozen=True)
class ConceptSum:
    """Sums of values [U, C] over each concept's sites, concept sizes [C] (or [U, 1]), number of sites."""

    sums: NDArray[np.float64]
    concept: NDArray[np.int64]
    n_sites: int

    def merge(self, other: ConceptSum) -> ConceptSum:
        """Sums over both sets of sites together."""
        return ConceptSum(self.sums + other.sums, self.concept + other.concept, self.n_sites + other.n_sites)

    def inside(self) -> NDArray[np.float64]:
        """Mean at the concept's sites, [U, C]; NaN where it has none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.sums / np.where(self.concept > 0, self.concept, np.nan)

    def outside(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean at all other sites, [U, C], from the overall mean [U]; NaN where there are none."""
        rest = (self.n_sites - self.concept).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            return (mean[:, None] * self.n_sites - self.sums) / np.where(rest > 0, rest, np.nan)


@dataclass(frozen=True)
class ConceptSums:
    """Ask for the sum of every unit over every concept."""

    def compute(self, view: View) -> ConceptSum:
        """Add decoded values in float64, in falling order of value."""
        sums = view.walked.sums[3] * view.scale.astype(np.float64)[:, None]
        return ConceptSum(sums, view.sizes, view.n_sites)
