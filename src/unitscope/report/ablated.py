"""Ablations in words and numbers: curves beside random sets, single units, and matches with and without the concept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from unitscope.causal.verdicts import UNKNOWN, harm, verdict
from unitscope.report import ablated_causes as causes
from unitscope.report import ablated_units as more
from unitscope.report.effects import between, signed
from unitscope.report.listing import Column, Listing
from unitscope.report.plain import chance, clean, counted, finite, number
from unitscope.stats.discoveries import adjust

if TYPE_CHECKING:
    from unitscope.causal.ablating import Ablated


def shown(found: Ablated, top: int) -> RenderableType:
    """The whole report."""
    asked = found.question
    parts: list[RenderableType] = [Text(f"{clean(asked.task)} without units (edit: {asked.edit})", style="bold")]
    numbers = counted(found.n_numbers, "token") if asked.task == "lm" else ""
    where = f"{counted(found.n_items, 'held-out item')}{' (' + numbers + ')' if numbers else ''}"
    parts.append(Text(f"Unedited: {found.metric} {_value(found, found.unedited)} on {where}."))
    if found.chance == found.chance:
        named = "one class" if found.metric.startswith("balanced") else "the most frequent class"
        parts.append(Text(f"Naming {named} every time: {number(found.chance)}."))
    if found.left_out:
        parts.append(Text(f"Left out: {counted(found.left_out, 'item')} that the task cannot measure."))
    if found.curve is not None:
        parts += [Text(""), *_curve(found)]
    if found.single is not None:
        parts += [Text(""), *more.single(found, top)]
    if found.pairs is not None:
        parts += [Text(""), *more.pairs(found, top)]
    if found.greedy is not None:
        parts += [Text(""), *more.greedy(found)]
    for each in found.doses:
        parts += [Text(""), *more.doses(found, each)]
    if found.specific:
        parts += [Text(""), *_matches(found)]
    if found.causes:
        parts += [Text(""), *causes.shown(found)]
    parts.append(Text("\nIntervals: 95 %, by block jackknife over documents, paired by item; none below 10 blocks."))
    return Group(*parts)


def _value(found: Ablated, value: float) -> str:
    text = number(value)
    return f"{text} (perplexity {number(math.exp(min(value, 700)))})" if found.question.task == "lm" else text


def _curve(found: Ablated) -> list[RenderableType]:
    curve = found.curve
    assert curve is not None
    by = {(point.selection.removeprefix("keep "), point.n_units, point.draw): point for point in curve.points}
    sizes = sorted({point.n_units for point in curve.points})
    rows = []
    for n in sizes:
        first, last = by["top", n, 0], by["bottom", n, 0]
        row = [str(n), number(first.value), signed(first.effect.effect), between(first.effect)]
        row += [signed(last.effect.effect)]
        if n in curve.random:
            row += [signed(curve.random[n].effect), signed(curve.beyond[n].effect), between(curve.beyond[n])]
        else:
            row += ["–", "–", "–"]
        rows.append(row)
    title = f"{counted(curve.n_ranked, 'unit')} by '{clean(found.question.ranking)}' for {clean(curve.target)}"
    title += ": all taken out but some" * curve.keep
    columns = (
        Column("units kept" if curve.keep else "units out", "units kept" if curve.keep else "units out", lead=True),
        Column(found.metric, found.metric),
        Column("top", "top"),
        Column("95 %", ""),
        Column("bottom", "bottom"),
        Column("random", "random"),
        Column("top - random", "top - random"),
        Column("95 %", ""),
    )
    told: list[RenderableType] = [Text(title, style="bold"), Listing(columns, rows)]
    if curve.none is not None:
        told.append(Text(f"Without any of them: {signed(curve.none.effect)} {between(curve.none)}."))
    return [*told, Text(sentence(found))]


def sentence(found: Ablated) -> str:
    """What the curve says, in words, at the largest number of units that random sets of the ranking can differ in."""
    curve = found.curve
    assert curve is not None
    sizes = [n for n in curve.random if n < curve.n_ranked]
    if not sizes:
        return "No random sets to compare with."
    n = max(sizes)
    top = next(p.effect for p in curve.points if p.selection.removeprefix("keep ") == "top" and p.n_units == n)
    random, beyond = curve.random[n], curve.beyond[n]
    lead = "With only" if curve.keep else "Without"
    told = f"{lead} the top {counted(n, 'unit')} the {found.metric} changes by {signed(top.effect)} {between(top)}, "
    told += f"{lead.lower()} random ones by {signed(random.effect)} {between(random)}: "
    if beyond.low != beyond.low:
        return told + "too few documents to tell them apart."
    if beyond.low <= 0 <= beyond.high:
        return told + "the top units matter no more than random ones."
    matter = ((beyond.effect > 0) != found.rising) != curve.keep
    return told + ("the top units matter more than random ones." if matter else "the top units matter less.")


def _matches(found: Ablated) -> list[RenderableType]:
    rows, verdicts = [], verdicts_of(found)
    for each, (q, told) in zip(found.specific, verdicts, strict=True):
        rows.append(
            [
                clean(each.unit),
                clean(each.concept),
                signed(each.inside.effect),
                signed(each.outside.effect),
                signed(each.difference.effect),
                between(each.difference),
                chance(q),
                told,
            ]
        )
    columns = (
        Column("unit", text=True, lead=True),
        Column("concept", text=True, lead=True),
        Column("with it", "with the concept"),
        Column("without", "without it"),
        Column("difference", "difference"),
        Column("95 %", ""),
        Column("q", "q"),
        Column("", text=True),
    )
    known = [told for _, told in verdicts if told != UNKNOWN]
    said = (
        f"{known.count('specific')} of {counted(len(known), 'match', 'matches')} that can be told: taking the unit out "
        "costs more at its concept."
        if known
        else "Nothing can be told of these matches: too few documents have numbers with the concept and without."
    )
    return [
        Text(f"Matches: {found.metric} {_after(found)} with the concept and without", style="bold"),
        Listing(columns, rows),
        Text(said),
    ]


def _after(found: Ablated) -> str:
    """Where a number belongs: a token is predicted at the word before it, a word's class at the word."""
    kind = found.question.task.partition(":")[0]
    return {"lm": "after sites", "token": "at sites", "probe": "at sites"}.get(kind, "in items")


