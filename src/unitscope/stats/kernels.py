"""Compiled loops over keys: taking some sites, sums of ranks by concept, moments.

Shapes: `keys` [U, S] uint16 (see `arrays`), concepts as sparse columns (`indptr` [C+1], `sites` [nnz], ascending).
Orders of sites are in `sorting`, walks down them in `walks`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import N_KEYS, Keys, kernel

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float64]

_u = np.uint64  # unsigned indices spare a test for negative ones


@kernel
def gather(keys: Keys, sites: NDArray[np.uint32]) -> Keys:
    """Keys at some sites, in their order, [U, n]."""
    n_units, n_entries = keys.shape[0], sites.shape[0]
    found = np.empty((n_units, n_entries), np.uint16)
    for u in range(n_units):
        row, mine = keys[u], found[u]
        for i in range(n_entries):
            mine[i] = row[_u(sites[i])]
    return found


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
                total += row[_u(sites[i])]
            sums[u, c] = total
    return sums


@kernel
def moments(keys: Keys, value_of: NDArray[np.float32]) -> Floats:
    """Mean, sum of squared deviations, least and greatest (unscaled) value of each row, [U, 4]."""
    n_units, n_sites = keys.shape
    found = np.empty((n_units, 4), np.float64)
    values = np.empty(n_sites, np.float32)
    for u in range(n_units):
        row = keys[u]
        total, low, high = 0.0, np.uint16(N_KEYS - 1), np.uint16(0)
        for s in range(n_sites):
            values[s] = value_of[_u(row[s])]
            total += values[s]
        for s in range(n_sites):
            low, high = min(low, row[s]), max(high, row[s])
        mean = total / n_sites
        square = 0.0
        for s in range(n_sites):
            gap = values[s] - mean
            square += gap * gap
        found[u, 0], found[u, 1] = mean, square
        found[u, 2], found[u, 3] = value_of[_u(low)], value_of[_u(high)]
    return found
