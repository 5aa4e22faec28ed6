"""Units that other models have, too: MaxCorr and MinCorr over models, checkpoints or seeds on the same sites.

Of a unit i of model m, over the other models m': MaxCorr is max over m' of max over j of |rho(i, j)|, MinCorr the least
over m' of the same (Bau et al. 2019). The Cross-model Correlation Analysis of Dalvi et al. (2019) is MaxCorr.
rho is Pearson's over sites.

A greatest correlation of thousands is never near 0. So beside each stands the *chance* level, the 99th percentile of
the same with the other model's sites shifted around, and what is left of it where it was not chosen: the partner is
chosen on half A of the groups, the correlation taken on half B, with an interval by jackknife over groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import RankingError
from unitscope.stats.bucketed import Buckets, add_pairs, buckets, correlations, jackknife, left_out
from unitscope.stats.cross import Columns, Doubles, Matrix, Plan, Standard, cross, lags, spread_over, standard
from unitscope.stats.halves import Halves, split

TILE, NULL_UNITS, NULL_LAGS, CHANCE = 4096, 256, 2, 0.99


@dataclass(frozen=True)
class Partners:
    """Of each of U units its likest unit in one other model.

    `rho` [U] is the correlation of greatest size over all sites, `partner` [U] that unit's column (-1: none), `on_a`
    and `on_b` [U] the greatest |rho| in each half, `held_out` [U] the correlation on B of the partner chosen on A,
    times its sign on A, and `low`, `high` [U] its 95 % interval. `chance` is the 99th percentile of |rho| under shifts.
    Units without a score are NaN.
    """

    model: str
    rho: Doubles
    partner: Columns
    on_a: Doubles
    on_b: Doubles
    held_out: Doubles
    low: Doubles
    high: Doubles
    chance: float


@dataclass(frozen=True)
class CrossModel:
    """What other models have of U units: their partners in each, and the units that have no score."""

    others: tuple[Partners, ...]
    constant: NDArray[np.bool_]
    broken: NDArray[np.bool_]

    def _by_model(self, name: str) -> Doubles:
        return np.asarray(np.abs(np.stack([getattr(other, name) for other in self.others])), np.float64)

    @property
    def max_corr(self) -> Doubles:
        """MaxCorr [U] in [0, 1]; NaN for units without a score."""
        return np.asarray(self._by_model("rho").max(axis=0))

    @property
    def min_corr(self) -> Doubles:
        """MinCorr [U] in [0, 1]; NaN for units without a score."""
        return np.asarray(self._by_model("rho").min(axis=0))

    def best(self, *, least: bool = False) -> NDArray[np.intp]:
        """Index of the other model that MaxCorr (MinCorr where `least`) of each unit comes from, [U]."""
        sizes = np.nan_to_num(self._by_model("rho"))
        return np.asarray(sizes.argmin(axis=0) if least else sizes.argmax(axis=0))

    def figure(self, name: str, *, least: bool = False) -> Doubles:
        """A field of `Partners`, of the model that each unit's MaxCorr (MinCorr) comes from, [U]."""
        values = np.stack([np.broadcast_to(getattr(other, name), other.rho.shape) for other in self.others])
        return np.asarray(values[self.best(least=least), np.arange(values.shape[1])])

    @property
    def stability(self) -> float:
        """Spearman correlation of MaxCorr on half A with MaxCorr on half B; NaN with fewer than three units."""
        return spearman(self._by_model("on_a").max(axis=0), self._by_model("on_b").max(axis=0))


def cross_model(
    x: Matrix, others: Mapping[str, Matrix], halves: Halves, *, seed: int = 0, tile: int = TILE
) -> CrossModel:
    """Partners of the units of `x` in each of the other models, all on the same sites.

    Memory is 24 tile^2 bytes and some thousand rows of each model. Raises RankingError without another model and
    MeasureError for other numbers of sites or where nothing varies.
    """
    if not others:
        raise RankingError(
            "Got no other model.", expected="at least one on the same sites", fix="Give one: --with ATLAS."
        )
    mine = standard(x)
    found = tuple(partners(mine, standard(y), halves, name, seed=seed, tile=tile) for name, y in others.items())
    return CrossModel(found, mine.constant, mine.broken)


