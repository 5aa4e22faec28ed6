"""How alike layers are: linear CKA, debiased CKA, SVCCA and PWCCA between all layers of two models, or of one.

Linear CKA (Kornblith et al. 2019, eq. 4) is |X'Y|^2 / (|X'X| |Y'Y|), Frobenius norms of centred values. It is above 0
for unrelated layers, the more the fewer sites there are for their units; the debiased CKA puts the unbiased estimate of
the Hilbert-Schmidt independence criterion (Song et al. 2012, eq. 5) in all three places and is near 0 for them. Neither
holds sites x sites in memory: for linear kernels all sums are over units and over the sites' own norms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import kernel
from unitscope.errors import RankingError
from unitscope.rankings.subspaces import VARIANCE, Covariances, canonical, correlations_on, projection_weights, settle
from unitscope.stats.cross import Columns, Cross, Doubles, Floats, Matrix, Plan, Standard, cross, lags, standard
from unitscope.stats.halves import Halves

FOLDS = ("all", "a", "b")


@dataclass(frozen=True)
class Similarities:
    """Similarities of M layers of one model with N of another, each [M, N], in [0, 1] but for the debiased ones.

    `cka` and `debiased` are over all sites, `debiased_a` and `debiased_b` over each half, `cka_chance` with the second
    model's sites shifted. `svcca` and `pwcca` (of the first model's directions) are over all sites; `svcca_held_out` is
    the mean correlation on half B of directions of half A, `svcca_chance` and `pwcca_chance` are under the shift.
    `n_directions` [M, N] were compared.
    """

    layers_x: tuple[str, ...]
    layers_y: tuple[str, ...]
    cka: Doubles
    cka_chance: Doubles
    debiased: Doubles
    debiased_a: Doubles
    debiased_b: Doubles
    svcca: Doubles
    svcca_held_out: Doubles
    svcca_chance: Doubles
    pwcca: Doubles
    pwcca_chance: Doubles
    n_directions: NDArray[np.int64]

    def rows(self) -> Iterator[dict[str, str | float]]:
        """One row a pair of layers: `layer`, `other_layer`, and every figure by its name."""
        names = [name for name in self.__dataclass_fields__ if not name.startswith("layers_")]
        for i, first in enumerate(self.layers_x):
            for j, second in enumerate(self.layers_y):
                figures = {name: getattr(self, name)[i, j].item() for name in names}
                yield {"layer": first, "other_layer": second, **figures}


@dataclass(frozen=True)
class _Side:
    """A model's layers: standardised columns, where each layer's are, and its covariances in each of three folds."""

    standard: Standard
    layers: tuple[str, ...]
    spans: tuple[slice, ...]
    scale: Doubles
    own: tuple[tuple[Doubles, ...], ...]
    means: Doubles

    @property
    def layer_of(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.spans)), [span.stop - span.start for span in self.spans])


def similarities(
    x: Matrix,
    y: Matrix,
    layers_x: Mapping[str, Columns],
    layers_y: Mapping[str, Columns],
    halves: Halves,
    *,
    variance: float = VARIANCE,
    seed: int = 0,
) -> Similarities:
    """Similarities of all layers of `x` with all of `y` on the same sites; columns by layer, each layer's in one run.

    Time is 4 S U V and U^2 S in single precision; memory 24 W V bytes for layers of W units. Raises MeasureError for
    other numbers of sites, RankingError with fewer than four sites in a half, without layers, or where one does not
    vary.
    """
    least = min(x.n_sites, int(halves.a.sum()), int(halves.b.sum()))
    if least < 4:
        raise RankingError(f"Got {least} sites in a half.", expected="at least 4", fix="Give more items.")
    left = _side(x, layers_x, halves)
    right = left if y is x and layers_y is layers_x else _side(y, layers_y, halves)
    norms = _norms(left, right, halves)
    shape = (len(left.layers), len(right.layers))
    names = [name for name in Similarities.__dataclass_fields__ if not name.startswith("layers_")]
    found: dict[str, Any] = {
        name: np.zeros(shape, np.int64 if name == "n_directions" else np.float64) for name in names
    }
    lag = lags(x.n_sites, 1, seed)[0]
    for i, span in enumerate(left.spans):
        part = left.standard.part(span)
        products = _by_fold(cross(part, right.standard, halves.half, 2))
        shifted = cross(part, right.standard, lag=lag).covariance()
        for j, other in enumerate(right.spans):
            scale = np.outer(left.scale[span], right.scale[other])
            xy = [product[:, other] * scale for product in products]
            pairs = [Covariances(left.own[i][f], right.own[j][f], xy[f]) for f in range(3)]
            null = Covariances(left.own[i][0], right.own[j][0], shifted[:, other] * scale)
            for name, value in _figures(pairs, null, norms, (i, j), variance).items():
                found[name][i, j] = value
    return Similarities(layers_x=left.layers, layers_y=right.layers, **found)


def cka(of: Covariances) -> float:
    """Linear CKA from covariances, in [0, 1]."""
    return float((of.xy**2).sum() / np.sqrt((of.xx**2).sum() * (of.yy**2).sum()))


@dataclass(frozen=True)
class Norms:
    """Sums over n sites of squared norms of centred values: products of two layers, [M, N], [M], [N], and sums."""

    n: int
    xy: Doubles
    xx: Doubles
    yy: Doubles
    x: Doubles
    y: Doubles


def debiased_cka(of: Covariances, norms: Norms, i: int, j: int) -> float:
    """CKA with unbiased estimates; may be below 0. NaN where a layer's estimate is not above 0."""
    both = _hsic(norms.n, of.xy, norms.xy[i, j], norms.x[i], norms.y[j])
    own = _hsic(norms.n, of.xx, norms.xx[i], norms.x[i], norms.x[i])
    other = _hsic(norms.n, of.yy, norms.yy[j], norms.y[j], norms.y[j])
    return both / float(np.sqrt(own * other)) if own > 0 and other > 0 else float("nan")


