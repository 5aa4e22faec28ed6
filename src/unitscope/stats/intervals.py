"""Intervals for held-out AUROC: delete-one-block jackknife on a logit scale, exact for every block.

With doubled counts, the Mann-Whitney statistic without block b is U - P_b - N_b + W_b: pairs whose concept site lies
in b, whose other site lies in b, and both. All three come from one walk through the sites in falling order, so the
interval costs no re-ranking. Below 10 effective blocks of concept sites there is no interval (NaN).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import t as student

from unitscope.arrays import Keys, kernel
from unitscope.stats.halves import effective_groups

MIN_EFFECTIVE = 10.0


@dataclass(frozen=True)
class Interval:
    """Estimate and ends of its interval, each [U]; ends are NaN where too few blocks carry the concept."""

    estimate: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@kernel
def _pairs_by_block(
    keys: Keys, order: NDArray[np.int32], mask: NDArray[np.bool_], block: NDArray[np.int32], n_blocks: int
) -> NDArray[np.int64]:
    """Doubled pair counts P, N, W of every unit and block, [U, 3, n_blocks]."""
    n_units, n_sites = keys.shape
    found = np.zeros((n_units, 3, n_blocks), np.int64)
    n_inside = 0
    for s in range(n_sites):
        n_inside += mask[s]
    n_outside = n_sites - n_inside
    seen = np.zeros(n_blocks, np.int64)
    tied = np.zeros(n_blocks, np.int64)
    for u in range(n_units):
        seen[:] = 0
        above_inside, above_outside, at = 0, 0, 0
        while at < n_sites:
            key = keys[u, order[u, at]]
            end = at
            inside = 0
            while end < n_sites and keys[u, order[u, end]] == key:
                site = order[u, end]
                if mask[site]:
                    inside += 1
                    tied[block[site]] += 1
                end += 1
            outside = end - at - inside
            for i in range(at, end):
                site = order[u, i]
                b = block[site]
                if mask[site]:
                    found[u, 0, b] += 2 * (n_outside - above_outside - outside) + outside
                else:
                    found[u, 1, b] += 2 * above_inside + inside
                    found[u, 2, b] += 2 * seen[b] + tied[b]
            for i in range(at, end):
                b = block[order[u, i]]
                seen[b] += tied[b]
                tied[b] = 0
            above_inside += inside
            above_outside += outside
            at = end
    return found


def auroc_interval(
    keys: Keys,
    order: NDArray[np.int32],
    mask: NDArray[np.bool_],
    block: NDArray[np.int32],
    level: float = 0.95,
) -> Interval:
    """AUROC of units [U, S] for one concept with its jackknife interval.

    `order` [U, S] lists sites by falling value; `mask` [S]; `block` [S] dense from 0. In [0, 1].
    """
    n_blocks = int(block.max(initial=-1)) + 1
    inside = np.bincount(block, weights=mask, minlength=n_blocks)
    size = np.bincount(block, minlength=n_blocks).astype(np.float64)
    outside = size - inside
    pairs = _pairs_by_block(keys, order, mask, block, n_blocks).astype(np.float64)
    total = inside.sum() * outside.sum()
    n_units = keys.shape[0]
    nothing = np.full(n_units, np.nan)
    if not total:
        return Interval(nothing, nothing, nothing)
    whole = pairs[:, 0].sum(axis=1)
    estimate = whole / (2 * total)
    left = (inside.sum() - inside) * (outside.sum() - outside)
    present = size > 0
    if effective_groups(inside.astype(np.int64)) < MIN_EFFECTIVE or not (left[present] > 0).all():
        return Interval(estimate, nothing, nothing)
    without = (whole[:, None] - pairs[:, 0] - pairs[:, 1] + pairs[:, 2])[:, present] / (2 * left[present])
    edge = 0.25 / total
    spread = _jackknife_error(logit(np.clip(without, edge, 1 - edge)))
    # Blocks without the concept add little: degrees of freedom follow the concept's effective blocks.
    wide = student.ppf(0.5 + level / 2, effective_groups(inside.astype(np.int64)) - 1) * spread
    centre = logit(np.clip(estimate, edge, 1 - edge))
    # Clipping keeps logits finite; a perfect estimate still belongs to its interval.
    low, high = np.minimum(expit(centre - wide), estimate), np.maximum(expit(centre + wide), estimate)
    return Interval(estimate, low, high)


def _jackknife_error(values: NDArray[np.float64]) -> NDArray[np.float64]:
    n = values.shape[1]
    deviations = values - values.mean(axis=1, keepdims=True)
    return np.asarray(np.sqrt((n - 1) / n * (deviations**2).sum(axis=1)), np.float64)
