"""Groups of units that go up and down together: matrix factorisation of sites x units.

Two ways. `svd`: principal directions of standardised units, turned by varimax (Kaiser 1958) unless told otherwise, so
that each loads on few units. `nmf`: non-negative factors of non-negative units (Lee and Seung 1999) by hierarchical
alternating least squares (Cichocki and Phan 2009), started from singular vectors (Boutsidis and Gallopoulos 2008);
values below 0 count as 0, and how much that drops is told.

Factors are fitted on half A of the groups. How much they explain is judged on half B; how stable they are, by fitting
half B too and matching the two sets one to one by the cosine of their loadings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.optimize import linear_sum_assignment

from unitscope.errors import RankingError
from unitscope.rankings.nonnegative import fit, positive
from unitscope.stats.cross import Doubles, Floats, Matrix, Plan, Standard, cross, standard
from unitscope.stats.halves import Halves

Way = Literal["svd", "nmf"]
TINY = 1e-12


@dataclass(frozen=True)
class Factors:
    """K factors of U units, strongest first.

    `loadings` [K, U]: for `svd` the correlation of unit and factor, for `nmf` the unit's share, at least 0, in units of
    its root mean square; 0 for units that do not vary. `values` [S, K] is how strong each factor is at each site.
    `explained` is the share of variance (`nmf`: of squares) explained on half A, `held_out` on half B, `chance` what as
    many random directions (`nmf`: a single factor) would explain on half B. `stability` [K] is the cosine with the
    matched factor of half B,
    `stability_chance` the 99th percentile of cosines of factors that were not matched. `clipped` is the share of
    squares below 0 that `nmf` dropped.
    """

    way: Way
    loadings: Doubles
    values: Floats
    explained: float
    held_out: float
    chance: float
    stability: Doubles
    stability_chance: float
    clipped: float = 0.0

    @property
    def n_factors(self) -> int:
        """Number of factors, K."""
        return len(self.loadings)

    def top_units(self, factor: int, n: int = 10) -> NDArray[np.intp]:
        """Columns of the units that load most on a factor, by size, greatest first."""
        return np.argsort(-np.abs(self.loadings[factor]), kind="stable")[:n]


def factorise(x: Matrix, halves: Halves, n_factors: int, *, way: Way = "svd", rotate: bool = True) -> Factors:
    """Factorise sites x units. Memory is 24 U^2 bytes (`svd`), or 16 K (S + U) and some thousand rows (`nmf`).

    Raises RankingError for another way, or more factors than units that vary or sites in a half.
    """
    if way not in ("svd", "nmf"):
        raise RankingError(f"Got '{way}' as the way to factorise.", expected="svd or nmf")
    mine = standard(x)
    most = min(int(mine.usable.sum()), int(halves.a.sum()) - 1, int(halves.b.sum()) - 1)
    if not 0 < n_factors <= most:
        raise RankingError(f"Got {n_factors} factors.", expected=f"1 to {most}, for these units and sites")
    return _by_svd(mine, halves, n_factors, rotate) if way == "svd" else _by_nmf(mine, halves, n_factors)


def varimax(loadings: Doubles, sweeps: int = 100, tolerance: float = 1e-7) -> Doubles:
    """Rotation [K, K] of loadings [U, K] that makes the variance of their squares within factors greatest.

    Kaiser's own way, plane by plane at the best angle: it cannot swing to and fro.
    """
    n_units, k = loadings.shape
    turned, rotation = loadings.copy(), np.eye(k)
    for _ in range(sweeps):
        most = 0.0
        for i in range(k - 1):
            for j in range(i + 1, k):
                u, v = turned[:, i] ** 2 - turned[:, j] ** 2, 2 * turned[:, i] * turned[:, j]
                above = 2 * (u @ v - u.sum() * v.sum() / n_units)
                below = u @ u - v @ v - (u.sum() ** 2 - v.sum() ** 2) / n_units
                angle = np.arctan2(above, below) / 4
                most = max(most, abs(angle))
                plane = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
                turned[:, [i, j]], rotation[:, [i, j]] = turned[:, [i, j]] @ plane, rotation[:, [i, j]] @ plane
        if most <= tolerance:
            break
    return rotation


def matched(a: Doubles, b: Doubles) -> tuple[Doubles, float]:
    """Cosine [K] of each row of `a` with the row of `b` matched to it, by size, and the 99th percentile of the rest."""
    norms = [np.linalg.norm(each, axis=1, keepdims=True) for each in (a, b)]
    cosines = np.abs((a / np.maximum(norms[0], TINY)) @ (b / np.maximum(norms[1], TINY)).T)
    rows, columns = linear_sum_assignment(-cosines)
    rest = np.ones(cosines.shape, np.bool_)
    rest[rows, columns] = False
    return cosines[rows, columns], float(np.quantile(cosines[rest], 0.99)) if rest.any() else float("nan")


def _by_svd(x: Standard, halves: Halves, k: int, rotate: bool) -> Factors:
    product = cross(x, x, halves.half, 2)
    covariance = [product.covariance(half) for half in (0, 1)]
    (weights, loadings), (_, other) = (_principal(each, k, rotate) for each in covariance)
    plan = Plan.of(np.zeros(x.matrix.n_sites, np.int32), 1)
    values = [piece @ weights.astype(np.float32) for piece in x.pieces(plan)]
    basis = np.linalg.qr(weights)[0]
    shares = [float(np.einsum("uk,uk->", basis, each @ basis) / np.trace(each)) for each in covariance]
    stability, level = matched(loadings, other)
    return Factors(
        way="svd",
        loadings=loadings,
        values=np.concatenate(values),
        explained=shares[0],
        held_out=shares[1],
        chance=k / int(x.usable.sum()),
        stability=stability,
        stability_chance=level,
    )


def _principal(covariance: Doubles, k: int, rotate: bool) -> tuple[Doubles, Doubles]:
    """Weights [U, K] that give factors of variance 1, and loadings [K, U], strongest first, the greatest positive."""
    n = len(covariance)
    sizes, vectors = eigh(covariance, subset_by_index=[n - k, n - 1], check_finite=False)
    sizes, vectors = np.maximum(sizes[::-1], TINY), vectors[:, ::-1]
    weights, loadings = vectors / np.sqrt(sizes), vectors * np.sqrt(sizes)  # covariances of units and factors
    if rotate and k > 1:
        rotation = varimax(loadings)
        weights, loadings = weights @ rotation, loadings @ rotation
    order = np.argsort(-(loadings**2).sum(axis=0), kind="stable")
    weights, loadings = weights[:, order], loadings[:, order]
    spread = np.sqrt(np.diag(covariance))[:, None]
    loadings = np.where(spread > 1e-6, loadings / np.where(spread > 1e-6, spread, 1.0), 0.0)
    sign = np.sign(loadings[np.abs(loadings).argmax(axis=0), np.arange(k)])
    return weights * sign, np.ascontiguousarray((loadings * sign).T)


def _by_nmf(x: Standard, halves: Halves, k: int) -> Factors:
    of, clipped = positive(x)
    on_a, on_b = fit(of, halves.a, k), fit(of, halves.b, k)
    values, missed, whole = of.projected(on_a)
    explained, held_out = (
        float(1 - missed[each].sum() / max(whole[each].sum(), TINY)) for each in (halves.a, halves.b)
    )
    flat = of.projected(fit(of, halves.a, 1))[1]
    strength = (on_a**2).sum(axis=1) * (values.astype(np.float64) ** 2).sum(axis=0)
    order = np.argsort(-strength, kind="stable")
    # A factor's strength is kept in its values: rows of loadings have a root mean square of 1 over its sites.
    size = np.sqrt((values.astype(np.float64) ** 2).mean(axis=0))[order]
    loadings, values = on_a[order] * size[:, None], values[:, order] / np.maximum(size, TINY).astype(np.float32)
    stability, level = matched(loadings, on_b)
    return Factors(
        way="nmf",
        loadings=loadings,
        values=values,
        explained=explained,
        held_out=held_out,
        chance=float(1 - flat[halves.b].sum() / max(whole[halves.b].sum(), TINY)),
        stability=stability,
        stability_chance=level,
        clipped=clipped,
    )
