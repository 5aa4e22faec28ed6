"""Ablations as tables beside an atlas: `ATLAS/effects/NAME`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from unitscope.annex import write_annex
from unitscope.causal.ablating import KIND, Ablated, importance_origin, partial_of
from unitscope.causal.effects import Effect
from unitscope.causal.sweeps import Curve, Specific
from unitscope.causal.sweeps_causes import Cause
from unitscope.causal.sweeps_dose import Doses
from unitscope.causal.sweeps_sets import Greedy, Pairs
from unitscope.causal.sweeps_single import Single, Tested
from unitscope.rankings import kept
from unitscope.rankings.base import split_address
from unitscope.report.plain import finite

if TYPE_CHECKING:
    from unitscope.atlas import Atlas

Row = dict[str, Any]


def save(atlas: Atlas, name: str, found: Ablated) -> None:
    """Keep what was found beside the atlas, under `effects`, and the order of single units where it is asked for."""
    tables = {name: columns(rows) for name, rows in tables_of(found).items()}
    write_annex(atlas, KIND, name, tables, about(found))
    if found.single is not None and found.question.keep_ranking:
        kept.save(atlas, found.question.keep_ranking, found.single.rankings(importance_origin(atlas, found.question)))
    partial_of(atlas, found.question).discard()


def tables_of(found: Ablated) -> dict[str, list[Row]]:
    """Rows by table, of what was asked for."""
    tables: dict[str, list[Row]] = {}
    if found.curve is not None:
        tables["curve"] = curve_rows(found.curve)
        if found.curve.sums.is_mean:
            tables["items"] = item_rows(found)
    if found.single is not None:
        tables["units"] = unit_rows(found.single)
        if found.single.classes:
            tables["classes"] = class_rows(found.single)
    if found.specific:
        tables["matches"] = [match_row(each) for each in found.specific]
    if found.doses:
        tables |= {"doses": dose_rows(found.doses), "trends": [trend_row(each) for each in found.doses]}
    if found.pairs is not None:
        tables["pairs"] = pair_rows(found.pairs)
    if found.greedy is not None:
        tables["greedy"] = greedy_rows(found.greedy)
    if found.causes:
        tables["causes"] = [cause_row(each) for each in found.causes]
    return tables


def about(found: Ablated) -> Row:
    """Parameters and figures, as plain values; None for what is not known, as an interval of few documents."""
    made = {
        **asdict(found.question),
        "metric": found.metric,
        "rising": found.rising,
        "unedited": found.unedited,
        "chance": found.chance,
        "n_items": found.n_items,
        "n_numbers": found.n_numbers,
        "n_blocks": found.n_blocks,
        "left_out": found.left_out,
        "n_ranked": found.curve.n_ranked if found.curve else None,
        "without_all": asdict(found.curve.none) if found.curve and found.curve.none else None,
        "halves": [half_row(part) for part in (found.single.whole, *found.single.classes)] if found.single else None,
        "n_candidates": found.greedy.n_candidates if found.greedy else None,
    }
    plain: Row = finite(made)
    return plain


def half_row(part: Tested) -> Row:
    """How much of an order by half A is left on half B: by target, plain values."""
    left = [
        {"n_units": each.n_units, "chosen_effect": each.chosen, **asdict(each.effect), "share": each.share}
        for each in part.left
    ]
    return {"target": part.target, "reliability": part.reliability, "left": left}


def curve_rows(found: Curve) -> list[Row]:
    """A row a selection and number of units; `random mean` over the draws, and `beyond` for top less that."""
    rows = [
        {"selection": p.selection, "n_units": p.n_units, "draw": p.draw, "value": p.value, **asdict(p.effect)}
        for p in found.points
    ]
    lead = "keep " * found.keep
    for kind, effects in (("random mean", found.random), ("beyond", found.beyond)):
        for n, effect in effects.items():
            value = found.unedited + effect.effect if kind == "random mean" else float("nan")
            rows.append({"selection": lead + kind, "n_units": n, "draw": 0, "value": value, **asdict(effect)})
    return rows


def unit_rows(found: Single) -> list[Row]:
    """A row a unit, the one first whose removal is worst on half A; effects are those on half B."""
    part = found.whole
    return [
        {
            **_place(found.units[at]),
            **asdict(part.effects[at]),
            "q": float(part.q[at]),
            "chosen_effect": float(part.chosen[at]),
        }
        for at in part.order.tolist()
    ]


def class_rows(found: Single) -> list[Row]:
    """A row a class and unit, in the order of each class."""
    return [
        {
            **_place(found.units[at]),
            "class": part.target,
            **asdict(part.effects[at]),
            "q": float(part.q[at]),
            "chosen_effect": float(part.chosen[at]),
        }
        for part in found.classes
        for at in part.order.tolist()
    ]


def _place(unit: str, lead: str = "") -> Row:
    layer, index = split_address(unit)
    return {f"{lead}layer": layer, f"{lead}unit": index}


def _named(name: str, effect: Effect) -> Row:
    return {name: effect.effect, f"{name}_low": effect.low, f"{name}_high": effect.high, f"{name}_p": effect.p}


def dose_rows(found: Sequence[Doses]) -> list[Row]:
    """A row a unit and setting, by rising setting."""
    return [
        {
            **_place(each.unit),
            "quantile": dose.quantile,
            "setting": dose.setting,
            "value": dose.value,
            **asdict(dose.effect),
        }
        for each in found
        for dose in each.doses
    ]


def trend_row(found: Doses) -> Row:
    """A unit's trend over its settings."""
    n = len({dose.setting for dose in found.doses})
    row = {**_place(found.unit), "concept": found.concept, "n_settings": n}
    return row | {"monotone": found.monotone, "monotone_p": found.p, **_named("slope", found.slope)}