def verdicts_of(found: Ablated) -> list[tuple[float, str]]:
    """Of each match the false discovery rate q of its difference, among those shown, and a verdict; see `verdict`."""
    q = adjust(np.array([each.difference.p for each in found.specific], np.float64))
    return [
        (rate, verdict(harm(each.difference, found.rising), harm(each.inside, found.rising), rate))
        for rate, each in zip(q.tolist(), found.specific)
    ]


def to_json(found: Ablated) -> dict[str, Any]:
    """The same as plain values."""
    from unitscope.causal.kept_effects import about, tables_of

    data: dict[str, Any] = about(found)
    if found.question.task == "lm":
        data["perplexity"] = math.exp(min(found.unedited, 700))
    if found.curve is not None:
        data |= {"target": found.curve.target, "sentence": sentence(found)}
    for table, rows in tables_of(found).items():
        if table != "items":
            data[_KEYS.get(table, table)] = rows
    if found.specific:
        data["match_effects"] = [
            row | {"q": q, "verdict": told} for row, (q, told) in zip(data["match_effects"], verdicts_of(found))
        ]
    return finite(data)  # type: ignore[no-any-return]


_KEYS = {
    "units": "single_units", "classes": "single_units_by_class", "matches": "match_effects", "doses": "dose_effects",
    "pairs": "pair_effects", "greedy": "greedy_sets", "causes": "cause_effects",
}  # fmt: skip
"""Keys of tables that a parameter has the name of."""
