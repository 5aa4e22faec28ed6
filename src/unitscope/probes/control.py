"""Control tasks: what a probe can learn by heart, word by word, whatever the network.

Each word form gets one class, drawn at random, wherever it stands. A probe that does well on that has memorised forms,
so its accuracy on a real task says little about the network. Selectivity is the accuracy on the task less that on the
control task. Hewitt and Liang, "Designing and interpreting probes with control tasks", EMNLP 2019.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import ProbeError
from unitscope.probes.base import UNLABELLED, Labels

Drawn = Literal["shares", "uniform"]


@dataclass(frozen=True)
class ControlTask:
    """A class for every word form there may be: `shares` [C] of the classes `names`, and the seed they are drawn by.

    A form's class depends on the form, the seed and the shares alone: not on which other forms there are, so it is the
    same in training and evaluation.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]
    seed: int

    @classmethod
    def of(cls, labels: Labels, seed: int, drawn: Drawn = "shares") -> ControlTask:
        """The control task of some training labels: classes drawn by their `shares` there, or each alike (`uniform`).

        Classes without a site are never drawn. Raises ProbeError where fewer than two have one.
        """
        counts = labels.counts()
        if (counts > 0).sum() < 2:
            raise ProbeError(f"Got {int((counts > 0).sum())} class(es) with a site.", expected="2 or more")
        if drawn not in ("shares", "uniform"):
            raise ProbeError(f"Got classes drawn by '{drawn}'.", expected="'shares' or 'uniform'")
        weights = counts if drawn == "shares" else (counts > 0)
        return cls(labels.names, tuple((weights / weights.sum()).tolist()), seed)

    def class_of(self, form: object) -> int:
        """Index of the class of one form, a word or the number that stands for it."""
        drawn = hashlib.blake2b(f"{self.seed}\0{form}".encode(), digest_size=8, person=b"control").digest()
        # 53 bits: a number in [0, 1) with none of them rounded.
        at = (int.from_bytes(drawn, "big") >> 11) / 2**53
        edges = np.cumsum(self.shares)
        among = int(np.searchsorted(edges, at * edges[-1], side="right"))
        return min(among, int(np.flatnonzero(self.shares)[-1]))

    def labels(self, form: NDArray[Any], labelled: NDArray[np.bool_] | None = None) -> Labels:
        """A class at each site [S] by its form [S]; none where `labelled` [S] is false."""
        if labelled is not None and labelled.shape != form.shape:
            raise ProbeError(f"Got {len(form)} word forms for {len(labelled)} sites.", expected="one a site")
        forms, index = np.unique(form, return_inverse=True)
        of_site = np.array([self.class_of(f) for f in forms.tolist()], np.int32)[index]
        if labelled is not None:
            of_site = np.where(labelled, of_site, np.int32(UNLABELLED))
        return Labels(self.names, of_site)


def control_labels(labels: Labels, form: NDArray[Any], seed: int, drawn: Drawn = "shares") -> Labels:
    """The control task's classes at the labelled sites, drawn by the shares of `labels`; `form` [S] is the word form.

    >>> labels = Labels(("a", "b"), np.array([0, 1, -1, 1], np.int32))
    >>> control_labels(labels, np.array(["it", "it", "it", "he"]), seed=0).of_site.tolist()
    [1, 1, -1, 0]
    """
    return ControlTask.of(labels, seed, drawn).labels(form, labels.labelled)


@dataclass(frozen=True)
class Selectivity:
    """Accuracy on the task and on its control task, seed by seed, and the difference of their means.

    `low`, `high` are a 95 % interval (Student's t) over seeds, which draw the control task and fit the probes: it says
    nothing of other sites. NaN for one seed.
    """

    task: tuple[float, ...]
    control: tuple[float, ...]
    value: float
    low: float
    high: float


def selectivity(task: Sequence[float], control: Sequence[float]) -> Selectivity:
    """Selectivity from accuracies, one of each a seed. Raises ProbeError where they are not as many.

    >>> found = selectivity([0.95, 0.94, 0.96], [0.60, 0.62, 0.58])
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.35, 0.275, 0.425)
    """
    if len(task) != len(control) or not len(task):
        raise ProbeError(f"Got accuracies of {len(task)} and {len(control)} seeds.", expected="as many, at least one")
    apart = np.asarray(task, np.float64) - np.asarray(control, np.float64)
    value, spread = float(apart.mean()), float("nan")
    if len(apart) > 1:
        from scipy.stats import t

        spread = float(t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / np.sqrt(len(apart)))
    return Selectivity(tuple(map(float, task)), tuple(map(float, control)), value, value - spread, value + spread)


def measured_selectivity(
    accuracy: Callable[[Labels, Labels, int], float],
    train: tuple[Labels, NDArray[Any]],
    test: tuple[Labels, NDArray[Any]],
    *,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    drawn: Drawn = "shares",
) -> Selectivity:
    """Selectivity of a probe: `accuracy(train labels, test labels, seed)` is asked twice for each seed.

    `train` and `test` are labels and word forms [S] of the sites fitted to and judged by; classes are drawn by the
    shares of the training labels.
    """
    task, control = [], []
    for seed in seeds:
        drawn_task = ControlTask.of(train[0], seed, drawn)
        task.append(accuracy(train[0], test[0], seed))
        fitted, judged = (drawn_task.labels(form, labels.labelled) for labels, form in (train, test))
        control.append(accuracy(fitted, judged, seed))
    return selectivity(task, control)
