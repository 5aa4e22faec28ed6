"""A fitted probe, and what its score must stand beside.

What the units of a network tell of a class is only news beside what the same probe reads from an untrained copy, what
word identity alone says, what the most frequent class alone scores, and what the probe can memorise (control task:
Hewitt & Liang 2019). All are judged on the same sites, with intervals over blocks; differences, whose readings are
right and wrong at much the same sites, have intervals of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unitscope.probes.base import ArrayMatrix, Labels, folds
from unitscope.probes.case import Case, Tick
from unitscope.probes.control import ControlTask
from unitscope.probes.description import online_code
from unitscope.probes.identity import by_form, majority
from unitscope.probes.kinds import Fitted, Kind, kind_of
from unitscope.probes.scoring import Accuracy, Explained, MacroF1, Metric, Predicted, difference, estimate
from unitscope.probes.sides import Side
from unitscope.stats.jackknife import Estimate

Values = list[object]
"""A row of the table `scores`, in the order of its columns."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A probe fitted to one variant's values, and what it says at the evaluation sites. `columns` [U] are the units."""

    variant: str
    kind: Kind
    fitted: Fitted
    train: Side
    held: Side
    found: Predicted
    columns: NDArray[np.int64]
    dropped: int

    def without_values(self) -> Fit:
        """The same with no unit's values in memory; what was said of the sites stays."""
        sides = [replace(s, values=ArrayMatrix(np.zeros((s.n_sites, 0), np.float32))) for s in (self.train, self.held)]
        return replace(self, train=sides[0], held=sides[1])


def fit_variant(case: Case, variant: str, tick: Tick) -> Fit:
    """Fit the probe to a variant, its penalty chosen anew."""
    train, held, reading = case.read(variant, tick)
    tick(f"fitting the probe ({variant})", 0, 1)
    kind, fitted = kind_of(case.settings).ready(train)
    found = fitted.predict(held.values)
    tick(f"fitting the probe ({variant})", 1, 1)
    return Fit(variant, kind, fitted, train, held, found, reading.columns, reading.dropped)


def metrics(case: Case) -> tuple[Metric, ...]:
    """Figures of merit, the one that everything is judged by first."""
    return (Explained(),) if case.is_number else (Accuracy(), MacroF1(len(case.question.names)))


def scored(case: Case, probe: str, variant: str, found: Predicted, held: Side, extra: float = 0.0) -> Iterator[Values]:
    """Rows of what a probe says; `extra` is a standard error of the first figure that is added in quadrature."""
    for number, metric in enumerate(metrics(case)):
        value = estimate(metric, held.truth, found, held.block, 0.0 if number else extra)
        yield _row(probe, variant, metric, value, held)


def less(case: Case, name: str, fit: Fit, other: Predicted, truth: Predicted | None = None) -> Values:
    """A row of the first figure of a probe less that of another reading of the same sites."""
    metric, held = metrics(case)[0], fit.held
    gap = difference(metric, (held.truth, held.truth if truth is None else truth), (fit.found, other), held.block)
    return _row(name, fit.variant, metric, gap, held)


def without_network(case: Case, fit: Fit) -> tuple[Predicted, list[Values]]:
    """What word forms alone say, and rows of that, of the most frequent class, and of what the probe adds to forms."""
    by_word = by_form(fit.train.asked, fit.train.form, fit.held.form)
    most = majority(fit.train.asked, fit.held.n_sites)
    rows = [*scored(case, "form", "none", by_word, fit.held), *scored(case, "majority", "none", most, fit.held)]
    return by_word, [*rows, less(case, "above form", fit, by_word)]


def repeats(case: Case, fit: Fit, tick: Tick) -> tuple[list[Values], float]:
    """Probes trained without one part of the training blocks each, and the standard error that training adds.

    That is the delete-a-group jackknife: how far the score depends on which blocks were there to train on.
    """
    metric, n = metrics(case)[0], case.settings.seeds
    fold = folds(fit.train.block, n, case.settings.seed)
    rows: list[Values] = []
    for number in range(n):
        tick("fitting without a part of the training blocks", number, n)
        part = fit.train.at(fold != number)
        found = fit.kind.fit(part).predict(fit.held.values)
        value = estimate(metric, fit.held.truth, found, fit.held.block).value
        rows.append([fit.variant, number, metric.name, value, part.n_sites])
    tick("fitting without a part of the training blocks", n, n)
    values = np.array([row[3] for row in rows], np.float64)
    return rows, float(np.sqrt((n - 1) / n * ((values - values.mean()) ** 2).sum()))


def control(case: Case, fit: Fit, tick: Tick) -> list[Values]:
    """The same probe taught a class drawn at random for each word form, and the selectivity: own score less that."""
    assert isinstance(fit.train.asked, Labels)
    tick("fitting the control task", 0, 1)
    task = ControlTask.of(fit.train.asked, case.settings.seed)
    train, held = (replace(side, asked=task.labels(side.form)) for side in (fit.train, fit.held))
    _, fitted = fit.kind.ready(train)
    found = fitted.predict(held.values)
    tick("fitting the control task", 1, 1)
    rows = [next(scored(case, "control", fit.variant, found, held))]
    return [*rows, less(case, "selectivity", fit, found, held.truth)]


def _row(probe: str, variant: str, metric: Metric, value: Estimate, held: Side) -> Values:
    n_blocks = len(np.unique(held.block))
    return [probe, variant, metric.name, value.value, value.low, value.high, held.n_sites, n_blocks]


def description(case: Case, fit: Fit, tick: Tick) -> list[Values]:
    """Bits a site of the training side's classes by the online code, and how many times shorter than the uniform one.

    Beside those of the control task for the trained model. There is no interval: the code is one number.
    """
    assert isinstance(fit.train.asked, Labels)
    tick(f"coding the classes ({fit.variant})", 0, 1)
    code, side = fit.kind.code(fit.fitted), fit.train
    made = {"description": online_code(side.values, fit.train.asked, side.block, code, seed=case.settings.seed)}
    if case.settings.control and fit.variant == "trained":
        classes = ControlTask.of(fit.train.asked, case.settings.seed).labels(side.form)
        made["control description"] = online_code(side.values, classes, side.block, code, seed=case.settings.seed)
    tick(f"coding the classes ({fit.variant})", 1, 1)
    rows: list[Values] = []
    n_blocks = len(np.unique(side.block))
    for name, found in made.items():
        for metric, value in (("bits_per_site", found.bits / found.n_sites), ("compression", found.compression)):
            rows.append([name, fit.variant, metric, value, float("nan"), float("nan"), found.n_sites, n_blocks])
    return rows
