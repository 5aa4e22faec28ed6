"""Units together: pairs, and sets chosen greedily.

What two units do together is set against the sum of what each does alone: the rest is their interaction, a second
difference of the task's value. A joint cost below the sum means that either one's removal breaks what both are needed
for; above it, that each stands in for the other. A bounded value (accuracy) falls less the lower it is, which looks
like the former. Greedy sets follow Nemhauser et al. 1978: at each step the unit is added whose removal, beside the
chosen ones, is worst on half A; what the sets cost is measured on half B, beside as many random units and as many of
the ranking's first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from unitscope import edits
from unitscope.causal.bench import Bench
from unitscope.causal.effects import Effect
from unitscope.causal.sweeps import N_DRAWS, Remover
from unitscope.errors import TaskError
from unitscope.rankings.base import Ranking
from unitscope.stats.discoveries import adjust


@dataclass(frozen=True)
class Pair:
    """Two units taken out together: their effect, the sum of their single effects, and what is beyond it."""

    units: tuple[str, str]
    effect: Effect
    expected: float
    beyond: Effect
    q: float


@dataclass(frozen=True)
class Pairs:
    """All pairs among some units, and what each unit does alone."""

    units: tuple[str, ...]
    alone: tuple[Effect, ...]
    pairs: tuple[Pair, ...]
    unedited: float


def pairs_of(bench: Bench, units: Sequence[str], *, remove: Remover = edits.zero) -> Pairs:
    """Take out all pairs of units. False discovery rates are of what is beyond the sums, over all pairs.

    Raises TaskError for fewer than two units.
    """
    if len(units) < 2:
        raise TaskError(f"Got {len(units)} unit(s) to make pairs of.", expected="two or more")
    joined = list(combinations(range(len(units)), 2))
    made = [remove([unit]) for unit in units] + [remove([units[one], units[other]]) for one, other in joined]
    found = bench.measured(made, "taking out pairs")
    alone = [found.effect(at) for at in range(1, len(units) + 1)]
    parts = []
    for at, (one, other) in enumerate(joined, 1 + len(units)):
        beyond = found.combination({at: 1.0, 1 + one: -1.0, 1 + other: -1.0, 0: 1.0})
        parts.append((found.effect(at), alone[one].effect + alone[other].effect, beyond))
    q = adjust(np.array([beyond.p for *_, beyond in parts], np.float64))
    return Pairs(
        tuple(units),
        tuple(alone),
        tuple(
            Pair((units[one], units[other]), effect, expected, beyond, float(rate))
            for (one, other), (effect, expected, beyond), rate in zip(joined, parts, q)
        ),
        float(found.values[0]),
    )


@dataclass(frozen=True)
class Step:
    """The unit that a greedy set gained, and the set's effect: on half A, where it was chosen, and on half B.

    `random` is the mean effect of random sets of the same size, `top` that of the ranking's first units; `beyond` and
    `beyond_top` what the set costs beyond these, paired by item.
    """

    unit: str
    chosen: float
    value: float
    effect: Effect
    random: float
    beyond: Effect
    top: float
    beyond_top: Effect


@dataclass(frozen=True)
class Greedy:
    """Sets of 1, 2, ... units. `n_candidates`: of how many first units of the ranking they were chosen."""

    steps: tuple[Step, ...]
    n_candidates: int
    n_ranked: int
    unedited: float


def greedy(
    choosing: Bench,
    testing: Bench,
    ranking: Ranking,
    n: int,
    *,
    rising: bool,
    n_candidates: int = 30,
    n_draws: int = N_DRAWS,
    remove: Remover = edits.zero,
    seed: int = 0,
) -> Greedy:
    """Choose n units one by one among the ranking's first `n_candidates` on half A, and test the sets on half B.

    Random sets are of all ranked units. Raises TaskError for fewer candidates than units.
    """
    pool = list(ranking.top(n_candidates))
    if n > len(pool):
        raise TaskError(f"Got {len(pool)} candidates for a set of {n} units.", expected=f"{n} candidates or more")
    chosen, scores = chosen_set(choosing, pool, n, rising=rising, remove=remove)
    plan = [remove(chosen[: size + 1]) for size in range(n)] + [remove(ranking.top(size + 1)) for size in range(n)]
    plan += [remove(ranking.random(size + 1, seed + k)) for size in range(n) for k in range(n_draws)]
    found = testing.measured(plan, "taking out greedy sets")
    steps = []
    for size in range(n):
        own, top = 1 + size, 1 + n + size
        drawn = [1 + 2 * n + size * n_draws + k for k in range(n_draws)]
        nothing = Effect(*[float("nan")] * 4)
        steps.append(
            Step(
                chosen[size],
                scores[size],
                float(found.values[own]),
                found.effect(own),
                found.effect(drawn).effect if drawn else float("nan"),
                found.effect(own, drawn) if drawn else nothing,
                found.effect(top).effect,
                found.effect(own, top),
            )
        )
    return Greedy(tuple(steps), len(pool), len(ranking), float(found.values[0]))


def chosen_set(
    bench: Bench, pool: Sequence[str], n: int, *, rising: bool, remove: Remover
) -> tuple[list[str], list[float]]:
    """Units in the order in which they were chosen, and the effect of the set after each. Ties: the first of the pool.

    Sets of s units cost `len(pool) - s + 1` edits.
    """
    left, chosen, scores = list(pool), list[str](), list[float]()
    for step in range(n):
        found = bench.measured([remove([*chosen, unit]) for unit in left], f"choosing unit {step + 1}")
        values = found.values
        change: NDArray[np.float64] = values[1:] - values[0]
        harm = -change if rising else change
        if np.isnan(harm).all():
            raise TaskError("The task has no value without these units.", fix="Choose another task.")
        best = int(np.nanargmax(harm))
        scores.append(float(change[best]))
        chosen.append(left.pop(best))
    return chosen, scores
