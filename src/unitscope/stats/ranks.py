"""Rank sums of concepts: all that the area under the ROC curve needs (Mann and Whitney 1947)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.stats.view import View


@dataclass(frozen=True)
class RankSum:
    """Doubled rank sums [U, C] over each concept's sites, concept sizes [C] (or [U, 1]), number of sites."""

    sums: NDArray[np.int64]
    concept: NDArray[np.int64]
    n_sites: int

    @property
    def auroc(self) -> NDArray[np.float64]:
        """Probability that a concept site exceeds another site, ties half, [U, C]; NaN where a side is empty."""
        inside = self.concept.astype(np.float64)
        pairs = inside * (self.n_sites - inside)
        with np.errstate(divide="ignore", invalid="ignore"):
            return (self.sums / 2.0 - inside * (inside + 1) / 2.0) / np.where(pairs > 0, pairs, np.nan)


@dataclass(frozen=True)
class RankSums:
    """Ask for the rank sum of every unit over every concept."""

    def compute(self, view: View) -> RankSum:
        """Count ranks and add them up; exact whole numbers."""
        return RankSum(view.rank_sums(), view.sizes, view.n_sites)
