"""The kinds of probe behind one face, so that one study runs them all: made ready, fitted, asked, put in order.

`ready` makes what is chosen from data once (the penalty) within the training side; `fit` fits to sites and, if told,
to some units alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unitscope.probes.base import Matrix, Subset
from unitscope.probes.curves import Mode
from unitscope.probes.linear import LinearProbe, Penalty, fit
from unitscope.probes.scoring import Predicted
from unitscope.probes.selection import ordering
from unitscope.probes.settings import ProbeSettings
from unitscope.probes.sides import Side

Columns = NDArray[np.integer]


class Fitted(Protocol):
    """A fitted probe over U units."""

    def predict(self, values: Matrix) -> Predicted:
        """Class or number at each site of a matrix of the same U units."""

    def masked(self, values: Matrix, columns: Columns) -> Predicted:
        """The same where all units but `columns` are set to their training mean."""

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """Weights [C, U] on standardised values, where the kind has any."""

    def order(self) -> NDArray[np.intp]:
        """Units, best first; a kind that only chooses some gives those."""


class Kind(Protocol):
    """How to fit."""

    modes: tuple[Mode, ...]
    """Modes of curves that differ."""

    def ready(self, train: Side) -> Kind:
        """The kind with all that is chosen from data, chosen within these sites."""

    def fit(self, train: Side) -> Fitted:
        """A probe over all units of the side."""

    def told(self) -> dict[str, Any]:
        """What was chosen, as plain values."""


@dataclass(frozen=True, eq=False)
class LinearFitted:
    """A linear probe."""

    probe: LinearProbe

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights [C, U]."""
        return np.asarray(self.probe.weights, np.float64)

    def predict(self, values: Matrix) -> Predicted:
        """As `Fitted.predict`."""
        return self.probe.predict(values)

    def masked(self, values: Matrix, columns: Columns) -> Predicted:
        """As `Fitted.masked`: a unit at its mean is 0 once standardised, and adds nothing."""
        probe = self.probe
        parts = {name: getattr(probe, name)[columns] for name in ("mean", "scale")}
        return replace(probe, weights=probe.weights[:, columns], **parts).predict(Subset(values, columns=columns))

    def order(self) -> NDArray[np.intp]:
        """All units, by weight mass."""
        return ordering(self.weights)


@dataclass(frozen=True)
class LinearKind:
    """Logistic regression for classes, linear regression for numbers, under an elastic net."""

    settings: ProbeSettings
    penalty: Penalty | None = None
    modes: tuple[Mode, ...] = ("mask", "retrain")

    def ready(self, train: Side) -> LinearKind:
        """With a penalty: the one given, or the best on blocks held out of these sites."""
        return replace(self, penalty=Penalty(0.0, 1e-2))

    def fit(self, train: Side) -> LinearFitted:
        """Fit to all units."""
        return LinearFitted(fit(train.values, train.asked, self.penalty))

    def told(self) -> dict[str, Any]:
        """The penalty."""
        return {"l1": self.penalty.l1, "l2": self.penalty.l2}


def kind_of(settings: ProbeSettings) -> Kind:
    return LinearKind(settings)
