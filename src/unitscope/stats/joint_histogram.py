"""Joint counts of activation bins and concepts, bins at each unit's own quantiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import Keys
from unitscope.stats.overlap import Quantiles
from unitscope.stats.view import View


@dataclass(frozen=True)
class JointCounts:
    """Sites in each activation bin: with the concept [U, C, bins], in all [U, bins]; concept sizes [C] (or [U, 1]);
    all sites.
    """

    inside: NDArray[np.int64]
    bins: NDArray[np.int64]
    concept: NDArray[np.int64]
    n_sites: int

    def merge(self, other: JointCounts) -> JointCounts:
        """Counts over both sets of sites (bin edges must be equal)."""
        return JointCounts(
            self.inside + other.inside,
            self.bins + other.bins,
            self.concept + other.concept,
            self.n_sites + other.n_sites,
        )


@dataclass(frozen=True)
class JointHistogram:
    """Ask for joint counts in `n_bins` bins of equal share (ties keep values together, so shares may differ)."""

    n_bins: int = 8

    def edges(self, view: View) -> Keys:
        """Keys [U, n_bins - 1] at equal shares of the sites."""
        return view.ask(Quantiles(tuple(i / self.n_bins for i in range(1, self.n_bins))))

    def compute(self, view: View) -> JointCounts:
        """Exact counts."""
        above, row = view.above(self)
        bins = _bins(row, np.array(view.n_sites))
        return JointCounts(_bins(above, np.atleast_2d(view.sizes)), bins, view.sizes, view.n_sites)


def _bins(above: NDArray[np.int64], total: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts between edges from counts above edges (falling along the last axis)."""
    first = np.broadcast_to(total, above.shape[:-1])[..., None]
    last = np.zeros_like(first)
    return -np.diff(np.concatenate([first, above, last], axis=-1), axis=-1)
