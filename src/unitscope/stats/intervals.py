"""Intervals for held-out AUROC: delete-one-block jackknife, exact for every block, laid out on a logit scale.

With doubled counts, the Mann-Whitney statistic without block b is U - P_b - N_b + W_b: pairs whose concept site lies
in b, whose other site lies in b, and both. All three follow from ranks that are known already and from comparisons
within blocks. Below 10 effective blocks of concept sites there is no interval (NaN).

The same error, on the scale of AUROC itself, gives a one-sided p against no association (1/2) that allows for any
likeness of sites within a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from unitscope.arrays import N_KEYS, Keys, kernel
from unitscope.stats import kernels
from unitscope.stats.halves import effective_groups
from unitscope.stats.strata import NOTHING, robust_p

MIN_EFFECTIVE = 10.0


@dataclass(frozen=True)
class Interval:
    """Estimate, ends of its interval and p for an estimate above and below 1/2, each [U].

    Ends are NaN where too few blocks carry the concept; p is 1 where a label is left in no or but one block.
    """

    estimate: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p_upper: NDArray[np.float64]
    p_lower: NDArray[np.float64]


@dataclass(frozen=True)
class BlockPairs:
    """A concept's sites among blocks: what the jackknife needs that depends on no unit.

    `sites` [n] carry the concept; `members` [S] are all sites by block, in each those without the concept first;
    block b's begin at `starts[b]`, those with the concept at `middle[b]`; `inside`, `outside` [B] count them.
    """

    sites: NDArray[np.int32]
    members: NDArray[np.int32]
    starts: NDArray[np.int64]
    middle: NDArray[np.int64]
    inside: NDArray[np.float64]
    outside: NDArray[np.float64]

    @classmethod
    def of(cls, mask: NDArray[np.bool_], block: NDArray[np.int32]) -> BlockPairs:
        """From a concept's mask [S] and dense blocks [S]."""
        n_blocks = int(block.max(initial=-1)) + 1
        inside = np.bincount(block, weights=mask, minlength=n_blocks).astype(np.float64)
        size = np.bincount(block, minlength=n_blocks).astype(np.float64)
        members = np.argsort(block * 2 + mask, kind="stable").astype(np.int32)
        starts = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        middle = (starts[:-1] + size - inside).astype(np.int64)
        return cls(np.flatnonzero(mask).astype(np.int32), members, starts, middle, inside, size - inside)

    @cached_property
    def n_effective(self) -> float:
        """How many equal blocks the concept's sites amount to."""
        return effective_groups(self.inside.astype(np.int64))

    @cached_property
    def several(self) -> bool:
        """Whether both labels are left without any one block."""
        left = (self.inside.sum() - self.inside) * (self.outside.sum() - self.outside)
        present = self.inside + self.outside > 0
        return bool((left[present] > 0).all())

    @property
    def enough(self) -> bool:
        """Whether an interval can be given: 10 effective blocks, and both labels left without any one block."""
        return self.n_effective >= MIN_EFFECTIVE and self.several


