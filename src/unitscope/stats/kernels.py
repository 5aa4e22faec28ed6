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
    # Halving by selection: which half it is cannot be foreseen, so a branch would be mispredicted half the time.
    n = end - start
    while n > 1:
        half = n // 2
        start = start + half if row[start + half - 1] <= key else start
        n -= half
    return start + 1 if n == 1 and row[start] <= key else start


@kernel
def sweep(rising: Keys, columns: Keys, indptr: Longs, value_of: NDArray[np.float32]) -> Floats:
    """One walk over every concept's sorted keys, [4, U, C]: average precision by falling values and by rising ones,
    sum of doubled ranks, sum of (unscaled) values.

    `rising` [U, S] are all keys sorted; `columns` [U, nnz] the concepts' own keys, sorted within each concept. Equal
    values are one threshold, as in scikit-learn. Sums of ranks are whole numbers, exact below 2^53. A concept without
    sites gets NaN for average precision.
    """
    n_units, n_sites = rising.shape
    n_concepts = indptr.shape[0] - 1
    found = np.zeros((4, n_units, n_concepts), np.float64)
    # Of a key: one over the sites at or above it, one over those at or below, its doubled rank, its value.
    table = np.empty((N_KEYS, 4), np.float64)
    few = indptr[n_concepts] * 16 < n_sites
    for u in range(n_units):
        row, whole = columns[u], rising[u]
        at = 0
        while at < n_sites and not few:
            key = whole[at]
            end = at + 1
            while end < n_sites and whole[end] == key:
                end += 1
            table[key, 0], table[key, 1] = 1.0 / (n_sites - at), 1.0 / end
            table[key, 2], table[key, 3] = at + end + 1, value_of[key]
            at = end
        for c in range(n_concepts):
            start, end = indptr[c], indptr[c + 1]
            high, low, ranks, values, tied, last = 0.0, 0.0, 0.0, 0.0, 0, -1
            for i in range(start, end):
                key = row[i]
                if few and key != last:
                    above = _first_above(whole, 0, n_sites, key)
                    below = _first_above(whole, 0, above, key - 1) if key > 0 else 0
                    table[key, 0], table[key, 1] = 1.0 / (n_sites - below), 1.0 / above
                    table[key, 2], table[key, 3] = below + above + 1, value_of[key]
                # Each of g equal values counts the whole group; adding to the i-th how many equal ones precede it
                # sums to the same, g (g - 1) / 2 more than without ties, and needs no look-ahead.
                tied = tied + 1 if key == last else 0
                last = key
                high += (end - i + tied) * table[key, 0]
                low += (i + 1 - start + tied) * table[key, 1]
                ranks += table[key, 2]
                values += table[key, 3]
            n = end - start if end > start else np.nan
            found[0, u, c], found[1, u, c] = high / n, low / n
            found[2, u, c], found[3, u, c] = ranks, values
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
            first, end, last = indptr[c], indptr[c + 1], 0
            for e in range(n_edges):
                # Edges mostly rise, so that the next search begins where this one ended.
                first = _first_above(row, first if edges[u, e] >= last else indptr[c], end, edges[u, e])
                counts[u, c, e], last = end - first, edges[u, e]
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
