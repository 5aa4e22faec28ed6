"""A whole probe run: from an atlas to a finished probe beside everything that its score must be compared with.

The atlas' half A trains, half B judges, once. Activations are kept beside the atlas, so a stopped run goes on where it
was; the result is written at the end as the annex `probes/NAME`, and the orders of units as `rankings/NAME`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from unitscope.errors import ModelError, PlanError
from unitscope.probes import beside, fewer
from unitscope.probes.beside import Fit, fit_variant, metrics
from unitscope.probes.case import Case, Tick, case_of
from unitscope.probes.located import class_rows, counted_rows, layer_rows, weight_rows
from unitscope.probes.result import ProbeResult, Row, finished, rows_of, save
from unitscope.probes.scoring import Predicted
from unitscope.probes.selection import by_mass
from unitscope.probes.settings import ProbeSettings, settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from unitscope.atlas import Atlas
    from unitscope.corpora.base import Corpus
    from unitscope.models.base import Model
    from unitscope.rankings.base import Ranking


def silent(what: str, done: int, total: int) -> None:
    """Show no progress."""


def probe(
    atlas: str | Path | Atlas,
    concepts: str,
    *,
    model: str | Model | None = None,
    corpus: str | Corpus | None = None,
    tick: Tick = silent,
    **settings: Any,
) -> ProbeResult:
    """Probe what an atlas' units tell of `concepts`, and write the result beside the atlas.

    `concepts` is a category (`upos`), a feature (`Tense`), one concept, or a number (`covariate:position`); `settings`
    are the fields of `unitscope.probes.settings.ProbeSettings`. `model` and `corpus` are needed where they have moved
    since the atlas was made. A finished probe of the same name and parameters is read, not run again.
    Raises a `UnitscopeError` that says how to mend it.
    """
    from unitscope.atlas import Atlas

    chosen = settings_of(concepts, settings)
    opened = atlas if isinstance(atlas, Atlas) else Atlas.open(atlas)
    return finished(opened, chosen.called, chosen.parameters()) or run(opened, chosen, model, corpus, tick)


def run(
    atlas: Atlas,
    settings: ProbeSettings,
    model: str | Model | None = None,
    corpus: str | Corpus | None = None,
    tick: Tick = silent,
) -> ProbeResult:
    """Run a probe and write it, in place of one of the same name."""
    from unitscope.limits import numeric_threads
    from unitscope.rankings import kept

    with numeric_threads(settings.threads):
        case = case_of(atlas, settings, model, corpus, tick)
        work = _Work(case, tick)
        result = work.result()
    kept.save(atlas, settings.called, work.rankings)
    save(atlas, result)
    return result


@dataclass(eq=False)
class _Work:
    """The parts of a run, in order; `notes` are sentences that a reader of the result must be told."""

    case: Case
    tick: Tick
    notes: list[str] = field(default_factory=list)
    rankings: list[Ranking] = field(default_factory=list)

    def result(self) -> ProbeResult:
        """Run all that was asked for."""
        case, settings, tick = self.case, self.case.settings, self.tick
        if case.is_number and (settings.control or settings.mdl):
            self.notes.append("Control tasks and description lengths are of classes; a number has none.")
        self.notes += [*case.unasked(), *case.question.notes]
        own = self._fitted("trained")
        repeats, training_error = beside.repeats(case, own, tick)
        scores = list(beside.scored(case, settings.kind, "trained", own.found, own.held, training_error))
        by_word, rows = beside.without_network(case, own)
        scores += rows
        if settings.control and not case.is_number:
            scores += beside.control(case, own, tick)
        if settings.mdl and not case.is_number:
            scores += beside.description(case, own, tick)
        parts: dict[str, list[Row]] = {}
        about: dict[str, Any] = {}
        if settings.curves:
            parts["curve"] = fewer.curve_rows(case, own, tick)
            parts["search"], about["smallest"] = fewer.smallest(case, own, tick)
        self.rankings = self._orders(own)
        parts |= self._located(own)
        about |= self._about(own, training_error)
        own = own.without_values()  # room for the copy's
        copy = self._untrained(own, scores)
        parts |= self._classes(own, copy, by_word)
        return ProbeResult(
            settings.called,
            about | {"notes": list(self.notes)},
            rows_of("scores", scores),
            rows_of("repeats", repeats),
            **{table: tuple(rows) for table, rows in parts.items()},
        )

    def _fitted(self, variant: str) -> Fit:
        fit = fit_variant(self.case, variant, self.tick)
        if fit.kind.told().get("at_end"):
            self.notes.append(f"The penalty ({variant}) is the strongest or weakest that was tried: see --l1 and --l2.")
        if fit.dropped:
            self.notes.append(
                f"{fit.dropped} unit(s) of the {variant} model have values that are no finite numbers and are left out."
            )
        return fit

    def _untrained(self, own: Fit, scores: list[list[Any]]) -> Predicted | None:
        """What the probe on the untrained copy says; None where it was not asked for or there is none."""
        case = self.case
        if not case.settings.untrained:
            self.notes.append("The untrained copy was not run.")
            return None
        try:
            copy = self._fitted("untrained")
        except (ModelError, PlanError) as error:
            self.notes.append(f"There is no untrained copy to compare with: {error.got}")
            return None
        scores += beside.scored(case, case.settings.kind, "untrained", copy.found, copy.held)
        scores.append(beside.less(case, "above untrained", own, copy.found))
        if case.settings.mdl and not case.is_number:
            scores += beside.description(case, copy, self.tick)
        return copy.found

    def _addresses(self, fit: Fit) -> list[str]:
        every = self.case.activations[0].addresses
        return [every[column] for column in fit.columns]

    def _orders(self, fit: Fit) -> list[Ranking]:
        """Orders of units: for all classes, and for each by its weights."""
        from unitscope.rankings.base import ALL, Origin, Ranking

        case, addresses = self.case, self._addresses(fit)
        parameters = {**case.settings.parameters(), **fit.kind.told()}
        origin = Origin("probe", parameters, case.settings.seed, str(case.atlas.manifest["key"]))
        order = fit.fitted.order()
        # The score of a place: first is highest, since weights of several classes are no one number.
        scores = np.arange(len(order), 0, -1) / len(order)
        found = [Ranking(tuple(addresses[i] for i in order.tolist()), scores, ALL, origin)]
        weights = fit.fitted.weights
        if weights is not None:
            found += [
                Ranking.of_scores(np.abs(row), addresses, name, origin)
                for name, row in zip(case.question.names, weights, strict=True)
            ]
        return found

    def _located(self, fit: Fit) -> dict[str, list[Row]]:
        weights, names = fit.fitted.weights, self.case.question.names
        addresses = self._addresses(fit)
        if weights is None:
            chosen = [addresses[i] for i in fit.fitted.order().tolist()]
            return {"layers": counted_rows(chosen, [layer.address for layer in self.case.activations[0].layers])}
        return {
            "layers": layer_rows(weights, addresses, names, self.case.settings.mass),
            "weights": weight_rows(weights, addresses, names),
        }

    def _classes(self, own: Fit, copy: Predicted | None, by_word: Predicted) -> dict[str, list[Row]]:
        case, weights = self.case, own.fitted.weights
        if case.is_number:
            return {}
        chosen = None if weights is None else by_mass(weights, case.settings.mass)
        rows = class_rows(
            case.question.names,
            own.train,
            own.held,
            np.asarray(own.found, np.int32),
            untrained=None if copy is None else np.asarray(copy, np.int32),
            by_form=np.asarray(by_word, np.int32),
            chosen=chosen,
        )
        return {"classes": rows}

    def _about(self, own: Fit, training_error: float) -> dict[str, Any]:
        case, settings = self.case, self.case.settings
        activations = case.activations[0]
        chosen = own.kind.told()
        if own.fitted.weights is None:
            addresses = self._addresses(own)
            chosen["units"] = [addresses[i] for i in own.fitted.order().tolist()]
        return {
            "kind": settings.kind,
            "concepts": settings.concepts,
            "metric": metrics(case)[0].name,
            "classes_asked": list(case.question.names),
            "is_number": case.is_number,
            "grid": activations.grid,
            "layer_addresses": [layer.address for layer in activations.layers],
            "n_units": len(own.columns),
            "n_train": own.train.n_sites,
            "n_held": own.held.n_sites,
            "blocks_train": len(np.unique(own.train.block)),
            "blocks_held": len(np.unique(own.held.block)),
            "chosen": chosen,
            "training_error": training_error,
            "parameters": settings.parameters(),
            "seed": settings.seed,
        }
