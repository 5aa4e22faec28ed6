"""Intervals for held-out AUROC: delete-one-block jackknife, exact for every block, laid out on a logit scale.

With doubled counts, the Mann-Whitney statistic without block b is U - P_b - N_b + W_b: pairs whose concept site lies
in b, whose other site lies in b, and both. The first two are summed on one walk down the unit's order, the last on a
walk down its order within blocks, so that a pair of unit and concept costs time linear in the sites. Below 10
effective blocks of concept sites there is no interval (NaN).

The same error, on the scale of AUROC itself, gives a one-sided p against no association (1/2) that allows for any
likeness of sites within a block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from unitscope.arrays import Keys, kernel
from unitscope.stats import sorting
from unitscope.stats.strata import NOTHING, robust_p
from unitscope.stats.view import Columns, View

MIN_EFFECTIVE = 10.0

_u = np.uint64


@dataclass(frozen=True)
class Interval:
    """Estimate, ends of its interval and p for an estimate above and below 1/2, each [P].

    Ends are NaN where too few blocks carry the concept; p is 1 where a label is left in no or but one block.
    """

    estimate: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p_upper: NDArray[np.float64]
    p_lower: NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """Which sites stand or fall together: block of each site (dense) [S], and where each begins in an order by block.

    Block b holds `starts[b + 1] - starts[b]` sites.
    """

    of_site: NDArray[np.int32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, label: NDArray[np.integer]) -> Blocks:
        """From any labels [S]."""
        dense = np.unique(label, return_inverse=True)[1].reshape(-1).astype(np.int32)
        return cls(dense, np.concatenate([[0], np.cumsum(np.bincount(dense))]).astype(np.int64))

    def order(self, view: View) -> sorting.Order:
        """Sites by block, in each by falling value of the unit, [U, S]."""
        return sorting.grouped(view.order, self.of_site, self.starts)


@kernel
def _by_block(
    keys: Keys,
    order: sorting.Order,
    inner: sorting.Order,
    block: NDArray[np.int32],
    starts: NDArray[np.int64],
    indptr: NDArray[np.int64],
    sites: NDArray[np.int32],
    units: NDArray[np.int64],
    concepts: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Of each pair: AUROC, its delete-one-block standard error, effective blocks, whether both labels are left
    without any one block (0 or 1), and pairs of sites, [P, 5].
    """
    n_pairs, n_sites, n_blocks = units.shape[0], keys.shape[1], starts.shape[0] - 1
    found = np.zeros((n_pairs, 5))
    held = np.zeros(n_sites, np.uint8)
    # Doubled pair counts: sites without the concept with all others', sites with it, and pairs inside the block.
    inside, sums, both = np.empty(n_blocks), np.empty((n_blocks, 2), np.int64), np.empty(n_blocks, np.int64)
    values, above, unit = np.empty(n_blocks), np.empty(n_sites + 1, np.int64), -1
    starts_of, ends_of = np.empty(n_sites, np.int32), np.empty(n_sites, np.int32)
    inner_starts, inner_ends = np.empty(n_sites, np.int32), np.empty(n_sites, np.int32)
    for p in range(n_pairs):
        row, mine, within = keys[units[p]], order[units[p]], inner[units[p]]
        begin, end_of = indptr[concepts[p]], indptr[concepts[p] + 1]
        inside[:], both[:] = 0.0, 0
        sums[:] = 0
        for i in range(begin, end_of):
            site = _u(sites[i])
            held[site] = 1
            inside[_u(block[site])] += 1.0
        n_inside = float(end_of - begin)
        n_outside = n_sites - n_inside
        if units[p] != unit:
            unit = units[p]
            sorting.tie_groups(row, mine, starts_of, ends_of)
            for b in range(n_blocks):
                first_of, after = starts[b], starts[b + 1]
                sorting.tie_groups(
                    row, within[first_of:after], inner_starts[first_of:after], inner_ends[first_of:after]
                )
        above[0] = 0
        for i in range(n_sites):
            above[i + 1] = above[i] + held[_u(mine[i])]
        for i in range(n_sites):
            # Doubled: concept sites that exceed this key, and other sites that it exceeds; ties half.
            start, end = starts_of[i], ends_of[i]
            exceeded = above[_u(start)] + above[_u(end)]
            exceeds = 2 * n_sites - start - end - (2 * above[n_sites] - exceeded)
            site = _u(mine[i])
            inward = held[site]
            sums[_u(block[site]), _u(inward)] += exceeds if inward else exceeded
        for b in range(n_blocks):
            n_held, first_of, after = inside[b], starts[b], starts[b + 1]
            if n_held == 0.0 or n_held == after - first_of:
                continue
            for i in range(first_of, after):
                above[i + 1 - first_of] = above[i - first_of] + held[_u(within[i])]
            for i in range(first_of, after):
                exceeded = above[_u(inner_starts[i])] + above[_u(inner_ends[i])]
                both[b] += 0 if held[_u(within[i])] else exceeded
        for i in range(begin, end_of):
            held[_u(sites[i])] = 0
        whole, squares = 0.0, 0.0
        for b in range(n_blocks):
            whole += sums[b, 1]
            squares += inside[b] * inside[b]
        n_left, mean, several = 0, 0.0, 1.0
        for b in range(n_blocks):
            size = float(starts[b + 1] - starts[b])
            left = (n_inside - inside[b]) * (n_outside - (size - inside[b]))
            if left > 0.0:
                values[n_left] = (whole - sums[b, 1] - sums[b, 0] + both[b]) / (2 * left)
                mean += values[n_left]
                n_left += 1
            else:
                several = 0.0
        mean /= max(n_left, 1)
        square = 0.0
        for i in range(n_left):
            square += (values[i] - mean) * (values[i] - mean)
        total = n_inside * n_outside
        found[p, 0] = whole / (2 * total) if total > 0.0 else np.nan
        found[p, 1] = np.sqrt((n_left - 1) / max(n_left, 1) * square)
        found[p, 2] = n_inside * n_inside / squares if squares > 0.0 else 0.0
        found[p, 3], found[p, 4] = several, total
    return found


