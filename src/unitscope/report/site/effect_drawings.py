"""Drawings of effects as inline SVG: one difference beside zero, and a task's value over what a unit is set to.

They stand in the HTML, need no script, and are told in words in their label and in figures beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from unitscope.report.plain import number, share
from unitscope.report.site.effect_words import amount, ends, known

_WIDE, _HIGH = 120, 18
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 352, 10, 128
"""Frame of a dose–response curve in a view of 360 by 172."""
_APART = 44
"""Least distance of two labels of an axis."""


def reach(rows: Sequence[dict[str, Any]], names: Sequence[str] = ("effect", "low", "high")) -> float:
    """The greatest size of effects and ends of their intervals: the end of a common scale.

    >>> reach([{"effect": -0.5, "low": -1.0, "high": None}])
    1.0
    """
    return max((abs(row[name]) for row in rows for name in names if known(row.get(name))), default=0.0) or 1.0


def deviation(value: float | None, low: float | None, high: float | None, most: float) -> Markup:
    """A difference with its interval on a scale from -`most` to `most`; the upright line is no difference."""
    if value is None or not known(value):
        return Markup("")

    def at(x: float) -> float:
        return round(_WIDE / 2 + (_WIDE / 2 - 6) * max(-1.0, min(1.0, x / most)), 1)

    parts = [
        f'<line class="axis" x1="4" x2="{_WIDE - 4}" y1="9" y2="9"/>'
        f'<line class="chance" x1="{at(0)}" x2="{at(0)}" y1="2" y2="16"/>'
    ]
    told = amount(value)
    if low is not None and high is not None and known(low) and known(high):
        width = max(at(high) - at(low), 1.5)
        parts.append(f'<rect class="interval" x="{at(low)}" width="{width:.1f}" y="3" height="12"/>')
        told += f"; interval {ends(low, high)}"
    parts.append(f'<circle class="point" cx="{at(value)}" cy="9" r="3.4"/>')
    return Markup(
        f'<svg class="strip deviation" viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="{escape(told)}">'
        f"{''.join(parts)}</svg>"
    )


def dose(rows: Sequence[dict[str, Any]], unedited: float | None, metric: str) -> Markup:
    """A task's value where a unit is set to each of its quantiles, with the band of the interval.

    The dashed line is the unedited value; the band is that value plus the interval of the paired difference.
    """
    points = [row for row in rows if known(row.get("value")) and known(row.get("quantile"))]
    if not points:
        return Markup("")
    bands = [
        (unedited + row["low"], unedited + row["high"])
        if unedited is not None and known(row.get("low")) and known(row.get("high"))
        else None
        for row in points
    ]
    values = [row["value"] for row in points] + [end for band in bands if band for end in band]
    values += [] if unedited is None else [unedited]
    least, most = min(values), max(values)
    room = 0.06 * (most - least) or abs(most) * 0.01 or 1.0
    least, most = least - room, most + room
    reaches: float = most - least

    def x(row: dict[str, Any]) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * float(row["quantile"]), 1)

    def y(value: float) -> float:
        return float(round(_BOTTOM - (_BOTTOM - _TOP) * (value - least) / reaches, 1))

    parts = [_frame(least, most, y)]
    drawn = [(x(row), band) for row, band in zip(points, bands, strict=True) if band]
    if len(drawn) > 1:
        path = " ".join(f"{at},{y(band[1])}" for at, band in drawn)
        path += " " + " ".join(f"{at},{y(band[0])}" for at, band in reversed(drawn))
        parts.append(f'<polygon class="band" points="{path}"/>')
    if unedited is not None:
        parts.append(f'<line class="whole" x1="{_LEFT}" x2="{_RIGHT}" y1="{y(unedited)}" y2="{y(unedited)}"/>')
    line = " ".join(f"{x(row)},{y(row['value'])}" for row in points)
    parts.append(f'<polyline class="curve" points="{line}"/>')
    parts += [f'<circle class="point" cx="{x(row)}" cy="{y(row["value"])}" r="3"/>' for row in points]
    parts.append(_ticks(points, x))
    told = f"{metric} over the unit's quantiles: " + ", ".join(
        f"{share(row['quantile'])} {number(row['value'])}" for row in points
    )
    told += "" if unedited is None else f"; unedited {number(unedited)}"
    return Markup(
        f'<svg class="dose" viewBox="0 0 360 172" role="img" aria-label="{escape(told)}">{"".join(parts)}</svg>'
    )


def _frame(least: float, most: float, y: Any) -> str:
    """Two grid lines with their values, and the axis."""
    lines = []
    for value in (least + (most - least) * 0.1, (least + most) / 2, most - (most - least) * 0.1):
        lines.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y(value)}" y2="{y(value)}"/>'
            f'<text class="end" x="{_LEFT - 5}" y="{y(value) + 3.5}">{escape(f"{value:.4g}")}</text>'
        )
    return "".join(lines) + f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{_BOTTOM}" y2="{_BOTTOM}"/>'


def _ticks(points: Sequence[dict[str, Any]], x: Any) -> str:
    """Quantiles below the axis and what they are below them, as many as there is room for."""
    texts, last, end = [], -100.0, x(points[-1])
    for row in points:
        if x(row) - last < _APART or (row is not points[-1] and end - x(row) < _APART):
            continue
        last = x(row)
        texts.append(f'<text x="{last}" y="{_BOTTOM + 14}">{share(row["quantile"])}</text>')
        if known(row.get("setting")):
            texts.append(f'<text class="faint" x="{last}" y="{_BOTTOM + 27}">{number(row["setting"])}</text>')
    texts.append(f'<text x="{(_LEFT + _RIGHT) / 2}" y="{_BOTTOM + 41}">set to its quantile, and what that is</text>')
    return "".join(texts)
