"""Mutual information between a unit's binned values and a concept's mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import xlogy

from unitscope.measures.base import Measure, Scores
from unitscope.stats.joint_histogram import JointCounts, JointHistogram


@dataclass(frozen=True)
class MutualInformation(Measure):
    """I(bin; concept) in bits, bins at the unit's own quantiles (plug-in estimate; direction-free).

    In [0, 1]. An unrelated unit scores about (n_bins - 1) / (2 S ln 2), the plug-in bias (Miller 1955); the ceiling
    is the concept's entropy.
    """

    name: ClassVar[str] = "mutual_information"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    n_bins: int = 8

    def asks(self) -> tuple[JointHistogram]:
        """Joint counts of bins and concepts."""
        return (JointHistogram(self.n_bins),)

    def score(self, joint: JointCounts) -> Scores:
        """Information in bits [U, C]; NaN without sites."""
        if not joint.n_sites:
            return np.full(joint.inside.shape[:2], np.nan)
        # Counts are whole numbers: k ln k is looked up. n I = sum of it over cells, less over margins, plus n ln n.
        every = np.arange(joint.n_sites + 1, dtype=np.float64)
        log = xlogy(every, every)
        cells = (log[joint.inside] + log[joint.bins[:, None, :] - joint.inside]).sum(axis=-1)
        margins = log[joint.concept] + log[joint.n_sites - joint.concept] + log[joint.bins].sum(axis=-1)[:, None]
        information = (cells - margins + log[-1]) / joint.n_sites
        return np.asarray(np.clip(information / np.log(2), 0.0, 1.0), np.float64)

    def ceiling(self, joint: JointCounts) -> Scores:
        """Entropy of the concept in bits, [U, C]."""
        p = joint.concept / max(joint.n_sites, 1)
        entropy = np.abs(xlogy(p, p) + xlogy(1 - p, 1 - p)) / np.log(2)
        return np.broadcast_to(entropy, joint.inside.shape[:2]).copy()

    def chance(self, joint: JointCounts) -> Scores:
        """Plug-in bias [U, 1]: it depends on how many of a unit's bins are filled."""
        filled = np.maximum((joint.bins > 0).sum(axis=-1), 1)[:, None]
        return np.asarray((filled - 1) / (2 * max(joint.n_sites, 1) * np.log(2)), np.float64)
