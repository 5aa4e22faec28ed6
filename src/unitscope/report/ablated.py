"""Ablations in words and numbers: curves beside random sets, single units, and matches with and without the concept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from unitscope.report.listing import Column, Listing
from unitscope.report.plain import chance, clean, counted, finite, number
from unitscope.stats.discoveries import adjust

if TYPE_CHECKING:
    from unitscope.causal.ablating import Ablated
    from unitscope.causal.effects import Effect

FALSE_DISCOVERIES = 0.05


def signed(value: float) -> str:
    """Three digits and the sign; 0 alone where nothing changed, a dash where there is no number.

    >>> signed(0.01234), signed(-2.0), signed(0.0), signed(float("nan"))
    ('+0.0123', '-2', '0', '–')
    """
    return "–" if value != value else "0" if value == 0 else f"{value:+.3g}"


def between(effect: Effect) -> str:
    """The interval of an effect, a dash where there is none."""
    return "–" if effect.low != effect.low else f"[{signed(effect.low)}, {signed(effect.high)}]"


def shown(found: Ablated, top: int) -> RenderableType:
    """The whole report."""
    asked = found.question
    parts: list[RenderableType] = [Text(f"{clean(asked.task)} without units (edit: {asked.edit})", style="bold")]
    numbers = counted(found.n_numbers, "token") if asked.task == "lm" else ""
    where = f"{counted(found.n_items, 'held-out item')}{' (' + numbers + ')' if numbers else ''}"
    parts.append(Text(f"Unedited: {found.metric} {_value(found, found.unedited)} on {where}."))
    if found.chance == found.chance:
        parts.append(Text(f"Naming the most frequent class every time: {number(found.chance)}."))
    if found.left_out:
        parts.append(Text(f"Left out: {counted(found.left_out, 'item')} that the task cannot measure."))
    if found.curve is not None:
        parts += [Text(""), *_curve(found)]
    if found.importance is not None:
        parts += [Text(""), *_single(found, top)]
    if found.specific:
        parts += [Text(""), *_matches(found)]
    parts.append(Text("\nIntervals: 95 %, by block jackknife over documents, paired by item; none below 10 blocks."))
    return Group(*parts)


def _value(found: Ablated, value: float) -> str:
    text = number(value)
    return f"{text} (perplexity {number(math.exp(min(value, 700)))})" if found.question.task == "lm" else text


def _curve(found: Ablated) -> list[RenderableType]:
    curve = found.curve
    assert curve is not None
    by = {(point.selection, point.n_units, point.draw): point for point in curve.points}
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
    columns = (
        Column("units out", "units out", lead=True),
        Column(found.metric, found.metric),
        Column("top", "top"),
        Column("95 %", ""),
        Column("bottom", "bottom"),
        Column("random", "random"),
        Column("top - random", "top - random"),
        Column("95 %", ""),
    )
    return [Text(title, style="bold"), Listing(columns, rows), Text(sentence(found))]


def sentence(found: Ablated) -> str:
    """What the curve says, in words, at the largest number of units that random sets of the ranking can differ in."""
    curve = found.curve
    assert curve is not None
    sizes = [n for n in curve.random if n < curve.n_ranked]
    if not sizes:
        return "No random sets to compare with."
    n = max(sizes)
    top = next(p.effect for p in curve.points if p.selection == "top" and p.n_units == n)
    random, beyond = curve.random[n], curve.beyond[n]
    told = f"Without the top {counted(n, 'unit')} the {found.metric} changes by {signed(top.effect)} {between(top)}, "
    told += f"without random ones by {signed(random.effect)} {between(random)}: "
    if beyond.low != beyond.low:
        return told + "too few documents to tell them apart."
    if beyond.low <= 0 <= beyond.high:
        return told + "the top units matter no more than random ones."
    worse = (beyond.effect > 0) != found.rising
    return told + ("the top units matter more than random ones." if worse else "the top units matter less.")


def _single(found: Ablated, top: int) -> list[RenderableType]:
    importance = found.importance
    assert importance is not None
    order = sorted(range(len(importance.units)), key=lambda at: -abs(importance.effects[at].effect))
    rows = []
    for at in order[:top]:
        effect = importance.effects[at]
        rows.append(
            [clean(importance.units[at]), signed(effect.effect), between(effect), chance(float(importance.q[at]))]
        )
    n = len(importance.causal(FALSE_DISCOVERIES))
    columns = (Column("unit", text=True, lead=True), Column("effect", "effect"), Column("95 %", ""), Column("q", "q"))
    worse = sum((effect.effect < 0) == found.rising and effect.effect != 0 for effect in importance.effects)
    return [
        Text("One unit at a time", style="bold"),
        Listing(columns, rows),
        Text(
            f"{n} of {counted(len(importance.units), 'unit')} have an effect at a false discovery rate of 5 %; without "
            f"{worse} of them the {found.metric} gets worse, however little."
        ),
    ]


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
    n = sum(told == "specific" for _, told in verdicts)
    return [
        Text("Matches: loss after sites with the concept and without", style="bold"),
        Listing(columns, rows),
        Text(
            f"{n} of {counted(len(found.specific), 'match', 'matches')}: taking the unit out costs more at its concept."
        ),
    ]


def verdicts_of(found: Ablated) -> list[tuple[float, str]]:
    """Of each match the false discovery rate q of its difference, among those shown, and a verdict; see `verdict`."""
    q = adjust(np.array([each.difference.p for each in found.specific], np.float64))
    return [(rate, verdict(each.difference, each.inside, rate)) for rate, each in zip(q.tolist(), found.specific)]


def verdict(difference: Effect, inside: Effect, q: float) -> str:
    """`specific`: it costs loss where the concept is, and more than elsewhere.

    `elsewhere`: it costs more where the concept is not. `no cost`: more than elsewhere, but no loss at the concept
    itself. `no difference` where q is above 5 %, and a dash where there is no interval.
    """
    if q != q:
        return "–"
    if q > FALSE_DISCOVERIES:
        return "no difference"
    if difference.effect < 0:
        return "elsewhere"
    return "specific" if inside.low > 0 else "no cost"


def to_json(found: Ablated) -> dict[str, Any]:
    """The same as plain values."""
    from unitscope.causal.ablating import about, curve_rows, match_row, unit_rows

    data: dict[str, Any] = about(found)
    if found.question.task == "lm":
        data["perplexity"] = math.exp(min(found.unedited, 700))
    if found.curve is not None:
        data |= {"target": found.curve.target, "curve": curve_rows(found.curve), "sentence": sentence(found)}
    if found.importance is not None:
        data["single_units"] = unit_rows(found.importance)
    if found.specific:
        data["match_effects"] = [
            match_row(each) | {"q": q, "verdict": told}
            for each, (q, told) in zip(found.specific, verdicts_of(found), strict=True)
        ]
    return finite(data)  # type: ignore[no-any-return]
