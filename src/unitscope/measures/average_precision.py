"""Average precision of a unit as a detector of a concept; its chance level is the concept's prevalence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from unitscope.measures.base import Measure, Scores
from unitscope.stats.overlap import Tail
from unitscope.stats.precision import AveragePrecisions, Precision


@dataclass(frozen=True)
class AveragePrecision(Measure):
    """AP = sum over thresholds of (R_n - R_(n-1)) P_n, sites ranked by falling (or, lower tail, rising) value.

    Equal values are one threshold, as in scikit-learn. In [0, 1]; stands beside its prevalence p, which is what an
    unrelated unit scores, so that (AP - p) / (1 - p) compares concepts of unequal frequency.
    """

    name: ClassVar[str] = "average_precision"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    tail: Tail = "upper"

    def asks(self) -> tuple[Precision]:
        """Average precision of both tails."""
        return (Precision(),)

    def score(self, precision: AveragePrecisions) -> Scores:
        """Average precision [U, C]."""
        return precision.upper if self.tail == "upper" else precision.lower

    def chance(self, precision: AveragePrecisions) -> Scores:
        """Prevalence [C]."""
        return precision.prevalence
