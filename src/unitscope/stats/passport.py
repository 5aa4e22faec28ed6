"""A unit's passport: what its variance is made of, word form first.

The variance splits, in this order, into word form, position, sentence length, context as far as the concepts
describe it (their part beyond form, position and length), document, and rest. Each share is corrected for its
degrees of freedom, so that a random unit gets about zero everywhere but in the rest: form by the one-way random
effects estimator (Searle, Casella and McCulloch 1992, chapter 3), position, length and context by the adjusted sum of
squares of a sequential regression within forms, and document as a random effect on what that leaves: the sum of
squares within forms and columns and that of the residual's block means are two equations in the variances of
documents and of the rest (the method of moments, chapter 5 there). What documents add by chance to the other sums is
taken off them too. Shares are clipped at zero; the rest is what remains of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from unitscope.arrays import Keys
from unitscope.stats.controls import Controls, demeaned_sums, gram_within
from unitscope.stats.view import Columns

PARTS = ("form", "position", "length", "context", "document", "rest")


@dataclass(frozen=True)
class Expected:
    """Expected sums of squares: of a unit's residual (`freedom` v_rest + `spread` v_document), of its block means
    (`means` v_rest + `between` v_document), and what v_document adds to each part's regression, `added` [3].
    """

    freedom: float
    spread: float
    means: float
    between: float
    added: NDArray[np.float64]

    def solve(
        self, left: NDArray[np.float64], by_block: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Variances of rest and document, each [U]; document 0 where it cannot be told from the rest."""
        alone = left / self.freedom
        determinant = self.freedom * self.between - self.spread * self.means
        if determinant <= 1e-6 * self.freedom * self.between:
            return alone, np.zeros_like(alone)
        document = np.maximum((self.freedom * by_block - self.means * left) / determinant, 0.0)
        document = np.minimum(document, left / self.spread)
        return (left - self.spread * document) / self.freedom, document


@dataclass(frozen=True)
class Passports:
    """Prepared design: computes the shares [U, 6] of units over a fixed set of sites.

    `factor` is the Cholesky factor of the kept columns' Gram matrix; `part` says which share each kept column feeds;
    `blocks` are documents as columns, and `cross` [K, n_blocks] the kept columns' sums within forms in each;
    `expected` what the two variances add to the sums of squares.
    """

    controls: Controls
    columns: Columns
    kept: NDArray[np.intp]
    part: NDArray[np.intp]
    factor: NDArray[np.float64]
    blocks: Columns
    cross: NDArray[np.float64]
    expected: Expected

    @classmethod
    def prepare(cls, controls: Controls, concepts: Columns, block: NDArray[np.int32]) -> Passports:
        """Build the design from controls, concepts over the same sites, and each site's block [S]."""
        fixed = controls.columns
        columns = fixed.joined(concepts)
        blocks = _as_columns(block)
        gram = gram_within(controls, columns.joined(blocks))
        n = columns.n_concepts
        kept, factor = independent(gram[:n, :n])
        part = np.searchsorted([controls.n_position, fixed.n_concepts], kept, side="right") + 1
        cross = gram[kept, n:]
        expected = _expected(len(block) - controls.n_forms, part, _solve(factor, cross), gram[n:, n:], blocks.counts)
        return cls(controls, columns, kept, part, factor, blocks, cross, expected)

    def of(self, keys: Keys, value_of: NDArray[np.float32]) -> NDArray[np.float64]:
        """Shares of variance [U, 6] in the order of `PARTS`; NaN for constant units and those with infinities."""
        return self.of_sums(*self.sums(keys, value_of))

    @cached_property
    def every(self) -> Columns:
        """The columns, then the blocks."""
        return self.columns.joined(self.blocks)

    def sums(
        self, keys: Keys, value_of: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """What `of_sums` takes: see `controls.demeaned_sums`, over the columns and then the blocks."""
        every = self.every
        return demeaned_sums(keys, value_of, self.controls.form, self.controls.form_size, every.indptr, every.sites)

    def of_sums(
        self, total: NDArray[np.float64], inside: NDArray[np.float64], sums: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """As `of`, from the sums of `sums`."""
        n_sites = self.columns.n_sites
        shares = np.full((len(total), len(PARTS)), np.nan)
        free = n_sites - self.controls.n_forms
        if free <= len(self.kept) + 2:
            return shares
        n_columns = self.columns.n_concepts
        fitted = _solve(self.factor, sums[:, :n_columns][:, self.kept].T)
        explained = np.stack([(fitted[self.part == part] ** 2).sum(axis=0) for part in (1, 2, 3)])
        columns = np.array([(self.part == part).sum() for part in (1, 2, 3)])
        left = np.maximum(inside - explained.sum(axis=0), 0.0)
        residual = sums[:, n_columns:] - _solve(self.factor, fitted, transposed=True).T @ self.cross
        by_block = (residual**2 / np.maximum(self.blocks.counts, 1)).sum(axis=1)
        noise, document = self.expected.solve(left, by_block)
        variance = np.where(total > 0, total / (n_sites - 1), np.nan)
        shares[:, 0] = 1 - inside / free / variance
        for i in range(3):
            chance = columns[i] * noise + self.expected.added[i] * document
            shares[:, 1 + i] = (explained[i] - chance) / free / variance
        shares[:, 4] = document / variance
        shares[:, :5] = np.clip(shares[:, :5], 0.0, 1.0)
        shares[:, :5] /= np.maximum(shares[:, :5].sum(axis=1, keepdims=True), 1.0)
        shares[:, 5] = 1 - shares[:, :5].sum(axis=1)
        return shares


def _expected(
    free: int,
    part: NDArray[np.intp],
    projected: NDArray[np.float64],
    gram: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> Expected:
    """Expected sums from the blocks' projection on the columns [K, n_blocks] and their Gram matrix within forms."""
    residual = gram - projected.T @ projected
    size = np.maximum(counts, 1).astype(np.float64)
    added = np.array([(projected[part == i] ** 2).sum() for i in (1, 2, 3)])
    means, between = float((np.diag(residual) / size).sum()), float((residual**2 / size[:, None]).sum())
    return Expected(float(free - len(part)), float(np.trace(residual)), means, between, added)


def _solve(factor: NDArray[np.float64], right: NDArray[np.float64], transposed: bool = False) -> NDArray[np.float64]:
    """Solve with the lower factor, or its transpose. Columns with infinities or NaN yield NaN and spare the others."""
    if not len(factor):
        return np.zeros_like(right)
    return np.asarray(solve_triangular(factor, right, lower=True, trans=int(transposed), check_finite=False))


def independent(gram: NDArray[np.float64], tolerance: float = 1e-8) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Columns of a Gram matrix [K, K], in order, that are no combination of earlier ones, and their Cholesky factor."""
    n = len(gram)
    factor = np.zeros((n, n))
    kept: list[int] = []
    for j in range(n):
        rank = len(kept)
        row = solve_triangular(factor[:rank, :rank], gram[kept, j], lower=True) if rank else np.zeros(0)
        pivot = gram[j, j] - row @ row
        if gram[j, j] > 0 and pivot > tolerance * gram[j, j]:
            factor[rank, :rank], factor[rank, rank] = row, np.sqrt(pivot)
            kept.append(j)
    rank = len(kept)
    return np.array(kept, np.intp), factor[:rank, :rank].copy()


def _as_columns(label: NDArray[np.int32]) -> Columns:
    n = int(label.max(initial=-1)) + 1
    sites = np.argsort(label, kind="stable").astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(label, minlength=n))]).astype(np.int64)
    return Columns(indptr, sites, len(label))
