"""Products of two models' units over the same sites, streamed: covariances and correlations by fold.

Columns are standardised by moments in double precision (one pass), then multiplied in single precision, some thousand
sites at a time, and added up in double precision (a second pass). So large means cost no digits, memory depends on the
units alone, and the size of blocks changes only rounding. A fold is any part of the sites (a half, a part of a half).

A *lag* pairs every site of the first model with the site that many places later of the second, around the end: the
same columns, the same likeness of neighbouring sites, but nothing in common. That is the null of these statistics.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import kernel
from unitscope.errors import MeasureError

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Columns = NDArray[np.int64]

ROWS = 8192
CONSTANT = 1e-6


class Matrix(Protocol):
    """Values of units at sites [S, U], read in pieces of whole rows, in the order of the sites."""

    @property
    def n_sites(self) -> int:
        """Number of rows, S."""

    @property
    def n_units(self) -> int:
        """Number of columns, U."""

    def blocks(self, columns: Columns | None = None) -> Iterator[tuple[slice, Floats]]:
        """Rows and their values [n, U'] for the given columns, which ascend."""


@dataclass(frozen=True)
class Held:
    """A matrix that is in memory: `values` [S, U], given out `rows` rows at a time."""

    values: Floats
    rows: int = ROWS

    @property
    def n_sites(self) -> int:
        """Number of rows, S."""
        return len(self.values)

    @property
    def n_units(self) -> int:
        """Number of columns, U."""
        return int(self.values.shape[1])

    def blocks(self, columns: Columns | None = None) -> Iterator[tuple[slice, Floats]]:
        """Rows and their values."""
        for start in range(0, len(self.values), self.rows):
            part = self.values[start : start + self.rows]
            yield slice(start, start + len(part)), part if columns is None else part[:, columns]


def held(values: NDArray[np.floating], rows: int = ROWS) -> Held:
    """A matrix of an array [S, U]. Raises MeasureError for another shape."""
    if values.ndim != 2:
        raise MeasureError(f"Got values of shape {values.shape}.", expected="a matrix [sites, units]")
    return Held(np.asarray(values, np.float32), rows)


@dataclass(frozen=True)
class Standard:
    """Columns of a matrix, made ready to be multiplied: (value - `shift`) * `factor`, all [U].

    `mean` and `spread` (standard deviation) are over the sites asked for. A unit is `constant` if its spread is below a
    millionth of its mean's size, `broken` if a value is not finite; both become columns of zeros.
    """

    matrix: Matrix
    columns: Columns
    mean: Doubles
    spread: Doubles
    constant: NDArray[np.bool_]
    broken: NDArray[np.bool_]

    @property
    def n_units(self) -> int:
        """Number of columns."""
        return len(self.columns)

    @cached_property
    def usable(self) -> NDArray[np.bool_]:
        """Units that have a correlation, [U]."""
        return np.asarray(~(self.constant | self.broken))

    @cached_property
    def shift(self) -> Floats:
        """What is subtracted, [U]."""
        return np.where(self.usable, self.mean, 0.0).astype(np.float32)

    @cached_property
    def factor(self) -> Floats:
        """What is multiplied by after that, [U]; 0 for units that cannot be used."""
        return np.where(self.usable, 1.0 / np.where(self.usable, self.spread, 1.0), 0.0).astype(np.float32)

    def part(self, which: Columns | NDArray[np.bool_] | slice) -> Standard:
        """Some of the columns."""
        arrays = {name: getattr(self, name)[which] for name in ("columns", "mean", "spread", "constant", "broken")}
        return replace(self, **arrays)

    def pieces(self, plan: Plan, lag: int = 0) -> Iterator[Floats]:
        """Standardised rows of each piece of a plan, sorted by fold; from row `lag` on and around the end.

        Every piece is written over the last one, so that no memory is asked for anew.
        """
        whole = len(self.columns) == self.matrix.n_units and bool((np.diff(self.columns) == 1).all())
        buffer = np.empty((int(plan.bounds.max(initial=0)), self.n_units), np.float32)
        piece, filled = 0, 0
        for block in _from(self.matrix, None if whole else self.columns, lag % self.matrix.n_sites):
            done = 0
            while done < len(block):
                start = piece * plan.rows + filled
                taken = block[done : done + plan.rows - filled]
                _fill(taken, self.shift, self.factor, plan.place[start : start + len(taken)], buffer)
                done, filled = done + len(taken), filled + len(taken)
                if filled == plan.rows or start + len(taken) == self.matrix.n_sites:
                    yield buffer[: plan.bounds[piece, -1]]
                    piece, filled = piece + 1, 0


@dataclass(frozen=True)
class Plan:
    """How sites are cut into pieces of `rows`, so that both sides of a product are cut alike whatever their shards.

    `place` [S] is the row of each site in its piece, sorted by fold (-1: left out); fold f of piece i is in the rows
    `bounds[i, f]` to `bounds[i, f + 1]`.
    """

    rows: int
    place: NDArray[np.int32]
    bounds: NDArray[np.int64]

    @classmethod
    def of(cls, fold: NDArray[np.integer], n_folds: int, rows: int = ROWS) -> Plan:
        """From the fold of each site [S]: 0 to n_folds - 1, or -1 to leave it out."""
        place = np.full(len(fold), -1, np.int32)
        bounds = np.zeros((-(-len(fold) // rows), n_folds + 1), np.int64)
        for piece, start in enumerate(range(0, len(fold), rows)):
            here = np.asarray(fold[start : start + rows])
            kept = np.flatnonzero(here >= 0)
            order = kept[np.argsort(here[kept], kind="stable")]
            place[start + order] = np.arange(len(order), dtype=np.int32)
            bounds[piece, 1:] = np.cumsum(np.bincount(here[kept], minlength=n_folds))
        return cls(rows, place, bounds)

    def sorted(self, labels: NDArray[np.integer], piece: int) -> NDArray[np.integer]:
        """Labels of sites [S] in the order of a piece's rows."""
        span = slice(piece * self.rows, (piece + 1) * self.rows)
        place = self.place[span]
        found = np.empty(int(self.bounds[piece, -1]), labels.dtype)
        found[place[place >= 0]] = labels[span][place >= 0]
        return found


def standard(matrix: Matrix, columns: Columns | None = None, sites: NDArray[np.bool_] | None = None) -> Standard:
    """Mean and spread of columns over `sites` [S] (all), in one pass.

    Raises MeasureError without two sites, and where no unit is left that varies.
    """
    n = matrix.n_sites if sites is None else int(sites.sum())
    if n < 2:
        raise MeasureError(
            f"Got {n} site(s).", expected="at least two, since units are compared over sites", fix="Give more items."
        )
    chosen = np.arange(matrix.n_units) if columns is None else np.asarray(columns, np.int64)
    keep = np.ones(matrix.n_sites, np.bool_) if sites is None else sites
    sums, first = np.zeros((2, len(chosen))), np.zeros(len(chosen), np.float32)
    for rows, values in matrix.blocks(None if columns is None else chosen):
        if rows.start == 0:
            first = np.where(np.isfinite(values[0]), values[0], 0.0).astype(np.float32)
        _offsets(np.ascontiguousarray(values, np.float32), first, keep[rows], sums)
    with np.errstate(invalid="ignore", over="ignore"):
        offset = sums[0] / n
        variance = np.maximum(sums[1] / n - offset**2, 0.0)
        mean, spread = first + offset, np.sqrt(variance)
        broken = ~(np.isfinite(mean) & np.isfinite(spread))
        constant = ~broken & ((spread <= CONSTANT * np.abs(mean)) | (spread == 0))
    found = Standard(matrix, chosen, mean, spread, constant, broken)
    if not found.usable.any():
        raise MeasureError(
            f"No unit varies: {int(constant.sum())} of {len(chosen)} are constant, {int(broken.sum())} hold values "
            "that are not finite.",
            expected="units with different values at different sites",
            fix="Look at the model's activations, or choose other layers.",
        )
    return found


@dataclass(frozen=True)
class Cross:
    """Sums over the sites of each fold: of products [F, U, V], of values and squares [F, 2, U], and of sites [F].

    `gram` [F, U, U] are products of the first model's units with each other, where they were asked for.
    """

    n: NDArray[np.int64]
    products: Doubles
    sums_x: Doubles
    sums_y: Doubles
    gram: Doubles | None = None

    def pooled(self, folds: slice = slice(None)) -> Cross:
        """Some folds as one."""
        gram = None if self.gram is None else self.gram[folds].sum(axis=0, keepdims=True)
        n, products, sums_x, sums_y = (
            part[folds].sum(axis=0, keepdims=True) for part in (self.n, self.products, self.sums_x, self.sums_y)
        )
        return Cross(n, products, sums_x, sums_y, gram)

    def covariance(self, fold: int = 0) -> Doubles:
        """Covariances of standardised values [U, V] in a fold (divided by the number of sites)."""
        n = max(int(self.n[fold]), 1)
        found = self.products[fold] / n
        found -= np.outer(self.sums_x[fold, 0] / n, self.sums_y[fold, 0] / n)
        return cast("Doubles", found)

    def correlation(self, fold: int = 0) -> Doubles:
        """Pearson correlations [U, V] in [-1, 1]; 0 where a unit is constant in the fold."""
        found, n = self.covariance(fold), max(int(self.n[fold]), 1)
        found *= _inverse_spread(self.sums_x[fold] / n)[:, None]
        found *= _inverse_spread(self.sums_y[fold] / n)[None, :]
        return np.clip(found, -1.0, 1.0, out=found)

    def within(self, fold: int = 0) -> Doubles:
        """Covariances [U, U] of the first model's standardised units in a fold; needs `gram`."""
        if self.gram is None:
            raise MeasureError("The products of a model with itself were not asked for.", fix="cross(..., gram=True)")
        n = max(int(self.n[fold]), 1)
        mean = self.sums_x[fold, 0] / n
        return cast("Doubles", self.gram[fold] / n - np.outer(mean, mean))


def cross(
    x: Standard,
    y: Standard,
    fold: NDArray[np.integer] | None = None,
    n_folds: int = 1,
    *,
    lag: int = 0,
    gram: bool = False,
    rows: int = ROWS,
) -> Cross:
    """Products of all units of `x` with all of `y`, by the fold of the sites [S] of `x` (-1: left out).

    `lag` pairs a site of `x` with one that many places later of `y`. Time 2 S U V in single precision; memory
    8 F U V bytes and `rows` rows of each. Raises MeasureError for matrices of different numbers of sites.
    """
    n_sites = x.matrix.n_sites
    if n_sites != y.matrix.n_sites:
        raise MeasureError(
            f"Got {n_sites} sites of one model and {y.matrix.n_sites} of the other.",
            expected="values at the same sites",
            fix="Align them first: unitscope.rankings.align.",
        )
    plan = Plan.of(np.zeros(n_sites, np.int32) if fold is None else fold, n_folds, rows)
    products = np.zeros((n_folds, x.n_units, y.n_units))
    own = np.zeros((n_folds, x.n_units, x.n_units)) if gram else None
    sums_x, sums_y = np.zeros((n_folds, 2, x.n_units)), np.zeros((n_folds, 2, y.n_units))
    product = np.empty((x.n_units, y.n_units), np.float32)
    left, right = x.pieces(plan), None if x is y and lag == 0 else y.pieces(plan, lag)
    for bounds, a in zip(plan.bounds, left):
        b = a if right is None else next(right)
        for f, (start, stop) in enumerate(itertools.pairwise(bounds)):
            if start == stop:
                continue
            a_f, b_f = a[start:stop], b[start:stop]
            _moments(a_f, sums_x[f])
            _moments(b_f, sums_y[f])
            products[f] += np.matmul(a_f.T, b_f, out=product)
            if own is not None:
                own[f] += a_f.T @ a_f
    return Cross(plan.bounds[:, 1:].sum(axis=0) - plan.bounds[:, :-1].sum(axis=0), products, sums_x, sums_y, own)


def lags(n_sites: int, n: int, seed: int) -> list[int]:
    """`n` different lags for a null (fewer where there are no more), from a quarter to three quarters of the sites."""
    low, high = max(n_sites // 4, 1), max(3 * n_sites // 4, 2)
    n = min(n, high - low)
    drawn = np.random.default_rng([seed, 31]).choice(high - low, n, replace=False) + low
    return sorted(int(lag) for lag in drawn)


def spread_over(n: int, most: int) -> Columns:
    """Up to `most` of 0 ... n - 1, evenly spaced.

    >>> spread_over(10, 4).tolist()
    [0, 2, 5, 7]
    """
    return np.asarray((np.arange(min(n, most)) * n) // max(min(n, most), 1), np.int64)


def _inverse_spread(sums: Doubles) -> Doubles:
    """1 / standard deviation from means of values and squares [2, U]; 0 where there is none."""
    variance = sums[1] - sums[0] ** 2
    # Standardised over all sites, a spread of a millionth in a fold is rounding.
    usable = variance > CONSTANT**2
    return np.where(usable, 1.0 / np.sqrt(np.where(usable, variance, 1.0)), 0.0)


def _from(matrix: Matrix, columns: Columns | None, start: int) -> Iterator[Floats]:
    """Rows from `start` on, then those before."""
    for rows, values in matrix.blocks(columns):
        if rows.stop > start:
            yield values[max(start - rows.start, 0) :]
    if start:
        for rows, values in matrix.blocks(columns):
            if rows.start >= start:
                return
            yield values[: start - rows.start]


@kernel
def _fill(values: Floats, shift: Floats, factor: Floats, place: NDArray[np.int32], out: Floats) -> None:
    """Standardise rows [n, U] into their places of `out`; columns whose factor is 0 become zeros."""
    n, width = values.shape
    for i in range(n):
        if place[i] < 0:
            continue
        row, target = values[i], out[place[i]]
        for u in range(width):
            scaled = (row[u] - shift[u]) * factor[u]
            target[u] = scaled if factor[u] != 0 else np.float32(0)


@kernel
def _moments(values: Floats, sums: Doubles) -> None:
    """Add sums of values [n, U] and of their squares to `sums` [2, U]."""
    n, width = values.shape
    plain, square = sums
    for i in range(n):
        row = values[i]
        for u in range(width):
            value = np.float64(row[u])
            plain[u] += value
            square[u] += value * value


@kernel
def _offsets(values: Floats, first: Floats, keep: NDArray[np.bool_], sums: Doubles) -> None:
    """Add sums of values [n, U] less `first` [U] and of their squares to `sums` [2, U], of rows to keep."""
    n, width = values.shape
    plain, square = sums
    for i in range(n):
        if not keep[i]:
            continue
        row = values[i]
        for u in range(width):
            value = np.float64(row[u]) - np.float64(first[u])
            plain[u] += value
            square[u] += value * value
