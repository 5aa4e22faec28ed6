"""Mean gap: how much higher a unit is at a concept's sites, in its own standard deviations.

The unscaled difference of means is what the probeless ranking adds up (Antverg and Belinkov 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unitscope.measures.base import Measure, Scores
from unitscope.stats.moments import Moment, Moments
from unitscope.stats.sums import ConceptSum, ConceptSums


@dataclass(frozen=True)
class MeanGap(Measure):
    """(mean inside - mean outside) / sd over all sites; `standardised=False` leaves the unit's own scale."""

    name: ClassVar[str] = "mean_gap"
    bounds: ClassVar[tuple[float, float]] = (-np.inf, np.inf)
    null: ClassVar[float | None] = 0.0
    standardised: bool = True

    def asks(self) -> tuple[Moments, ConceptSums]:
        """Moments and sums by concept."""
        return (Moments(), ConceptSums())

    def score(self, moment: Moment, sums: ConceptSum) -> Scores:
        """Gap [U, C]; NaN for a concept that holds nowhere or everywhere, and standardised for constant units."""
        gap = sums.inside() - sums.outside(moment.mean)
        if not self.standardised:
            return gap
        return gap / np.sqrt(np.where(moment.variance > 0, moment.variance, np.nan))[:, None]
