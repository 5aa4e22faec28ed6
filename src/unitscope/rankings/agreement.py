"""How far rankings agree: overlap of their first units, votes, rank-biased overlap and Kendall's tau, beside chance.

- *overlap*: Jaccard index of the first k units of two rankings. Its mean over all other rankings is AvgOverlap_k.
- *vote*: Jaccard index of a ranking's first k units with the first k that the others elect by Borda counts:
  NeuronVote_k. Both are of Fan et al. (2023).
- *rbo*: rank-biased overlap, extrapolated (Webber, Moffat and Zobel 2010, equation 32): the units up to each depth in
  both, over the depth, weighted by p^depth.
- *tau*: Kendall's rank correlation over the units that both rank.

Chance is what random orders of the same units give in expectation: for overlaps exactly, by the hypergeometric
distribution; 0 for tau.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import RankingError
from unitscope.rankings.base import Ranking

Floats = NDArray[np.float64]
DEPTH = 100
PERSISTENCE = 0.98


@dataclass(frozen=True)
class Agreement:
    """Agreement of R rankings for one target.

    `overlap` [R, R] is of the first `k` units, `rbo` and `tau` [R, R] of whole rankings; `average` and `vote` [R] are
    each ranking's agreement with all others, NaN where there is no other. `overlap_chance`, `rbo_chance` [R, R] and
    `average_chance`, `vote_chance` [R] are expected of random orders of the `n_units` units that any of them ranks.
    """

    names: tuple[str, ...]
    target: str
    k: int
    n_units: int
    persistence: float
    overlap: Floats
    overlap_chance: Floats
    rbo: Floats
    rbo_chance: Floats
    tau: Floats
    average: Floats
    average_chance: Floats
    vote: Floats
    vote_chance: Floats


def agreement(
    rankings: Mapping[str, Ranking], k: int = 50, *, depth: int = DEPTH, persistence: float = PERSISTENCE
) -> Agreement:
    """Compare rankings for one target by name; `depth` is how many units of each have a vote.

    Raises RankingError for fewer than two rankings, rankings for several targets, or k below 1.
    """
    if len(rankings) < 2:
        raise RankingError(f"Got {len(rankings)} ranking(s) to compare.", expected="two or more")
    targets = sorted({each.target for each in rankings.values()})
    if len(targets) > 1:
        raise RankingError(f"Got rankings for '{targets[0]}' and '{targets[1]}'.", expected="rankings for one target")
    _check_k(k)
    orders = [each.units for each in rankings.values()]
    n_units = len(set().union(*orders))
    n = len(orders)
    figures = {name: np.eye(n) for name in ("overlap", "overlap_chance", "rbo", "rbo_chance", "tau")}
    for i in range(n):
        for j in range(i):
            sizes = min(k, len(orders[i])), min(k, len(orders[j]))
            pair = {
                "overlap": overlap(orders[i], orders[j], k),
                "overlap_chance": overlap_chance(n_units, *sizes),
                "rbo": rank_biased_overlap(orders[i], orders[j], persistence),
                "rbo_chance": rank_biased_chance(n_units, len(orders[i]), len(orders[j]), persistence),
                "tau": kendall_tau(orders[i], orders[j]),
            }
            for name, value in pair.items():
                figures[name][i, j] = figures[name][j, i] = value
    others = [[order for j, order in enumerate(orders) if j != i] for i in range(n)]
    elected = min(k, n_units)
    return Agreement(
        names=tuple(rankings),
        target=targets[0],
        k=k,
        n_units=n_units,
        persistence=persistence,
        average=np.array([average_overlap(orders[i], others[i], k) for i in range(n)]),
        average_chance=np.array([np.delete(figures["overlap_chance"][i], i).mean() for i in range(n)]),
        vote=np.array([vote_overlap(orders[i], others[i], k, depth) for i in range(n)]),
        vote_chance=np.array([overlap_chance(n_units, min(k, len(orders[i])), elected) for i in range(n)]),
        **figures,
    )


def overlap(one: Sequence[str], other: Sequence[str], k: int) -> float:
    """Jaccard index of the first k units of two orders, in [0, 1].

    >>> overlap(["a", "b", "c"], ["b", "d", "a"], 2)
    0.3333333333333333
    """
    _check_k(k)
    first, second = set(one[:k]), set(other[:k])
    return len(first & second) / max(len(first | second), 1)


def average_overlap(order: Sequence[str], others: Sequence[Sequence[str]], k: int) -> float:
    """AvgOverlap_k: mean overlap of the first k units with each of the others'; NaN without others."""
    return float(np.mean([overlap(order, other, k) for other in others])) if others else float("nan")


