"""Area under the ROC curve of a unit as a detector of a concept (Mann and Whitney 1947)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from unitscope.measures.base import Measure, Scores
from unitscope.stats.ranks import RankSum, RankSums


@dataclass(frozen=True)
class AUROC(Measure):
    """Probability that the unit is higher at a site with the concept than at one without, ties counting half.

    In [0, 1], .5 for an unrelated unit whatever the concept's prevalence; below .5 the unit detects by low values.

    >>> import numpy as np
    >>> AUROC().on(np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([[0], [1], [0], [1]], bool)).item()
    0.75
    """

    name: ClassVar[str] = "auroc"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    null: ClassVar[float | None] = 0.5

    def asks(self) -> tuple[RankSums]:
        """Rank sums."""
        return (RankSums(),)

    def score(self, ranks: RankSum) -> Scores:
        """Area under the curve [U, C]."""
        return ranks.auroc
