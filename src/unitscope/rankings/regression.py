"""LinReg: how well all units of another model together predict a unit, by ridge regression, out of sample.

Bau et al. (2019) regress each unit on all units of another model by least squares without a penalty and judge the fit
where it was made; with more units than sites that is perfect for anything. Here weights are fitted on half A of the
groups and R2 is taken on half B. The penalty is chosen within A, for each layer of targets: fitted on three quarters of
its groups, judged on the rest. R2 can be below 0: then the mean of B would have predicted better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from unitscope.arrays import kernel
from unitscope.errors import PlanError, RankingError
from unitscope.stats.bucketed import Buckets, buckets, jackknife, left_out
from unitscope.stats.cross import Cross, Doubles, Floats, Matrix, Plan, Standard, cross, lags, spread_over, standard
from unitscope.stats.halves import Halves

PENALTIES: tuple[float, ...] = tuple(10.0**power for power in range(-6, 3))
MOST_PREDICTORS, TRIED, NULL_UNITS, CHANCE = 12_000, 256, 256, 0.99


@dataclass(frozen=True)
class Regression:
    """How well one other model predicts each of U units.

    `r2` [U] is R2 on half B of weights fitted on half A, `low` and `high` [U] its 95 % interval, `penalty` [U] the
    ridge penalty of its layer, on standardised units and per site. `chance` is the 99th percentile of R2 with the
    other model's sites shifted around. Units without a score are NaN.
    """

    model: str
    r2: Doubles
    low: Doubles
    high: Doubles
    penalty: Doubles
    chance: float


@dataclass(frozen=True)
class Predicted:
    """How well other models predict U units, and the units that have no score."""

    others: tuple[Regression, ...]
    constant: NDArray[np.bool_]
    broken: NDArray[np.bool_]

    @property
    def least(self) -> Doubles:
        """R2 by the model that predicts a unit worst, [U]: what every other model knows. Ranks units by default."""
        return np.asarray(np.stack([other.r2 for other in self.others]).min(axis=0))

    @property
    def greatest(self) -> Doubles:
        """R2 by the model that predicts a unit best, [U]."""
        return np.asarray(np.stack([other.r2 for other in self.others]).max(axis=0))

    def figure(self, name: str) -> Doubles:
        """A field of `Regression`, of the model that `least` comes from, [U]."""
        values = np.stack([np.broadcast_to(getattr(other, name), other.r2.shape) for other in self.others])
        worst = np.nan_to_num(np.stack([other.r2 for other in self.others])).argmin(axis=0)
        return np.asarray(values[worst, np.arange(values.shape[1])])


def predicted(
    x: Matrix,
    others: Mapping[str, Matrix],
    halves: Halves,
    layer_of: NDArray[np.integer] | None = None,
    *,
    penalties: tuple[float, ...] = PENALTIES,
    seed: int = 0,
) -> Predicted:
    """R2 of the units of `x` from all units of each other model, on the same sites.

    `layer_of` [U] is the layer of each unit of `x`, each with a penalty of its own; without it one serves all. Memory
    is about 40 V (V + U) bytes for V predictors. Raises RankingError without another model or with more than 12,000
    predictors, PlanError where half A has but one block.
    """
    if not others:
        raise RankingError(
            "Got no other model.", expected="at least one on the same sites", fix="Give one: --with ATLAS."
        )
    if not penalties or min(penalties) <= 0:
        raise RankingError(f"Got the penalties {list(penalties)}.", expected="one or more, all above 0")
    parts = np.zeros(x.n_units, np.int64) if layer_of is None else np.asarray(layer_of, np.int64)
    mine = standard(x)
    found = []
    for name, other in others.items():
        if other.n_units > MOST_PREDICTORS:
            raise RankingError(
                f"Got {other.n_units} predictors in '{name}'.",
                expected=f"at most {MOST_PREDICTORS}, since all are solved for at once",
                fix="Choose fewer layers: --layers.",
            )
        found.append(regression(standard(other), mine, halves, parts, name, penalties=penalties, seed=seed))
    return Predicted(tuple(found), mine.constant, mine.broken)


def regression(
    predictors: Standard,
    targets: Standard,
    halves: Halves,
    layer_of: NDArray[np.integer],
    model: str = "",
    *,
    penalties: tuple[float, ...] = PENALTIES,
    seed: int = 0,
) -> Regression:
    """Ridge regression of U targets on V predictors; see `predicted`."""
    fold = inner_folds(halves, seed)
    sums = cross(predictors, targets, fold, 2, gram=True)
    usable = np.flatnonzero(targets.usable)
    chosen = choose_penalties(sums, usable, np.asarray(layer_of), penalties)
    whole = sums.pooled()
    del sums
    weights = _solved(whole.within(), whole.covariance(), chosen)
    bias = _bias(whole, weights)
    dealt = buckets(halves.block, halves.b, seed)
    r2, low, high = _judged(predictors, targets, weights, bias, dealt)
    bad = ~targets.usable
    r2[bad], low[bad], high[bad] = np.nan, np.nan, np.nan
    level = _chance(predictors, targets, halves, whole.within(), chosen, seed)
    return Regression(model, r2, low, high, np.where(bad, np.nan, chosen), level)


def inner_folds(halves: Halves, seed: int, share: float = 0.75) -> NDArray[np.int32]:
    """Fold of each site [S]: 0 the larger part of half A's blocks, 1 the rest of them, -1 half B.

    Raises PlanError where half A has but one block.
    """
    labels, dense, sizes = np.unique(halves.block[halves.a], return_inverse=True, return_counts=True)
    if len(labels) < 2:
        raise PlanError(
            f"Got {len(labels)} block(s) in half A.",
            expected="two or more, since the penalty is chosen within it",
            fix="Give a larger corpus.",
        )
    order = np.random.default_rng([seed, 23]).permutation(len(labels))
    before = np.cumsum(sizes[order]) - sizes[order]
    n_large = int(np.clip((before < share * sizes.sum()).sum(), 1, len(labels) - 1))
    part = np.ones(len(labels), np.int32)
    part[order[:n_large]] = 0
    found = np.full(len(halves.half), -1, np.int32)
    found[halves.a] = part[dense.reshape(-1)]
    return found


def choose_penalties(
    sums: Cross, usable: NDArray[np.integer], layer_of: NDArray[np.integer], penalties: tuple[float, ...]
) -> Doubles:
    """Penalty of each target [U]: that of its layer which, fitted on fold 0, predicts fold 1 best on average.

    Up to 256 targets are tried, evenly spread over the usable ones of each layer.
    """
    layers = np.unique(layer_of)
    each = max(TRIED // len(layers), 8)
    tried = [np.flatnonzero(layer_of == layer) for layer in layers]
    tried = [columns[np.isin(columns, usable)] for columns in tried]
    tried = [columns[spread_over(len(columns), each)] for columns in tried]
    some = np.concatenate(tried)
    gram, product = sums.within(0), sums.covariance(0)[:, some]
    judge, judged = sums.within(1), sums.covariance(1)[:, some]
    own = sums.sums_y[1, 1, some] / sums.n[1] - (sums.sums_y[1, 0, some] / sums.n[1]) ** 2
    own = np.maximum(own, 1e-12)
    scores = np.empty((len(penalties), len(some)))
    for i, penalty in enumerate(penalties):
        weights = _solve(gram, product, penalty)
        # Of centred values: what a mean that differs between the parts adds is the same for all penalties but little.
        scores[i] = (2 * (weights * judged).sum(axis=0) - (weights * (judge @ weights)).sum(axis=0)) / own
    found, start = np.full(len(layer_of), penalties[-1]), 0
    for layer, columns in zip(layers, tried):
        mean = scores[:, start : start + len(columns)].mean(axis=1) if len(columns) else np.zeros(len(penalties))
        start += len(columns)
        found[layer_of == layer] = penalties[int(mean.argmax())]
    return found


def _solve(gram: Doubles, product: Doubles, penalty: float) -> Doubles:
    ridged = gram.copy()
    ridged[np.diag_indices_from(ridged)] += penalty
    factor = cho_factor(ridged, lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(cho_solve(factor, product, check_finite=False))


def _solved(gram: Doubles, product: Doubles, penalty: Doubles) -> Floats:
    """Weights [V, U], each target with its own penalty [U]."""
    found = np.empty(product.shape, np.float32)
    for value in np.unique(penalty):
        which = penalty == value
        found[:, which] = _solve(gram, product[:, which], float(value))
    return found


def _bias(sums: Cross, weights: Floats) -> Floats:
    """What is added to the prediction [U], from the means of one fold."""
    n = max(int(sums.n[0]), 1)
    return np.asarray(sums.sums_y[0, 0] / n - (sums.sums_x[0, 0] / n) @ weights, np.float32)


def _judged(
    predictors: Standard, targets: Standard, weights: Floats, bias: Floats, dealt: Buckets, lag: int = 0
) -> tuple[Doubles, Doubles, Doubles]:
    """R2 [U] at the buckets' sites of the predictors and its interval, laid out on the logarithm of 1 - R2.

    `lag` takes the targets that many sites later.
    """
    sums, n = np.zeros((3, max(dealt.n, 1), targets.n_units)), np.zeros(max(dealt.n, 1))
    plan = Plan.of(np.where(dealt.of_site >= 0, 0, -1), 1)
    buffer = np.empty((int(plan.bounds.max(initial=0)), targets.n_units), np.float32)
    for piece, (a, b) in enumerate(zip(predictors.pieces(plan), targets.pieces(plan, lag))):
        guesses = np.matmul(a, weights, out=buffer[: len(a)])
        here = plan.sorted(dealt.of_site, piece)
        add_errors(b, guesses, bias, here, sums)
        n += np.bincount(here, minlength=len(n))
    whole = _r2(n.sum(), sums.sum(axis=1))
    low, high = jackknife(
        whole, _r2(left_out(n), left_out(sums)), lambda r: -np.log(np.maximum(1 - r, 1e-12)), lambda z: 1 - np.exp(-z)
    )
    missing = np.isnan(whole)
    return whole, np.where(missing, np.nan, low), np.where(missing, np.nan, high)


def _chance(
    predictors: Standard, targets: Standard, halves: Halves, gram: Doubles, penalty: Doubles, seed: int
) -> float:
    """The 99th percentile of R2 over some targets whose sites are shifted; NaN below four sites."""
    n_sites = targets.matrix.n_sites
    if n_sites < 4:
        return float("nan")
    usable = np.flatnonzero(targets.usable)
    some = usable[spread_over(len(usable), NULL_UNITS)]
    part, lag = targets.part(some), lags(n_sites, 1, seed)[0]
    # The halves are those of the predictors' sites, so that their products need not be made again.
    sums = cross(predictors, part, np.where(halves.a, 0, -1), 1, lag=lag)
    weights = _solved(gram, sums.covariance(), penalty[some])
    judge = Buckets(np.where(halves.b, 0, -1).astype(np.int32), 1)
    reached = _judged(predictors, part, weights, _bias(sums, weights), judge, lag)[0]
    known = reached[~np.isnan(reached)]
    return float(np.quantile(known, CHANCE)) if len(known) else float("nan")


@kernel
def add_errors(values: Floats, guesses: Floats, bias: Floats, bucket: NDArray[np.integer], sums: Doubles) -> None:
    """Add sums of values, their squares, and squared errors of guesses + bias [U] to `sums` [3, K, U], by bucket."""
    n, width = values.shape
    for i in range(n):
        k = bucket[i]
        for u in range(width):
            value = np.float64(values[i, u])
            error = value - np.float64(guesses[i, u]) - np.float64(bias[u])
            sums[0, k, u] += value
            sums[1, k, u] += value * value
            sums[2, k, u] += error * error


def _r2(n: Doubles | np.float64, sums: Doubles) -> Doubles:
    """R2 [..., U] from numbers of sites [...] and sums [3, ..., U]; NaN where the values are constant."""
    n = np.maximum(np.asarray(n), 1)[..., None]
    total = sums[1] - sums[0] ** 2 / n
    return np.asarray(1 - sums[2] / np.where(total > 1e-12 * n, total, np.nan))
