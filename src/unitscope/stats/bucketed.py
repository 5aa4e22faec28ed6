"""Delete-one-bucket jackknife of figures that are functions of sums: held-out correlation, held-out R2.

Blocks of sites (documents) are dealt to at most 50 buckets; sums are kept by bucket, so the figure without any one
bucket costs no further pass. The standard error is that of the delete-one jackknife (Efron and Stein 1981, eq. 1.2),
the interval Student's t on a scale where the figure is nearly normal. Below ten buckets there is none (NaN).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from unitscope.arrays import kernel
from unitscope.stats.cross import Doubles, Floats

MOST, LEAST, LEVEL = 50, 10, 0.95


@dataclass(frozen=True)
class Buckets:
    """Bucket of each site [S], -1 for sites that are left out; number of buckets."""

    of_site: NDArray[np.int32]
    n: int


def buckets(block: NDArray[np.integer], sites: NDArray[np.bool_], seed: int, most: int = MOST) -> Buckets:
    """Deal the blocks [S] of the chosen sites to buckets, at random, as many in each as can be."""
    labels, dense = np.unique(block[sites], return_inverse=True)
    n = min(most, len(labels))
    turn = np.random.default_rng([seed, 17]).permutation(len(labels)) % max(n, 1)
    found = np.full(len(block), -1, np.int32)
    found[sites] = turn[dense.reshape(-1)]
    return Buckets(found, n)


def jackknife(
    whole: Doubles,
    without: Doubles,
    scale: Callable[[Doubles], Doubles],
    back: Callable[[Doubles], Doubles],
) -> tuple[Doubles, Doubles]:
    """Ends of the interval [U] of a figure [U], from the figure without each bucket [K, U].

    `scale` is the scale it is laid out on and `back` its inverse. NaN below ten buckets and for figures not defined.
    """
    k = len(without)
    if k < LEAST:
        return np.full(whole.shape, np.nan), np.full(whole.shape, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = scale(without)
        error = np.sqrt((k - 1) / k * ((scaled - scaled.mean(axis=0)) ** 2).sum(axis=0))
        reach = float(stdtrit(k - 1, 0.5 + LEVEL / 2)) * error
        centre = scale(whole)
        return back(centre - reach), back(centre + reach)


@kernel
def add_pairs(a: Floats, b: Floats, partner: NDArray[np.int64], bucket: NDArray[np.integer], sums: Doubles) -> None:
    """Add sums of a, b, a a, b b and a b of rows to `sums` [5, K, P], by bucket [n]; b's columns are `partner` [P]."""
    n, width = a.shape
    for i in range(n):
        k, row, other = bucket[i], a[i], b[i]
        for p in range(width):
            left, right = np.float64(row[p]), np.float64(other[partner[p]])
            sums[0, k, p] += left
            sums[1, k, p] += right
            sums[2, k, p] += left * left
            sums[3, k, p] += right * right
            sums[4, k, p] += left * right


def correlations(n: Doubles, sums: Doubles) -> Doubles:
    """Pearson correlations [..., P] from numbers of sites [...] and sums [5, ..., P]; NaN where a side is constant."""
    n = np.maximum(n, 1)[..., None]
    mean_a, mean_b = sums[0] / n, sums[1] / n
    spread = (sums[2] / n - mean_a**2) * (sums[3] / n - mean_b**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (sums[4] / n - mean_a * mean_b) / np.sqrt(np.where(spread > 1e-12, spread, np.nan))
    return np.asarray(np.clip(found, -1.0, 1.0), np.float64)


def left_out(sums: Doubles) -> Doubles:
    """Sums without each bucket, from sums [..., K, P] or [K]."""
    axis = -1 if sums.ndim == 1 else -2
    return np.asarray(sums.sum(axis=axis, keepdims=True) - sums)
