"""How right a probe is, as sums over blocks, so that every figure has an interval: accuracy, macro F1, R squared.

A *reading* is what was predicted at some sites. Figures of two readings of the same sites are compared by the interval
of their difference, which is narrower than the two intervals suggest: both are right or wrong at much the same sites.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unitscope.stats.jackknife import Estimate, block_sums, jackknife

Predicted = NDArray[np.int32] | NDArray[np.floating]
"""A class' index or a number at each site, [S]."""


class Metric(Protocol):
    """A figure of merit that is a function of sums over sites."""

    @property
    def name(self) -> str:
        """What it is called in tables."""

    def sums(self, truth: Predicted, found: Predicted, block: NDArray[np.int32]) -> NDArray[np.float64]:
        """Sums [B, K] by block, the last of which is the number of sites."""

    def score(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The figure of sums [..., K]."""


@dataclass(frozen=True)
class Accuracy:
    """Share of sites whose class is right."""

    name: str = "accuracy"

    def sums(self, truth: Predicted, found: Predicted, block: NDArray[np.int32]) -> NDArray[np.float64]:
        """Right sites, and sites."""
        sums, counts = block_sums((truth == found)[:, None].astype(np.float64), block)
        return np.column_stack([sums, counts])

    def score(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """In [0, 1]."""
        return np.asarray(sums[..., 0] / sums[..., -1])


@dataclass(frozen=True)
class MacroF1:
    """Mean over classes of 2·right / (sites of the class + sites called so); over classes with either."""

    n_classes: int
    name: str = "macro_f1"

    def sums(self, truth: Predicted, found: Predicted, block: NDArray[np.int32]) -> NDArray[np.float64]:
        """Of each class: right sites, and its sites with those called so; then sites."""
        blocks, dense = np.unique(block, return_inverse=True)
        shape = (len(blocks), self.n_classes)

        def counted(label: Predicted, where: NDArray[np.bool_]) -> NDArray[np.float64]:
            cell = dense[where] * self.n_classes + label[where].astype(np.int64)
            return np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)

        every = np.ones(len(truth), np.bool_)
        either = counted(truth, every) + counted(found, every)
        return np.column_stack([counted(truth, truth == found), either, np.bincount(dense, minlength=shape[0])])

    def score(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """In [0, 1]."""
        right, either = sums[..., : self.n_classes], sums[..., self.n_classes : 2 * self.n_classes]
        f1 = np.where(either > 0, 2 * right / np.maximum(either, 1), 0.0)
        return np.asarray(f1.sum(-1) / np.maximum((either > 0).sum(-1), 1))


@dataclass(frozen=True)
class Explained:
    """R squared on held-out sites: 1 - sum of squared errors / sum of squares about the sites' own mean. At most 1."""

    name: str = "r2"

    def sums(self, truth: Predicted, found: Predicted, block: NDArray[np.int32]) -> NDArray[np.float64]:
        """Squared errors, the number and its square, sites."""
        columns = np.stack([(truth - found) ** 2, truth, truth**2], axis=1)
        sums, counts = block_sums(columns, block)
        return np.column_stack([sums, counts])

    def score(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """NaN where all sites have one number."""
        about = sums[..., 2] - sums[..., 1] ** 2 / sums[..., -1]
        return np.where(about > 0, 1 - sums[..., 0] / np.where(about > 0, about, 1.0), np.nan)


def estimate(
    metric: Metric, truth: Predicted, found: Predicted, block: NDArray[np.int32], extra: float = 0.0
) -> Estimate:
    """The figure with its block-jackknife interval; `extra` is a standard error that is added in quadrature."""
    sums = metric.sums(truth, found, block)
    scale = "plain" if isinstance(metric, Explained) else "share"
    return jackknife(sums, sums[:, -1], metric.score, scale, extra)  # type: ignore[arg-type]


def difference(
    metric: Metric,
    truth: tuple[Predicted, Predicted],
    found: tuple[Predicted, Predicted],
    block: NDArray[np.int32],
) -> Estimate:
    """The first reading's figure less the second's, both over the same sites, with its interval.

    `truth` has one entry a reading, as a control task has a truth of its own.
    """
    first, second = (metric.sums(t, f, block) for t, f in zip(truth, found, strict=True))
    n = first.shape[1]
    return jackknife(
        np.column_stack([first, second]),
        first[:, -1],
        lambda sums: metric.score(sums[..., :n]) - metric.score(sums[..., n:]),
        "plain",
    )


def by_class(
    truth: NDArray[np.int32], found: NDArray[np.int32], block: NDArray[np.int32], n_classes: int
) -> list[tuple[Estimate, float]]:
    """Recall with its interval, and precision, of each class."""
    rows = []
    for label in range(n_classes):
        here, called = truth == label, found == label
        hits = estimate(Accuracy(), truth[here], found[here], block[here]) if here.any() else Estimate(float("nan"))
        rows.append((hits, float((here & called).sum() / called.sum()) if called.any() else float("nan")))
    return rows
