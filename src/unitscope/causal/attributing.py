"""An attribution from an atlas: its model, layers, bases and items, and what is kept of it.

Half A of the atlas' documents is attributed and ranked by. The judgement is made on half B: single units are taken out
there, and their effects compared with the means on half A; sets are taken by the attributions of half B's own items.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unitscope.annex import write_annex
from unitscope.causal.asked import method_of, target_of
from unitscope.causal.feeding import network
from unitscope.causal.files import tables
from unitscope.causal.halves import halves_of, model_of, with_own_bases
from unitscope.causal.judge import Judgement, judge
from unitscope.causal.to_units import By, UnitAttribution, attribute_units
from unitscope.errors import AttributionError
from unitscope.extraction import activations_of, layers_of
from unitscope.rankings import kept
from unitscope.report.plain import finite
from unitscope.sites import Item

if TYPE_CHECKING:
    from unitscope.atlas import Atlas

KIND = "attributions"
Tick = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Question:
    """What is to be attributed; see `unitscope attribute`. `max_items` is for each half."""

    target: str
    layers: tuple[str, ...] = ()
    method: str = "conductance"
    steps: int = 20
    baseline: str = "zero"
    judge: int = 0
    max_items: int | None = None
    batch_size: int = 32
    seed: int = 0


@dataclass(frozen=True)
class Attributed:
    """What was found on half A with its `items`, and what `n_judged` items of half B say of it."""

    question: Question
    found: UnitAttribution
    items: tuple[Item, ...]
    judged: tuple[Judgement, ...]
    n_judged: int
    model: str


def attribute_atlas(
    atlas: Atlas, question: Question, *, model: str | None = None, corpus: str | None = None, tick: Tick | None = None
) -> Attributed:
    """Attribute an output to units of an atlas' layers over half A of its corpus, judged on half B.

    Raises AttributionError, StoreError, PlanError and UnknownLayerError for what does not fit together.
    """
    from unitscope.study.run import silent

    say = tick or silent
    layers = [layer.address for layer in layers_of(atlas, question.layers)]
    loaded = model_of(atlas, model)
    net = network(with_own_bases(atlas, loaded, layers))
    target, method = target_of(question.target, net), method_of(question.method, question.steps)
    values = activations_of(atlas, layers=layers, model=loaded, corpus=corpus, tick=say)
    first, second = (_spread(half, question.max_items) for half in halves_of(values))
    if not first or (question.judge and not second):
        raise AttributionError("A half of the atlas' corpus has no items.", expected="a corpus of several documents")
    common: dict[str, Any] = {
        "layers": layers,
        "target": target,
        "method": method,
        "baseline": question.baseline,
        "batch_size": question.batch_size,
    }
    found = attribute_units(net, first, progress=say, **common)
    judged: list[Judgement] = []
    if question.judge:
        held = attribute_units(net, second, **common)
        say("taking units out", 0, 0)
        options: dict[str, Any] = {"n_units": question.judge, "batch_size": question.batch_size, "seed": question.seed}
        judged = judge(net, second, held, target, means=found, **options)
    return Attributed(question, found, first, tuple(judged), len(second) if judged else 0, net.name)


def _spread(items: Sequence[Item], most: int | None) -> tuple[Item, ...]:
    """At most so many items, evenly over all: the first ones would be of few documents."""
    n = len(items) if most is None else min(most, len(items))
    return tuple(items[at] for at in np.linspace(0, len(items) - 1, n).round().astype(int).tolist()) if n else ()


def save(atlas: Atlas, name: str, found: Attributed) -> None:
    """Keep what was found beside the atlas, under `attributions`."""
    made = tables(found.found, found.items)
    if found.judged:
        rows = [judged_row(each) for each in found.judged]
        made["judged"] = {key: np.array([row[key] for row in rows]) for key in rows[0]}
        made["judged"]["layer"] = made["judged"]["layer"].astype(object)
    write_annex(atlas, KIND, name, made, about(found))


def save_ranking(atlas: Atlas, name: str, found: Attributed, by: By = "size") -> None:
    """Keep the ranking of half A's units beside the atlas, where `unitscope ablate --ranking` finds it."""
    kept.save(atlas, name, [found.found.ranking(by=by, seed=found.question.seed, parent=str(atlas.manifest["key"]))])


def about(found: Attributed) -> dict[str, Any]:
    """Parameters and figures, as plain values."""
    plain: dict[str, Any] = finite(
        {
            **asdict(found.question),
            "parameters": dict(found.found.parameters),
            "how": found.found.how,
            "n_items": len(found.items),
            "n_judged": found.n_judged,
            "output": float(found.found.output.mean()),
            "counts": dict(found.found.counts),
        }
    )
    return plain


def judged_row(each: Judgement) -> dict[str, Any]:
    """A layer's judgement: means of what is lost, by random sets, and beyond these with its interval."""
    row: dict[str, Any] = {"layer": each.layer, "n_units": len(each.units), "correlation": each.correlation}
    row |= {"low": each.low, "high": each.high}
    for name in ("comprehensiveness", "sufficiency"):
        loss = getattr(each, name)
        row |= {name: loss.attributed, f"{name}_random": loss.random, f"{name}_beyond": loss.difference}
        row |= {f"{name}_beyond_low": loss.low, f"{name}_beyond_high": loss.high}
    return row


def default_name(question: Question) -> str:
    """A name made of the question."""
    parts: Sequence[str] = (question.target, question.method, *question.layers)
    return re.sub(r"[^\w+=.-]", "_", ".".join(parts))[:100]
