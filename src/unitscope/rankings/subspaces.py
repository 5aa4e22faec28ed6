"""Directions that two models share: SVCCA and PWCCA, and how much of each unit lies in them.

SVCCA (Raghu et al. 2017): principal components of each side up to 99 % of its variance, then canonical correlation
analysis; the correlations are of *directions*, linear mixtures of units. Their mean is the similarity of two layers.
PWCCA (Morcos et al. 2018) weighs direction k of the first side by sum over units j of |<h_k, x_j>|. Both are unchanged
by rotating or scaling a side as a whole.

A unit's part in it is the sum over directions of rho_k^2 r(i, k)^2, r the correlation of unit i with its own side's
direction k: the share of its variance that the other side predicts through them (redundancy of Stewart and Love 1968).

With nearly as many directions as sites, correlations are near 1 for anything. So beside those over all sites stand
those of directions fitted on half A, taken on half B, and those with the other side's sites shifted around.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, svd

from unitscope.errors import RankingError
from unitscope.stats.cross import Doubles, Matrix, Standard, cross, lags, standard
from unitscope.stats.halves import Halves

VARIANCE, RANK, STILL = 0.99, 1e-6, 1e-5  # products are in single precision


@dataclass(frozen=True)
class Canonical:
    """K canonical directions: correlations [K], falling; weights of units [U, K] and [V, K] that give variates of
    variance 1 from centred values.
    """

    correlations: Doubles
    x: Doubles
    y: Doubles

    @property
    def mean(self) -> float:
        """Mean correlation: the similarity that SVCCA reports, in [0, 1]."""
        return float(self.correlations.mean())


@dataclass(frozen=True)
class Shared:
    """What U units share with one other model, over K directions.

    `fitted` are the directions over all sites. `held_out` [K] are correlations on half B of directions of half A
    (K may differ); `chance` [K'] those of the whole procedure under a shift. `weights` [K] are PWCCA's, adding up
    to 1. `units` [U] is each unit's share of variance in shared directions, `units_held_out` [U] the same of half A's
    directions on half B (an R2, so it can be below 0), `units_chance` the 99th percentile of `units` under the shift;
    NaN for units without a score.
    """

    model: str
    fitted: Canonical
    held_out: Doubles
    chance: Doubles
    weights: Doubles
    units: Doubles
    units_held_out: Doubles
    units_chance: float

    @property
    def svcca(self) -> float:
        """Mean canonical correlation over all sites."""
        return self.fitted.mean

    @property
    def pwcca(self) -> float:
        """Canonical correlations weighted by how much of the first side they account for."""
        return float(self.weights @ self.fitted.correlations)


@dataclass(frozen=True)
class Covariances:
    """Covariances of two sides: `xx` [U, U], `yy` [V, V], `xy` [U, V]."""

    xx: Doubles
    yy: Doubles
    xy: Doubles


def canonical(of: Covariances, variance: float = VARIANCE) -> Canonical:
    """Canonical directions of principal components that hold `variance` (above 0, up to 1) of each side.

    Raises RankingError for another `variance` or where a side does not vary.
    """
    left, right = _whitening(of.xx, variance), _whitening(of.yy, variance)
    rotation, correlations, other = svd(left.T @ of.xy @ right, full_matrices=False)
    return Canonical(np.clip(correlations, 0.0, 1.0), left @ rotation, right @ other.T)


def projection_weights(fitted: Canonical, xx: Doubles) -> Doubles:
    """PWCCA's weights [K], adding up to 1: how much of the first side's units each direction accounts for."""
    size = np.abs(xx @ fitted.x).sum(axis=0)
    return np.asarray(size / size.sum())


def correlations_on(fitted: Canonical, of: Covariances) -> Doubles:
    """Correlations [K] of given directions on other sites, from their covariances; 0 where one does not vary."""
    both = np.einsum("uk,uk->k", fitted.x, of.xy @ fitted.y)
    left = np.einsum("uk,uk->k", fitted.x, of.xx @ fitted.x)
    right = np.einsum("vk,vk->k", fitted.y, of.yy @ fitted.y)
    spread = np.sqrt(np.maximum(left * right, 0.0))
    return np.asarray(np.clip(np.where(spread > 0, both / np.where(spread > 0, spread, 1.0), 0.0), -1.0, 1.0))


def shares(fitted: Canonical, xx: Doubles) -> Doubles:
    """Share of each unit's variance [U] in shared directions, on the sites they were fitted on; in [0, 1]."""
    variance = np.diag(xx)
    squares = (xx @ fitted.x) ** 2 @ fitted.correlations**2
    return np.asarray(np.clip(np.where(variance > 0, squares / np.where(variance > 0, variance, 1.0), 0.0), 0.0, 1.0))


def shares_on(fitted: Canonical, xx: Doubles, of: Covariances) -> Doubles:
    """The same on other sites, from their covariances: R2 [U] of predicting each unit from the other side's directions.

    `xx` are the covariances the directions were fitted on. Where these sites are the same, it is `shares`.
    """
    weights = (fitted.y * fitted.correlations) @ (xx @ fitted.x).T
    explained = 2 * np.einsum("uv,vu->u", of.xy, weights) - np.einsum("vu,vu->u", weights, of.yy @ weights)
    variance = np.diag(of.xx)
    return np.asarray(np.where(variance > 0, explained / np.where(variance > 0, variance, 1.0), 0.0))


def svcca(
    x: Matrix,
    y: Matrix,
    halves: Halves,
    *,
    variance: float = VARIANCE,
    standardise: bool = False,
    seed: int = 0,
    model: str = "",
) -> Shared:
    """What the units of `x` share with another model on the same sites.

    By default units keep their variances, as published; `standardise` makes them alike, which is wanted where units
    of several layers stand side by side. Memory is some 24 (U + V)^2 bytes. Raises MeasureError for other numbers of
    sites or where nothing varies, RankingError for a `variance` that makes no sense.
    """
    mine, other = standard(x), standard(y)
    a, b = (
        np.where(side.usable, 1.0 if standardise else side.spread, 0.0).astype(np.float64) for side in (mine, other)
    )
    whole, half_a, half_b = covariances(mine, other, halves, (a, b))
    fitted, on_a = canonical(whole, variance), canonical(half_a, variance)
    lag = lags(x.n_sites, 1, seed)[0] if x.n_sites >= 4 else 0
    shifted = cross(mine, other, lag=lag).covariance() * np.outer(a, b)
    null = Covariances(whole.xx, whole.yy, shifted)
    reached = canonical(null, variance)
    units, units_held_out = shares(fitted, whole.xx), shares_on(on_a, half_a.xx, half_b)
    units[~mine.usable], units_held_out[~mine.usable] = np.nan, np.nan
    return Shared(
        model=model,
        fitted=fitted,
        held_out=correlations_on(on_a, half_b),
        chance=reached.correlations,
        weights=projection_weights(fitted, whole.xx),
        units=units,
        units_held_out=units_held_out,
        units_chance=float(np.quantile(shares(reached, null.xx)[mine.usable], 0.99)),
    )


def covariances(
    x: Standard, y: Standard, halves: Halves, scale: tuple[Doubles, Doubles]
) -> tuple[Covariances, Covariances, Covariances]:
    """Covariances over all sites, half A and half B, of units standardised and multiplied by `scale` [U], [V]."""
    a, b = scale
    both = cross(x, y, halves.half, 2, gram=True)
    own = cross(y, y, halves.half, 2)
    found = []
    for xy, yy, fold in ((both.pooled(), own.pooled(), 0), (both, own, 0), (both, own, 1)):
        found.append(
            Covariances(
                xy.within(fold) * np.outer(a, a),
                yy.covariance(fold) * np.outer(b, b),
                xy.covariance(fold) * np.outer(a, b),
            )
        )
    whole = found[0]
    for half in found[1:]:
        settle(half.xx, whole.xx)
        settle(half.yy, whole.yy)
    return found[0], found[1], found[2]


def settle(half: Doubles, whole: Doubles) -> None:
    """Set to 0 the rows and columns of units that vary over all sites but not in a half: rounding is no variance."""
    still = np.diag(half) <= STILL * np.diag(whole)
    half[still], half[:, still] = 0.0, 0.0


@dataclass(frozen=True)
class SharedByModels:
    """What U units share with each other model; ranks units by the least share, what every other model has."""

    others: tuple[Shared, ...]

    @property
    def least(self) -> Doubles:
        """Share of variance in directions shared with the model that shares least, [U]."""
        return np.asarray(np.stack([other.units for other in self.others]).min(axis=0))

    @property
    def greatest(self) -> Doubles:
        """Share of variance in directions shared with the model that shares most, [U]."""
        return np.asarray(np.stack([other.units for other in self.others]).max(axis=0))


def shared(
    x: Matrix,
    others: Mapping[str, Matrix],
    halves: Halves,
    *,
    variance: float = VARIANCE,
    standardise: bool = True,
    seed: int = 0,
) -> SharedByModels:
    """`svcca` with each of several models, for ranking units of one or more layers (standardised by default)."""
    if not others:
        raise RankingError(
            "Got no other model.", expected="at least one on the same sites", fix="Give one: --with ATLAS."
        )
    return SharedByModels(
        tuple(
            svcca(x, y, halves, variance=variance, standardise=standardise, seed=seed, model=name)
            for name, y in others.items()
        )
    )


def _whitening(covariance: Doubles, variance: float) -> NDArray[np.float64]:
    """Weights [U, K] of principal components of variance 1 that together hold a share of the variance.

    Components below a millionth of the first are rounding and left out.
    """
    if not 0 < variance <= 1:
        raise RankingError(f"Got {variance} as the share of variance.", expected="above 0, up to 1")
    values, vectors = eigh(covariance, check_finite=False)
    values, vectors = values[::-1], vectors[:, ::-1]
    if not values[0] > 0:
        raise RankingError("No unit of one side varies on these sites.", fix="Choose other layers, or more items.")
    n_real = int((values > RANK * values[0]).sum())
    held = np.cumsum(values[:n_real])
    n = n_real if variance == 1 else int(np.searchsorted(held, variance * held[-1])) + 1
    found = np.asarray(vectors[:, :n] / np.sqrt(values[:n]))
    found[np.diag(covariance) <= 0] = 0.0
    return found
