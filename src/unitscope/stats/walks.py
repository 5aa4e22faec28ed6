"""Walks down a unit's order: every statistic of units and concepts that depends on ranks, in one pass.

A walk goes through a row's sites by falling key and tallies the concepts of each. Equal keys form one group and count
at once, so that ties follow scikit-learn's convention for average precision and are shared for ranks. Two walks: `all`
concepts at every site, and `own`, where each unit has one concept of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import Keys, kernel
from unitscope.stats.sorting import Order

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Counts = NDArray[np.int32]
Values = NDArray[np.float32]

_u = np.uint64
_ZERO, _ONE, _TWO, _THREE, _FOUR, _FIVE, _SIX = (np.uint64(i) for i in range(7))
N_STATE = 7
"""Of a concept: four sums (see `Walked`), its sites above the group, in it, and not above it."""


@dataclass(frozen=True)
class Combinations:
    """Which concepts hold together: a number for each site, and the concepts of each number. Sites share few.

    `of_site` [S]; combination k holds `concepts[starts[k]:starts[k + 1]]`.
    """

    of_site: NDArray[np.uint32]
    starts: NDArray[np.uint64]
    concepts: NDArray[np.uint32]

    @classmethod
    def of(cls, indptr: Longs, sites: NDArray[np.int32], n_sites: int) -> Combinations:
        """From sparse columns: `sites[indptr[c]:indptr[c + 1]]` ascending."""
        n_concepts = len(indptr) - 1
        concept = np.repeat(np.arange(n_concepts, dtype=np.int64), np.diff(indptr))
        by_site = np.argsort(sites, kind="stable")
        at, concept = sites[by_site], concept[by_site]
        n_at = np.bincount(at, minlength=n_sites)
        first = np.cumsum(n_at) - n_at
        place = np.arange(len(at)) - first[at]
        number = np.zeros(n_sites, np.int64)
        for k in range(int(n_at.max(initial=0))):
            # Two sites have one number as long as their first k concepts are the same.
            here = place == k
            mixed = number * (n_concepts + 1)
            mixed[at[here]] += concept[here] + 1
            number = np.unique(mixed, return_inverse=True)[1].reshape(-1)
        _, example = np.unique(number, return_index=True)
        starts = np.concatenate([[0], np.cumsum(n_at[example])]).astype(np.uint64)
        parts = [concept[first[s] : first[s] + n_at[s]] for s in example.tolist()]
        concepts = np.concatenate([*parts, np.zeros(0, np.int64)]).astype(np.uint32)
        return cls(number.astype(np.uint32), starts, concepts)


@dataclass(frozen=True)
class Walked:
    """What a walk found, for C concepts (one, where each unit has its own).

    `sums` [4, U, C]: average precision by falling and by rising values times the concept's sites, sum of doubled
    midranks, sum of (unscaled) values. `above` [U, C, E] and `row_above` [U, E] count a concept's and all sites with a
    key greater than each of the edges.
    """

    sums: Floats
    above: Counts
    row_above: Counts


def walk_all(keys: Keys, order: Order, found: Combinations, sizes: Longs, edges: Keys, value_of: Values) -> Walked:
    """Walk over all concepts; `sizes` [C] are their numbers of sites, `edges` [U, E] keys in any order."""
    falls = np.argsort(edges, axis=1, kind="stable")[:, ::-1].astype(np.int64)
    return Walked(*_walk_all(keys, order, found.of_site, found.starts, found.concepts, sizes, edges, falls, value_of))


@kernel
def _walk_all(
    keys: Keys,
    order: Order,
    combination: NDArray[np.uint32],
    starts: NDArray[np.uint64],
    concepts: NDArray[np.uint32],
    sizes: Longs,
    edges: Keys,
    falls: Longs,
    value_of: NDArray[np.float32],
) -> tuple[Floats, Counts, Counts]:
    n_units, n_sites = keys.shape
    n_concepts, n_edges = sizes.shape[0], edges.shape[1]
    sums = np.empty((4, n_units, n_concepts))
    above = np.empty((n_units, n_concepts, n_edges), np.int32)
    row_above = np.empty((n_units, n_edges), np.int32)
    state = np.empty((n_concepts, N_STATE + 1))  # eight numbers a row: one line of the cache
    touched = np.empty(n_concepts + 1, np.uint32)
    every = _u(n_sites)
    share = np.empty(n_sites + 1)
    for s in range(1, n_sites + 1):
        share[s] = 1.0 / s
    for u in range(n_units):
        row, mine = keys[u], order[u]
        state[:] = 0.0
        for c in range(n_concepts):
            state[c, 6] = sizes[c]
        at, passed = _ZERO, 0
        while at < every:
            key = row[_u(mine[at])]
            while passed < n_edges and key <= edges[u, falls[u, passed]]:
                for c in range(n_concepts):
                    above[u, c, falls[u, passed]] = np.int32(state[c, 4])
                row_above[u, falls[u, passed]] = at
                passed += 1
            end = at + _ONE
            if end == every or row[_u(mine[end])] != key:  # most groups are one site: no need to count it first
                held = _u(combination[_u(mine[at])])
                up, down = share[end], share[every - at]
                rank, value = float(_TWO * (every - at)), float(value_of[_u(key)])
                for i in range(starts[held], starts[held + _ONE]):
                    here = _u(concepts[i])
                    n_above, n_left = state[here, _FOUR] + 1.0, state[here, _SIX]
                    state[here, _ZERO] += n_above * up
                    state[here, _ONE] += n_left * down
                    state[here, _TWO] += rank
                    state[here, _THREE] += value
                    state[here, _FOUR], state[here, _SIX] = n_above, n_left - 1.0
                at = end
                continue
            n_touched, end = _ZERO, at
            while end < every and row[_u(mine[end])] == key:
                held = _u(combination[_u(mine[end])])
                for i in range(starts[held], starts[held + _ONE]):
                    here = _u(concepts[i])
                    touched[n_touched] = here
                    n_here = state[here, _FIVE]
                    n_touched += _u(n_here == 0.0)
                    state[here, _FIVE] = n_here + 1.0
                end += _ONE
            up, down = share[end], share[every - at]
            rank, value = float(_TWO * every - at - end + _ONE), float(value_of[_u(key)])
            for j in range(n_touched):
                here = _u(touched[j])
                n_here, n_above, n_left = state[here, _FIVE], state[here, _FOUR], state[here, _SIX]
                n_above += n_here
                state[here, _ZERO] += n_here * n_above * up
                state[here, _ONE] += n_here * n_left * down
                state[here, _TWO] += n_here * rank
                state[here, _THREE] += n_here * value
                state[here, _FOUR], state[here, _FIVE], state[here, _SIX] = n_above, 0.0, n_left - n_here
            at = end
        for e in range(passed, n_edges):
            for c in range(n_concepts):
                above[u, c, falls[u, e]] = sizes[c]
            row_above[u, falls[u, e]] = n_sites
        for c in range(n_concepts):
            for i in range(4):
                sums[i, u, c] = state[c, i]
    return sums, above, row_above


def walk_own(
    keys: Keys,
    order: Order,
    indptr: Longs,
    sites: NDArray[np.int32],
    concept: NDArray[np.intp],
    edges: Keys,
    value_of: Values,
) -> Walked:
    """Walk in which unit u is compared with `concept[u]` of the sparse columns alone; C is 1 in what is found."""
    falls = np.argsort(edges, axis=1, kind="stable")[:, ::-1].astype(np.int64)
    return Walked(*_walk_own(keys, order, indptr, sites, concept.astype(np.int64), edges, falls, value_of))


@kernel
def _walk_own(
    keys: Keys,
    order: Order,
    indptr: Longs,
    sites: NDArray[np.int32],
    concept: Longs,
    edges: Keys,
    falls: Longs,
    value_of: NDArray[np.float32],
) -> tuple[Floats, Counts, Counts]:
    n_units, n_sites = keys.shape
    n_edges = edges.shape[1]
    sums = np.empty((4, n_units, 1))
    above = np.empty((n_units, 1, n_edges), np.int32)
    row_above = np.empty((n_units, n_edges), np.int32)
    held = np.zeros(n_sites, np.uint8)
    every = _u(n_sites)
    for u in range(n_units):
        row, mine = keys[u], order[u]
        first, last = indptr[concept[u]], indptr[concept[u] + 1]
        for i in range(first, last):
            held[_u(sites[i])] = 1
        at, passed = _ZERO, 0
        n_above, n_left = 0.0, float(last - first)
        up, down, ranks, values = 0.0, 0.0, 0.0, 0.0
        while at < every:
            key = row[_u(mine[at])]
            while passed < n_edges and key <= edges[u, falls[u, passed]]:
                above[u, 0, falls[u, passed]], row_above[u, falls[u, passed]] = np.int32(n_above), at
                passed += 1
            n_here, end = 0, at
            while end < every and row[_u(mine[end])] == key:
                n_here += held[_u(mine[end])]
                end += _ONE
            if n_here > 0:
                n_above += n_here
                up += n_here * n_above / float(end)
                down += n_here * n_left / float(every - at)
                ranks += n_here * float(_TWO * every - at - end + _ONE)
                values += n_here * float(value_of[_u(key)])
                n_left -= n_here
            at = end
        for e in range(passed, n_edges):
            above[u, 0, falls[u, e]], row_above[u, falls[u, e]] = last - first, n_sites
        sums[0, u, 0], sums[1, u, 0], sums[2, u, 0], sums[3, u, 0] = up, down, ranks, values
        for i in range(first, last):
            held[_u(sites[i])] = 0
    return sums, above, row_above
