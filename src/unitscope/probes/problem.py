"""One probe to fit, as a convex problem: sites, targets, weights of sites, standardised units.

Weights stand on standardised units x' = (x - mean) / scale, and rows are never copied to standardise them:
w . x' = (w / scale) . x - (w / scale) . mean, and likewise for the derivative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import ProbeError, closest
from unitscope.probes.base import Labels, Matrix, Targets, checked_mask
from unitscope.probes.losses import Logistic, Loss, Softmax, Squared
from unitscope.probes.penalty import Penalty
from unitscope.probes.rows import MEMORY, Rows, Standard, standardise

if TYPE_CHECKING:
    import torch

ClassWeights = Mapping[str, float] | str
"""`none`, `balanced` (each class counts alike in sum), or a factor by class name."""


@dataclass(eq=False)
class Lines:
    """R linear functions of standardised units: `weight` [R, U] and `bias` [R], on the problem's device."""

    weight: torch.Tensor
    bias: torch.Tensor


@dataclass(frozen=True, eq=False)
class Problem:
    """Sites [S] to fit to. `target` [S], `weight` float32 [S] (0: left out), `present` classes of `names`.

    `curvature` [R] is the mean second derivative of each score's loss where nothing is known but the classes' shares.
    """

    rows: Rows
    standard: Standard
    loss: Loss
    target: torch.Tensor
    weight: torch.Tensor
    names: tuple[str, ...]
    present: NDArray[np.intp]
    curvature: NDArray[np.float64]
    center: float = 0.0
    spread: float = 1.0
    mean: torch.Tensor = field(init=False, repr=False)
    inverse: torch.Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        import torch

        for name, values in (("mean", self.standard.mean), ("inverse", 1 / self.standard.scale)):
            object.__setattr__(self, name, torch.from_numpy(values.astype(np.float32)).to(self.rows.device))

    @property
    def n_lines(self) -> int:
        """Number of scores, R."""
        return len(self.curvature)

    def among(self, keep: NDArray[np.bool_] | None = None) -> torch.Tensor:
        """Weights [S] of the kept sites, adding up to 1. Raises ProbeError when none of them has a weight."""
        import torch

        weight = self.weight
        if keep is not None:
            weight = weight * torch.from_numpy(checked_mask(keep, self.rows.n_sites)).to(weight)
        total = float(weight.double().sum())
        if not total > 0:
            raise ProbeError("None of the chosen sites has a label.", expected="some labelled sites on either side")
        return weight / total

    def per_line(self, penalty: Penalty) -> Penalty:
        """The penalty of the lines: two classes share one line, half of it each."""
        return Penalty(penalty.l1, penalty.l2 / 2) if isinstance(self.loss, Logistic) else penalty

    def slope(
        self, lines: Lines, where: slice, values: torch.Tensor, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Weighted loss at some rows, and its derivative by their scores [n, R]."""
        return self.loss(self.scores(lines, values), self.target[where], weight[where])

    def scores(self, lines: Lines, values: torch.Tensor) -> torch.Tensor:
        """Scores [n, R] of rows [n, U] that are not standardised."""
        import torch

        raw = lines.weight * self.inverse
        return torch.addmm(lines.bias - raw @ self.mean, values, raw.T)

    def back(self, slope: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Derivatives by weights [R, U] and biases [R], from those by the scores of rows [n, R]."""
        total = slope.sum(0)
        return (slope.T @ values).addr_(total, self.mean, alpha=-1).mul_(self.inverse), total

    def judged(self, lines: Lines, keep: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Loss of every kept site [S'] and whether its class is found, in order."""
        import torch

        losses, right = [], []
        for where, values in self.rows.chunks():
            if keep[where].any():
                at = torch.from_numpy(keep[where]).to(self.rows.device)
                loss, found = self.loss.each(self.scores(lines, values)[at], self.target[where][at])
                losses.append(loss.double().cpu().numpy())
                right.append(found.cpu().numpy())
        return np.concatenate(losses), np.concatenate(right)

    def zero(self) -> Lines:
        """Lines that know the classes' shares alone."""
        import torch

        device = self.rows.device
        bias = torch.zeros(self.n_lines, device=device)
        if isinstance(self.loss, Softmax | Logistic):
            share = torch.bincount(self.target, weights=self.weight, minlength=2).clamp_min(1e-12).log().float()
            bias = share if isinstance(self.loss, Softmax) else (share[1:] - share[:1])
        return Lines(torch.zeros((self.n_lines, self.rows.n_units), device=device), bias.to(device))


def pose(
    matrix: Matrix,
    labels: Labels | Targets,
    *,
    keep: NDArray[np.bool_] | None = None,
    class_weights: ClassWeights = "none",
    nan: str = "refuse",
    device: str = "cpu",
    memory: int = MEMORY,
) -> Problem:
    """The problem of fitting `labels` at the sites of `matrix` (those of `keep` [S], where given).

    Units that hold a NaN or an infinite value are refused, or read as constant where `nan` is `drop`.

    Raises ProbeError when labels and matrix have different numbers of sites, where one class only is present, numbers
    do not vary, values are no numbers, or class weights make no sense.
    """
    import torch

    if labels.n_sites != matrix.n_sites:
        raise ProbeError(
            f"Got labels of {labels.n_sites} site(s) for values of {matrix.n_sites}.", expected="one label a site"
        )
    if nan not in ("refuse", "drop"):
        raise ProbeError(f"Got nan='{nan}'.", expected="'refuse' or 'drop'")
    used = labels.labelled if keep is None else labels.labelled & checked_mask(keep, matrix.n_sites)
    # Labels are looked at before any value is read.
    parts = _numbers(labels, used) if isinstance(labels, Targets) else _classes(labels, used, class_weights)
    rows = Rows(matrix, device=device, memory=memory)
    standard = standardise(rows, used)
    if standard.bad.any():
        first = ", ".join(map(str, np.flatnonzero(standard.bad)[:3]))
        if nan == "refuse":
            raise ProbeError(
                f"{int(standard.bad.sum())} unit(s) hold values that are no finite numbers (columns {first}...).",
                expected="finite values",
                fix="Leave these units out, or give nan='drop'.",
            )
        rows = Rows(matrix, device=device, memory=memory, blank=standard.bad)
    loss, target, weight, names, present, curvature, center, spread = parts
    to = rows.device
    return Problem(
        rows, standard, loss, torch.from_numpy(target).to(to), torch.from_numpy(weight).to(to),
        names, present, curvature, center, spread,
    )  # fmt: skip


_Parts = tuple[
    Loss, NDArray[np.generic], NDArray[np.float32], tuple[str, ...], NDArray[np.intp], NDArray[np.float64], float, float
]


def _numbers(targets: Targets, used: NDArray[np.bool_]) -> _Parts:
    """Targets in standard deviations from their mean."""
    values = targets.values[used]
    center, spread = (float(values.mean()), float(values.std())) if len(values) else (0.0, 0.0)
    if not spread > 1e-12 * abs(center):
        raise ProbeError(
            f"Targets '{targets.name}' do not vary over {len(values)} site(s).", expected="numbers that do"
        )
    standard = np.where(used, (targets.values - center) / spread, 0).astype(np.float32)
    return Squared(), standard, used.astype(np.float32), (targets.name,), np.arange(1), np.ones(1), center, spread


def _classes(labels: Labels, used: NDArray[np.bool_], class_weights: ClassWeights) -> _Parts:
    """Indices among the classes that have a site, and how much each site counts."""
    counts = np.bincount(labels.of_site[used], minlength=labels.n_classes)
    present = np.flatnonzero(counts)
    if len(present) < 2:
        only = f"'{labels.names[present[0]]}' alone" if len(present) else "no class"
        raise ProbeError(f"Got {only} at {int(used.sum())} site(s).", expected="sites of at least two classes")
    dense = np.zeros(labels.n_classes, np.int64)
    dense[present] = np.arange(len(present))
    target = np.where(used, dense[np.maximum(labels.of_site, 0)], 0)
    factor = _factors(class_weights, labels.names, counts)[present]
    weight = np.where(used, factor[target], 0).astype(np.float32)
    share = factor * counts[present] / (factor @ counts[present])
    curvature = share * (1 - share)
    loss: Loss = Softmax() if len(present) > 2 else Logistic()
    return loss, target, weight, labels.names, present, curvature[: 1 if len(present) == 2 else None], 0.0, 1.0


def _factors(given: ClassWeights, names: tuple[str, ...], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weight of a site by its class, [C]."""
    if given == "none":
        return np.ones(len(names))
    if given == "balanced":
        return np.asarray(counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1)))
    if isinstance(given, str):
        raise ProbeError(f"Got class weights '{given}'.", expected="'none', 'balanced', or a number by class")
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ProbeError(f"Got a weight for '{unknown[0]}', no class here.", fix=closest(unknown[0], names))
    factor = np.array([given.get(name, 1.0) for name in names], float)
    if not (np.isfinite(factor) & (factor > 0)).all():
        raise ProbeError(f"Got class weights {dict(given)}.", expected="finite numbers above 0")
    return factor
