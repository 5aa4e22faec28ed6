"""Selectivity of a unit for a concept, normalised by the unit's range (Na et al. 2019, equation 2, at sites)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unitscope.measures.base import Measure, Scores
from unitscope.stats.moments import Moment, Moments
from unitscope.stats.sums import ConceptSum, ConceptSums


@dataclass(frozen=True)
class Selectivity(Measure):
    """(mean inside - mean outside) / (max - min). In [-1, 1]. One outlier stretches the range: read with care."""

    name: ClassVar[str] = "selectivity"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    null: ClassVar[float | None] = 0.0

    def asks(self) -> tuple[Moments, ConceptSums]:
        """Moments and sums by concept."""
        return (Moments(), ConceptSums())

    def score(self, moment: Moment, sums: ConceptSum) -> Scores:
        """Selectivity [U, C]; NaN for constant units and those with infinities."""
        span = moment.greatest - moment.least
        span = np.where(np.isfinite(span), span, np.nan)
        gap = sums.inside() - sums.outside(moment.mean)
        return np.clip(gap / np.where(span > 0, span, np.nan)[:, None], -1.0, 1.0)
