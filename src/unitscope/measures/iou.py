"""Intersection over union of a unit's on-sites with a concept (Bau et al. 2017, equation 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unitscope.measures.base import Measure, Scores
from unitscope.stats.overlap import Overlap, Overlaps, Tail


@dataclass(frozen=True)
class IoU(Measure):
    """Sites where unit and concept are both on, over sites where either is.

    A unit is on where a > t, its upper quantile (a < t for the lower tail), strictly; `quantile` is the share of
    sites that are off. In [0, 1].

    >>> import numpy as np
    >>> IoU(0.5).on(np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([[0], [0], [1], [1]], bool)).item()
    1.0
    """

    name: ClassVar[str] = "iou"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    quantile: float = 0.99
    tail: Tail = "upper"

    def asks(self) -> tuple[Overlap]:
        """Overlap of on-sites with concepts."""
        return (Overlap(round(1 - self.quantile, 12), self.tail),)

    def score(self, overlap: Overlaps) -> Scores:
        """Intersection over union [U, C]; NaN where neither is ever on."""
        union = overlap.on[:, None] + overlap.concept - overlap.both
        with np.errstate(invalid="ignore"):
            return overlap.both / np.where(union > 0, union, np.nan)

    def ceiling(self, overlap: Overlaps) -> Scores:
        """min(p_a, p_c) / max(p_a, p_c), p_a the actual share of on-sites, p_c the concept's prevalence."""
        on, concept = overlap.on[:, None].astype(np.float64), overlap.concept.astype(np.float64)
        greater = np.maximum(on, concept)
        return np.minimum(on, concept) / np.where(greater > 0, greater, np.nan)
