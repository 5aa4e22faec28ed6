"""Probe × ranking: how well each probe does on the first units of each ranking (Antverg and Belinkov 2022).

A good probe makes a poor order look good, and a good order helps a poor probe. So every probe is fitted on the first k
units of every ranking, beside k units drawn at random and the last k. A probe is any function from addresses to an
accuracy; fit it on half A (or the training groups) and judge it on half B, where no order was chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import RankingError
from unitscope.rankings.base import Ranking

Floats = NDArray[np.float64]
Probe = Callable[[Sequence[str]], float]
"""Accuracy on held-out sites of a probe fitted on units with these addresses."""


@dataclass(frozen=True)
class Crossed:
    """Accuracies of P probes on the first units of R rankings, for K numbers of units.

    `top` and `bottom` are [P, R, K]; `random` [P, K, D] is of D draws from the units that all rankings have. A number
    beyond the units of a ranking is NaN.
    """

    probes: tuple[str, ...]
    rankings: tuple[str, ...]
    ks: tuple[int, ...]
    top: Floats
    bottom: Floats
    random: Floats

    def rows(self) -> Iterator[dict[str, str | int | float]]:
        """One row a probe, ranking and number of units: `top`, `bottom`, and the mean and range of random draws."""
        for p, probe in enumerate(self.probes):
            for r, ranking in enumerate(self.rankings):
                for i, k in enumerate(self.ks):
                    drawn = self.random[p, i]
                    yield {
                        "probe": probe,
                        "ranking": ranking,
                        "k": k,
                        "top": float(self.top[p, r, i]),
                        "bottom": float(self.bottom[p, r, i]),
                        "random": float(drawn.mean()),
                        "random_least": float(drawn.min()),
                        "random_greatest": float(drawn.max()),
                    }


def crossed(
    probes: Mapping[str, Probe],
    rankings: Mapping[str, Ranking],
    ks: Sequence[int],
    *,
    draws: int = 5,
    seed: int = 0,
) -> Crossed:
    """Fit every probe on the first, the last and random units of every ranking. Each set of units is fitted once.

    Raises RankingError without probes, rankings or units in common, and for numbers of units that make no sense.
    """
    if not probes or not rankings:
        raise RankingError(
            f"Got {len(probes)} probe(s) and {len(rankings)} ranking(s).", expected="one of each or more"
        )
    if not ks or min(ks) < 1:
        raise RankingError(f"Got numbers of units {list(ks)}.", expected="one or more, each 1 or more")
    if draws < 1:
        raise RankingError(f"Got {draws} random draws.", expected="1 or more")
    common = set.intersection(*(set(each.units) for each in rankings.values()))
    pool = [unit for unit in next(iter(rankings.values())).units if unit in common]
    if len(pool) < max(ks):
        raise RankingError(
            f"Got k = {max(ks)} for rankings with {len(pool)} units in common.", expected=f"at most {len(pool)}"
        )
    pool.sort()
    shape = (len(probes), len(rankings), len(ks))
    top, bottom = np.full(shape, np.nan), np.full(shape, np.nan)
    random = np.full((len(probes), len(ks), draws), np.nan)
    for p, probe in enumerate(probes.values()):
        known: dict[frozenset[str], float] = {}
        for i, k in enumerate(ks):
            for r, ranking in enumerate(rankings.values()):
                top[p, r, i] = _accuracy(probe, ranking.top(k), known)
                bottom[p, r, i] = _accuracy(probe, ranking.bottom(k), known)
            for d in range(draws):
                chosen = np.random.default_rng([seed, 22, k, d]).permutation(len(pool))[:k]
                random[p, i, d] = _accuracy(probe, [pool[u] for u in chosen.tolist()], known)
    return Crossed(tuple(probes), tuple(rankings), tuple(ks), top, bottom, random)


def _accuracy(probe: Probe, units: Sequence[str], known: dict[frozenset[str], float]) -> float:
    key = frozenset(units)
    if key not in known:
        known[key] = float(probe(tuple(sorted(key))))
    return known[key]
