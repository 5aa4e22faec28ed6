"""The exact solver: OWL-QN over all sites, in double precision, until no derivative is left.

Andrew and Gao 2007: L-BFGS on the orthant that the present weights and the steepest descent point into; a weight that
would change its sign comes to rest at 0. Every step reads all rows once or more, in order, so that the result does not
depend on a seed and rows may stay on disk. Where a line search fails, its memory is dropped; where it fails again, the
objective cannot be told from its minimum any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unitscope.probes.penalty import Penalty
from unitscope.probes.problem import Lines, Problem

if TYPE_CHECKING:
    import torch

MEMORY_STEPS = 12


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where a solver ended: lines, objective, optimality (largest derivative left over the largest at the start)."""

    lines: Lines
    objective: float
    optimality: float
    n_passes: int
    converged: bool


@dataclass(eq=False)
class _Point:
    """Values [R, U + 1] (the last column is the bias), objective, and the smooth part's gradient."""

    values: torch.Tensor
    objective: float
    gradient: torch.Tensor


class _Objective:
    """The objective of all weights and biases as one array [R, U + 1], in float64."""

    def __init__(self, problem: Problem, penalty: Penalty, weight: torch.Tensor) -> None:
        import torch

        self.problem, self.penalty, self.weight = problem, problem.per_line(penalty), weight.double()
        self.weight /= self.weight.sum()
        device = problem.rows.device
        self.mean = torch.from_numpy(problem.standard.mean).to(device)
        self.inverse = torch.from_numpy(1 / problem.standard.scale).to(device)
        self.target = problem.target if not problem.target.is_floating_point() else problem.target.double()
        self.n_passes = 0

    def at(self, values: torch.Tensor) -> _Point:
        """Objective and gradient; one pass."""
        import torch

        weight, bias = values[:, :-1], values[:, -1]
        total, gradient = 0.0, torch.zeros_like(values)
        for rows, raw in self.problem.rows.chunks():
            if not bool(self.weight[rows].any()):
                continue
            standard = (raw.double() - self.mean) * self.inverse
            scores = torch.addmm(bias, standard, weight.T)
            loss, slope = self.problem.loss(scores, self.target[rows], self.weight[rows])
            total += float(loss)
            gradient[:, :-1] += slope.T @ standard
            gradient[:, -1] += slope.sum(0)
        gradient[:, :-1] += 2 * self.penalty.l2 * weight
        self.n_passes += 1
        cost = self.penalty.l1 * float(weight.abs().sum()) + self.penalty.l2 * float((weight * weight).sum())
        return _Point(values, total + cost, gradient)

    def steepest(self, point: _Point) -> torch.Tensor:
        """Least subgradient [R, U + 1]: 0 where the l1 penalty holds a weight at 0."""
        import torch

        found = point.gradient.clone()
        weight, slope = point.values[:, :-1], point.gradient[:, :-1]
        pulled = torch.sign(slope) * torch.clamp(slope.abs() - self.penalty.l1, min=0)
        found[:, :-1] = torch.where(weight == 0, pulled, slope + self.penalty.l1 * torch.sign(weight))
        return found


def solve(
    problem: Problem,
    penalty: Penalty,
    weight: torch.Tensor,
    *,
    start: Lines | None = None,
    tolerance: float = 1e-6,
    max_passes: int = 2000,
) -> Minimum:
    """Minimise to `tolerance`: the largest derivative left, over the largest at the start without knowledge.

    `weight` [S] are the sites' weights. Where `max_passes` come first, the best point found is not `converged`.
    """
    import torch

    objective = _Objective(problem, penalty, weight)
    blank = problem.zero()
    cold = objective.at(torch.cat([blank.weight, blank.bias[:, None]], 1).double())
    scale = max(float(objective.steepest(cold).abs().max()), 1e-300)
    point = cold
    if start is not None:
        warm = objective.at(torch.cat([start.weight, start.bias[:, None]], 1).double())
        point = min(point, warm, key=lambda each: each.objective)
    changes: list[tuple[torch.Tensor, torch.Tensor]] = []
    left = objective.steepest(point)
    while float(left.abs().max()) > tolerance * scale and objective.n_passes < max_passes:
        direction = _direction(left, changes)
        if penalty.l1:
            direction[:, :-1] *= direction[:, :-1] * left[:, :-1] < 0
        found = _search(objective, point, direction, left, first=not changes)
        if found is None:
            if not changes:
                break
            changes.clear()
            continue
        step, bend = found.values - point.values, found.gradient - point.gradient
        if float((step * bend).sum()) > 1e-14 * float((bend * bend).sum()):
            changes.append((step, bend))
            del changes[:-MEMORY_STEPS]
        point, left = found, objective.steepest(found)
    optimality = float(left.abs().max()) / scale
    lines = Lines(point.values[:, :-1], point.values[:, -1])
    return Minimum(lines, point.objective, optimality, objective.n_passes, optimality <= tolerance)


def _direction(left: torch.Tensor, changes: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Minus the inverse Hessian's estimate times the least subgradient (Nocedal's two loops)."""
    found, factors = left.clone(), []
    for step, bend in reversed(changes):
        rho = 1 / (step * bend).sum()
        factors.append((rho, rho * (step * found).sum()))
        found -= factors[-1][1] * bend
    if changes:
        step, bend = changes[-1]
        found *= (step * bend).sum() / (bend * bend).sum()
    for (step, bend), (rho, factor) in zip(changes, reversed(factors), strict=True):
        found += step * (factor - rho * (bend * found).sum())
    return -found


def _search(
    objective: _Objective, point: _Point, direction: torch.Tensor, left: torch.Tensor, *, first: bool
) -> _Point | None:
    """The first of ever shorter steps, held on the orthant, that lowers the objective enough; None if there is none."""
    import torch

    length = min(1.0, 1 / float(left.norm())) if first else 1.0
    orthant = torch.where(point.values == 0, -torch.sign(left), torch.sign(point.values))[:, :-1]
    for _ in range(40):
        values = point.values + length * direction
        if objective.penalty.l1:
            values[:, :-1] *= values[:, :-1] * orthant > 0
        found = objective.at(values)
        if found.objective <= point.objective + 1e-4 * float((left * (values - point.values)).sum()):
            return found
        length /= 2
    return None
