"""Moments of units within each class: means, variances, and products with one unit, read block by block.

The Gaussian probe needs no more: means and variances of all units once, and for each chosen unit its products with all
others. The full covariances, C U² numbers, are never made. Sums are in double precision, about the class's mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import kernel
from unitscope.errors import ProbeError
from unitscope.probes.base import Matrix

Floats = NDArray[np.float64]

# A class whose values hardly vary (one site, one word form, a unit that is off) would be a spike of endless density.
_OF_WITHIN, _OF_TOTAL = 1e-4, 1e-8
# Relative to the mean: what rounding alone leaves of a constant.
_CONSTANT = 1e-12


@dataclass(frozen=True, eq=False)
class Moments:
    """Of U units in C classes with a site: `counts` [C], `mean` [C, U] and `scatter` [C, U], the squares about it."""

    counts: NDArray[np.int64]
    mean: Floats
    scatter: Floats

    @property
    def overall(self) -> Floats:
        """Mean over all sites, [U]."""
        return np.asarray(self.counts @ self.mean / self.counts.sum())

    @property
    def total(self) -> Floats:
        """Variance over all sites, within and between classes, [U]."""
        between = self.counts @ (self.mean - self.overall) ** 2
        return np.asarray((self.scatter.sum(0) + between) / self.counts.sum())

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Units that are the same everywhere, [U]: nothing can be told from them."""
        return np.asarray(self.total <= _CONSTANT * self.overall**2)

    @property
    def prior_scale(self) -> Floats:
        """Diagonal of the prior's scale, [C, U]: the class's own variance, unbiased.

        Of a class with one site the mean variance within classes; at least 1e-4 of that, and 1e-8 of the whole
        variance; 1 for a constant unit.
        """
        n_free = np.maximum(self.counts.sum() - len(self.counts), 1)
        within = self.scatter.sum(0) / n_free
        own = self.scatter / np.maximum(self.counts - 1, 1)[:, None]
        own = np.where(self.counts[:, None] > 1, own, within)
        least = np.where(self.constant, 1.0, _OF_WITHIN * within + _OF_TOTAL * self.total)
        return np.maximum(own, least)


def moments(
    matrix: Matrix, at: NDArray[np.int32], n_classes: int, columns: NDArray[np.integer] | None = None
) -> Moments:
    """Moments of all units; `at` [S] is the class of each site.

    Raises ProbeError where a value is not finite; there `columns` [U] are the numbers by which units are named.
    """
    sums = np.zeros((n_classes, matrix.n_units))
    counts = np.bincount(at, minlength=n_classes)
    for rows, values in matrix.blocks():
        checked_values(values, rows, columns)
        _add(np.ascontiguousarray(values), at[rows], sums)
    mean = sums / counts[:, None]
    scatter = np.zeros_like(mean)
    for rows, values in matrix.blocks():
        _add_squares(np.ascontiguousarray(values), at[rows], mean, scatter)
    return Moments(counts.astype(np.int64), mean, scatter)


def products(matrix: Matrix, at: NDArray[np.int32], known: Moments, unit: int) -> tuple[Floats, NDArray[np.float32]]:
    """Sums of products about the class's means of every unit with one, [C, U], and that unit's values [S]."""
    found = np.zeros_like(known.mean)
    column = np.empty(matrix.n_sites, np.float32)
    for rows, values in matrix.blocks():
        column[rows] = values[:, unit]
        residual = column[rows] - known.mean[at[rows], unit]
        _add_products(np.ascontiguousarray(values), at[rows], known.mean, residual, found)
    return found, column


def checked_values(values: NDArray[np.floating], rows: slice, columns: NDArray[np.integer] | None = None) -> None:
    """Raise ProbeError where a value is not finite; `rows` are the sites of the values, `columns` their units."""
    # A sum is not finite where a value is not, and hardly ever else: cheap first, exact after.
    if np.isfinite(values.sum(dtype=np.float64)):
        return
    where = np.argwhere(~np.isfinite(values))
    if len(where):
        site, unit = (int(i) for i in where[0])
        column = unit if columns is None else int(columns[unit])
        raise ProbeError(
            f"The value of unit {column} at site {rows.start + site} is {values[site, unit]}.",
            expected="finite values",
            fix=f"Leave out the {len(np.unique(where[:, 1]))} unit(s) with such values.",
        )


@kernel
def _add(values: NDArray[np.float32], at: NDArray[np.int32], sums: Floats) -> None:
    for s in range(values.shape[0]):
        row, into = values[s], sums[at[s]]
        for u in range(values.shape[1]):
            into[u] += row[u]


@kernel
def _add_squares(values: NDArray[np.float32], at: NDArray[np.int32], mean: Floats, into: Floats) -> None:
    for s in range(values.shape[0]):
        row, middle, found = values[s], mean[at[s]], into[at[s]]
        for u in range(values.shape[1]):
            found[u] += (row[u] - middle[u]) ** 2


@kernel
def _add_products(
    values: NDArray[np.float32], at: NDArray[np.int32], mean: Floats, residual: Floats, into: Floats
) -> None:
    for s in range(values.shape[0]):
        row, middle, found, times = values[s], mean[at[s]], into[at[s]], residual[s]
        for u in range(values.shape[1]):
            found[u] += (row[u] - middle[u]) * times
