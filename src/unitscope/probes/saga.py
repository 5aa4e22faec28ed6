"""The fast solver: a few proximal Adam passes from a cold start, then proximal SAGA.

SAGA (Defazio, Bach and Lacoste-Julien 2014) keeps the derivative of every site's loss by its scores, [S, R], which is
small beside the values [S, U]; the mean gradient known from it takes the noise out of each small batch, so that steps
of constant length converge and weights come to rest at exactly 0. Adam's (Kingma and Ba 2015) long first steps do not
converge, but come near soonest: along a path of penalties, where only the order of penalties is asked for, they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unitscope.probes.penalty import Penalty
from unitscope.probes.problem import Lines, Problem

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

BATCH = 128
SAFETY = 0.3
"""Step of SAGA over the inverse of the smoothness of a batch."""
LONGEST = 0.05
"""Adam's first step, times the root of the number of units."""


@dataclass(eq=False)
class State:
    """Where a descent stands: lines, the table [S, R] of derivatives, its gradients [R, U] and [R], length of steps."""

    lines: Lines
    table: torch.Tensor
    gradient: torch.Tensor
    slope: torch.Tensor
    step: float


class Descent:
    """Minimises one problem under one penalty after another, each from where the last one ended."""

    def __init__(self, problem: Problem, seed: int, *, start: Lines | None = None, batch: int = BATCH) -> None:
        import torch

        self.problem, self.draw = problem, np.random.default_rng([seed, 13])
        n_sites = problem.rows.n_sites
        # Few sites still get many steps a pass.
        self.batch = int(np.clip(n_sites // 64, 8, batch))
        self.n_passes = 0
        blank, device = problem.zero(), problem.rows.device
        lines = (
            blank if start is None else Lines(start.weight.to(blank.weight).clone(), start.bias.to(blank.bias).clone())
        )
        relative = np.sqrt(problem.curvature / problem.curvature.max())
        # Rare classes have flat losses and bear longer steps; by the root, since shares change with every step.
        self.lengths = torch.from_numpy((1 / np.maximum(relative, 1e-3)).astype(np.float32)).to(device)[:, None]
        step = SAFETY / (float(problem.curvature.max()) * self._smoothness())
        table = torch.zeros((n_sites, problem.n_lines), device=device)
        self.state = State(lines, table, torch.zeros_like(lines.weight), torch.zeros_like(lines.bias), step)

    def _smoothness(self) -> float:
        """Largest eigenvalue of the units' correlations, plus what single sites add in a batch of this size."""
        standard = self.problem.standard
        sample = np.where(standard.constant, 0, (standard.sample - standard.mean) / standard.scale).astype(np.float32)
        vector: NDArray[np.float32] = np.ones(sample.shape[1], np.float32)
        largest = 1.0
        for _ in range(10):
            vector = np.asarray(sample.T @ (sample @ vector) / len(sample), np.float32)
            largest = float(np.linalg.norm(vector))
            if not largest > 0:
                return 1.0
            vector = vector / np.float32(largest)
        return largest + float((~standard.constant).sum()) / self.batch + 1.0

    def warm_up(self, penalty: Penalty, weight: torch.Tensor, n_passes: int) -> None:
        """Proximal Adam with steps that fall to 0; the table is filled on the last pass."""
        import torch

        penalty = self.problem.per_line(penalty)
        state, lines, rows = self.state, self.state.lines, self.problem.rows
        moments = [torch.zeros_like(each) for each in (lines.weight, lines.weight, lines.bias, lines.bias)]
        n_steps, at = n_passes * rows.n_batches(self.batch), 0
        self.forget()
        for turn in range(n_passes):
            for where, values in rows.batches(self.batch, self.draw):
                slope = self.problem.slope(lines, where, values, weight)[1]
                change, moved = self.problem.back(slope, values)
                if turn == n_passes - 1:
                    state.table[where] = slope
                    state.gradient.add_(change)
                    state.slope.add_(moved)
                factor, at = rows.n_sites / len(values), at + 1
                length = LONGEST / np.sqrt(rows.n_units) * max(0.0, 1 - (at - 1) / n_steps)
                gradient = change.mul_(factor).add_(lines.weight, alpha=2 * penalty.l2)
                bound = _adam(lines.weight, gradient, moments[0], moments[1], length, at).mul_(penalty.l1)
                _adam(lines.bias, moved.mul_(factor), moments[2], moments[3], length, at)
                if penalty.l1:
                    lines.weight.sub_(torch.maximum(torch.minimum(lines.weight, bound), -bound))
        self.n_passes += n_passes

    def run(self, penalty: Penalty, weight: torch.Tensor, n_passes: int) -> float:
        """Proximal SAGA over `weight` [S] (summing to 1); the mean loss met on the last pass."""
        import torch

        penalty = self.problem.per_line(penalty)
        state, lines, rows = self.state, self.state.lines, self.problem.rows
        met: list[float] = []
        for _ in range(n_passes):
            step = state.step * self.lengths
            shrink, bound = 1 / (1 + 2 * penalty.l2 * step), penalty.l1 * step
            total = torch.zeros((), device=rows.device)
            for where, values in rows.batches(self.batch, self.draw):
                loss, slope = self.problem.slope(lines, where, values, weight)
                total += loss
                change, moved = self.problem.back(slope - state.table[where], values)
                state.table[where] = slope
                factor = rows.n_sites / len(values)
                lines.weight.sub_(torch.add(state.gradient, change, alpha=factor).mul_(step))
                lines.bias.sub_(torch.add(state.slope, moved, alpha=factor).mul_(step[:, 0]))
                state.gradient.add_(change)
                state.slope.add_(moved)
                if penalty.l1:
                    lines.weight.sub_(torch.maximum(torch.minimum(lines.weight, bound), -bound))
                if penalty.l2:
                    lines.weight.mul_(shrink)
            self.n_passes += 1
            met.append(float(total))
            if len(met) > 1 and not met[-1] <= met[-2] * 1.1 + 1e-3:
                state.step /= 2
        return met[-1]

    def forget(self) -> None:
        """Empty the table: what it holds was known of other lines."""
        for each in (self.state.table, self.state.gradient, self.state.slope):
            each.zero_()


def _adam(
    values: torch.Tensor, gradient: torch.Tensor, first: torch.Tensor, second: torch.Tensor, length: float, at: int
) -> torch.Tensor:
    """One step in place; the length of the step of each value."""
    first.lerp_(gradient, 0.1)
    second.mul_(0.99).addcmul_(gradient, gradient, value=0.01)
    step = (second / (1 - 0.99**at)).sqrt_().add_(1e-8).reciprocal_().mul_(length)
    values.addcmul_(step, first, value=-1 / (1 - 0.9**at))
    return step
