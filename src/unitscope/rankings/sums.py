"""Sums of units' values by class, in one pass over the sites: what probeless rankings and univariate F come from.

Values are added in double precision as deviations from each unit's first value, so that units far from zero lose
nothing and a constant unit has a variance of exactly 0. Only the sums are held: classes × units, whatever the sites.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import kernel
from unitscope.errors import RankingError

Floats = NDArray[np.float64]


class Matrix(Protocol):
    """Values of units at sites, read in pieces: activations, or arrays in memory."""

    @property
    def n_sites(self) -> int:
        """Number of sites, S."""

    @property
    def n_units(self) -> int:
        """Number of units, U."""

    def blocks(self, columns: NDArray[np.int64] | None = None) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Rows and their values [n, units], in the sites' order."""


@dataclass(frozen=True)
class Narrowed:
    """Some of the units of a matrix: ascending columns of it, [U]."""

    matrix: Matrix
    chosen: NDArray[np.int64]

    @property
    def n_sites(self) -> int:
        """Number of sites, S."""
        return self.matrix.n_sites

    @property
    def n_units(self) -> int:
        """Number of chosen units."""
        return len(self.chosen)

    def blocks(self, columns: NDArray[np.int64] | None = None) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Rows and values of the chosen units, or of `columns` among them."""
        return self.matrix.blocks(self.chosen if columns is None else self.chosen[columns])


@dataclass(frozen=True)
class ClassSums:
    """Sites of each class `n` [C]; of each unit the value `pivot` [U] that deviations are from; sums of deviations
    `first` and of their squares `second`, both [C, U]. A unit with NaN or infinities at a class's sites has NaN there.
    """

    n: NDArray[np.int64]
    pivot: Floats
    first: Floats
    second: Floats

    @classmethod
    def of(
        cls,
        matrix: Matrix,
        of_site: NDArray[np.int32],
        n_classes: int,
        columns: NDArray[np.int64] | None = None,
    ) -> ClassSums:
        """Sums over the sites whose class `of_site` [S] is not -1. Raises RankingError when sites do not fit."""
        if of_site.shape != (matrix.n_sites,):
            raise RankingError(f"Got classes of {len(of_site)} sites for {matrix.n_sites} sites.")
        n_units = matrix.n_units if columns is None else len(columns)
        first, second = np.zeros((n_classes, n_units)), np.zeros((n_classes, n_units))
        pivot: Floats | None = None
        classes = np.ascontiguousarray(of_site, np.int32)
        for rows, values in matrix.blocks(columns):
            here = classes[rows]
            labelled = np.flatnonzero(here >= 0)
            if not len(labelled):
                continue
            if pivot is None:
                pivot = np.asarray(values[labelled[0]], np.float64)
                pivot = np.where(np.isfinite(pivot), pivot, 0.0)
            _add(np.ascontiguousarray(values, np.float32), here, pivot, first, second)
        n = np.bincount(of_site[of_site >= 0], minlength=n_classes).astype(np.int64)
        wrong = ~np.isfinite(second)
        first[wrong] = second[wrong] = np.nan
        return cls(n, np.zeros(n_units) if pivot is None else pivot, first, second)

    @property
    def means(self) -> Floats:
        """Mean of each class [C, U]; NaN for a class without sites."""
        return self.pivot + self.first / _positive(self.n)[:, None]

    @property
    def variance(self) -> Floats:
        """Variance over all sites together [U], dividing by their number; exactly 0 for constant units."""
        total = float(self.n.sum())
        if not total:
            return np.full(len(self.pivot), np.nan)
        mean = self.first.sum(axis=0) / total
        found: Floats = np.maximum(self.second.sum(axis=0) / total - mean**2, 0.0)
        return found

    def against_rest(self, index: int) -> ClassSums:
        """Two classes: all others together, and this one."""
        rest = np.arange(len(self.n)) != index
        return ClassSums(
            np.array([self.n[rest].sum(), self.n[index]], np.int64),
            self.pivot,
            np.stack([self.first[rest].sum(axis=0), self.first[index]]),
            np.stack([self.second[rest].sum(axis=0), self.second[index]]),
        )

    def among(self, keep: NDArray[np.bool_]) -> ClassSums:
        """Only the classes where `keep` [C] holds."""
        return ClassSums(self.n[keep], self.pivot, self.first[keep], self.second[keep])

    def f_statistic(self) -> Floats:
        """F of a one-way analysis of variance [U]: mean square between classes over mean square within.

        NaN for constant units and with fewer than two classes or no degree of freedom within; infinite where classes
        do not vary within.
        """
        present = self.among(self.n > 0)
        n_classes, total = len(present.n), int(present.n.sum())
        if n_classes < 2 or total <= n_classes:
            return np.full(len(self.pivot), np.nan)
        n = present.n.astype(np.float64)[:, None]
        mean = present.first.sum(axis=0) / total
        between = (n * (present.first / n - mean) ** 2).sum(axis=0)
        within = np.maximum(present.second - present.first**2 / n, 0.0).sum(axis=0)
        # What is left of equal values after rounding is no variance.
        within = np.where(within <= 1e-14 * (between + within), 0.0, within)
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Floats = (between / (n_classes - 1)) / (within / (total - n_classes))
        return np.where(self.variance > 0, found, np.nan)


def _positive(n: NDArray[np.int64]) -> Floats:
    return np.where(n > 0, n, np.nan).astype(np.float64)


@kernel
def _add(values: NDArray[np.float32], classes: NDArray[np.int32], pivot: Floats, first: Floats, second: Floats) -> None:
    for s in range(values.shape[0]):
        c = classes[s]
        if c < 0:
            continue
        for u in range(values.shape[1]):
            deviation = np.float64(values[s, u]) - pivot[u]
            first[c, u] += deviation
            second[c, u] += deviation * deviation


def pair_gaps(means: Floats) -> tuple[Floats, Floats]:
    """Sums of absolute differences of class means [C, U]: over all pairs [U], and of each class to the others [C, U].

    By sorting: in order the k-th of C values is subtracted by C - 1 - k others and subtracts k. NaN where any is.

    >>> overall, each = pair_gaps(np.array([[0.0], [1.0], [5.0]]))
    >>> overall.tolist(), each.ravel().tolist()
    ([10.0], [6.0, 5.0, 9.0])
    """
    n_classes = len(means)
    order = np.argsort(means, axis=0, kind="stable")
    ascending = np.take_along_axis(means, order, axis=0)
    before = np.cumsum(ascending, axis=0) - ascending
    after = ascending.sum(axis=0) - before - ascending
    k = np.arange(n_classes, dtype=np.float64)[:, None]
    gaps = (ascending * k - before) + (after - ascending * (n_classes - 1 - k))
    each = np.empty_like(means)
    np.put_along_axis(each, order, np.maximum(gaps, 0.0), axis=0)
    return each.sum(axis=0) / 2, each