@kernel
def _pairs_by_block(
    keys: Keys,
    rising: Keys,
    own: Keys,
    members: NDArray[np.int32],
    starts: NDArray[np.int64],
    middle: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Doubled pair counts P, N, W of every unit and block, [U, 3, n_blocks].

    `rising` are the sorted rows; `own` [U, n] the keys at the concept's sites, sorted; see `BlockPairs`.
    """
    n_units, n_sites = keys.shape
    n_blocks, n_inside = starts.shape[0] - 1, own.shape[1]
    found = np.zeros((n_units, 3, n_blocks), np.int64)
    local = np.empty(n_sites, np.uint16)
    exceed = np.empty(N_KEYS, np.int32)
    ranked = np.empty(N_KEYS, np.int32)
    for u in range(n_units):
        row, whole, mine_of = keys[u], rising[u], own[u]
        # Walk all keys and the concept's own together: doubled rank of each key among all sites, and by how many
        # concept sites it is exceeded, ties half, doubled.
        at, mine = 0, 0
        while at < n_sites:
            key = whole[at]
            end = at + 1
            while end < n_sites and whole[end] == key:
                end += 1
            first = mine
            while mine < n_inside and mine_of[mine] == key:
                mine += 1
            ranked[key] = at + end
            exceed[key] = 2 * n_inside - first - mine
            at = end
        for i in range(n_sites):
            local[i] = row[members[i]]
        for b in range(n_blocks):
            outside_part, inside_part, both = 0, 0, 0
            others = local[starts[b] : middle[b]]
            for i in range(others.shape[0]):
                outside_part += exceed[others[i]]
            for i in range(middle[b], starts[b + 1]):
                key = local[i]
                # Doubled count below among all sites, less that among the concept's.
                inside_part += ranked[key] - (2 * n_inside - exceed[key])
                below, equal = 0, 0
                for j in range(others.shape[0]):
                    below += others[j] < key
                    equal += others[j] == key
                both += 2 * below + equal
            found[u, 0, b], found[u, 1, b], found[u, 2, b] = inside_part, outside_part, both
    return found


def auroc_interval(keys: Keys, rising: Keys, pairs: BlockPairs, level: float = 0.95) -> Interval:
    """AUROC of units [U, S] for one concept with its jackknife interval. `rising` [U, S] are the sorted keys."""
    total = pairs.inside.sum() * pairs.outside.sum()
    nothing, one = np.full(len(keys), np.nan), np.ones(len(keys))
    if not total:
        return Interval(nothing, nothing, nothing, one, one)
    own = np.sort(kernels.gather(keys, pairs.sites), axis=1)
    counts = _pairs_by_block(keys, rising, own, pairs.members, pairs.starts, pairs.middle)
    estimate, error = _jackknife(counts, pairs.inside, pairs.outside)
    upper, lower = one, one
    if pairs.several:
        upper, lower = (robust_p(sign * (estimate - 0.5), error, pairs.n_effective) for sign in (1, -1))
    if not pairs.enough:
        return Interval(estimate, nothing, nothing, upper, lower)
    edge = 0.25 / total
    centre = np.clip(estimate, edge, 1 - edge)
    # Blocks without the concept add little: degrees of freedom follow the concept's effective blocks.
    wide = stdtrit(pairs.n_effective - 1, 0.5 + level / 2) * error / (centre * (1 - centre))
    low, high = expit(logit(centre) - wide), expit(logit(centre) + wide)
    # A unit that is never wrong shows no error; were each effective block right with chance x, all would be with
    # x^n, so that the interval ends where x^n is as small as its tail.
    never = (error <= NOTHING) & (np.abs(estimate - 0.5) > 0.5 - NOTHING)
    room = 1 - ((1 - level) / 2) ** (1 / pairs.n_effective)
    low, high = np.where(never, [centre - room, centre + room], [low, high])
    low, high = np.clip(np.minimum(low, estimate), 0.0, 1.0), np.clip(np.maximum(high, estimate), 0.0, 1.0)
    return Interval(estimate, low, high, upper, lower)


@kernel
def _jackknife(
    pairs: NDArray[np.int64], inside: NDArray[np.float64], outside: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUROC [U] and its delete-one-block standard error [U]."""
    n_units, _, n_blocks = pairs.shape
    n_inside, n_outside = inside.sum(), outside.sum()
    estimate, error = np.empty(n_units), np.empty(n_units)
    values = np.empty(n_blocks)
    for u in range(n_units):
        whole = 0
        for b in range(n_blocks):
            whole += pairs[u, 0, b]
        estimate[u] = whole / (2 * n_inside * n_outside)
        n, mean = 0, 0.0
        for b in range(n_blocks):
            left = (n_inside - inside[b]) * (n_outside - outside[b])
            if inside[b] + outside[b] > 0 and left > 0:
                values[n] = (whole - pairs[u, 0, b] - pairs[u, 1, b] + pairs[u, 2, b]) / (2 * left)
                mean += values[n]
                n += 1
        mean /= max(n, 1)
        square = 0.0
        for i in range(n):
            square += (values[i] - mean) * (values[i] - mean)
        error[u] = np.sqrt((n - 1) / max(n, 1) * square)
    return estimate, error
