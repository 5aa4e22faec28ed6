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


@dataclass(frozen=True)
class Within:
    """Effect in [0, 1] and two-null one-sided p for a positive direction, each [U]; NaN and 1 if too few sites.

    `error` is the effect's over blocks, `n_effective` how many equal blocks carry the concept, `n` its sites in strata
    that hold both labels.
    """

    effect: NDArray[np.float64]
    p_upper: NDArray[np.float64]
    p_lower: NDArray[np.float64]
    error: NDArray[np.float64]
    n_effective: NDArray[np.float64]
    n: NDArray[np.float64]


@kernel
def _walk(
    keys: Keys,
    order: NDArray[np.int32],
    mask: NDArray[np.bool_],
    stratum: NDArray[np.int32],
    block: NDArray[np.int32],
    code: NDArray[np.uint8],
    n_codes: int,
) -> NDArray[np.float64]:
    """Of each unit: effect, its variance under permutation, its error over blocks, effective blocks, sites [U, 6].

    The last two columns count the sites with and without the concept in strata that hold both. `code` [U, M] cuts each
    unit's strata further.
    """
    n_units, n_sites = keys.shape
    n_strata, n_blocks = (stratum.max() + 1) * n_codes, block.max() + 1
    found = np.zeros((n_units, 6))
    counts, seen, tied = np.empty((n_strata, 2)), np.empty((n_strata, 2)), np.zeros((n_strata, 2))
    weight, area, ties = np.empty(n_strata), np.empty(n_strata), np.empty(n_strata)
    influence, carried = np.empty(n_blocks), np.empty(n_blocks)
    for u in range(n_units):
        counts[:], seen[:] = 0.0, 0.0
        area[:], ties[:] = 0.0, 0.0
        influence[:], carried[:] = 0.0, 0.0
        for s in range(n_sites):
            counts[stratum[s] * n_codes + code[u, s], 0 if mask[s] else 1] += 1
        total = 0.0
        for g in range(n_strata):
            inside, outside = counts[g, 0], counts[g, 1]
            weight[g] = inside * outside / (inside + outside) if inside * outside > 0 else 0.0
            total += weight[g]
        if total == 0.0:
            found[u, 0] = np.nan
            continue
        for g in range(n_strata):
            weight[g] /= total
        at = 0
        while at < n_sites:
            key = keys[u, order[u, at]]
            end = at
            while end < n_sites and keys[u, order[u, end]] == key:
                site = order[u, end]
                tied[stratum[site] * n_codes + code[u, site], 0 if mask[site] else 1] += 1
                end += 1
            for i in range(at, end):
                site = order[u, i]
                g = stratum[site] * n_codes + code[u, site]
                if weight[g] == 0.0:
                    continue
                if mask[site]:
                    placement = (counts[g, 1] - seen[g, 1] - 0.5 * tied[g, 1]) / counts[g, 1]
                    area[g] += placement / counts[g, 0]
                    influence[block[site]] += weight[g] / counts[g, 0] * placement
                    carried[block[site]] += 1
                else:
                    placement = (seen[g, 0] + 0.5 * tied[g, 0]) / counts[g, 0]
                    influence[block[site]] += weight[g] / counts[g, 1] * placement
            for i in range(at, end):
                site = order[u, i]
                g = stratum[site] * n_codes + code[u, site]
                size = tied[g, 0] + tied[g, 1]
                if size > 0:
                    ties[g] += size * size * size - size
                    seen[g, 0] += tied[g, 0]
                    seen[g, 1] += tied[g, 1]
                    tied[g, 0], tied[g, 1] = 0.0, 0.0
            at = end
        for g in range(n_strata):
            if weight[g] > 0.0:
                n = counts[g, 0] + counts[g, 1]
                found[u, 0] += weight[g] * area[g]
                spread = (n + 1 - ties[g] / (n * (n - 1))) / (12 * counts[g, 0] * counts[g, 1])
                found[u, 1] += weight[g] * weight[g] * spread
                found[u, 4] += counts[g, 0]
                found[u, 5] += counts[g, 1]
        for s in range(n_sites):
            g = stratum[s] * n_codes + code[u, s]
            if weight[g] > 0.0:
                influence[block[s]] -= weight[g] / counts[g, 0 if mask[s] else 1] * area[g]
        squares, square_counts = 0.0, 0.0
        for b in range(n_blocks):
            squares += influence[b] * influence[b]
            square_counts += carried[b] * carried[b]
        found[u, 2] = np.sqrt(squares * n_blocks / max(n_blocks - 1, 1))
        found[u, 3] = found[u, 4] * found[u, 4] / square_counts
    return found


def within(keys: Keys, strata: Strata, code: NDArray[np.uint8] | None = None, n_codes: int = 1) -> Within:
    """Within-stratum effect of units for one concept. `keys` [U, M] at the strata's member sites.

    `code` [U, M], below `n_codes`, cuts each unit's strata further: by which of the unit's other concepts hold there.
    """
    n_units = keys.shape[0]
    if not strata.enough:
        nothing = np.full(n_units, np.nan)
        n = np.full(n_units, float(strata.mask.sum()))
        return Within(nothing, np.ones(n_units), np.ones(n_units), nothing, np.zeros(n_units), n)
    if code is None:
        code = np.zeros(keys.shape, np.uint8)
    order = kernels.descending(keys, np.sort(keys, axis=1))
    found = _walk(keys, order, strata.mask, strata.stratum, strata.block, code, n_codes)
    effect = np.clip(found[:, 0], 0.0, 1.0)  # a sum of weights may exceed one by rounding
    enough = (np.minimum(found[:, 4], found[:, 5]) >= MIN_SITES) & ~np.isnan(effect)
    gap = np.where(enough, effect - 0.5, 0.0)
    z = np.where(found[:, 1] > 0, gap / np.sqrt(np.where(found[:, 1] > 0, found[:, 1], 1.0)), 0.0)
    n_effective = np.maximum(found[:, 3], 1.0)
    p = [np.maximum(ndtr(-sign * z), robust_p(sign * gap, found[:, 2], n_effective)) for sign in (1, -1)]
    upper, lower = (np.where(enough, each, 1.0) for each in p)
    return Within(np.where(enough, effect, np.nan), upper, lower, found[:, 2], found[:, 3], found[:, 4])


def robust_p(
    gap: NDArray[np.float64], error: NDArray[np.float64], n_effective: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """One-sided p [U] of gaps against their errors over blocks; by the sign test where there is no error.

    `n_effective` blocks carry the concept. In [0, 1].
    """
    known = error > NOTHING
    by_error = stdtr(np.maximum(n_effective - 1, 1.0), -gap / np.where(known, error, 1.0))
    by_sign = np.where(np.abs(gap) < NOTHING, 0.5, np.where(gap > 0, 0.5**n_effective, 1.0))
    return np.asarray(np.where(known, by_error, by_sign))
