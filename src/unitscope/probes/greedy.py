"""Greedy choice of units by mutual information, without fitting a Gaussian anew for each candidate.

Torroba Hennigen et al. 2020 add, step by step, the unit that with those chosen before tells most about the class. Over
A chosen units and a candidate j, log p(x_A, x_j | z) = log p(x_A | z) + log p(x_j | x_A, z), and the last factor is a
Gaussian of one variable (`growth`): a candidate costs one residual and one exponential a site and class (`densities`).

**Race.** Most candidates lose clearly: at some drawn sites they do so much worse than the leader that the rest cannot
matter. Sites are drawn by stratum of how surprising they are so far, since a site whose class is known already tells
candidates hardly apart. A candidate is dropped when its difference from the leader exceeds `errors` standard errors;
those left are judged at all sites. The best may be lost so, where it does worse than another at the drawn sites by
that much: with a probability of about 3e-5 a look at 4 standard errors, if such estimates are about normal, and then
what is chosen is nearly as good. With `Race(errors=inf)` none is dropped, and the choice is that of the plain method.
Candidates within single-precision rounding of the best are judged again in double precision; ties go to the lower
column. Units that are constant, or linear in the chosen ones, are never chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import ProbeError
from unitscope.probes.base import ArrayMatrix, Labels, Matrix, Subset
from unitscope.probes.class_moments import moments, products
from unitscope.probes.densities import gather, surprise
from unitscope.probes.gaussian import GaussianProbe, Information, checked_sites, present, told, training
from unitscope.probes.growth import Growth

Floats = NDArray[np.float64]

CHUNK = 8
MEMORY = 2 << 30
_ROUNDING = 2e-5


@dataclass(frozen=True)
class Race:
    """When candidates are dropped: after looks at `first` drawn sites, and at four times as many, up to half of all.

    Each look draws anew. A candidate is dropped when its estimated surprise exceeds the leader's by `errors` standard
    errors of their difference. `errors=inf`: never, and the choice is the plain method's.
    """

    first: int = 1024
    errors: float = 4.0

    def looks(self, n_sites: int) -> list[int]:
        """Numbers of sites drawn, ascending."""
        if not np.isfinite(self.errors):
            return []
        return [n for n in (self.first << 2 * i for i in range(24)) if 8 * CHUNK <= n <= n_sites // 2]


@dataclass(frozen=True, eq=False)
class GreedySelection:
    """Units in the order they were chosen, N of them, and what the first 1 ... N of them tell.

    `information` [N] is at the sites they were chosen by: too high for a claim, ask `probe.information` elsewhere.
    `judged` [N] is how many candidates were judged at all sites. `constant` and `repeated` are columns that were never
    candidates, or became linear in the chosen units.
    """

    probe: GaussianProbe
    information: tuple[Information, ...]
    judged: tuple[int, ...]
    constant: NDArray[np.int64]
    repeated: NDArray[np.int64]

    @property
    def units(self) -> NDArray[np.int64]:
        """Columns in the order chosen, [N]."""
        return self.probe.units


def select_greedily(
    matrix: Matrix,
    labels: Labels,
    n_units: int,
    *,
    judge: tuple[Matrix, Labels] | None = None,
    candidates: NDArray[np.integer] | None = None,
    dimensions: int | None = None,
    race: Race | None = None,
    seed: int = 0,
    memory: int = MEMORY,
) -> GreedySelection:
    """Choose up to `n_units` columns of a matrix, one by one, by the information about the class that they add.

    Gaussians are fitted to the labelled sites of `matrix`; units are judged there, or at the sites of `judge`, all of
    them or `candidates` alone. `dimensions` is D as in `fit_gaussian`, by default `n_units`. Fewer are chosen where
    fewer are neither constant nor linear in those chosen. The same seed gives the same units. Values are held where
    they fit `memory` bytes; otherwise each step reads the matrix about six times. Raises ProbeError where fewer than
    two classes have a site, values are not finite, or there is nothing to choose.
    """
    train, at, classes = training(matrix, labels)
    if n_units < 1:
        raise ProbeError(f"Got {n_units} units to choose.", expected="1 or more")
    train = held(train, memory)
    known = moments(train, at, len(classes))
    growth = Growth.of(known, n_units if dimensions is None else dimensions, candidates)
    if not growth.open.any():
        raise ProbeError("All units are constant.", expected="a unit that varies")
    judged_on, judged_at = (train, at) if judge is None else _judge(judge, labels, classes, memory)
    runner = _Runner(judged_on, judged_at, growth, race or Race(), seed)
    chosen: list[int] = []
    found: list[Information] = []
    judged: list[int] = []
    n_left_out = 0 if judge is None else int(judge[1].labelled.sum()) - len(judged_at)
    so_far = runner.surprises()
    while len(chosen) < n_units and growth.open.any():
        unit, n_judged = runner.best(so_far)
        product, _ = products(train, at, known, unit)
        growth.add(unit, product)
        chosen.append(unit)
        judged.append(n_judged)
        so_far = runner.surprises()
        found.append(told(float(so_far.sum()), judged_at, n_left_out))
    return GreedySelection(
        growth.probe(labels.names, classes),
        tuple(found),
        tuple(judged),
        np.flatnonzero(known.constant),
        growth.repeats(),
    )


def _judge(
    judge: tuple[Matrix, Labels], labels: Labels, classes: NDArray[np.int32], memory: int
) -> tuple[Matrix, NDArray[np.int32]]:
    """Sites of another matrix whose class is known to the probe, and that class."""
    matrix, others = judge
    checked_sites(matrix, others)
    if others.names != labels.names:
        raise ProbeError("The sites to judge by have labels of other classes.", expected="the same classes")
    at = present(classes, others)
    if not (at >= 0).any():
        raise ProbeError("No site to judge by has a class of the training sites.", expected="labelled sites")
    return held(Subset(matrix, at >= 0), memory), at[at >= 0]


class _Runner:
    """Judges candidates at the sites of a matrix: at drawn sites first, those left at all."""

    def __init__(self, matrix: Matrix, at: NDArray[np.int32], growth: Growth, race: Race, seed: int) -> None:
        self.matrix, self.at, self.growth, self.race, self.seed = matrix, at, growth, race, seed
        self.per_product = max(1, int(36 / np.log10(len(growth.known.counts) + 1)))

    def best(self, so_far: Floats) -> tuple[int, int]:
        """The candidate with the least surprise at all sites, and how many were judged at all of them.

        `so_far` [S] is the surprise at each site given the chosen units alone.
        """
        left = np.flatnonzero(self.growth.open)
        for n_drawn in self.race.looks(len(self.at)):
            if len(left) == 1:
                break
            rng = np.random.default_rng([self.seed, 21, len(self.growth.chosen), n_drawn])
            sites, size = draw(so_far, n_drawn, rng)
            left = left[self._kept(sites, size, left)]
        n_judged = len(left)
        if n_judged > 1:
            total = self._sums(left)
            left = left[total <= total.min() + _ROUNDING * len(self.at)]
        if len(left) > 1:
            left = left[np.argsort(self._exact(left), kind="stable")]
        return int(left[0]), n_judged

    def surprises(self) -> Floats:
        """Surprise at each site, in nats, of the probe over the chosen units, [S]."""
        found = np.empty(len(self.at))
        for rows, values in self.matrix.blocks(np.array(self.growth.chosen, np.int64)):
            found[rows] = _surprises(self.growth.base(values.astype(np.float64), 0)[0], self.at[rows])
        return found

    def _kept(self, sites: NDArray[np.int64], size: NDArray[np.int64], left: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Candidates that may still be the best, from drawn sites [strata, n] of strata of `size` sites."""
        wanted = np.zeros(len(self.at), np.bool_)
        wanted[sites] = True
        columns = np.concatenate([left, np.array(self.growth.chosen, np.int64)])
        place = np.empty(len(self.at), np.int64)
        place[sites.ravel()] = np.arange(sites.size)
        own = np.empty((sites.size, len(columns)), np.float32)
        for rows, values in self.matrix.blocks():
            here = np.flatnonzero(wanted[rows])
            gather(values, here, columns, place[rows][here], own)
        sums = self._chunk_sums(own, self.at[sites.ravel()], left, CHUNK)
        # A chunk's mean estimates its stratum's; what is drawn whole has no error.
        means = sums.reshape(len(sites), -1, len(left)) / CHUNK
        apart = means - means[:, :, [int(np.argmin(size @ means.mean(axis=1)))]]
        n_drawn = sites.shape[1]
        weight = size**2 * (1 - n_drawn / size) / (n_drawn // CHUNK)
        error = np.sqrt(weight @ apart.var(axis=1, ddof=1))
        return np.asarray(size @ apart.mean(axis=1) <= self.race.errors * error)

    def _sums(self, left: NDArray[np.int64]) -> Floats:
        """Surprise of candidates summed over all sites, [J]."""
        total = np.zeros(len(left))
        for rows, values in self.matrix.blocks(np.concatenate([left, np.array(self.growth.chosen, np.int64)])):
            total += self._chunk_sums(values, self.at[rows], left, 4 * CHUNK).sum(0)
        return total

    def _chunk_sums(
        self, values: NDArray[np.float32], at: NDArray[np.int32], left: NDArray[np.int64], chunk: int
    ) -> Floats:
        """Surprise of J candidates summed over chunks, [chunks, J]; `values` [n, J + T], the chosen units last."""
        growth = self.growth
        base, white = growth.base(values[:, len(left) :].astype(np.float64), 1)
        base -= base.max(axis=1, keepdims=True)
        variance = growth.variance[:, left]
        return surprise(
            np.ascontiguousarray(values),
            at,
            _single(base),
            _single(np.moveaxis(white, 0, 1)),
            _single(growth.known.mean[:, left]),
            _single(growth.slope[:, :, left]),
            _single(np.sqrt(growth.divisor[:, None] / variance / 2)),
            _single(-np.log(variance) / 2),
            chunk,
            self.per_product,
        )

    def _exact(self, units: NDArray[np.int64]) -> Floats:
        """Summed surprise of few candidates in double precision."""
        growth, total = self.growth, np.zeros(len(units))
        wanted = np.concatenate([units, np.array(growth.chosen, np.int64)])
        for rows, values in self.matrix.blocks(wanted):
            own, chosen = values[:, : len(units)].astype(np.float64), values[:, len(units) :].astype(np.float64)
            base, white = growth.base(chosen, 1)
            for j, unit in enumerate(units):
                mean = growth.known.mean[:, unit] + np.einsum("cnt,ct->nc", white, growth.slope[:, :, unit])
                variance = growth.variance[:, unit]
                joint = base - (np.log(variance) + (own[:, j, None] - mean) ** 2 * growth.divisor / variance) / 2
                total[j] += _surprises(joint, self.at[rows]).sum()
        return total


def held(matrix: Matrix, memory: int) -> Matrix:
    """The matrix with its values in memory where they fit `memory` bytes and are not there already."""
    if isinstance(matrix, ArrayMatrix) or matrix.n_sites * matrix.n_units * 4 > memory:
        return matrix
    values = np.empty((matrix.n_sites, matrix.n_units), np.float32)
    for rows, block in matrix.blocks():
        values[rows] = block
    return ArrayMatrix(values)


def _single(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """As the kernel takes it: single precision, row by row in memory."""
    return np.ascontiguousarray(values, np.float32)


def _surprises(joint: Floats, at: NDArray[np.int32]) -> Floats:
    most = joint.max(axis=1)
    return np.asarray(np.log(np.exp(joint - most[:, None]).sum(1)) + most - joint[np.arange(len(at)), at])


def draw(so_far: Floats, n_drawn: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sites [H, n] drawn from H strata, and the number of sites of each stratum [H].

    Sites where the class is known already tell candidates hardly apart: strata are of neighbouring surprise `so_far`
    [S], and of about equal summed surprise, so that more is drawn where sites are more surprising.
    """
    per_stratum = 4 * CHUNK
    order = rng.permutation(len(so_far))
    order = order[np.argsort(so_far[order], kind="stable")]
    weight = np.cumsum(so_far[order] + so_far.mean() / 10 + 1e-12)
    n_strata = max(n_drawn // per_stratum, 1)
    cuts = np.searchsorted(weight, weight[-1] * np.arange(1, n_strata) / n_strata)
    # No stratum is smaller than what is drawn of it.
    cuts = np.minimum(cuts, len(order) - per_stratum * np.arange(n_strata - 1, 0, -1))
    edges = [0]
    for cut in cuts:
        edges.append(max(int(cut), edges[-1] + per_stratum))
    edges.append(len(order))
    sites = [rng.choice(order[low:high], per_stratum, replace=False) for low, high in pairwise(edges)]
    return np.array(sites), np.diff(edges)
