"""Average precision of every unit as a detector of every concept, with either end of its scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.stats.view import View


@dataclass(frozen=True)
class AveragePrecisions:
    """Average precision [U, C] of falling and rising rankings, and prevalence [C] (or [U, 1])."""

    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    prevalence: NDArray[np.float64]


@dataclass(frozen=True)
class Precision:
    """Ask for average precision, AP = sum over thresholds of (R_n - R_(n-1)) P_n, equal values one threshold."""

    def compute(self, view: View) -> AveragePrecisions:
        """Exact on the keys."""
        sizes = np.where(view.sizes > 0, view.sizes, np.nan)
        # Rounding must not carry a perfect score beyond one.
        upper, lower = np.minimum(view.walked.sums[:2] / sizes, 1.0)
        prevalence = view.sizes / view.n_sites if view.n_sites else np.full(view.sizes.shape, np.nan)
        return AveragePrecisions(upper, lower, prevalence)
