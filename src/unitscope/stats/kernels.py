"""Compiled loops over keys: counting ranks, orders, sums by concept, average precision, joint counts.

Shapes: `keys` [U, S] uint16 (see `arrays`), concepts as sparse columns (`indptr` [C+1], `sites` [nnz], ascending).
Ranks are *doubled midranks* (1-based, ascending, ties shared: 2 * below + ties + 1), so that they are whole numbers
and sums of them exact, below 2^30 sites.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import N_KEYS, Keys, kernel

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float64]


@kernel
def double_ranks(keys: Keys, rising: Keys) -> Ints:
    """Doubled midranks of each row, [U, S]; `rising` are the sorted rows."""
    n_units, n_sites = keys.shape
    ranks = np.empty((n_units, n_sites), np.int32)
    rank_of = np.empty(N_KEYS, np.int32)
    for u in range(n_units):
        at = 0
        while at < n_sites:
            key = rising[u, at]
            end = at + 1
            while end < n_sites and rising[u, end] == key:
                end += 1
            rank_of[key] = at + end + 1
            at = end
        for s in range(n_sites):
            ranks[u, s] = rank_of[keys[u, s]]
    return ranks


@kernel
def descending(keys: Keys, rising: Keys) -> Ints:
    """Sites of each row by falling key, equal keys by rising site, [U, S]; `rising` are the sorted rows."""
    n_units, n_sites = keys.shape
    order = np.empty((n_units, n_sites), np.int32)
    start = np.empty(N_KEYS, np.int32)
    for u in range(n_units):
        for at in range(n_sites):
            # The last of equal keys is written last: its distance from the end is where they begin when falling.
            start[rising[u, at]] = n_sites - 1 - at
        for s in range(n_sites):
            key = keys[u, s]
            order[u, start[key]] = s
            start[key] += 1
    return order


@kernel
def sum_ranks(ranks: Ints, indptr: Longs, sites: Ints) -> Longs:
    """Sum of each row's doubled ranks over each concept's sites, [U, C]."""
    n_units, n_concepts = ranks.shape[0], indptr.shape[0] - 1
    sums = np.zeros((n_units, n_concepts), np.int64)
    for u in range(n_units):
        row = ranks[u]
        for c in range(n_concepts):
            total = 0
            for i in range(indptr[c], indptr[c + 1]):
                total += row[sites[i]]
            sums[u, c] = total
    return sums


@kernel
def sum_ranks_sorted(rising: Keys, columns: Keys, indptr: Longs) -> Longs:
    """As `sum_ranks`, from sorted rows [U, S] and sorted columns [U, nnz]: ranks are looked up nearly in order."""
    n_units, n_sites = rising.shape
    n_concepts = indptr.shape[0] - 1
    sums = np.zeros((n_units, n_concepts), np.int64)
    rank_of = np.empty(N_KEYS, np.int32)
    for u in range(n_units):
        at = 0
        while at < n_sites:
            key = rising[u, at]
            end = at + 1
            while end < n_sites and rising[u, end] == key:
                end += 1
            rank_of[key] = at + end + 1
            at = end
        row = columns[u]
        for c in range(n_concepts):
            total = 0
            for i in range(indptr[c], indptr[c + 1]):
                total += rank_of[row[i]]
            sums[u, c] = total
    return sums


@kernel
def gather(keys: Keys, sites: Ints) -> Keys:
    """Keys at the sites of every concept, laid out as the concepts' sparse columns, [U, nnz]."""
    n_units, n_entries = keys.shape[0], sites.shape[0]
    found = np.empty((n_units, n_entries), np.uint16)
    for u in range(n_units):
        row = keys[u]
        for i in range(n_entries):
            found[u, i] = row[sites[i]]
    return found


@kernel
def sum_values(columns: Keys, value_of: NDArray[np.float32], indptr: Longs) -> Floats:
    """Sum of each unit's (unscaled) values over each concept's sites, [U, C], from sorted columns [U, nnz]."""
    n_units, n_concepts = columns.shape[0], indptr.shape[0] - 1
    sums = np.zeros((n_units, n_concepts), np.float64)
    for u in range(n_units):
        row = columns[u]
        for c in range(n_concepts):
            start, end = indptr[c], indptr[c + 1]
            # Four running sums, since each addition waits for the one before it.
            first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
            whole = start + (end - start) // 4 * 4
            for i in range(start, whole, 4):
                first += value_of[row[i]]
                second += value_of[row[i + 1]]
                third += value_of[row[i + 2]]
                fourth += value_of[row[i + 3]]
            for i in range(whole, end):
                first += value_of[row[i]]
            sums[u, c] = (first + second) + (third + fourth)
    return sums