def pair_rows(found: Pairs) -> list[Row]:
    """A row a pair, what is furthest from the sum of the single effects first."""
    order = sorted(found.pairs, key=lambda each: -abs(each.beyond.effect))
    return [
        {
            **_place(each.units[0]),
            **_place(each.units[1], "other_"),
            **asdict(each.effect),
            "expected": each.expected,
            **_named("beyond", each.beyond),
            "q": each.q,
        }
        for each in order
    ]


def greedy_rows(found: Greedy) -> list[Row]:
    """A row a step."""
    return [
        {
            "step": step,
            **_place(each.unit),
            "chosen_effect": each.chosen,
            "value": each.value,
            **asdict(each.effect),
            "random": each.random,
            **_named("beyond", each.beyond),
            "top": each.top,
            **_named("beyond_top", each.beyond_top),
        }
        for step, each in enumerate(found.steps, 1)
    ]


def cause_row(found: Cause) -> Row:
    """What a unit reads, writes and does."""
    reading = found.reading
    written, difference = _named("written", found.written), _named("difference", found.difference)
    inside = _named("inside", found.inside)
    del inside["inside_p"], difference["difference_p"]
    return {
        **_place(reading.unit),
        "concept": reading.concept,
        "reads": reading.reads,
        "within": reading.within,
        "kind": reading.kind,
        "writes": " ".join(token.strip() for token in reading.tokens),
        **written,
        **inside,
        "outside": found.outside.effect,
        **difference,
        "other": found.other.effect,
        "other_low": found.other.low,
        "other_high": found.other.high,
        "q": found.q,
        "n_inside": found.n_inside,
        "n_written": found.n_written,
        "verdict": found.verdict,
        "contradiction": found.contradiction,
    }


def match_row(found: Specific) -> Row:
    """A unit and concept, with the effects where the concept is, where it is not, and their difference."""
    row: Row = {**_place(found.unit), "concept": found.concept}
    for name in ("inside", "outside", "difference"):
        row |= _named(name, getattr(found, name))
    return row | {"n_inside": found.n_inside, "n_outside": found.n_outside}


def item_rows(found: Ablated) -> list[Row]:
    """The numbers behind a curve: a row an item and point."""
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


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Columns of rows; text as objects."""
    found: dict[str, Any] = {}
    for name in rows[0]:
        column = [row[name] for row in rows]
        found[name] = np.array(column, object) if isinstance(column[0], str) else np.array(column)
    return found
