"""Where a unit is *on*: beyond its own upper or lower quantile; and how that overlaps with concepts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import Keys
from unitscope.stats.view import View

Tail = Literal["upper", "lower"]


def _index(share: float, n_sites: int) -> int:
    """Position floor(share * (S - 1)); a product meant to be whole is not lost to rounding (.58 * 100 < 58)."""
    return math.floor(round(share * (n_sites - 1), 6))


@dataclass(frozen=True)
class Quantiles:
    """Ask for keys at given shares of the sites, [U, len(shares)]: the value at position floor(share * (S - 1))."""

    shares: tuple[float, ...]

    def compute(self, view: View) -> Keys:
        """Look up the sorted keys; exact."""
        if not view.n_sites:
            return np.zeros((view.n_units, len(self.shares)), np.uint16)
        return view.sorted_at([_index(share, view.n_sites) for share in self.shares])


@dataclass(frozen=True)
class Overlaps:
    """Counts of sites: unit on and concept present [U, C], unit on [U], concept present [C] (or [U, 1]), all.

    `threshold` [U] is the unit's own value t; on means a > t (upper tail) or a < t (lower), strictly.
    """

    both: NDArray[np.int64]
    on: NDArray[np.int64]
    concept: NDArray[np.int64]
    n_sites: int
    threshold: NDArray[np.float64]

    def merge(self, other: Overlaps) -> Overlaps:
        """Counts over both sets of sites (thresholds must be equal)."""
        return Overlaps(
            self.both + other.both,
            self.on + other.on,
            self.concept + other.concept,
            self.n_sites + other.n_sites,
            self.threshold if self.n_sites else other.threshold,
        )


@dataclass(frozen=True)
class Overlap:
    """Ask how each unit's on-sites overlap with each concept; ceil(share * (S - 1)) sites at most are on."""

    share: float = 0.01
    tail: Tail = "upper"

    def _threshold(self, view: View) -> Keys:
        """Keys of t, [U, 1]."""
        if self.tail == "upper":
            return view.ask(Quantiles((1 - self.share,)))
        # The share-quantile counted from above.
        if not view.n_sites:
            return np.zeros((view.n_units, 1), np.uint16)
        return view.sorted_at([view.n_sites - 1 - _index(1 - self.share, view.n_sites)])

    def edges(self, view: View) -> Keys:
        """Keys [U, 1] above which a site is on (upper tail) or not on: a < t is the complement of a > t - one key."""
        keys = self._threshold(view)
        return keys if self.tail == "upper" else np.maximum(keys, 1) - np.uint16(1)

    def compute(self, view: View) -> Overlaps:
        """Exact counts."""
        above, row = view.above(self)
        both, on = above[:, :, 0], row[:, 0]
        if self.tail == "lower":
            both, on = view.sizes - both, view.n_sites - on
        threshold = view.value_of[self._threshold(view)[:, 0]].astype(np.float64) * view.scale
        return Overlaps(both, on, view.sizes, view.n_sites, threshold)
