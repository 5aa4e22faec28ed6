"""The penalty, chosen within the training groups: some groups are held out, and judge a path of penalties.

From strong to weak, each fit starting where the last one ended. Taken is the strongest penalty whose held-out loss is
not above the least by more than one standard error of their difference over the held-out groups: the rule of one
standard error (Breiman et al. 1984, section 3.4.3), on paired differences. The probe is then fitted to all training
sites. Nothing else is read: the sites that judge the probe in the end have no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import ProbeError
from unitscope.probes.base import Labels, Matrix, Targets, hold_out
from unitscope.probes.exact import solve
from unitscope.probes.linear import TOLERANCE, LinearProbe, Solver, minimised
from unitscope.probes.penalty import Penalty, path
from unitscope.probes.problem import ClassWeights, Lines, Problem, pose
from unitscope.probes.rows import MEMORY
from unitscope.probes.saga import Descent

PATIENCE = 2
MIN_STEPS = 200


@dataclass(frozen=True)
class Tried:
    """One penalty of a path: mean held-out `loss`, `excess` over the least and its standard error, `accuracy`.

    `error` is NaN where fewer than two groups were held out; `accuracy` is NaN for regressions.
    """

    penalty: Penalty
    loss: float
    excess: float
    error: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class Choice:
    """A probe with the penalty that held-out training groups chose, and how.

    `tried` from strong to weak: a path ends early where the loss has risen twice in a row. `held_out` counts groups and
    sites; `at_end` says that the best penalty was the first or last of those given, so that a longer path may have a
    better one. `missing` names classes with sites of which the remaining training groups had none.
    """

    probe: LinearProbe
    tried: tuple[Tried, ...]
    held_out_groups: int
    held_out_sites: int
    at_end: bool
    missing: tuple[str, ...]

    @property
    def penalty(self) -> Penalty:
        """The penalty chosen."""
        return self.probe.fit.penalty


def choose(
    train: Matrix,
    labels: Labels | Targets,
    group: NDArray[np.integer],
    penalties: Sequence[Penalty] | None = None,
    *,
    share: float = 0.2,
    keep: NDArray[np.bool_] | None = None,
    class_weights: ClassWeights = "none",
    solver: Solver = "fast",
    tolerance: float = TOLERANCE,
    seed: int = 0,
    device: str = "cpu",
    memory: int = MEMORY,
    nan: str = "refuse",
) -> Choice:
    """Choose among `penalties` (by default `path()`) on `share` of the training sites, by whole groups; fit to all.

    `group` [S] is the group of each site; the rest as for `fit`. Means and scales are those of all training sites.

    Raises ProbeError as `fit` does, and where there are fewer than two groups or no penalty.
    """
    offered = sorted(path() if penalties is None else penalties, key=lambda each: -each.strength)
    if not offered:
        raise ProbeError("Got no penalties to choose from.", expected="at least one")
    if len(group) != train.n_sites:
        raise ProbeError(f"Got groups of {len(group)} site(s) for {train.n_sites}.", expected="one group a site")
    used = labels.labelled if keep is None else labels.labelled & keep
    held = np.zeros(train.n_sites, np.bool_)
    held[used] = hold_out(np.asarray(group)[used], share, seed)
    missing = _checked(labels, used & ~held)
    problem = pose(train, labels, keep=keep, class_weights=class_weights, nan=nan, device=device, memory=memory)
    trail = _walk(problem, offered, held, np.asarray(group), solver, tolerance, seed)
    tried, best, chosen = _judge(trail, np.asarray(group)[held])
    probe = minimised(
        problem, trail[chosen].penalty, solver=solver, tolerance=tolerance, seed=seed, start=trail[chosen].lines
    )
    at_end = len(offered) > 1 and best in (0, len(offered) - 1)
    return Choice(probe, tried, len(np.unique(group[held])), int(held.sum()), at_end, missing)


def _checked(labels: Labels | Targets, kept: NDArray[np.bool_]) -> tuple[str, ...]:
    """Classes that only held-out groups have. Raises ProbeError where the others are left with one class."""
    if isinstance(labels, Targets):
        return ()
    here = np.bincount(labels.of_site[kept], minlength=labels.n_classes)
    if np.count_nonzero(here) < 2:
        raise ProbeError(
            "With some groups held out, one class alone is left.",
            expected="at least two classes in several groups each",
            fix="Give more groups, or hold out fewer.",
        )
    return tuple(name for name, n, left in zip(labels.names, labels.counts(), here, strict=True) if n and not left)


@dataclass(frozen=True, eq=False)
class _Step:
    """A penalty, the lines fitted under it, and what each held-out site says of them."""

    penalty: Penalty
    lines: Lines
    losses: NDArray[np.float64]
    right: NDArray[np.bool_]


def _walk(
    problem: Problem,
    offered: Sequence[Penalty],
    held: NDArray[np.bool_],
    group: NDArray[np.integer],
    solver: Solver,
    tolerance: float,
    seed: int,
) -> list[_Step]:
    """Fit and judge penalties from strong to weak, until the held-out loss has risen `PATIENCE` times in a row."""
    weight = problem.among(~held)
    descent = Descent(problem, seed) if solver == "fast" else None
    lines: Lines | None = None
    trail: list[_Step] = []
    least, risen = np.inf, 0
    for penalty in offered:
        if descent is None:
            lines = solve(problem, penalty, weight, start=lines, tolerance=tolerance).lines
            lines = Lines(lines.weight.float(), lines.bias.float())
        else:
            n_passes = -(-MIN_STEPS // problem.rows.n_batches(descent.batch))
            descent.warm_up(penalty, weight, n_passes if trail else n_passes + 1)
            lines = Lines(descent.state.lines.weight.clone(), descent.state.lines.bias.clone())
        losses, right = problem.judged(lines, held)
        trail.append(_Step(penalty, lines, losses, right))
        risen = 0 if losses.mean() < least else risen + 1
        least = min(least, float(losses.mean()))
        if risen >= PATIENCE:
            break
    return trail


def _judge(trail: Sequence[_Step], group: NDArray[np.integer]) -> tuple[tuple[Tried, ...], int, int]:
    """What was tried, which has the least loss, and which is taken."""
    best = int(np.argmin([step.losses.mean() for step in trail]))
    dense = np.unique(group, return_inverse=True)[1]
    sizes = np.bincount(dense)
    tried = []
    for step in trail:
        apart = step.losses - trail[best].losses
        excess, error = float(apart.mean()), float("nan")
        if len(sizes) > 1:
            # Of a ratio of sums over groups.
            around = np.bincount(dense, weights=apart) - excess * sizes
            error = float(np.sqrt((around**2).sum() * len(sizes) / (len(sizes) - 1)) / len(group))
        accuracy = float(step.right.mean()) if step.right.any() else float("nan")
        tried.append(Tried(step.penalty, float(step.losses.mean()), excess, error, accuracy))
    taken = next(i for i, each in enumerate(tried) if i == best or each.excess <= each.error)
    return tuple(tried), best, taken