@kernel
def moments(keys: Keys, value_of: NDArray[np.float32]) -> Floats:
    """Mean, sum of squared deviations, least and greatest (unscaled) value of each row, [U, 4]."""
    n_units, n_sites = keys.shape
    found = np.empty((n_units, 4), np.float64)
    for u in range(n_units):
        row = keys[u]
        total, low, high = 0.0, N_KEYS - 1, 0
        for s in range(n_sites):
            total += value_of[row[s]]
            low, high = min(low, row[s]), max(high, row[s])
        mean = total / n_sites
        square = 0.0
        for s in range(n_sites):
            gap = value_of[row[s]] - mean
            square += gap * gap
        found[u, 0], found[u, 1], found[u, 2], found[u, 3] = mean, square, value_of[low], value_of[high]
    return found


@kernel
def _first_above(row: Keys, start: int, end: int, key: int) -> int:
    while start < end:
        middle = (start + end) // 2
        if row[middle] > key:
            end = middle
        else:
            start = middle + 1
    return start


@kernel
def average_precision(rising: Keys, columns: Keys, indptr: Longs) -> Floats:
    """Average precision of each concept under falling (index 0) and rising (1) values, [2, U, C].

    `rising` [U, S] are all keys sorted; `columns` [U, nnz] the concepts' own keys, sorted within each concept. Equal
    values are one threshold, as in scikit-learn. Concepts without sites get NaN.
    """
    n_units, n_sites = rising.shape
    n_concepts = indptr.shape[0] - 1
    found = np.full((2, n_units, n_concepts), np.nan)
    share = np.empty((N_KEYS, 2), np.float64)  # one over the sites at or above a key, at or below it
    few = indptr[n_concepts] * 16 < n_sites
    for u in range(n_units):
        row, whole = columns[u], rising[u]
        if not few:
            at = 0
            while at < n_sites:
                key = whole[at]
                end = at + 1
                while end < n_sites and whole[end] == key:
                    end += 1
                share[key, 0] = 1.0 / (n_sites - at)
                share[key, 1] = 1.0 / end
                at = end
        for c in range(n_concepts):
            start, end = indptr[c], indptr[c + 1]
            if start == end:
                continue
            high, low, tied, last = 0.0, 0.0, 0, -1
            for i in range(start, end):
                # Each of g equal values counts the whole group; adding to the i-th how many equal ones precede it
                # sums to the same, g (g - 1) / 2 more than without ties, and needs no look-ahead.
                key = row[i]
                tied = tied + 1 if key == last else 0
                last = key
                if few:
                    above = _first_above(whole, 0, n_sites, key)
                    below = _first_above(whole, 0, above, key - 1) if key > 0 else 0
                    high += (end - i + tied) / (n_sites - below)
                    low += (i + 1 - start + tied) / above
                else:
                    high += (end - i + tied) * share[key, 0]
                    low += (i + 1 - start + tied) * share[key, 1]
            found[0, u, c] = high / (end - start)
            found[1, u, c] = low / (end - start)
    return found


@kernel
def count_above(columns: Keys, indptr: Longs, edges: Keys) -> Ints:
    """Number of each concept's sites whose key exceeds each edge of the unit, [U, C, n_edges].

    `columns` [U, nnz] are sorted within each concept; `edges` [U, n_edges].
    """
    n_units, n_concepts, n_edges = columns.shape[0], indptr.shape[0] - 1, edges.shape[1]
    counts = np.empty((n_units, n_concepts, n_edges), np.int32)
    for u in range(n_units):
        row = columns[u]
        for c in range(n_concepts):
            for e in range(n_edges):
                end = indptr[c + 1]
                counts[u, c, e] = end - _first_above(row, indptr[c], end, edges[u, e])
    return counts


@kernel
def count_row_above(rising: Keys, edges: Keys) -> Ints:
    """Number of all sites whose key exceeds each edge of the unit, [U, n_edges], from sorted rows."""
    n_units, n_sites = rising.shape
    counts = np.empty(edges.shape, np.int32)
    for u in range(n_units):
        for e in range(edges.shape[1]):
            counts[u, e] = n_sites - _first_above(rising[u], 0, n_sites, edges[u, e])
    return counts
