"""Where a unit is *on*: beyond its own upper or lower quantile; and how that overlaps with concepts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import Keys
from unitscope.stats import kernels
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
        return view.rising[:, [_index(share, view.n_sites) for share in self.shares]]


@dataclass(frozen=True)
class Overlaps:
    """Counts of sites: unit on and concept present [U, C], unit on [U], concept present [C], all.

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

    def compute(self, view: View) -> Overlaps:
        """Exact counts from sorted columns."""
        columns = view.columns
        if self.tail == "upper":
            keys = view.ask(Quantiles((1 - self.share,)))
            edges = keys
        else:
            # The share-quantile counted from above; a < t is the complement of a > t - one key.
            index = view.n_sites - 1 - _index(1 - self.share, view.n_sites)
            keys = view.rising[:, [index]] if view.n_sites else np.zeros((view.n_units, 1), np.uint16)
            edges = np.maximum(keys, 1) - np.uint16(1)
        both = kernels.count_above(view.sorted_columns, columns.indptr, edges)[:, :, 0].astype(np.int64)
        on = kernels.count_row_above(view.rising, edges)[:, 0].astype(np.int64)
        if self.tail == "lower":
            both, on = columns.counts - both, view.n_sites - on
        threshold = view.value_of[keys[:, 0]].astype(np.float64) * view.scale
        return Overlaps(both, on, columns.counts, view.n_sites, threshold)
