"""Steering, without an atlas: how many units and how strongly is chosen on one set of items and tested on another.

For every number of units and every strength the steered edit is scored on development items; the greatest success
among those whose collateral damage stays within a limit is taken to the held-out items, beside random sets of as many
units: at the same strength, and at the strength that suits them best by the same rule. What is reported is the
difference, paired by item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.causal.effects import Effect
from unitscope.causal.steering_edits import Habits, drawn, rule_of
from unitscope.causal.steering_scores import Judge, Scores
from unitscope.edits import Edit
from unitscope.errors import TaskError

LIMIT = 0.1


@dataclass(frozen=True)
class Tried:
    """What was tried on the development items: `selection` is `none`, `steered` or `random` (the draws' mean).

    `collateral` is what the limit is held against.
    """

    selection: str
    n_units: int
    strength: float
    success: float
    collateral: float
    chosen: bool = False


@dataclass(frozen=True)
class Tested:
    """A set on held-out items. `gain` is its success less the unedited, `harm` its collateral damage.

    `selection` is `none`, `steered`, `random` (one draw), `random mean`, `beyond` (steered less the random mean), and
    `random best` and `beyond best` for random sets at their own best strength. Of `beyond` success is a difference.
    """

    selection: str
    draw: int
    n_units: int
    strength: float
    success: float
    gain: Effect
    harm: Effect
    facts: Mapping[str, float]


@dataclass(frozen=True)
class Sample:
    """A held-out item: what the corpus has, what came out before and after, and whether steering worked."""

    item: str
    original: str
    before: str
    after: str
    success: float


@dataclass(frozen=True)
class Sweep:
    """Trials on development items, sets on held-out ones, and the first held-out items as examples.

    `within` says whether the chosen one kept to the limit on the development items. `units` are those steered.
    """

    tried: tuple[Tried, ...]
    sets: tuple[Tested, ...]
    examples: tuple[Sample, ...]
    units: tuple[str, ...]
    within: bool
    n_items: int
    n_dev: int
    n_blocks: int
    floor: float
    says: str

    def of(self, selection: str) -> Tested | None:
        """The first set of a selection."""
        return next((each for each in self.sets if each.selection == selection), None)


@dataclass(frozen=True)
class Grid:
    """What is tried: numbers of units, strengths, draws of random sets, and the limit of collateral damage."""

    how: str = "add"
    sizes: tuple[int, ...] = (1, 5, 20)
    strengths: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    n_draws: int = 5
    limit: float = LIMIT
    seed: int = 0
    n_examples: int = 10
    batch_size: int = 32

    def check(self) -> None:
        """Raise TaskError for numbers that make no sense."""
        if not self.sizes or min(self.sizes) < 1:
            raise TaskError(f"Got {list(self.sizes)} as numbers of units.", expected="numbers from 1 up")
        if not self.strengths or not np.isfinite(self.strengths).all():
            raise TaskError(f"Got {list(self.strengths)} as strengths.", expected="one finite number or more")
        if not self.limit >= 0:
            raise TaskError(f"Got {self.limit} as the most collateral damage.", expected="0 or more")
        if self.n_draws < 0:
            raise TaskError(f"Got {self.n_draws} random sets.", expected="0 or more")


def sweep(
    ranked: Sequence[str],
    habits: Habits,
    dev: Judge,
    held: Judge,
    block: Sequence[int],
    *,
    rising: bool = True,
    grid: Grid | None = None,
) -> Sweep:
    """Choose on `dev`, test on `held`, whose items are in blocks [I]. `ranked` are units, best first.

    Raises TaskError for numbers that make no sense, and units of which `habits` knows nothing.
    """
    grid = grid or Grid()
    grid.check()
    if grid.how == "project":
        grid = Grid(**{**grid.__dict__, "strengths": (1.0,)})
    steered = rule_of(grid.how, habits)
    sizes = sorted({min(size, len(ranked)) for size in grid.sizes})
    cells = [(n, strength) for n in sizes for strength in grid.strengths]
    found = dev.scores([Edit(), *(steered(ranked[:n], s) for n, s in cells)], batch_size=grid.batch_size)
    at, within = chosen(found, [0.0, *(abs(s) + 1e-6 * n for n, s in cells)], rising, dev.floor, grid.limit)
    n, strength = cells[at - 1]
    units = tuple(ranked[:n])
    tried = [Tried("none", 0, 0.0, float(found.success[0]), 0.0)]
    for k, (size, dose) in enumerate(cells, 1):
        tried.append(Tried("steered", size, dose, float(found.success[k]), float(found.limited[k]), chosen=k == at))
    sets = [drawn(ranked, units, grid.seed + k) for k in range(grid.n_draws)]
    other = rule_of(grid.how, habits, like=units)
    best = strength
    if sets:
        best, more = _best_random(dev, [[other(each, s) for each in sets] for s in grid.strengths], grid, rising, n)
        tried += more
    plan: list[tuple[str, int, float, Edit]] = [
        ("none", 0, 0.0, Edit()),
        ("steered", 0, strength, steered(units, strength)),
    ]
    plan += [("random", k + 1, strength, other(each, strength)) for k, each in enumerate(sets)]
    plan += [("random best", k + 1, best, other(each, best)) for k, each in enumerate(sets) if best != strength]
    scores = held.scores([edit for *_, edit in plan], batch_size=grid.batch_size)
    tested = _tested(plan, scores, n, np.asarray(block, np.int64), best)
    return Sweep(
        tuple(tried),
        tuple(tested),
        _examples(held, scores, grid.n_examples),
        units,
        within,
        len(held.items),
        len(dev.items),
        len(set(block)),
        held.floor,
        held.says,
    )


def chosen(scores: Scores, size: Sequence[float], rising: bool, floor: float, limit: float) -> tuple[int, bool]:
    """Index of the edit with the greatest success within the limit of harm, and whether there is one.

    Of equals the one of less harm, then of less `size`; success below the floor counts as the floor where less is
    better. Without one within the limit, the one of least harm.
    """
    success, harm = scores.success, scores.limited
    edits = range(1, len(success))
    kept = [at for at in edits if harm[at] <= limit]
    if not kept:
        return min(edits, key=lambda at: (harm[at], size[at])), False

    def order(at: int) -> tuple[float, float, float]:
        value = -success[at] if rising else max(success[at], floor)
        return round(float(value), 9), max(round(float(harm[at]), 9), 0.0), size[at]

    return min(kept, key=order), True


def _best_random(
    dev: Judge, edits: Sequence[Sequence[Edit]], grid: Grid, rising: bool, n: int
) -> tuple[float, list[Tried]]:
    """The strength that suits random sets best by the same rule, their successes and harms averaged."""
    found = dev.scores([Edit(), *(edit for each in edits for edit in each)], batch_size=grid.batch_size)
    n_draws = len(edits[0])

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        rest = values[1:].reshape(len(edits), n_draws, -1).mean(axis=1)
        return np.concatenate([values[:1].reshape(1, -1), rest])

    worn = None if found.worn is None else mean(found.worn)[:, 0]
    averaged = Scores(mean(found.hits), found.n, mean(found.harm), found.n_harm, relative=found.relative, worn=worn)
    at, _ = chosen(averaged, [0.0, *map(abs, grid.strengths)], rising, dev.floor, grid.limit)
    tried = [
        Tried("random", n, s, float(averaged.success[k]), float(averaged.limited[k]), chosen=k == at)
        for k, s in enumerate(grid.strengths, 1)
    ]
    return grid.strengths[at - 1], tried


def _tested(
    plan: Sequence[tuple[str, int, float, Edit]], scores: Scores, n: int, block: NDArray[np.int64], best: float
) -> list[Tested]:
    def made(selection: str, draw: int, strength: float, at: Sequence[int], against: Sequence[int] = (0,)) -> Tested:
        success = float(scores.success[list(at)].mean())
        if against != (0,):
            success -= float(scores.success[list(against)].mean())
        facts = {name: float(values[list(at)].mean()) for name, values in scores.facts.items()}
        return Tested(
            selection,
            draw,
            0 if selection == "none" else n,
            strength,
            success,
            scores.gained(at, against, block),
            scores.harmed(at, against, block),
            {} if against != (0,) else facts,
        )

    found = [made(selection, draw, strength, [at]) for at, (selection, draw, strength, _) in enumerate(plan)]
    for kind, beyond in (("random", "beyond"), ("random best", "beyond best")):
        members = [at for at, each in enumerate(plan) if each[0] == kind]
        if kind == "random best" and not members:
            members = [at for at, each in enumerate(plan) if each[0] == "random"]
        if members:
            strength = plan[members[0]][2]
            name = "random mean" if kind == "random" else "random best mean"
            found.append(made(name, 0, strength, members))
            found.append(made(beyond, 0, strength, [1], members))
    return found


def _examples(held: Judge, scores: Scores, n: int) -> tuple[Sample, ...]:
    """The first held-out items, whatever became of them."""
    found = []
    for at, item in list(enumerate(held.items))[:n]:
        share = float(scores.hits[1, at] / scores.n[at]) if scores.n[at] else float("nan")
        found.append(Sample(item.id, held.originals[at], scores.said[0][at], scores.said[1][at], share))
    return tuple(found)
