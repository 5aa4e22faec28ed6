"""How much fewer units do: a probe masked to, or trained anew on, the top, random and bottom units of an order.

*Mask*: all other units are set to their training mean, which is 0 on standardised values (Dalvi et al. 2019 set them to
0 as they are, which is a value that a unit may never have). *Retrain*: a new probe on these units alone. If top units
matter, the curve of the top lies above that of random draws, and theirs above the bottom's, in both modes; retraining
shows what is *present* in units, masking what the full probe *used*. The smallest number within delta of all units is
looked for on a selection split inside the training sites, and judged on the evaluation split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from unitscope.errors import PlanError
from unitscope.probes.scoring import Explained, Metric, Predicted
from unitscope.probes.selection import random_units
from unitscope.stats.jackknife import Estimate, jackknife

Mode = Literal["mask", "retrain"]
Choice = Literal["top", "random", "bottom"]
Predict = Callable[[NDArray[np.intp]], Predicted]
"""From columns of units to what a probe restricted to them says at the evaluation sites."""
SHARES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.5)
SELECTIONS: tuple[Choice, ...] = ("top", "random", "bottom")
MODES: tuple[Mode, ...] = ("mask", "retrain")


@dataclass(frozen=True)
class Point:
    """One point of a curve: `selection` of `n_units` units (`share` of all), and the figure with its interval.

    `random` is the mean over draws; its interval allows for the draws beside the evaluation blocks.
    """

    selection: Choice
    mode: Mode
    share: float
    n_units: int
    score: Estimate


@dataclass(frozen=True)
class Smallest:
    """The fewest units of an order that reach `wanted` on the selection split, and all that was tried on the way.

    `tried` are pairs of a number of units and its score, in order of trial; `reached` is false where not even all
    units do.
    """

    n_units: int
    wanted: float
    reached: bool
    tried: tuple[tuple[int, float], ...]


def sizes(shares: Sequence[float], n_units: int) -> list[int]:
    """Numbers of units, one at least, rising and without repeats. Raises PlanError for shares outside (0, 1].

    >>> sizes([0.01, 0.1, 0.5], 30)
    [1, 3, 15]
    """
    if not shares or not all(0 < share <= 1 for share in shares):
        raise PlanError(f"Got shares {list(shares)} of units.", expected="numbers above 0 and up to 1")
    return sorted({max(1, round(share * n_units)) for share in shares})


def curve(
    order: NDArray[np.intp],
    predict: Callable[[Mode], Predict],
    metric: Metric,
    truth: Predicted,
    block: NDArray[np.int32],
    *,
    numbers: Sequence[int],
    n_units: int,
    modes: Iterable[Mode] = MODES,
    selections: Sequence[Choice] = SELECTIONS,
    draws: int = 3,
    seed: int = 0,
    tick: Callable[[], None] = lambda: None,
) -> list[Point]:
    """Points of all modes and selections at `numbers` of units. `order` has units, best first: all `n_units`, or the
    best of them, where the bottom is not asked for; random draws are from all. `truth` and `block` [S] are of the
    evaluation sites. `predict(mode)` gives the probe of that mode. `tick` is called after every prediction.
    """
    if draws < 2:
        raise PlanError(f"Got {draws} draws of random units.", expected="2 or more, for an interval")
    points = []
    for mode in modes:
        read = predict(mode)
        for n in numbers:
            chosen: dict[Choice, list[NDArray[np.intp]]] = {
                "top": [order[:n]],
                "random": [random_units(n_units, n, seed + 1000 * draw + 1) for draw in range(draws)],
                "bottom": [order[len(order) - n :]],
            }
            for selection in selections:
                sums = []
                for units in chosen[selection]:
                    sums.append(metric.sums(truth, read(np.sort(units)), block))
                    tick()
                points.append(Point(selection, mode, n / n_units, n, _mean(metric, np.stack(sums))))
    return points


def _mean(metric: Metric, sums: NDArray[np.float64]) -> Estimate:
    """The mean figure of draws from their sums [draws, B, K]."""
    scale: Literal["share", "plain"] = "plain" if isinstance(metric, Explained) else "share"
    if len(sums) == 1:
        return jackknife(sums[0], sums[0][:, -1], metric.score, scale)
    each = metric.score(sums.sum(1))
    # Errors of few draws are uncertain themselves: as wide as Student's t asks for, in units of the normal.
    spread = float(each.std(ddof=1)) / np.sqrt(len(each)) * float(stdtrit(len(each) - 1, 0.975)) / 1.96
    counts = sums[0][:, -1]
    flat = sums.transpose(1, 0, 2).reshape(len(counts), -1)
    n = sums.shape[2]

    def mean_of(flat_sums: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = [metric.score(flat_sums[..., i * n : (i + 1) * n]) for i in range(len(each))]
        return np.asarray(np.mean(parts, axis=0))

    return jackknife(flat, counts, mean_of, scale, extra=spread)


def smallest(score: Callable[[int], float], n_units: int, wanted: float) -> Smallest:
    """The fewest units whose score reaches `wanted`, to within 2 %: doubling, then bisection.

    `score(n)` is that of the n best. It is taken to rise with n; where it wavers, this is one of the places where it
    crosses.

    >>> smallest(lambda n: n / 100, 100, 0.37).n_units
    37
    """
    tried: list[tuple[int, float]] = []

    def reaches(n: int) -> bool:
        tried.append((n, score(n)))
        return tried[-1][1] >= wanted

    n = 1
    while not reaches(n):
        if n == n_units:
            return Smallest(n_units, wanted, False, tuple(tried))
        n = min(2 * n, n_units)
    high, low = n, (n // 2 if n > 1 else 0)
    if n == n_units and len(tried) > 1:
        low = tried[-2][0]
    while high - low > max(1, round(0.02 * high)):
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return Smallest(high, wanted, True, tuple(tried))