def partners(x: Standard, y: Standard, halves: Halves, model: str = "", *, seed: int = 0, tile: int = TILE) -> Partners:
    """Partners in one other model; the product of the matrices is made once, in tiles of columns."""
    rho, best = np.zeros((3, x.n_units)), np.full((3, x.n_units), -1, np.int64)
    for left in _tiles(x.n_units, tile):
        for right in _tiles(y.n_units, tile):
            usable = y.usable[right]
            product = cross(x.part(left), y.part(right), halves.half, 2)
            _take(product.pooled().correlation(), usable, rho[0, left], best[0, left], right.start)
            for half in (0, 1):
                _take(product.correlation(half), usable, rho[1 + half, left], best[1 + half, left], right.start)
            del product
    rho[:, ~x.usable] = np.nan
    held_out, low, high = _held_out(x, y, best[1], np.sign(rho[1]), buckets(halves.block, halves.b, seed))
    best[0, ~x.usable] = -1
    return Partners(
        model=model,
        rho=rho[0],
        partner=np.where(best[0] < 0, -1, y.columns[np.maximum(best[0], 0)]),
        on_a=np.abs(rho[1]),
        on_b=np.abs(rho[2]),
        held_out=held_out,
        low=low,
        high=high,
        chance=chance(x, y, seed),
    )


def chance(x: Standard, y: Standard, seed: int, n_lags: int = NULL_LAGS, n_units: int = NULL_UNITS) -> float:
    """The 99th percentile of max |rho| over some units of `x` and lags of `y`; NaN below four sites."""
    n_sites = x.matrix.n_sites
    if n_sites < 4:
        return float("nan")
    usable = np.flatnonzero(x.usable)
    some = x.part(usable[spread_over(len(usable), n_units)])
    reached = []
    for lag in lags(n_sites, n_lags, seed):
        most = np.zeros(some.n_units)
        for right in _tiles(y.n_units, TILE):
            most = np.maximum(most, np.abs(cross(some, y.part(right), lag=lag).correlation()).max(axis=1))
        reached.append(most)
    return float(np.quantile(np.concatenate(reached), CHANCE))


def halves_of(
    n_sites: int,
    item: NDArray[np.integer] | None = None,
    group: NDArray[np.integer] | None = None,
    seed: int = 0,
) -> Halves:
    """Halves of sites by groups [S] of items [S] (rising); without either, each run of 20 sites is an item.

    Activations have halves of their own. Raises PlanError with fewer than two items.
    """
    if item is None:
        changes = np.arange(n_sites) // 20 if group is None else np.cumsum(np.diff(group, prepend=group[:1]) != 0)
        item = changes
    of_item = np.zeros(int(item.max(initial=-1)) + 1, np.int64)
    of_item[item] = item if group is None else group
    return split(np.asarray(item, np.int32), [str(each) for each in of_item.tolist()], seed)


def spearman(a: Doubles, b: Doubles) -> float:
    """Spearman's rank correlation where both are numbers; NaN with fewer than three."""
    from scipy.stats import rankdata

    both = ~(np.isnan(a) | np.isnan(b))
    if both.sum() < 3:
        return float("nan")
    ranks = np.stack([rankdata(a[both]), rankdata(b[both])])
    if (ranks.std(axis=1) == 0).any():
        return float("nan")
    return float(np.corrcoef(ranks)[0, 1])


def _tiles(n: int, tile: int) -> Sequence[slice]:
    return [slice(start, min(start + tile, n)) for start in range(0, n, tile)]


def _take(rho: Doubles, usable: NDArray[np.bool_], most: Doubles, best: NDArray[np.int64], first: int) -> None:
    """Keep, in `most` and `best` [U], what is greater in size among `rho` [U, V]; of equal ones the first."""
    sizes = np.abs(rho)
    sizes[:, ~usable] = -1.0
    at = sizes.argmax(axis=1)
    rows = np.arange(len(rho))
    better = sizes[rows, at] > np.where(best < 0, -0.5, np.abs(most))
    most[better] = rho[rows, at][better]
    best[better] = at[better] + first


def _held_out(
    x: Standard, y: Standard, best: NDArray[np.int64], sign: Doubles, dealt: Buckets
) -> tuple[Doubles, Doubles, Doubles]:
    """Correlation with a given partner [U] at the buckets' sites, times a sign, and its interval."""
    sums, n = np.zeros((5, max(dealt.n, 1), x.n_units)), np.zeros(max(dealt.n, 1))
    plan, at = Plan.of(np.where(dealt.of_site >= 0, 0, -1), 1), np.maximum(best, 0)
    for piece, (a, b) in enumerate(zip(x.pieces(plan), y.pieces(plan))):
        here = plan.sorted(dealt.of_site, piece)
        add_pairs(a, b, at, here, sums)
        n += np.bincount(here, minlength=len(n))
    with np.errstate(invalid="ignore"):
        whole = correlations(n.sum(), sums.sum(axis=1)) * sign
        without = correlations(left_out(n), left_out(sums)) * sign
    bad = ~x.usable | (best < 0)
    whole[bad] = np.nan
    low, high = jackknife(whole, without, lambda r: np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)), np.tanh)
    return whole, np.where(np.isnan(whole), np.nan, low), np.where(np.isnan(whole), np.nan, high)
