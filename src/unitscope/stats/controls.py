"""What must be held fixed: word form by demeaning, position and sentence length by indicator columns.

`Controls` are boolean columns (position bins, length bins) over sites together with each site's word form. They give
the design within word forms, and remove position and length from a unit's values before it is compared within forms
at like positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import Keys, kernel
from unitscope.stats.view import Columns

POSITION_EDGES = (*range(1, 17), 20, 25, 30, 40, 60)
LENGTH_EDGES = (*range(2, 31), 35, 40, 50, 60, 80)
STRATUM_EDGES = (1, 2, 4, 8, 16, 32)

_u = np.uint64  # unsigned indices spare a test for negative ones


@dataclass(frozen=True)
class Controls:
    """Word form (dense id), position (0-based) and sentence length of each site, each [S]."""

    form: NDArray[np.int32]
    position: NDArray[np.int32]
    length: NDArray[np.int32]

    def at(self, keep: NDArray[np.bool_]) -> Controls:
        """Restrict to the sites where `keep` [S] holds; forms stay dense."""
        form = np.unique(self.form[keep], return_inverse=True)[1].astype(np.int32)
        return Controls(form, self.position[keep], self.length[keep])

    @property
    def form_stratum(self) -> NDArray[np.int32]:
        """Stratum within which effects are asked for first [S]: the word form."""
        return self.form

    @cached_property
    def position_bin(self) -> NDArray[np.int32]:
        """Fine position bin [S]: each of the first sixteen words its own, then wider ones."""
        return np.asarray(np.searchsorted(POSITION_EDGES, self.position, side="right"), np.int32)

    @cached_property
    def length_bin(self) -> NDArray[np.int32]:
        """Fine sentence length bin [S]."""
        return np.asarray(np.searchsorted(LENGTH_EDGES, self.length, side="right"), np.int32)

    @cached_property
    def form_at_position(self) -> NDArray[np.int32]:
        """Stratum of form and coarse position (1, 2, 3-4, 5-8, 9-16, 17-32, later), dense [S]."""
        coarse = np.searchsorted(STRATUM_EDGES, self.position, side="right")
        mixed = self.form.astype(np.int64) * (len(STRATUM_EDGES) + 1) + coarse
        return np.asarray(np.unique(mixed, return_inverse=True)[1], np.int32)

    @cached_property
    def n_forms(self) -> int:
        """Number of distinct forms."""
        return int(self.form.max(initial=-1)) + 1

    @cached_property
    def form_size(self) -> NDArray[np.float64]:
        """Sites of each form."""
        return np.bincount(self.form, minlength=self.n_forms).astype(np.float64)

    @cached_property
    def columns(self) -> Columns:
        """Indicator columns: position bins, then length bins (all but the first of each; they are collinear)."""
        n_position, n_length = len(POSITION_EDGES), len(LENGTH_EDGES)
        parts = [np.flatnonzero(self.position_bin == i) for i in range(1, n_position + 1)]
        parts += [np.flatnonzero(self.length_bin == i) for i in range(1, n_length + 1)]
        indptr = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        return Columns(indptr, np.concatenate(parts).astype(np.int32), len(self.form))

    @property
    def n_position(self) -> int:
        """How many of the columns are position bins."""
        return len(POSITION_EDGES)

    @cached_property
    def solver(self) -> NDArray[np.float64]:
        """Pseudo-inverse of the columns' Gram matrix within forms, [K, K]."""
        return np.asarray(np.linalg.pinv(gram_within(self, self.columns), rcond=1e-9, hermitian=True))

    def adjusted(self, keys: Keys, value_of: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unscaled values less their within-form regression on position and length, [U, S]."""
        sums = demeaned_sums(keys, value_of, self.form, self.form_size, self.columns.indptr, self.columns.sites)[2]
        effects = sums @ self.solver
        zero = np.zeros((len(keys), 1))
        split = self.n_position
        by_position = np.concatenate([zero, effects[:, :split]], axis=1)
        by_length = np.concatenate([zero, effects[:, split:]], axis=1)
        return _subtract(keys, value_of, self.position_bin, self.length_bin, by_position, by_length)


@dataclass(frozen=True)
class WithinForm:
    """Prepared design for the partial effect of every concept within word forms, position and length held fixed.

    `columns` are the controls' columns, then the concepts; `slope` [K, C] regresses concepts on controls within
    forms; `spread` [C] is what is left of each concept's sum of squares: how many sites' worth of contrast it has.
    """

    controls: Controls
    columns: Columns
    slope: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def prepare(cls, controls: Controls, concepts: Columns) -> WithinForm:
        """Build the design over the sites that controls and concepts share."""
        columns = controls.columns.joined(concepts)
        k = controls.columns.n_concepts
        gram = gram_within(controls, columns)
        slope = controls.solver @ gram[:k, k:]
        spread = np.diag(gram)[k:] - (gram[:k, k:] * slope).sum(axis=0)
        return cls(controls, columns, slope, np.where(spread > 1e-9 * np.diag(gram)[k:], spread, 0.0))

    def effects(self, keys: Keys, value_of: NDArray[np.float32]) -> NDArray[np.float64]:
        """Partial mean gap of every unit for every concept, in within-form standard deviations, [U, C].

        Its standard error without effect is about 1 / sqrt(spread). NaN where a concept has no contrast within forms.
        """
        controls, columns = self.controls, self.columns
        _, inside, sums = demeaned_sums(
            keys, value_of, controls.form, controls.form_size, columns.indptr, columns.sites
        )
        return self.of_sums(inside, sums)

    def of_sums(self, inside: NDArray[np.float64], sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `effects`, from what `demeaned_sums` gives for `columns`: [U] and [U, K + C]."""
        controls, columns, k = self.controls, self.columns, self.controls.columns.n_concepts
        free = max(columns.n_sites - controls.n_forms, 1)
        spread = np.sqrt(np.where(inside > 0, inside, np.nan) / free)
        with np.errstate(invalid="ignore"):
            gap = (sums[:, k:] - sums[:, :k] @ self.slope) / np.where(self.spread > 0, self.spread, np.nan)
            return np.asarray(gap / spread[:, None])


def gram_within(controls: Controls, columns: Columns) -> NDArray[np.float64]:
    """Gram matrix [K, K] of boolean columns after removing each column's mean within every word form."""
    from scipy.sparse import csc_matrix

    ones = np.ones(len(columns.sites))
    matrix = csc_matrix((ones, columns.sites, columns.indptr), shape=(columns.n_sites, columns.n_concepts))
    by_form = csc_matrix(
        (ones, controls.form[columns.sites], columns.indptr),
        shape=(controls.n_forms, columns.n_concepts),
        copy=True,  # merged in place below
    )
    by_form.sum_duplicates()
    weighted = by_form.multiply(1.0 / controls.form_size[:, None]).tocsc()
    return np.asarray((matrix.T @ matrix - by_form.T @ weighted).toarray())


@kernel
def demeaned_sums(
    keys: Keys,
    value_of: NDArray[np.float32],
    form: NDArray[np.int32],
    form_size: NDArray[np.float64],
    indptr: NDArray[np.int64],
    sites: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Of each unit, sum of squares about its mean [U], within forms [U], and sums within forms over columns [U, K]."""
    n_units, n_sites = keys.shape
    n_columns = indptr.shape[0] - 1
    total, inside = np.empty(n_units), np.empty(n_units)
    sums = np.empty((n_units, n_columns))
    mean_of = np.empty(form_size.shape[0])
    value = np.empty(n_sites, np.float32)
    for u in range(n_units):
        mean_of[:] = 0.0
        mean = 0.0
        for s in range(n_sites):
            v = value_of[_u(keys[u, s])]
            value[s] = v
            mean_of[_u(form[s])] += v
            mean += v
        mean /= max(n_sites, 1)
        for g in range(form_size.shape[0]):
            mean_of[g] /= form_size[g]
        around, within = 0.0, 0.0
        for s in range(n_sites):
            v = value[s]
            gap = v - mean_of[_u(form[s])]
            value[s] = gap
            within += gap * gap
            around += (v - mean) * (v - mean)
        total[u], inside[u] = around, within
        for c in range(n_columns):
            start, end = indptr[c], indptr[c + 1]
            # Four running sums, since each addition waits for the one before it.
            first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
            whole = start + (end - start) // 4 * 4
            for i in range(start, whole, 4):
                first += value[_u(sites[i])]
                second += value[_u(sites[i + 1])]
                third += value[_u(sites[i + 2])]
                fourth += value[_u(sites[i + 3])]
            for i in range(whole, end):
                first += value[_u(sites[i])]
            sums[u, c] = (first + second) + (third + fourth)
    return total, inside, sums


@kernel
def _subtract(
    keys: Keys,
    value_of: NDArray[np.float32],
    position_bin: NDArray[np.int32],
    length_bin: NDArray[np.int32],
    by_position: NDArray[np.float64],
    by_length: NDArray[np.float64],
) -> NDArray[np.float32]:
    n_units, n_sites = keys.shape
    found = np.empty((n_units, n_sites), np.float32)
    for u in range(n_units):
        for s in range(n_sites):
            place, long = by_position[u, _u(position_bin[s])], by_length[u, _u(length_bin[s])]
            found[u, s] = value_of[_u(keys[u, s])] - place - long
    return found
