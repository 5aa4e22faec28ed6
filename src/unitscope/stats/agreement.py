"""Held-out agreement of formulas with units' on-sites: kappa with a jackknife interval over blocks, and its p.

Delete-one-block values are exact, since kappa is a function of counts that add up over blocks; thresholds stay as they
are. The interval is laid out on Fisher's scale. The error also gives a one-sided p against no agreement that allows for
any likeness of sites within a block; see `stats.intervals` for the same of AUROC.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from unitscope.arrays import kernel
from unitscope.stats.formulas import kappa
from unitscope.stats.intervals import MIN_EFFECTIVE
from unitscope.stats.strata import robust_p

EDGE = 1 - 1e-9


@dataclass(frozen=True)
class Agreement:
    """Kappa, ends of its 95 % interval (NaN below 10 effective blocks), p above chance, sites of the formula, each [U].

    `n_effective` [U]: how many equal blocks the formula's sites amount to, or the unit's on-sites where that is less.
    """

    score: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p: NDArray[np.float64]
    n: NDArray[np.int64]
    n_effective: NDArray[np.float64]


def agreement(
    on: NDArray[np.bool_], holds: NDArray[np.bool_], block: NDArray[np.int32], level: float = 0.95
) -> Agreement:
    """Agreement of units' on-sites and formulas, both [U, S], over dense blocks [S]."""
    found = _jackknife(on, holds, block, int(block.max(initial=-1)) + 1)
    score, error, n_effective, n = found.T
    p = robust_p(score, error, n_effective)
    with np.errstate(invalid="ignore"):
        wide = stdtrit(np.maximum(n_effective - 1, 1.0), 0.5 + level / 2) * error / np.maximum(1 - score**2, 1 - EDGE)
        centre = np.arctanh(np.clip(score, -EDGE, EDGE))
    enough = n_effective >= MIN_EFFECTIVE
    low, high = (np.where(enough, np.tanh(centre + sign * wide), np.nan) for sign in (-1, 1))
    return Agreement(score, low, high, np.where(n > 0, p, 1.0), n.astype(np.int64), n_effective)


@kernel
def _jackknife(
    on: NDArray[np.bool_], holds: NDArray[np.bool_], block: NDArray[np.int32], n_blocks: int
) -> NDArray[np.float64]:
    """Of each unit: kappa, its delete-one-block error, effective blocks, sites of the formula, [U, 4]."""
    n_units, n_sites = on.shape
    found = np.zeros((n_units, 4))
    size = np.zeros(n_blocks, np.int64)
    for s in range(n_sites):
        size[block[s]] += 1
    counts, values = np.empty((n_blocks, 3), np.int64), np.empty(n_blocks)
    for u in range(n_units):
        counts[:] = 0
        for s in range(n_sites):
            b = block[s]
            counts[b, 0] += on[u, s]
            counts[b, 1] += holds[u, s]
            counts[b, 2] += on[u, s] and holds[u, s]
        n_on, n, both = counts[:, 0].sum(), counts[:, 1].sum(), counts[:, 2].sum()
        found[u, 0], found[u, 3] = kappa(both, n_on, n, n_sites), n
        k, mean = 0, 0.0
        squares_on, squares = 0.0, 0.0
        for b in range(n_blocks):
            squares_on += float(counts[b, 0]) * counts[b, 0]
            squares += float(counts[b, 1]) * counts[b, 1]
            if size[b] > 0:
                values[k] = kappa(both - counts[b, 2], n_on - counts[b, 0], n - counts[b, 1], n_sites - size[b])
                mean += values[k]
                k += 1
        mean /= max(k, 1)
        square = 0.0
        for i in range(k):
            square += (values[i] - mean) * (values[i] - mean)
        found[u, 1] = np.sqrt((k - 1) / max(k, 1) * square)
        of_on = float(n_on) * n_on / squares_on if squares_on > 0 else 0.0
        of_formula = float(n) * n / squares if squares > 0 else 0.0
        found[u, 2] = min(of_on, of_formula)
    return found