def _hsic(n: int, covariance: Doubles, diagonal: float, trace_x: float, trace_y: float) -> float:
    """Unbiased HSIC times n (n - 3), of centred values: then rows of both kernels add up to 0."""
    total = float((covariance**2).sum()) * n**2 - diagonal
    return total + trace_x * trace_y / ((n - 1) * (n - 2)) - 2.0 * diagonal / (n - 2)


def _figures(
    pairs: list[Covariances], null: Covariances, norms: list[Norms], at: tuple[int, int], variance: float
) -> dict[str, float]:
    whole, on_a, on_b = pairs
    fitted, of_a, reached = canonical(whole, variance), canonical(on_a, variance), canonical(null, variance)
    return {
        "cka": cka(whole),
        "cka_chance": cka(null),
        "debiased": debiased_cka(whole, norms[0], *at),
        "debiased_a": debiased_cka(on_a, norms[1], *at),
        "debiased_b": debiased_cka(on_b, norms[2], *at),
        "svcca": fitted.mean,
        "svcca_held_out": float(correlations_on(of_a, on_b).mean()),
        "svcca_chance": reached.mean,
        "pwcca": float(projection_weights(fitted, whole.xx) @ fitted.correlations),
        "pwcca_chance": float(projection_weights(reached, whole.xx) @ reached.correlations),
        "n_directions": len(fitted.correlations),
    }


def _by_fold(product: Cross) -> list[Doubles]:
    return [product.pooled().covariance(), product.covariance(0), product.covariance(1)]


def _side(matrix: Matrix, layers: Mapping[str, Columns], halves: Halves) -> _Side:
    if not layers or any(not len(columns) for columns in layers.values()):
        raise RankingError("Got no layers, or one without units.", expected="columns for each layer")
    bounds = np.cumsum([0, *(len(columns) for columns in layers.values())])
    spans = tuple(slice(int(bounds[i]), int(bounds[i + 1])) for i in range(len(layers)))
    mine = standard(matrix, np.concatenate(list(layers.values())))
    for name, span in zip(layers, spans):
        if not mine.usable[span].any():
            raise RankingError(f"No unit of layer '{name}' varies.", fix="Leave the layer out.")
    scale = np.where(mine.usable, mine.spread, 0.0)
    own, means = [], np.zeros((3, mine.n_units))
    for span in spans:
        part = mine.part(span)
        product = cross(part, part, halves.half, 2)
        whole, *of_halves = (each * np.outer(scale[span], scale[span]) for each in _by_fold(product))
        for half in of_halves:
            settle(half, whole)
        own.append((whole, *of_halves))
        for f, each in enumerate((product.pooled(), product)):
            n = np.maximum(each.n, 1)[:, None]
            means[f : f + len(n), span] = each.sums_x[:, 0] / n
    return _Side(mine, tuple(layers), spans, scale, tuple(own), means)


def _norms(left: _Side, right: _Side, halves: Halves) -> list[Norms]:
    """Norms over all sites, half A and half B."""
    plan = Plan.of(halves.half, 2)
    m, n = len(left.spans), len(right.spans)
    xy, xx, yy = np.zeros((3, m, n)), np.zeros((3, m)), np.zeros((3, n))
    x, y, size = np.zeros((3, m)), np.zeros((3, n)), np.zeros(3, np.int64)
    for bounds, a, b in zip(plan.bounds, left.standard.pieces(plan), right.standard.pieces(plan)):
        for f, (start, stop) in enumerate(((bounds[0], bounds[2]), (bounds[0], bounds[1]), (bounds[1], bounds[2]))):
            r = _squares(a[start:stop], left.means[f], left.scale, left.layer_of, m)
            s = _squares(b[start:stop], right.means[f], right.scale, right.layer_of, n)
            xy[f] += r.T @ s
            xx[f] += (r**2).sum(axis=0)
            yy[f] += (s**2).sum(axis=0)
            x[f] += r.sum(axis=0)
            y[f] += s.sum(axis=0)
            size[f] += stop - start
    return [Norms(int(size[f]), xy[f], xx[f], yy[f], x[f], y[f]) for f in range(3)]


@kernel
def _squares(values: Floats, mean: Doubles, scale: Doubles, layer_of: NDArray[np.int64], n_layers: int) -> Doubles:
    """Squared norm of each row's values in each layer, centred and scaled, [n, layers]."""
    found = np.zeros((values.shape[0], n_layers))
    for i in range(values.shape[0]):
        for u in range(values.shape[1]):
            value = (np.float64(values[i, u]) - mean[u]) * scale[u]
            found[i, layer_of[u]] += value * value
    return found