def auroc_intervals(
    view: View,
    columns: Columns,
    blocks: Blocks,
    units: NDArray[np.intp],
    concepts: NDArray[np.intp],
    level: float = 0.95,
) -> Interval:
    """AUROC of pairs with jackknife intervals: unit `units[p]` of the view, concept `concepts[p]` of the columns."""
    inner = blocks.order(view)
    found = _by_block(
        view.keys,
        view.order,
        inner,
        blocks.of_site,
        blocks.starts,
        columns.indptr,
        columns.sites,
        units.astype(np.int64),
        concepts.astype(np.int64),
    )
    estimate, error, n_effective, several, total = found.T
    several = (several > 0) & (total > 0)
    gap = np.where(several, estimate - 0.5, 0.0)
    upper, lower = (np.where(several, robust_p(sign * gap, error, n_effective), 1.0) for sign in (1, -1))
    enough = several & (n_effective >= MIN_EFFECTIVE)
    edge = 0.25 / np.maximum(total, 1.0)
    centre = np.clip(np.where(enough, estimate, 0.5), edge, 1 - edge)
    n_effective = np.where(enough, n_effective, MIN_EFFECTIVE)
    # Blocks without the concept add little: degrees of freedom follow the concept's effective blocks.
    wide = stdtrit(n_effective - 1, 0.5 + level / 2) * error / (centre * (1 - centre))
    low, high = expit(logit(centre) - wide), expit(logit(centre) + wide)
    # A unit that is never wrong shows no error; were each effective block right with chance x, all would be with
    # x^n, so that the interval ends where x^n is as small as its tail.
    never = (error <= NOTHING) & (np.abs(gap) > 0.5 - NOTHING)
    room = 1 - ((1 - level) / 2) ** (1 / n_effective)
    low, high = np.where(never, [centre - room, centre + room], [low, high])
    low = np.where(enough, np.clip(np.minimum(low, estimate), 0.0, 1.0), np.nan)
    high = np.where(enough, np.clip(np.maximum(high, estimate), 0.0, 1.0), np.nan)
    return Interval(estimate, low, high, upper, lower)
