"""Orders of sites by key, by counting: linear in the sites, and as fast on a processor without wide vectors.

A row's order lists its sites by falling key, equal keys by rising site. Everything that needs sorted keys takes it from
the one order of a row: sorted rows, midranks, orders of a part of the sites, orders within groups of sites.

Indices are unsigned throughout: a signed one costs a test for negative numbers at each look-up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import N_KEYS, Keys, kernel

Order = NDArray[np.uint32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Whole = np.uint64

_u = np.uint64
_ONE = np.uint64(1)
FEW = 6
"""Keys a site, beyond which counters for every key cost more than two passes over bytes."""


@kernel
def falling(keys: Keys) -> Order:
    """Sites of each row by falling key, equal keys by rising site, [U, S]."""
    n_units, n_sites = keys.shape
    order = np.empty((n_units, n_sites), np.uint32)
    start = np.zeros(N_KEYS + 1, np.uint32)
    other = np.empty(n_sites, np.uint32)
    for u in range(n_units):
        low, high = np.uint16(N_KEYS - 1), np.uint16(0)
        for s in range(n_sites):
            low, high = min(low, keys[u, s]), max(high, keys[u, s])
        if n_sites == 0:
            continue
        if _u(high) - _u(low) > _u(FEW) * _u(n_sites):
            _by_bytes(keys[u], start, other, order[u])
        else:
            _by_counting(keys[u], _u(high), _u(high) - _u(low) + _ONE, start, order[u])
    return order


@kernel
def _by_counting(row: Keys, top: Whole, span: Whole, start: NDArray[np.uint32], found: NDArray[np.uint32]) -> None:
    """One counter for each key from the greatest one, `top`, down."""
    n_sites = row.shape[0]
    for i in range(span + _ONE):
        start[i] = 0
    for s in range(n_sites):
        start[top - _u(row[s]) + _ONE] += np.uint32(1)
    for i in range(span):
        start[i + _ONE] += start[i]
    for s in range(n_sites):
        at = top - _u(row[s])
        found[_u(start[at])] = s
        start[at] += np.uint32(1)


@kernel
def _by_bytes(row: Keys, start: NDArray[np.uint32], other: NDArray[np.uint32], found: NDArray[np.uint32]) -> None:
    """Low bytes first, then high ones: for few sites that are spread over many keys."""
    n_sites = row.shape[0]
    low, high = start[:257], start[257:514]
    start[:514] = 0
    for s in range(n_sites):
        key = _u(0xFFFF) - _u(row[s])
        low[(key & _u(0xFF)) + _ONE] += np.uint32(1)
        high[(key >> _u(8)) + _ONE] += np.uint32(1)
    for i in range(256):
        low[i + 1] += low[i]
        high[i + 1] += high[i]
    for s in range(n_sites):
        at = (_u(0xFFFF) - _u(row[s])) & _u(0xFF)
        other[_u(low[at])] = s
        low[at] += np.uint32(1)
    for i in range(n_sites):
        site = other[i]
        at = (_u(0xFFFF) - _u(row[_u(site)])) >> _u(8)
        found[_u(high[at])] = site
        high[at] += np.uint32(1)


@kernel
def rising(keys: Keys, order: Order) -> Keys:
    """Sorted rows [U, S] from their orders."""
    n_units, n_sites = keys.shape
    found = np.empty((n_units, n_sites), np.uint16)
    for u in range(n_units):
        row, mine = keys[u], order[u]
        for i in range(n_sites):
            found[u, n_sites - 1 - i] = row[_u(mine[i])]
    return found


@kernel
def double_ranks(keys: Keys, order: Order) -> Ints:
    """Doubled midranks of each row (1-based, ascending, ties shared: 2 * below + ties + 1), [U, S]."""
    n_units, n_sites = keys.shape
    ranks = np.empty((n_units, n_sites), np.int32)
    starts, ends = np.empty(n_sites, np.int32), np.empty(n_sites, np.int32)
    for u in range(n_units):
        mine, found = order[u], ranks[u]
        tie_groups(keys[u], mine, starts, ends)
        for i in range(n_sites):
            found[_u(mine[i])] = 2 * n_sites - starts[i] - ends[i] + 1
    return ranks


@kernel
def tie_groups(row: Keys, order: NDArray[np.uint32], starts: Ints, ends: Ints) -> None:
    """Where in an order of sites by falling key each place's group of equal keys starts and ends (half-open)."""
    n = order.shape[0]
    start, last = 0, np.int64(-1)
    for i in range(n):  # without a branch, which would be foreseen wrongly half the time
        key = np.int64(row[_u(order[i])])
        start = start if key == last else i
        last = key
        starts[i] = start
    end, after = n, n
    for k in range(n):
        i = n - 1 - k
        end = end if starts[i] == after else i + 1
        after = starts[i]
        ends[i] = end


@kernel
def part(order: Order, number: Ints, n_left: int) -> Order:
    """Orders of a part of the sites, [U, n_left]; `number` [S] is each site's new number, rising, or -1."""
    n_units, n_sites = order.shape
    found = np.empty((n_units, n_left + 1), np.uint32)
    for u in range(n_units):
        mine, kept = order[u], found[u]
        at = _u(0)
        for i in range(n_sites):
            new = number[_u(mine[i])]
            kept[at] = new  # overwritten by the next one unless it counts
            at += _u(new >= 0)
    return found[:, :n_left]


@kernel
def grouped(order: Order, group: Ints, starts: Longs) -> Order:
    """Sites by group, in each by falling key, [U, S]; group g's begin at `starts[g]`, one more entry than groups."""
    n_units, n_sites = order.shape
    found = np.empty((n_units, n_sites), np.uint32)
    at = np.empty(starts.shape[0], np.uint64)
    for u in range(n_units):
        mine, sites = order[u], found[u]
        for g in range(starts.shape[0]):
            at[g] = starts[g]
        for i in range(n_sites):
            into = _u(group[_u(mine[i])])
            sites[at[into]] = mine[i]
            at[into] += _ONE
    return found
