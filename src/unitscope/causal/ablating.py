"""An ablation from an atlas: task, items, units and edits by their names, and the tables that are kept of it.

Rankings, means and heads rest on half A of the atlas' documents; effects are measured on half B.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unitscope import edits
from unitscope.activations import Activations, activations_of, origin_of
from unitscope.activations import layers_of as atlas_layers
from unitscope.annex import write_annex
from unitscope.causal.bound import Bound
from unitscope.causal.effects import Effect
from unitscope.causal.named import Given, chance_of, check_name, needs_labels, task_of
from unitscope.causal.sweeps import (
    Curve,
    Importance,
    Remover,
    Specific,
    curve,
    importance,
    layers_of,
    specificity,
    to_means,
    units_of,
)  # fmt: skip
from unitscope.errors import StoreError, TaskError, closest
from unitscope.rankings import kept
from unitscope.rankings.base import ALL, Ranking, split_address
from unitscope.sites import Item

if TYPE_CHECKING:
    from unitscope.atlas import Atlas

KIND = "effects"
EDITS = ("zero", "mean")
Tick = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Question:
    """What is to be ablated and judged; see `unitscope ablate`."""

    task: str
    ranking: str | None = None
    target: str | None = None
    edit: str = "zero"
    units: tuple[int, ...] = (1, 2, 5, 10, 50)
    single: tuple[str, ...] = ()
    matches: int = 0
    layers: tuple[str, ...] = ()
    draws: int = 5
    max_items: int | None = None
    batch_size: int = 32
    seed: int = 0

    def check(self) -> None:
        """Raise TaskError for a question that nothing can answer."""
        if not (self.ranking or self.single or self.matches):
            raise TaskError("Got nothing to take out.", expected="--ranking NAME, --single LAYER or --matches N")
        if self.edit not in EDITS:
            raise TaskError(f"Unknown edit '{self.edit}'.", expected=", ".join(EDITS), fix=closest(self.edit, EDITS))
        if self.matches and self.task != "lm":
            raise TaskError(
                f"The task '{self.task}' has no number for each token.", expected="the task 'lm' for --matches"
            )
        check_name(self.task)


@dataclass(frozen=True)
class Ablated:
    """What was found: the task, its unedited value on held-out items, and the sweeps that were asked for."""

    question: Question
    metric: str
    rising: bool
    unedited: float
    n_items: int
    n_numbers: int
    n_blocks: int
    left_out: int
    chance: float
    curve: Curve | None
    importance: Importance | None
    specific: tuple[Specific, ...]
    items: tuple[str, ...]


def ablate(
    atlas: Atlas, question: Question, *, model: str | None = None, corpus: str | None = None, tick: Tick | None = None
) -> Ablated:
    """Measure a task on held-out items of an atlas' corpus, with its model whole and without units.

    Raises TaskError, RankingError, StoreError and EditError for what does not fit together.
    """
    from unitscope.study.run import silent

    question.check()
    say = tick or silent
    ranking, matches = _ranking(atlas, question), _matches(atlas, question)
    layers = _layers(atlas, question, ranking, matches)
    loaded = _model(atlas, model)
    values = activations_of(atlas, layers=layers, model=loaded, corpus=corpus, tick=say)
    network = _with_bases(atlas, loaded, layers)
    train, held = _halves(atlas, values, question, corpus)
    task = task_of(question.task, Given(network, train, values, tuple(layers), question.seed))
    bound = task.bound(network, held)
    block = _blocks(values, bound)
    single = units_of(values, question.single) if question.single else []
    touched = [*(ranking.units if ranking else ()), *single, *(unit for unit, _ in matches)]
    remove: Remover = edits.zero if question.edit == "zero" else to_means(values, touched, values.halves.a)
    common: dict[str, Any] = {"remove": remove, "batch_size": question.batch_size}
    say("taking units out", 0, 0)
    found = None
    if ranking is not None:
        common_curve = {**common, "sizes": question.units, "n_draws": question.draws, "seed": question.seed}
        found = curve(network, bound, ranking, block, **common_curve)
    singles = importance(network, bound, single, block, **common) if single else None
    specific = tuple(specificity(network, bound, matches, values, block, **common)) if matches else ()
    whole = found.sums if found is not None else None
    if whole is None:
        from unitscope.causal.effects import measured

        whole = measured(network, bound, [edits.Edit()], block, batch_size=question.batch_size)
    return Ablated(
        question,
        task.metric,
        task.rising,
        float(whole.values[0]),
        len(bound.items),
        int(whole.counts.sum()),
        len(set(block)),
        bound.left_out,
        chance_of(task, bound),
        found,
        singles,
        specific,
        tuple(item.id for item in bound.items),
    )


def save(atlas: Atlas, name: str, found: Ablated) -> None:
    """Keep what was found beside the atlas, under `effects`."""
    tables: dict[str, Mapping[str, Any]] = {}
    if found.curve is not None:
        tables |= {"curve": _columns(curve_rows(found.curve)), "items": _columns(_item_rows(found))}
    if found.importance is not None:
        tables["units"] = _columns(unit_rows(found.importance))
    if found.specific:
        tables["matches"] = _columns([match_row(each) for each in found.specific])
    write_annex(atlas, KIND, name, tables, about(found))


def about(found: Ablated) -> dict[str, Any]:
    """Parameters and figures, as plain values."""
    return {
        **asdict(found.question),
        "metric": found.metric,
        "rising": found.rising,
        "unedited": found.unedited,
        "chance": found.chance if found.chance == found.chance else None,
        "n_items": found.n_items,
        "n_numbers": found.n_numbers,
        "n_blocks": found.n_blocks,
        "left_out": found.left_out,
        "n_ranked": found.curve.n_ranked if found.curve else None,
    }


def curve_rows(found: Curve) -> list[dict[str, Any]]:
    """A row a selection and number of units; `random mean` over the draws, and `beyond` for top less that."""
    rows = [
        {"selection": p.selection, "n_units": p.n_units, "draw": p.draw, "value": p.value, **asdict(p.effect)}
        for p in found.points
    ]
    for kind, effects in (("random mean", found.random), ("beyond", found.beyond)):
        for n, effect in effects.items():
            value = found.unedited + effect.effect if kind == "random mean" else float("nan")
            rows.append({"selection": kind, "n_units": n, "draw": 0, "value": value, **asdict(effect)})
    return rows


def unit_rows(found: Importance) -> list[dict[str, Any]]:
    """A row a unit, the greatest absolute effect first."""
    order = sorted(range(len(found.units)), key=lambda at: -abs(found.effects[at].effect))
    rows = []
    for at in order:
        layer, unit = split_address(found.units[at])
        rows.append({"layer": layer, "unit": unit, **asdict(found.effects[at]), "q": float(found.q[at])})
    return rows


def match_row(found: Specific) -> dict[str, Any]:
    """A unit and concept, with the effects where the concept is, where it is not, and their difference."""
    layer, unit = split_address(found.unit)
    row: dict[str, Any] = {"layer": layer, "unit": unit, "concept": found.concept}
    for name in ("inside", "outside", "difference"):
        effect: Effect = getattr(found, name)
        row |= {name: effect.effect, f"{name}_low": effect.low, f"{name}_high": effect.high, f"{name}_p": effect.p}
    return row | {"n_inside": found.n_inside, "n_outside": found.n_outside}


def default_name(question: Question) -> str:
    """A name made of the question."""
    parts = [question.ranking or "", question.target or "", question.task, question.edit]
    parts += [f"single-{each}" for each in question.single] + ([f"matches-{question.matches}"] * bool(question.matches))
    return re.sub(r"[^\w+=.-]", "_", ".".join(part for part in parts if part))[:100]


def planned(atlas: Atlas, question: Question) -> dict[str, Any]:
    """What an ablation would do, without running anything."""
    question.check()
    ranking, matches = _ranking(atlas, question), _matches(atlas, question)
    layers = _layers(atlas, question, ranking, matches)
    n = 0 if ranking is None else len({min(each, len(ranking)) for each in question.units}) * (2 + question.draws)
    widths = {layer.address: layer.width for layer in atlas_layers(atlas, layers)}
    single = sum(layer.width for layer in atlas_layers(atlas, question.single)) if question.single else 0
    return {
        "layers": layers,
        "n_units": sum(widths.values()),
        "n_edits": n + single + len({unit for unit, _ in matches}),
        "n_ranked": None if ranking is None else len(ranking),
    }


def _ranking(atlas: Atlas, question: Question) -> Ranking | None:
    if question.ranking is None:
        return None
    found = kept.load(atlas, question.ranking)
    names = [each.target for each in found]
    ranking = kept.of_target(found, question.target or (ALL if ALL in names else names[0]))
    if question.layers:
        known = {layer.address for layer in atlas_layers(atlas, question.layers)}
        ranking = ranking.restricted([unit for unit in ranking.units if split_address(unit)[0] in known])
    return ranking


def _matches(atlas: Atlas, question: Question) -> list[tuple[str, str]]:
    if not question.matches:
        return []
    known = [layer.address for layer in atlas_layers(atlas, question.layers)]
    rows = atlas.sql(
        "select layer, unit, concept from matches where measure = 'auroc' and slot = 1 and layer in "
        f"({', '.join('?' * len(known))}) order by abs(score - 0.5) desc, layer, unit limit ?",
        [*known, question.matches],
    )
    if not rows:
        raise TaskError("This atlas reports no matches by AUROC in these layers.", fix="Choose others with --layers.")
    return [(f"{row['layer']}:{row['unit']}", str(row["concept"])) for row in rows]


def _layers(atlas: Atlas, question: Question, ranking: Ranking | None, matches: Sequence[tuple[str, str]]) -> list[str]:
    wanted = layers_of([*(ranking.units if ranking else ()), *(unit for unit, _ in matches)])
    if question.single:
        wanted += [layer.address for layer in atlas_layers(atlas, question.single)]
    return list(dict.fromkeys(wanted))


def _model(atlas: Atlas, spec: str | None) -> Any:
    from unitscope.models import load_model

    given = spec or origin_of(atlas).get("model")
    if not given:
        raise StoreError("This atlas does not say where its model is.", fix="Give it with --model.")
    study = atlas.manifest["study"]
    return load_model(given, device=study["device"], threads=study["threads"])


def _with_bases(atlas: Atlas, model: Any, layers: Sequence[str]) -> Any:
    from unitscope.models.units import with_bases

    bases = [address for address in layers if "~" in address]
    return with_bases(model, {address: atlas.basis(address) for address in bases}) if bases else model


def _halves(atlas: Atlas, values: Activations, question: Question, corpus: str | None) -> tuple[list[Item], list[Item]]:
    """Items of half A and of half B, the latter cut to as many as are asked for; with labels where they are needed."""
    assert values.prepared is not None
    items = [item for n in range(values.prepared.n_shards) for item in values.prepared.items(n)]
    if needs_labels(question.task):
        labels = _labels(atlas, corpus)
        items = [replace(item, labels=labels.get(item.id, {})) for item in items]
    side: dict[int, int] = {}
    for item, half in zip(values.sites.item.tolist(), values.halves.half.tolist()):
        side.setdefault(item, half)
    halves: tuple[list[Item], list[Item]] = ([], [])
    for at, item in enumerate(items):
        if at in side:
            halves[side[at]].append(item)
    return halves[0], halves[1][: question.max_items]


def _labels(atlas: Atlas, corpus: str | None) -> dict[str, Mapping[str, str]]:
    from unitscope.corpora import load_corpus

    origin = origin_of(atlas)
    given = corpus or origin.get("corpus")
    if not given:
        raise StoreError("This atlas does not say where its corpus is.", fix="Give it with --corpus.")
    reading = {name: value for name, value in origin.get("reading", {}).items() if name != "sites"}
    return {item.id: item.labels for item in load_corpus(given, **reading)}


def _blocks(values: Activations, task: Bound) -> list[int]:
    block = dict(zip(values.sites.item.tolist(), values.halves.block.tolist()))
    index = {name: at for at, name in enumerate(values.item_ids)}
    return [int(block[index[item.id]]) for item in task.items]


def _item_rows(found: Ablated) -> list[dict[str, Any]]:
    assert found.curve is not None
    made, sums = [], found.curve.sums
    names = [("none", 0, 0), *((p.selection, p.n_units, p.draw) for p in found.curve.points)]
    for at, (selection, n, draw) in enumerate(names):
        for item, total, count, block in zip(found.items, sums.sums[at], sums.counts, sums.block, strict=True):
            made.append(
                {
                    "selection": selection,
                    "n_units": n,
                    "draw": draw,
                    "item": item,
                    "block": int(block),
                    "sum": float(total),
                    "count": int(count),
                }
            )
    return made


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Columns of rows; text as objects."""
    found: dict[str, Any] = {}
    for name in rows[0]:
        column = [row[name] for row in rows]
        found[name] = np.array(column, object) if isinstance(column[0], str) else np.array(column)
    return found
