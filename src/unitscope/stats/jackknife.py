"""Intervals for any score of held-out sites that is a function of sums: the delete-one-block jackknife.

Blocks are what stands or falls together (documents, videos). A score is given its sums over all blocks but one, once
for each, so that an interval costs nothing beside the predictions. Shares are laid out on a logit scale. Below 10
effective blocks there is no interval. Miller 1974, "The jackknife - a review".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from unitscope.stats.halves import effective_groups
from unitscope.stats.intervals import MIN_EFFECTIVE

Score = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From sums [..., K] to scores [...]."""
_NONE = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A score with the ends of its 95 % interval and its standard error, which are NaN where there is none."""

    value: float
    low: float = float("nan")
    high: float = float("nan")
    error: float = float("nan")


def block_sums(
    columns: NDArray[np.floating], block: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Sums [B, K] of columns [S, K] over each block that occurs, and the sites of each, [B]."""
    _, dense = np.unique(block, return_inverse=True)
    n_blocks = int(dense.max(initial=-1)) + 1
    sums = [np.bincount(dense, weights=column, minlength=n_blocks) for column in columns.T]
    counts = np.bincount(dense, minlength=n_blocks)
    return (np.stack(sums, axis=1) if sums else np.zeros((n_blocks, 0))), counts


def jackknife(
    sums: NDArray[np.float64],
    counts: NDArray[np.integer] | NDArray[np.floating],
    score: Score,
    scale: Literal["share", "plain"] = "share",
    extra: float = 0.0,
) -> Estimate:
    """The score of all blocks' sums [B, K] with its interval; `counts` [B] are the blocks' sites.

    `extra` is a standard error from elsewhere (such as that of training) that is added in quadrature. A `share` lies
    in [0, 1]; `plain` is any number, such as a difference.

    >>> right = np.array([[9.0, 10.0], [8, 10]] * 10)
    >>> found = jackknife(right, np.full(20, 10), lambda sums: sums[..., 0] / sums[..., 1])
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2)
    (0.85, 0.82, 0.87)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(score(sums.sum(0)))
        left = np.asarray(score(sums.sum(0) - sums), np.float64)
    n_effective = effective_groups(counts.astype(np.int64))
    if n_effective < MIN_EFFECTIVE or not np.isfinite(value):
        return Estimate(value)
    left = left[np.isfinite(left)]
    error = float(np.sqrt((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum() + extra**2))
    wide = float(stdtrit(n_effective - 1, 0.975)) * error
    if scale == "plain":
        return Estimate(value, value - wide, value + wide, error)
    if error <= _NONE and not _NONE < value < 1 - _NONE:
        # Never wrong (or never right): were each effective block so with chance x, all would be with x^n.
        room = 1 - 0.025 ** (1 / n_effective)
        return Estimate(value, max(value - room, 0.0), min(value + room, 1.0), error)
    edge = 0.25 / max(int(counts.sum()), 1)
    centre = float(np.clip(value, edge, 1 - edge))
    wide /= centre * (1 - centre)
    low, high = (float(expit(logit(centre) + sign * wide)) for sign in (-1, 1))
    return Estimate(value, min(low, value), max(high, value), error)
