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
from unitscope.stats import sorting
from unitscope.stats.view import Columns

MIN_SITES = 20
NOTHING = 1e-9  # of an effect in [0, 1]: below this, rounding

_u = np.uint64


@dataclass(frozen=True)
class Strata:
    """Stratum of each site (dense) [S], where each begins in an order by stratum, and each site's block (dense)."""

    of_site: NDArray[np.int32]
    starts: NDArray[np.int64]
    block: NDArray[np.int32]

    @classmethod
    def of(cls, stratum: NDArray[np.integer], block: NDArray[np.int32]) -> Strata:
        """From any labels [S] and dense blocks [S]."""
        dense = np.unique(stratum, return_inverse=True)[1].reshape(-1).astype(np.int32)
        starts = np.concatenate([[0], np.cumsum(np.bincount(dense))]).astype(np.int64)
        return cls(dense, starts, np.asarray(block, np.int32))


@dataclass(frozen=True)
class Within:
    """Effect in [0, 1] and two-null one-sided p for a positive direction, each [P]; NaN and 1 if too few sites.

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
def _tally(
    keys: Keys,
    run: NDArray[np.uint32],
    held: NDArray[np.uint8],
    cut: NDArray[np.uint8],
    code: int,
    block: NDArray[np.int32],
    placement: NDArray[np.float64],
    influence: NDArray[np.float64],
    carried: NDArray[np.float64],
) -> tuple[float, float, float, float, float]:
    """One stratum, its sites by falling key: weight, area, the area's variance under permutation, sites in and out.

    Only sites with this `code` in `cut` count. Adds to the influence of blocks (times the weight) and to how many
    sites with the concept they carry. A weight of 0 says that one label is missing.
    """
    n_inside, n_outside = 0.0, 0.0
    for i in range(run.shape[0]):
        site = _u(run[i])
        if cut[site] == code:
            n_inside += held[site]
            n_outside += 1 - held[site]
    if n_inside == 0.0 or n_outside == 0.0:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    area, ties, seen_inside, seen_outside, at = 0.0, 0.0, 0.0, 0.0, 0
    while at < run.shape[0]:
        key = keys[_u(run[at])]
        end, inside, outside = at, 0.0, 0.0
        while end < run.shape[0] and keys[_u(run[end])] == key:
            site = _u(run[end])
            if cut[site] == code:
                inside += held[site]
                outside += 1 - held[site]
            end += 1
        beaten = (n_outside - seen_outside - 0.5 * outside) / n_outside
        beating = (seen_inside + 0.5 * inside) / n_inside
        for i in range(at, end):
            placement[i] = beaten if held[_u(run[i])] else beating
        area += inside * beaten
        size = inside + outside
        ties += size * size * size - size
        seen_inside += inside
        seen_outside += outside
        at = end
    area /= n_inside
    n = n_inside + n_outside
    weight = n_inside * n_outside / n
    for i in range(run.shape[0]):
        site = _u(run[i])
        if cut[site] == code:
            b = _u(block[site])
            influence[b] += weight / (n_inside if held[site] else n_outside) * (placement[i] - area)
            carried[b] += held[site]
    spread = (n + 1 - ties / (n * (n - 1))) / (12 * n_inside * n_outside)
    return weight, area, spread, n_inside, n_outside


@kernel
def _within(
    keys: Keys,
    order: sorting.Order,
    starts: NDArray[np.int64],
    stratum: NDArray[np.int32],
    block: NDArray[np.int32],
    n_blocks: int,
    indptr: NDArray[np.int64],
    sites: NDArray[np.int32],
    units: NDArray[np.int64],
    concepts: NDArray[np.int64],
    better: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Of each pair: effect, its variance under permutation, its error over blocks, effective blocks, sites [P, 6].

    The last two columns count the sites with and without the concept in strata that hold both. Where `better` [P] is
    a concept, strata are cut by it.
    """
    n_pairs, n_sites, n_strata = units.shape[0], keys.shape[1], starts.shape[0] - 1
    found = np.zeros((n_pairs, 6))
    held, cut = np.zeros(n_sites, np.uint8), np.zeros(n_sites, np.uint8)
    inside, touched = np.zeros(n_strata, np.int64), np.empty(n_strata, np.int64)
    influence, carried, member = np.empty(n_blocks), np.empty(n_blocks), np.empty(n_blocks, np.uint8)
    placement = np.empty(n_sites)
    for p in range(n_pairs):
        row, mine = keys[units[p]], order[units[p]]
        first, last = indptr[concepts[p]], indptr[concepts[p] + 1]
        n_touched = 0
        for i in range(first, last):
            site = _u(sites[i])
            held[site] = 1
            g = _u(stratum[site])
            if inside[g] == 0:
                touched[n_touched] = g
                n_touched += 1
            inside[g] += 1
        n_codes = 1
        if better[p] >= 0:
            n_codes = 2
            for i in range(indptr[better[p]], indptr[better[p] + 1]):
                cut[_u(sites[i])] = 1
        n_in, n_out = 0, 0
        for t in range(n_touched):
            size = starts[touched[t] + 1] - starts[touched[t]]
            if inside[touched[t]] < size:
                n_in += inside[touched[t]]
                n_out += size - inside[touched[t]]
        found[p, 0], found[p, 4], found[p, 5] = np.nan, n_in, n_out
        if min(n_in, n_out) >= MIN_SITES:
            influence[:], carried[:], member[:] = 0.0, 0.0, 0
            total, effect, variance = 0.0, 0.0, 0.0
            found[p, 4], found[p, 5] = 0.0, 0.0
            for t in range(n_touched):
                g = touched[t]
                if inside[g] == starts[g + 1] - starts[g]:
                    continue
                run = mine[starts[g] : starts[g + 1]]
                for i in range(run.shape[0]):
                    member[_u(block[_u(run[i])])] = 1
                for code in range(n_codes):
                    weight, area, spread, here, others = _tally(
                        row, run, held, cut, code, block, placement, influence, carried
                    )
                    total += weight
                    effect += weight * area
                    variance += weight * weight * spread
                    found[p, 4] += here
                    found[p, 5] += others
            if total > 0.0:
                squares, square_counts, n_present = 0.0, 0.0, 0
                for b in range(n_blocks):
                    squares += influence[b] * influence[b]
                    square_counts += carried[b] * carried[b]
                    n_present += member[b]
                found[p, 0], found[p, 1] = effect / total, variance / (total * total)
                found[p, 2] = np.sqrt(squares * n_present / max(n_present - 1, 1)) / total
                found[p, 3] = found[p, 4] * found[p, 4] / square_counts
        for i in range(first, last):
            held[_u(sites[i])] = 0
            inside[_u(stratum[_u(sites[i])])] = 0
        if better[p] >= 0:
            for i in range(indptr[better[p]], indptr[better[p] + 1]):
                cut[_u(sites[i])] = 0
    return found


def within(
    keys: Keys,
    order: sorting.Order,
    strata: Strata,
    columns: Columns,
    units: NDArray[np.intp],
    concepts: NDArray[np.intp],
    better: NDArray[np.intp] | None = None,
) -> Within:
    """Within-stratum effects of pairs: unit `units[p]` of keys [U, S], concept `concepts[p]` of the columns.

    `order` [U, S] are the units' orders (see `sorting.falling`). Where `better[p]` is a concept (not -1), strata are
    cut further by whether it holds.
    """
    n_blocks = int(strata.block.max(initial=-1)) + 1
    found = _within(
        keys,
        sorting.grouped(order, strata.of_site, strata.starts),
        strata.starts,
        strata.of_site,
        strata.block,
        n_blocks,
        columns.indptr,
        columns.sites,
        units.astype(np.int64),
        concepts.astype(np.int64),
        np.full(len(units), -1, np.int64) if better is None else better.astype(np.int64),
    )
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
