"""Rankings by what other models have of a unit: the methods of `correlation`, `regression` and `subspaces` by name.

The models are mapped over one corpus and compared at the sites that all of them have. Per unit and other model the
details are kept beside the order, in the table `others`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unitscope.rankings.asked import Half, Method, Source, refuse_half
from unitscope.rankings.base import ALL, Ranking, split_address
from unitscope.rankings.sums import Narrowed

if TYPE_CHECKING:
    from unitscope.activations import Activations
    from unitscope.rankings.alignment import Aligned
    from unitscope.stats.cross import Matrix

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """Scores [U] of units; by the name of each other model its figures, and details of units as arrays [U]."""

    scores: Floats
    figures: Mapping[str, Mapping[str, float]]
    details: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Across(Method):
    """What methods that compare models share. `halves` is which sites the order may rest on, the first by default."""

    halves: ClassVar[tuple[Half, ...]] = ("all",)

    def rank(self, source: Source) -> list[Ranking]:
        """One ranking, for `all`."""
        from unitscope.rankings.alignment import align

        refuse_half(self, source.question.half, self.halves)
        half = source.half(self.halves[0])
        others = {name: read() for name, read in source.others.items()}
        aligned = align(source.activations, others)
        found = self.find(_narrowed(source, aligned), aligned, source, half)
        figures = {name: {key: _plain(value) for key, value in each.items()} for name, each in found.figures.items()}
        origin = self.origin(
            source,
            half,
            others=figures,
            sites=int(aligned.keep.sum()),
            dropped=dict(aligned.dropped),
            words_differ=aligned.words_differ,
        )
        if found.details:
            source.tables["others"] = _table(source, found.details, others)
        return [Ranking.of_scores(found.scores, source.addresses, ALL, origin)]

    def find(self, x: Matrix, aligned: Aligned, source: Source, half: Half) -> Found:
        """Scores of the units of `x`, the first model's, over the common sites."""
        raise NotImplementedError


def _narrowed(source: Source, aligned: Aligned) -> Matrix:
    """The first model's units that are ranked, over the common sites."""
    if len(source.columns) == source.activations.n_units:
        return aligned.x
    return Narrowed(aligned.x, source.columns)


@dataclass(frozen=True)
class MaxCorr(Across):
    """Greatest |ρ| with any unit of any other model. Half `a` or `b`: over the sites of that half alone."""

    name: ClassVar[str] = "maxcorr"
    halves: ClassVar[tuple[Half, ...]] = ("all", "a", "b")
    least: ClassVar[bool] = False

    def find(self, x: Matrix, aligned: Aligned, source: Source, half: Half) -> Found:
        """Partners of every unit in every other model."""
        from unitscope.rankings.correlation import cross_model

        found = cross_model(x, aligned.others, aligned.halves, seed=source.question.seed)
        of = {"all": "rho", "a": "on_a", "b": "on_b"}[half]
        sizes = np.abs(np.stack([getattr(other, of) for other in found.others]))
        figures = {each.model: {"chance": each.chance, "stability": found.stability} for each in found.others}
        names = ("rho", "partner", "on_a", "on_b", "held_out", "low", "high")
        details = {each.model: {name: getattr(each, name) for name in names} for each in found.others}
        return Found(sizes.min(axis=0) if self.least else sizes.max(axis=0), figures, details)


@dataclass(frozen=True)
class MinCorr(MaxCorr):
    """The same by the other model that has the unit least: units that every model has come first."""

    name: ClassVar[str] = "mincorr"
    least: ClassVar[bool] = True


@dataclass(frozen=True)
class LinReg(Across):
    """R² on half B of ridge regression on all units of another model, fitted on half A.

    Of several models the one that predicts worst counts, or with `best` the one that predicts best.
    """

    name: ClassVar[str] = "linreg"
    halves: ClassVar[tuple[Half, ...]] = ("b",)
    best: bool = False

    def find(self, x: Matrix, aligned: Aligned, source: Source, half: Half) -> Found:
        """R² of every unit by every other model."""
        from unitscope.rankings.regression import predicted

        layers = source.activations.layer_of(source.columns)
        found = predicted(x, aligned.others, aligned.halves, layers, seed=source.question.seed)
        figures = {each.model: {"chance": each.chance} for each in found.others}
        names = ("r2", "low", "high", "penalty")
        details = {each.model: {name: getattr(each, name) for name in names} for each in found.others}
        return Found(found.greatest if self.best else found.least, figures, details)


@dataclass(frozen=True)
class Svcca(Across):
    """Share of a unit's variance in directions that SVCCA finds in both models; of the model that shares least.

    `variance` is how much of each model's variance its principal components keep; `best` takes the model that shares
    most.
    """

    name: ClassVar[str] = "svcca"
    variance: float = 0.99
    best: bool = False

    def find(self, x: Matrix, aligned: Aligned, source: Source, half: Half) -> Found:
        """Shares of every unit with every other model."""
        from unitscope.rankings.subspaces import shared

        found = shared(x, aligned.others, aligned.halves, variance=self.variance, seed=source.question.seed)
        figures = {
            each.model: {
                "svcca": each.svcca,
                "svcca_held_out": float(each.held_out.mean()),
                "svcca_chance": float(each.chance.mean()),
                "pwcca": each.pwcca,
                "chance": each.units_chance,
            }
            for each in found.others
        }
        details = {each.model: {"share": each.units, "held_out": each.units_held_out} for each in found.others}
        return Found(found.greatest if self.best else found.least, figures, details)


def _plain(value: float) -> float | None:
    """A number that JSON has."""
    return float(value) if np.isfinite(value) else None


def _table(
    source: Source, details: Mapping[str, Mapping[str, NDArray[Any]]], others: Mapping[str, Activations]
) -> dict[str, NDArray[Any]]:
    """One row a unit and other model; the partner's column as layer and unit."""
    places = [split_address(address) for address in source.addresses]
    parts: list[dict[str, NDArray[Any]]] = []
    for name, columns in details.items():
        part = {
            "layer": np.array([layer for layer, _ in places], object),
            "unit": np.array([unit for _, unit in places], np.int64),
            "model": np.full(len(places), name, object),
            **{key: values for key, values in columns.items() if key != "partner"},
        }
        if "partner" in columns:
            layers, units = _partners(columns["partner"].tolist(), others[name].addresses)
            part |= {"partner_layer": np.array(layers, object), "partner_unit": np.array(units, np.float64)}
        parts.append(part)
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _partners(columns: Sequence[int], addresses: Sequence[str]) -> tuple[list[str | None], list[float]]:
    places = [split_address(addresses[column]) if column >= 0 else None for column in columns]
    return [at[0] if at else None for at in places], [float(at[1]) if at else float("nan") for at in places]
