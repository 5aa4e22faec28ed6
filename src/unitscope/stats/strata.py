"""Within-stratum effects: does a unit tell a concept's sites from others *of the same word form*?

In each stratum (a word form, or a word form at like positions) that holds the concept at some sites and not at
others, AUROC compares the two. The effect is their mean with the weights n1 n0 / (n1 + n0) of van Elteren (1960),
in [0, 1], .5 without effect. Two nulls are asked and the larger p kept: labels permuted within strata (exact mean and
variance, normal tail) and, since neighbouring sites of a document are not exchangeable, a block-robust one from the
influence of each block (Obuchowski 1997). Where the blocks' influences vanish (one block, or a perfect effect) they
bear no error to compare with, and the sign test's 2^-blocks, effective ones, takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr

from unitscope.arrays import Keys, kernel
from unitscope.stats import kernels
from unitscope.stats.halves import effective_groups

MIN_SITES = 20
NOTHING = 1e-9  # of an effect in [0, 1]: below this, rounding


@dataclass(frozen=True)
class Strata:
    """The informative strata of one concept: member sites [M] with stratum, block (both dense) and label [M]."""

    sites: NDArray[np.int32]
    stratum: NDArray[np.int32]
    block: NDArray[np.int32]
    mask: NDArray[np.bool_]

    @property
    def enough(self) -> bool:
        """Whether both labels have at least 20 member sites."""
        inside = int(self.mask.sum())
        return min(inside, len(self.mask) - inside) >= MIN_SITES

    @classmethod
    def of(cls, mask: NDArray[np.bool_], stratum: NDArray[np.int32], block: NDArray[np.int32]) -> Strata:
        """Keep the strata in which the concept holds at some sites and not at others. All arguments [S]."""
        n = int(stratum.max(initial=-1)) + 1
        size = np.bincount(stratum, minlength=n)
        inside = np.bincount(stratum[mask], minlength=n)
        informative = (inside > 0) & (inside < size)
        sites = np.flatnonzero(informative[stratum]).astype(np.int32)
        dense = np.cumsum(informative) - 1
        present = np.bincount(block[sites], minlength=1) > 0
        blocks = (np.cumsum(present) - 1)[block[sites]]
        return cls(sites, dense[stratum[sites]].astype(np.int32), blocks.astype(np.int32), mask[sites])

    def refined(self, by: NDArray[np.bool_]) -> Strata:
        """Strata cut further by whether a mask [S] holds; cheap, since only informative ones can stay so."""
        finer = Strata.of(self.mask, self.stratum * 2 + by[self.sites], self.block)
        return Strata(self.sites[finer.sites], finer.stratum, finer.block, finer.mask)


@dataclass(frozen=True)
class Within:
    """Effect in [0, 1] and two-null one-sided p for a positive direction, each [U]; NaN and 1 if too few sites."""

    effect: NDArray[np.float64]
    p_upper: NDArray[np.float64]
    p_lower: NDArray[np.float64]


@kernel
def _walk(
    keys: Keys,
    order: NDArray[np.int32],
    mask: NDArray[np.bool_],
    stratum: NDArray[np.int32],
    block: NDArray[np.int32],
    counts: NDArray[np.float64],
    n_blocks: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Effect [U], permutation variance [U], influence of each block [U, n_blocks]. `counts` [2, G]: inside, outside."""
    n_units, n_sites = keys.shape
    n_strata = counts.shape[1]
    effect, variance = np.zeros(n_units), np.zeros(n_units)
    influence = np.zeros((n_units, n_blocks))
    weight = counts[0] * counts[1] / (counts[0] + counts[1])
    weight /= weight.sum()
    seen, tied = np.empty((n_strata, 2)), np.zeros((n_strata, 2))
    area, ties = np.empty(n_strata), np.empty(n_strata)
    for u in range(n_units):
        seen[:] = 0.0
        area[:] = 0.0
        ties[:] = 0.0
        at = 0
        while at < n_sites:
            key = keys[u, order[u, at]]
            end = at
            while end < n_sites and keys[u, order[u, end]] == key:
                site = order[u, end]
                tied[stratum[site], 0 if mask[site] else 1] += 1
                end += 1
            for i in range(at, end):
                site = order[u, i]
                g = stratum[site]
                if mask[site]:
                    placement = (counts[1, g] - seen[g, 1] - 0.5 * tied[g, 1]) / counts[1, g]
                    area[g] += placement / counts[0, g]
                    influence[u, block[site]] += weight[g] / counts[0, g] * placement
                else:
                    placement = (seen[g, 0] + 0.5 * tied[g, 0]) / counts[0, g]
                    influence[u, block[site]] += weight[g] / counts[1, g] * placement
            for i in range(at, end):
                g = stratum[order[u, i]]
                size = tied[g, 0] + tied[g, 1]
                if size > 0:
                    ties[g] += size * size * size - size
                    seen[g, 0] += tied[g, 0]
                    seen[g, 1] += tied[g, 1]
                    tied[g, 0] = 0.0
                    tied[g, 1] = 0.0
            at = end
        for g in range(n_strata):
            n = counts[0, g] + counts[1, g]
            effect[u] += weight[g] * area[g]
            spread = (n + 1 - ties[g] / (n * (n - 1))) / (12 * counts[0, g] * counts[1, g])
            variance[u] += weight[g] * weight[g] * spread
        for s in range(n_sites):
            g = stratum[s]
            side = 0 if mask[s] else 1
            influence[u, block[s]] -= weight[g] / counts[side, g] * area[g]
    return effect, variance, influence


def within(keys: Keys, strata: Strata) -> Within:
    """Within-stratum effect of units for one concept. `keys` [U, M] at the strata's member sites."""
    n_units = keys.shape[0]
    if not strata.enough:
        nothing = np.full(n_units, np.nan)
        return Within(nothing, np.ones(n_units), np.ones(n_units))
    n_strata, n_blocks = int(strata.stratum.max()) + 1, int(strata.block.max()) + 1
    inside = np.bincount(strata.stratum, weights=strata.mask, minlength=n_strata)
    size = np.bincount(strata.stratum, minlength=n_strata)
    counts = np.stack([inside, size - inside])
    order = kernels.descending(keys, np.sort(keys, axis=1))
    effect, variance, influence = _walk(keys, order, strata.mask, strata.stratum, strata.block, counts, n_blocks)
    effect = np.clip(effect, 0.0, 1.0)  # a sum of weights may exceed one by rounding
    gap = effect - 0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(variance > 0, gap / np.sqrt(variance), 0.0)
    error = np.sqrt((influence**2).sum(axis=1) * n_blocks / max(n_blocks - 1, 1))
    n_effective = effective_groups(np.bincount(strata.block, weights=strata.mask).astype(np.int64))
    upper = np.maximum(ndtr(-z), robust_p(gap, error, n_effective))
    lower = np.maximum(ndtr(z), robust_p(-gap, error, n_effective))
    return Within(effect, upper, lower)


def robust_p(gap: NDArray[np.float64], error: NDArray[np.float64], n_effective: float) -> NDArray[np.float64]:
    """One-sided p [U] of gaps against their errors over blocks; by the sign test where there is no error.

    `n_effective` blocks carry the concept. In [0, 1].
    """
    known = error > NOTHING
    by_error = stdtr(max(n_effective - 1, 1.0), -gap / np.where(known, error, 1.0))
    by_sign = np.where(np.abs(gap) < NOTHING, 0.5, np.where(gap > 0, 0.5**n_effective, 1.0))
    return np.where(known, by_error, by_sign)
