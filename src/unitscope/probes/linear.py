"""Linear probes: which class, or which number, can be read from a weighted sum of standardised units.

Minimised is the mean loss over the sites plus l1 * sum |W| + l2 * sum W^2. The loss is the cross entropy of the softmax
in nats, or half the squared distance in standard deviations of the target; biases are not penalised. With two classes
the weights are (-w/2, w/2), which is where the same objective has its minimum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import ProbeError
from unitscope.probes.base import ArrayMatrix, Labels, Matrix, Targets, checked_mask
from unitscope.probes.losses import Softmax, Squared
from unitscope.probes.penalty import Penalty
from unitscope.probes.problem import ClassWeights, Lines, Problem, pose
from unitscope.probes.rows import MEMORY

if TYPE_CHECKING:
    from unitscope.probes.exact import Minimum

Solver = Literal["fast", "exact"]
TOLERANCE = 1e-6
MIN_STEPS = 600
WARM_PASSES, SETTLING_PASSES = 3, 3


@dataclass(frozen=True)
class Fit:
    """How a probe was fitted: what it was fitted to, and how well the objective is minimised.

    `objective` is its value over the sites fitted to. `optimality` is the largest derivative left over the largest
    without knowledge, `converged` whether that is within the tolerance asked for (always, by definition, for the fast
    solver, which is asked for none and has NaN). `constant` and `dropped` units have no weight: those that do not
    vary, and those with NaN. `absent` classes had no site and are never predicted.
    """

    penalty: Penalty
    solver: Solver
    seed: int
    n_sites: int
    objective: float
    optimality: float
    n_passes: int
    converged: bool
    constant: int
    dropped: int
    absent: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Score:
    """How a probe does at sites it is judged by: `right` bool [S'] in their order, mean `loss` in nats.

    `majority` is the accuracy of always naming the most frequent class there. `unseen` counts sites of classes that
    the probe was not fitted to: they are wrong, and left out of the loss.
    """

    right: NDArray[np.bool_]
    loss: float
    majority: float
    unseen: int

    @property
    def accuracy(self) -> float:
        """Share of right sites, 0 to 1."""
        return float(self.right.mean())

    @property
    def n_sites(self) -> int:
        """Number of sites judged by."""
        return len(self.right)


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """scores = ((values - mean) / scale) @ weights.T + bias.

    `weights` float32 [C, U] on standardised units, exactly 0 where the penalty or a constant unit makes them so; `bias`
    float32 [C], minus infinity for a class without a site; `mean`, `scale` float64 [U], the scale of constant units
    infinite; `names` [C]. Of a regression C is 1 and scores are numbers in the target's own units, by `center` and
    `spread`.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    names: tuple[str, ...]
    fit: Fit
    center: float = 0.0
    spread: float = 1.0
    classifies: bool = True

    @property
    def n_units(self) -> int:
        """Number of units, U."""
        return int(self.weights.shape[1])

    @property
    def support(self) -> NDArray[np.bool_]:
        """Units with a weight that is not 0, [U]."""
        return np.asarray((self.weights != 0).any(axis=0))

    def keeping(self, units: NDArray[np.bool_]) -> LinearProbe:
        """The same probe that sees no other units than these, bool [U]: the others stay at their mean."""
        return replace(self, weights=np.where(checked_mask(units, self.n_units), self.weights, 0))

    def scores(self, values: Matrix | NDArray[np.floating]) -> NDArray[np.float32]:
        """Scores [S, C] of every site: unnormalised log-probabilities, or numbers in the target's units.

        Raises ProbeError when the values have another number of units.
        """
        found = [scores for _, scores in self._pieces(values)]
        return np.concatenate(found) if found else np.zeros((0, len(self.names)), np.float32)

    def predict(self, values: Matrix | NDArray[np.floating]) -> NDArray[np.int32] | NDArray[np.float32]:
        """Class of each site, int32 [S] (indices into `names`); of a regression the number, float32 [S]."""
        scores = self.scores(values)
        return scores.argmax(1).astype(np.int32) if self.classifies else scores[:, 0]

    def score(self, values: Matrix | NDArray[np.floating], labels: Labels) -> Score:
        """Accuracy and loss at the labelled sites. Raises ProbeError where labels or classes do not fit."""
        if not self.classifies or labels.names != self.names:
            raise ProbeError(
                f"Got labels of {len(labels.names)} class(es) that are not the probe's.",
                expected=f"the classes {', '.join(self.names[:4])}{', ...' if len(self.names) > 4 else ''}",
            )
        right, loss, known = [], 0.0, np.isfinite(self.bias)
        used = labels.labelled
        if not used.any():
            raise ProbeError("No site to judge by has a label.", expected="labelled sites")
        for rows, scores in self._pieces(values, labels.n_sites):
            own = labels.of_site[rows][used[rows]]
            scores = scores[used[rows]].astype(np.float64)
            right.append(scores.argmax(1) == own)
            top = scores.max(1, keepdims=True)
            log = scores - top - np.log(np.exp(scores - top).sum(1, keepdims=True))
            loss -= float(log[np.flatnonzero(known[own]), own[known[own]]].sum())
        counts = labels.counts()
        unseen = int(counts[~known].sum())
        seen = int(counts.sum()) - unseen
        return Score(
            np.concatenate(right), loss / seen if seen else float("nan"), float(counts.max() / counts.sum()), unseen
        )

    def accuracy(self, values: Matrix | NDArray[np.floating], labels: Labels) -> float:
        """Share of labelled sites whose class is the one predicted."""
        return self.score(values, labels).accuracy

    def r2(self, values: Matrix | NDArray[np.floating], targets: Targets) -> float:
        """Share of the targets' variance that a regression explains; below 0 where it does worse than their mean."""
        if self.classifies:
            raise ProbeError("Got numbers for a probe of classes.", expected="labels")
        used, found = targets.labelled, self.predict(values)
        if len(found) != targets.n_sites or not used.any():
            raise ProbeError(f"Got {targets.n_sites} target(s) for {len(found)} site(s).", expected="one a site")
        wanted = targets.values[used]
        apart = float(((wanted - wanted.mean()) ** 2).sum())
        return float(1 - ((wanted - found[used]) ** 2).sum() / apart) if apart > 0 else float("nan")

    def _pieces(
        self, values: Matrix | NDArray[np.floating], n_sites: int | None = None
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        matrix = ArrayMatrix(values) if isinstance(values, np.ndarray) else values
        if matrix.n_units != self.n_units or (n_sites is not None and matrix.n_sites != n_sites):
            raise ProbeError(
                f"Got values of {matrix.n_sites} site(s) and {matrix.n_units} unit(s).",
                expected=f"{'' if n_sites is None else f'{n_sites} site(s) and '}{self.n_units} units",
            )
        raw = (self.weights / self.scale).astype(np.float32)
        offset = (self.bias - (self.weights / self.scale) @ self.mean).astype(np.float32)
        blank = ~np.isfinite(self.scale)
        for rows, block in matrix.blocks():
            if blank.any() and not np.isfinite(block[:, blank]).all():
                block = np.where(blank, np.float32(0), block)
            yield rows, (block @ raw.T + offset) * np.float32(self.spread) + np.float32(self.center)


def fit(
    train: Matrix,
    labels: Labels | Targets,
    penalty: Penalty,
    *,
    keep: NDArray[np.bool_] | None = None,
    class_weights: ClassWeights = "none",
    solver: Solver = "fast",
    tolerance: float = TOLERANCE,
    max_passes: int = 2000,
    seed: int = 0,
    device: str = "cpu",
    memory: int = MEMORY,
    nan: str = "refuse",
) -> LinearProbe:
    """Fit a linear probe at the labelled sites of `train` (those of `keep` [S], where given).

    `labels` are classes, or `Targets` for a regression (ridge, lasso or elastic net by the penalty). The solver is
    `fast` (a few stochastic passes, of single precision; the seed matters) or `exact` (all sites a step, in double
    precision, until the largest derivative is `tolerance` of that without knowledge; no seed). Values are held where
    they fit `memory` bytes, otherwise read again each pass. `class_weights` are `none`, `balanced` or numbers by name.
    `nan` is `refuse` or `drop`, for units with NaN or infinite values.

    Raises ProbeError for one class only, targets that do not vary, NaN, or parts that do not fit.
    """
    problem = pose(train, labels, keep=keep, class_weights=class_weights, nan=nan, device=device, memory=memory)
    return minimised(problem, penalty, solver=solver, tolerance=tolerance, max_passes=max_passes, seed=seed)


def minimised(
    problem: Problem,
    penalty: Penalty,
    *,
    solver: Solver = "fast",
    tolerance: float = TOLERANCE,
    max_passes: int = 2000,
    seed: int = 0,
    start: Lines | None = None,
) -> LinearProbe:
    """The probe of a problem posed before, from `start` where given. Raises ProbeError for an unknown solver."""
    from unitscope.probes.exact import Minimum, solve
    from unitscope.probes.saga import Descent

    weight = problem.among()
    if solver == "exact":
        found = solve(problem, penalty, weight, start=start, tolerance=tolerance, max_passes=max_passes)
        return probe_of(problem, penalty, found, solver="exact", seed=seed)
    if solver != "fast":
        raise ProbeError(f"Got solver '{solver}'.", expected="'fast' or 'exact'")
    descent = Descent(problem, seed, start=start)
    n_passes = max(WARM_PASSES, -(-MIN_STEPS // problem.rows.n_batches(descent.batch)))
    descent.warm_up(penalty, weight, n_passes)
    met = descent.run(penalty, weight, max(SETTLING_PASSES, n_passes - 1))
    lines, cost = descent.state.lines, problem.per_line(penalty)
    objective = met + cost.l1 * float(lines.weight.abs().sum()) + cost.l2 * float(lines.weight.square().sum())
    return probe_of(
        problem, penalty, Minimum(lines, objective, float("nan"), descent.n_passes, True), solver="fast", seed=seed
    )


def probe_of(problem: Problem, penalty: Penalty, found: Minimum, *, solver: Solver, seed: int) -> LinearProbe:
    """Lines of a problem as a probe, with how they were found."""
    weight, bias = (each.double().cpu().numpy() for each in (found.lines.weight, found.lines.bias))
    names, standard = problem.names, problem.standard
    classifies = not isinstance(problem.loss, Squared)
    if classifies and not isinstance(problem.loss, Softmax):
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weights, biases = np.zeros((len(names), weight.shape[1])), np.full(len(names), -np.inf)
    weights[problem.present], biases[problem.present] = weight, bias
    weights[:, standard.constant] = 0
    absent = tuple(name for i, name in enumerate(names) if i not in set(problem.present.tolist()))
    record = Fit(
        penalty, solver, seed, int((problem.weight > 0).sum()), found.objective, found.optimality, found.n_passes,
        found.converged, int((standard.constant & ~standard.bad).sum()), int(standard.bad.sum()), absent,
    )  # fmt: skip
    return LinearProbe(
        weights.astype(np.float32), biases.astype(np.float32), standard.mean, standard.scale, names, record,
        problem.center, problem.spread, classifies,
    )  # fmt: skip
