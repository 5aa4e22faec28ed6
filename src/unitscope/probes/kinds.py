"""The kinds of probe behind one face, so that one study runs them all: made ready, fitted, asked, put in order.

`ready` makes what is chosen from data once (the penalty) within the training side; `fit` fits to sites and, if told,
to some units alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import ProbeError
from unitscope.probes import description
from unitscope.probes.base import Labels, Matrix, Subset
from unitscope.probes.choose import choose
from unitscope.probes.curves import Choice, Mode, sizes
from unitscope.probes.description import Fit as Code
from unitscope.probes.gaussian import GaussianProbe, fit_gaussian
from unitscope.probes.greedy import select_greedily
from unitscope.probes.linear import LinearProbe, fit
from unitscope.probes.penalty import Penalty, path
from unitscope.probes.scoring import Predicted
from unitscope.probes.selection import ordering
from unitscope.probes.settings import ProbeSettings
from unitscope.probes.sides import Side

STRENGTHS, MIX = (3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4), 0.5
"""Penalties that are tried, as their sum, and the part of it that is l1."""
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

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Modes of curves that differ."""

    @property
    def selections(self) -> tuple[Choice, ...]:
        """Selections of units on curves."""

    def ready(self, train: Side) -> tuple[Kind, Fitted]:
        """The kind with all that is chosen from data, chosen within these sites, and a probe fitted to all of them."""

    def fit(self, train: Side) -> Fitted:
        """A probe of the side's units."""

    def fit_all(self, train: Side) -> Fitted:
        """A probe of all of the side's units, where `fit` would choose among them."""

    def code(self, fitted: Fitted) -> Code:
        """How the online code is to fit: with the penalty, or over the units, of this probe."""

    def sizes(self, shares: Sequence[float], n_units: int) -> list[int]:
        """Numbers of units on curves."""

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
    """Logistic regression for classes, linear regression for numbers, under an elastic net.

    Where no penalty is given, l1 and l2 are equal: the squares spread weight over units that tell the same, the
    magnitudes keep units that tell nothing out of the order.
    """

    settings: ProbeSettings
    penalty: Penalty | None = None
    at_end: bool = False
    modes: tuple[Mode, ...] = ("mask", "retrain")
    selections: tuple[Choice, ...] = ("top", "random", "bottom")

    def ready(self, train: Side) -> tuple[LinearKind, LinearFitted]:
        """With the penalty given, else the strongest that is as good as the best on blocks kept aside."""
        settings = self.settings
        if settings.l1 is not None or settings.l2 is not None:
            kind = replace(self, penalty=Penalty(settings.l1 or 0.0, settings.l2 or 0.0))
            return kind, kind.fit(train)
        choice = choose(train.values, train.asked, train.block, path(STRENGTHS, MIX), **self._options())
        return replace(self, penalty=choice.penalty, at_end=choice.at_end), LinearFitted(choice.probe)

    def fit(self, train: Side) -> LinearFitted:
        """Fit to all units of the side."""
        return LinearFitted(fit(train.values, train.asked, self.penalty or Penalty(), **self._options()))

    def fit_all(self, train: Side) -> LinearFitted:
        """The same."""
        return self.fit(train)

    def code(self, fitted: Fitted) -> Code:
        """Linear probes of this penalty."""
        return description.linear(self.penalty or Penalty())

    def sizes(self, shares: Sequence[float], n_units: int) -> list[int]:
        """Shares of all units."""
        return sizes(shares, n_units)

    def told(self) -> dict[str, Any]:
        """The penalty, and whether it is the strongest or weakest that was tried."""
        if self.penalty is None:
            return {}
        return {"l1": self.penalty.l1, "l2": self.penalty.l2, "at_end": self.at_end}

    def _options(self) -> dict[str, Any]:
        settings = self.settings
        return {"seed": settings.seed, "device": settings.device, "memory": settings.memory}


@dataclass(frozen=True, eq=False)
class GaussianFitted:
    """A Gaussian probe over the few units that were chosen."""

    probe: GaussianProbe

    @property
    def weights(self) -> None:
        """It has none."""
        return None

    def predict(self, values: Matrix) -> Predicted:
        """As `Fitted.predict`."""
        return self.probe.predict(values)

    def masked(self, values: Matrix, columns: Columns) -> Predicted:
        """The marginal over the chosen units among `columns`: a Gaussian needs no value for the others."""
        raise NotImplementedError("a Gaussian probe has one mode")

    def order(self) -> NDArray[np.intp]:
        """The chosen units, as they were chosen."""
        return np.asarray(self.probe.units, np.intp)


@dataclass(frozen=True)
class GaussianKind:
    """A Gaussian a class over units that are chosen one by one for what they tell beside those before."""

    settings: ProbeSettings
    modes: tuple[Mode, ...] = ("retrain",)
    selections: tuple[Choice, ...] = ("top", "random")

    def ready(self, train: Side) -> tuple[GaussianKind, GaussianFitted]:
        """Nothing is chosen beforehand."""
        return self, self.fit(train)

    def fit(self, train: Side) -> GaussianFitted:
        """Choose units greedily by mutual information on these sites."""
        n_units = min(self.settings.most, train.values.n_units)
        chosen = select_greedily(train.values, _classes(train), n_units, seed=self.settings.seed)
        return GaussianFitted(chosen.probe)

    def fit_all(self, train: Side) -> GaussianFitted:
        """Fit to every unit of the side."""
        units = np.arange(train.values.n_units)
        return GaussianFitted(fit_gaussian(train.values, _classes(train), units))

    def code(self, fitted: Fitted) -> Code:
        """Gaussians over the units chosen."""
        return description.gaussian(fitted.order())

    def sizes(self, shares: Sequence[float], n_units: int) -> list[int]:
        """1, 2, 3, 5, 10, 20, 30, 50 ... up to the number of units chosen."""
        every = [factor * 10**power for power in range(6) for factor in (1, 2, 3, 5)]
        return sorted({n for n in every if n < n_units} | {n_units})

    def told(self) -> dict[str, Any]:
        """Nothing."""
        return {}


def kind_of(settings: ProbeSettings) -> Kind:
    """The kind that settings name, not yet ready."""
    return LinearKind(settings) if settings.kind == "linear" else GaussianKind(settings)


def _classes(side: Side) -> Labels:
    if isinstance(side.asked, Labels):
        return side.asked
    raise ProbeError(
        f"Got the number '{side.asked.name}' for a Gaussian probe.", expected="classes", fix="Use --kind linear."
    )