def vote(orders: Sequence[Sequence[str]], depth: int = DEPTH) -> tuple[str, ...]:
    """Units in the order of their Borda counts: of each order the first unit gets `depth` points, the next one fewer.

    Units beyond the first `depth` of an order get none from it. Ties go to the unit with the better best rank, then by
    the order in which units come up.

    >>> vote([["a", "b", "c"], ["b", "c", "a"]], depth=3)
    ('b', 'a', 'c')
    """
    _check_k(depth)
    points: dict[str, int] = {}
    best: dict[str, int] = {}
    for order in orders:
        for rank, unit in enumerate(order[:depth]):
            points[unit] = points.get(unit, 0) + depth - rank
            best[unit] = min(best.get(unit, rank), rank)
    return tuple(sorted(points, key=lambda unit: (-points[unit], best[unit])))


def vote_overlap(order: Sequence[str], others: Sequence[Sequence[str]], k: int, depth: int = DEPTH) -> float:
    """NeuronVote_k: overlap of the first k units with the first k that the others elect; NaN without others.

    At least k units of each have a vote, whatever `depth`.
    """
    return overlap(order, vote(others, max(depth, k)), k) if others else float("nan")


def overlap_chance(n_units: int, first: int, second: int) -> float:
    """Expected Jaccard index of two sets of these sizes drawn at random from `n_units` units.

    >>> round(overlap_chance(100, 10, 10), 4)
    0.0551
    """
    from scipy.stats import hypergeom

    if not first or not second:
        return 0.0
    both = np.arange(max(0, first + second - n_units), min(first, second) + 1)
    return float((hypergeom.pmf(both, n_units, first, second) * both / (first + second - both)).sum())


def rank_biased_overlap(one: Sequence[str], other: Sequence[str], persistence: float = PERSISTENCE) -> float:
    """Extrapolated rank-biased overlap of two orders, which may be of unequal length and units; in [0, 1].

    `persistence` p in (0, 1) is how deep one looks: the first d ranks carry about 1 - p^d of the weight. NaN where an
    order is empty.

    >>> round(rank_biased_overlap("ab", "ba", 0.5), 3)
    0.5
    """
    if not 0 < persistence < 1:
        raise RankingError(f"Got persistence {persistence}.", expected="more than 0, less than 1")
    short, long = sorted((one, other), key=len)
    if not short:
        return float("nan")
    place = {unit: rank for rank, unit in enumerate(short)}
    # The depth from which on a unit is in both.
    joined = [max(place[unit], rank) for rank, unit in enumerate(long) if unit in place]
    both = np.cumsum(np.bincount(np.array(joined, np.int64), minlength=len(long)))
    return _extrapolated(both.astype(np.float64), len(short), persistence)


def rank_biased_chance(n_units: int, first: int, second: int, persistence: float = PERSISTENCE) -> float:
    """Expected extrapolated rank-biased overlap of random orders of these lengths, drawn from `n_units` units."""
    short, long = sorted((first, second))
    if not short:
        return float("nan")
    depth = np.arange(1, long + 1, dtype=np.float64)
    return _extrapolated(np.minimum(depth, short) * depth / n_units, short, persistence)


def _extrapolated(both: Floats, n_short: int, p: float) -> float:
    """Equation 32 from the number of units in both up to each depth of the longer order, [n_long]."""
    n_long = len(both)
    depth = np.arange(1, n_long + 1, dtype=np.float64)
    weight = p**depth
    at_short, at_long = both[n_short - 1], both[-1]
    series = (both / depth * weight).sum()
    beyond = depth[n_short:]
    series += (at_short * (beyond - n_short) / (n_short * beyond) * weight[n_short:]).sum()
    rest = ((at_long - at_short) / n_long + at_short / n_short) * p**n_long
    return float(np.clip((1 - p) / p * series + rest, 0.0, 1.0))


def kendall_tau(one: Sequence[str], other: Sequence[str]) -> float:
    """Kendall's tau over the units in both orders, in [-1, 1]; NaN with fewer than two.

    >>> round(kendall_tau("abcd", "dbca"), 3)
    -0.667
    """
    from scipy.stats import kendalltau

    place = {unit: rank for rank, unit in enumerate(other)}
    ranks = [place[unit] for unit in one if unit in place]
    if len(ranks) < 2:
        return float("nan")
    return float(kendalltau(np.arange(len(ranks)), ranks).statistic)


def _check_k(k: int) -> None:
    if k < 1:
        raise RankingError(f"Got k = {k} units.", expected="1 or more")
