"""A probe on fewer units: its curves, and the fewest units that are enough.

The order of units comes from the whole probe, which saw the training side alone. The number of units is looked for
with another order, of a probe on three quarters of the training blocks, and judged on the last quarter; only then is
the probe with that number of units fitted to the whole training side and judged on the evaluation side, once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.probes import curves
from unitscope.probes.base import hold_out
from unitscope.probes.beside import Fit, metrics
from unitscope.probes.case import Case, Tick
from unitscope.probes.curves import Mode, Predict
from unitscope.probes.kinds import Kind
from unitscope.probes.result import Row, rows_of
from unitscope.probes.scoring import Predicted, estimate
from unitscope.probes.sides import Side

HELD_INSIDE = 0.25
"""Share of the training sites, in whole blocks, on which the number of units is chosen."""


def curve_rows(case: Case, fit: Fit, tick: Tick) -> list[Row]:
    """Accuracy of top, random and bottom units at each share, masked and retrained."""
    settings = case.settings
    order = fit.fitted.order()
    numbers = fit.kind.sizes(settings.shares, len(order))
    n_steps = len(fit.kind.modes) * len(numbers) * (len(fit.kind.selections) - 1 + settings.draws)
    done = iter(range(1, n_steps + 1))
    tick("fitting to fewer units", 0, n_steps)
    points = curves.curve(
        order,
        _reader(fit),
        metrics(case)[0],
        fit.held.truth,
        fit.held.block,
        numbers=numbers,
        n_units=len(fit.columns),
        modes=fit.kind.modes,
        selections=fit.kind.selections,
        draws=settings.draws,
        seed=settings.seed,
        tick=lambda: tick("fitting to fewer units", next(done), n_steps),
    )
    rows = [(p.selection, p.mode, p.share, p.n_units, p.score.value, p.score.low, p.score.high) for p in points]
    return list(rows_of("curve", rows))


def smallest(case: Case, fit: Fit, tick: Tick) -> tuple[list[Row], dict[str, Any]]:
    """The fewest units within `delta` of all: what was tried on the selection split, and how that number does."""
    metric, settings = metrics(case)[0], case.settings
    inner = hold_out(fit.train.block, HELD_INSIDE, settings.seed)
    train, select = fit.train.at(~inner), fit.train.at(inner)
    whole = fit.kind.fit(train)
    order = whole.order()

    def value(found: Predicted, side: Side) -> float:
        return estimate(metric, side.truth, found, side.block).value

    def score(n: int) -> float:
        tick("looking for the fewest units", 0, 0)
        return value(read(fit.kind, train, select, np.sort(order[:n])), select)

    full = value(whole.predict(select.values), select)
    found = curves.smallest(score, len(order), full - settings.delta)
    units = np.sort(fit.fitted.order()[: found.n_units])
    held = estimate(metric, fit.held.truth, read(fit.kind, fit.train, fit.held, units), fit.held.block)
    rows = rows_of("search", [(step, n, accuracy) for step, (n, accuracy) in enumerate(found.tried)])
    about = {
        "n_units": found.n_units,
        "of_units": len(order),
        "delta": settings.delta,
        "reached": found.reached,
        "value": held.value,
        "low": held.low,
        "high": held.high,
        "wanted_on_selection": found.wanted,
    }
    return list(rows), about


def _reader(fit: Fit) -> Callable[[Mode], Predict]:
    def of_mode(mode: Mode) -> Predict:
        if mode == "mask":
            return lambda units: fit.fitted.masked(fit.held.values, units)
        return lambda units: read(fit.kind, fit.train, fit.held, units)

    return of_mode


def read(kind: Kind, train: Side, held: Side, units: NDArray[np.intp]) -> Predicted:
    """What a probe on these units alone, fitted to one side, says of the other."""
    return kind.fit_all(train.of_units(units)).predict(held.of_units(units).values)
