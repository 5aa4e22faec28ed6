"""How sure a probe's figure is: over seeds or folds, and over groups of sites for one fit.

Seeds and folds share sites, so that their spread is that of the fitting, not of new data: an interval over seeds says
what another seed would give on the same sites. The delete-one-group jackknife says what other groups would give for the
same probe (Efron and Stein 1981).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from unitscope.errors import ProbeError
from unitscope.probes.base import folds

LEAST_REPEATS = 5
MIN_EFFECTIVE = 10.0


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its 95 % interval; NaN where there is too little to tell from."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def ends(self) -> tuple[float, float]:
        """Low and high end."""
        return self.low, self.high


def over_repeats(figures: Sequence[float]) -> Interval:
    """Mean of figures of several seeds or folds, with Student's interval; ends are NaN for fewer than five.

    Raises ProbeError for none, or for figures that are no finite numbers.

    >>> round(over_repeats([0.9, 0.92, 0.91, 0.9, 0.92]).mean, 6)
    0.91
    """
    given = np.asarray(figures, np.float64)
    if not len(given) or not np.isfinite(given).all():
        raise ProbeError(f"Got {len(given)} figure(s), not all finite.", expected="a finite figure for each repeat")
    mean = float(given.mean())
    if len(given) < LEAST_REPEATS:
        return Interval(mean, float("nan"), float("nan"), len(given))
    half = float(stdtrit(len(given) - 1, 0.975)) * float(given.std(ddof=1)) / np.sqrt(len(given))
    return Interval(mean, mean - half, mean + half, len(given))


def jackknife(right: NDArray[np.bool_], group: NDArray[np.integer]) -> Interval:
    """Accuracy over sites [S], its interval by leaving out one group [S] at a time, on a logit scale.

    Ends are NaN below ten effective groups, (sum of sizes)^2 / sum of squared sizes, or where accuracy is 0 or 1.
    Raises ProbeError when there is no site or the arrays differ in length.
    """
    if not len(right) or len(right) != len(group):
        raise ProbeError(f"Got {len(right)} site(s) in {len(group)} group entries.", expected="a group for each site")
    dense = np.unique(group, return_inverse=True)[1]
    sizes = np.bincount(dense).astype(np.float64)
    hits = np.bincount(dense, weights=right)
    n, mean = len(sizes), float(right.mean())
    effective = sizes.sum() ** 2 / (sizes**2).sum()
    nothing = Interval(mean, float("nan"), float("nan"), n)
    if effective < MIN_EFFECTIVE or not 0 < mean < 1:
        return nothing
    left = (hits.sum() - hits) / (sizes.sum() - sizes)
    if not ((left > 0) & (left < 1)).all():
        return nothing
    scaled = logit(left)
    error = np.sqrt((n - 1) / n * ((scaled - scaled.mean()) ** 2).sum())
    half = float(stdtrit(n - 1, 0.975)) * error
    return Interval(mean, float(expit(logit(mean) - half)), float(expit(logit(mean) + half)), n)


def over_seeds(run: Callable[[int], float], seeds: Sequence[int] = range(LEAST_REPEATS)) -> Interval:
    """A figure for each seed, and its interval. Raises ProbeError where a seed comes twice."""
    if len(set(seeds)) != len(seeds):
        raise ProbeError(f"Got seeds {list(seeds)}.", expected="each seed once")
    return over_repeats([run(seed) for seed in seeds])


def over_folds(
    run: Callable[[NDArray[np.bool_]], float],
    group: NDArray[np.integer],
    n_folds: int = LEAST_REPEATS,
    seed: int = 0,
) -> Interval:
    """A figure for each fold of whole groups: `run` is given the sites held out, bool [S]."""
    fold = folds(group, n_folds, seed)
    return over_repeats([run(fold == number) for number in range(n_folds)])
