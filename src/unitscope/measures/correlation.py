"""Point-biserial correlation: Pearson's r between a unit's values and a concept's mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unitscope.measures.base import Measure, Scores
from unitscope.stats.moments import Moment, Moments
from unitscope.stats.sums import ConceptSum, ConceptSums


@dataclass(frozen=True)
class Correlation(Measure):
    """r = (mean inside - mean outside) sqrt(p (1 - p)) / sd, p the concept's prevalence. In [-1, 1].

    >>> import numpy as np
    >>> Correlation().on(np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([[0], [0], [1], [1]], bool)).item()
    1.0
    """

    name: ClassVar[str] = "correlation"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    null: ClassVar[float | None] = 0.0

    def asks(self) -> tuple[Moments, ConceptSums]:
        """Moments and sums by concept."""
        return (Moments(), ConceptSums())

    def score(self, moment: Moment, sums: ConceptSum) -> Scores:
        """Correlation [U, C]; NaN for constant units and concepts that hold nowhere or everywhere."""
        share = sums.concept / sums.n_sites if sums.n_sites else np.full(sums.concept.shape, np.nan)
        gap = sums.inside() - sums.outside(moment.mean)
        spread = np.sqrt(np.where(moment.variance > 0, moment.variance, np.nan))
        return np.clip(gap * np.sqrt(share * (1 - share)) / spread[:, None], -1.0, 1.0)
