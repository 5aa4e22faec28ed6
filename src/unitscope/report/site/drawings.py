"""Small drawings as inline SVG: effects on one scale with chance and interval, histograms with thresholds, bars.

They stand in the HTML itself, need no script, take their colours from the page's style, and are told in words beside
or in their label. Effects share one scale everywhere, from .3 to 1, so that a reader compares by eye; values left of
it are drawn at its edge with an arrow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from unitscope.atlas import Row
from unitscope.report.plain import effect, number, share

LEFT, RIGHT = 0.3, 1.0
CHANCE = 0.5
_WIDTH, _HEIGHT = 200, 18


def _x(value: float, width: float = _WIDTH) -> float:
    return round(4 + (width - 8) * (min(max(value, LEFT), RIGHT) - LEFT) / (RIGHT - LEFT), 1)


def strip(
    value: float | None,
    low: float | None = None,
    high: float | None = None,
    *,
    shape: str = "dot",
    bar: float | None = None,
) -> Markup:
    """One effect on the common scale: chance, interval, the estimate, and what an untrained copy reaches (`bar`)."""
    parts = [
        f'<line class="axis" x1="4" x2="{_WIDTH - 4}" y1="9" y2="9"/>'
        f'<line class="chance" x1="{_x(CHANCE)}" x2="{_x(CHANCE)}" y1="2" y2="16"/>'
    ]
    told = [f"chance {effect(CHANCE)}"]
    if bar is not None and not math.isnan(bar):
        parts.append(f'<path class="bar" d="M{_x(bar)} 2V16M{_x(bar) - 3} 2h6M{_x(bar) - 3} 16h6"/>')
        told.append(f"untrained copy {effect(bar)}")
    if low is not None and high is not None:
        parts.append(
            f'<rect class="interval" x="{_x(low)}" width="{max(_x(high) - _x(low), 1.5):.1f}" y="3" height="12"/>'
        )
        told.insert(0, f"interval {effect(low)} to {effect(high)}")
    if value is not None and not math.isnan(value):
        parts.append(_point(_x(value), shape, value < LEFT))
        told.insert(0, effect(value))
    return Markup(
        f'<svg class="strip" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape("; ".join(told))}">{"".join(parts)}</svg>'
    )


def _point(x: float, shape: str, beyond: bool) -> str:
    if beyond:
        return f'<path class="point" d="M{x - 4} 9l7 -5v10z"/>'
    if shape == "diamond":
        return f'<path class="point" d="M{x} 4.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z"/>'
    return f'<circle class="point" cx="{x}" cy="9" r="3.4"/>'


def density(row: Row, unit: Row) -> Markup:
    """A unit's histogram over all sites, heights logarithmic, with its thresholds; `row` is of the table `density`."""
    counts, low, high = row["counts"], row["low"], row["high"]
    width, height, n = 360.0, 90.0, len(counts)
    span = (high - low) or 1.0
    top = math.log1p(max(counts)) or 1.0

    def at(value: float) -> float:
        return float(round(width * (value - low) / span, 1))

    upper, lower = unit["threshold_upper"], unit["threshold_lower"]
    inside: list[str] = []
    beyond: list[str] = []
    for i, count in enumerate(counts):
        if count:
            bar = round(max(1.5, height * math.log1p(count) / top), 1)
            left, right = width * i / n, width * (i + 1) / n
            middle = low + span * (i + 0.5) / n
            path = f"M{left:.1f} {height:g}V{height - bar:.1f}H{right - 0.8:.1f}V{height:g}Z"
            (beyond if middle > upper or middle < lower else inside).append(path)
    lines = "".join(
        f'<line class="limit" x1="{at(value)}" x2="{at(value)}" y1="0" y2="{height:g}"/>' for value in (lower, upper)
    )
    zero = (
        f'<line class="zero" x1="{at(0)}" x2="{at(0)}" y1="{height:g}" y2="{height + 5:g}"/>' if low < 0 < high else ""
    )
    told = (
        f"Histogram of {sum(counts)} values from {number(low)} to {number(high)}, heights on a logarithmic scale; "
        f"1 % quantile {number(lower)}, 99 % quantile {number(upper)}"
    )
    return Markup(
        f'<svg class="density" viewBox="0 0 {width:g} {height + 6:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(told)}"><path class="inside" d="{"".join(inside)}"/>'
        f'<path class="beyond" d="{"".join(beyond)}"/>'
        f'<line class="axis" x1="0" x2="{width:g}" y1="{height:g}" y2="{height:g}"/>{zero}{lines}</svg>'
    )


def stacked(parts: Sequence[tuple[str, float]], label: str, thin: bool = False) -> Markup:
    """Parts of a whole as one bar; each part's class gives colour and pattern, the label says all in words."""
    total = sum(value for _, value in parts) or 1.0
    shown = "".join(
        f'<i class="{escape(name)}" style="width:{100 * value / total:.2f}%"></i>' for name, value in parts if value > 0
    )
    kind = "stacked thin" if thin else "stacked"
    return Markup(
        f'<span class="{kind}" role="img" aria-label="{escape(label)}" title="{escape(label)}">{shown}</span>'
    )


def told_parts(parts: Sequence[tuple[str, int]]) -> str:
    """Counts by kind in words.

    >>> told_parts([("contextual", 3), ("lexical", 0), ("dead", 1)])
    '3 contextual, 1 dead'
    """
    return ", ".join(f"{n} {name}" for name, n in parts if n)


def passport_parts(shares: Mapping[str, float | None]) -> list[tuple[str, float]]:
    """Shares of variance as parts of a bar."""
    return [(f"part-{name}", value or 0.0) for name, value in shares.items()]


def passport_label(shares: Mapping[str, float | None], names: Mapping[str, str] | None = None) -> str:
    """Shares of variance in words; `names` are what the parts are called where they have other names.

    >>> passport_label({"form": 0.25, "rest": 0.75}, {"form": "appearance"})
    'appearance 25 %, rest 75 %'
    """
    return ", ".join(f"{(names or {}).get(name, name)} {share(value)}" for name, value in shares.items())


def band(ends: tuple[float | None, float | None]) -> str:
    """A band between two quantiles in words.

    >>> band((0.9, 0.99))
    'between the 90 % and the 99 % quantile'
    """
    return " and the ".join(f"{100 * (end or 0.0):g} %" for end in ends).join(("between the ", " quantile"))


def between(score: float | None, chance: float | None, ceiling: float | None) -> Markup:
    """A score between what an unrelated unit scores and the greatest there could be; both ends are marked."""
    low, high = chance or 0.0, 1.0 if ceiling is None else ceiling
    if score is None or high <= 0:
        return Markup("")
    end = max(high, score, 1e-9)
    x = [round(100 * min(max(value, 0.0), end) / end, 1) for value in (low, score, high)]
    return Markup(
        '<svg class="between" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="room" x="0" y="2" width="{x[2]}" height="6"/>'
        f'<rect class="got" x="0" y="2" width="{x[1]}" height="6"/>'
        f'<rect class="tick" x="{x[0]}" y="0" width="1" height="10"/></svg>'
    )


def gauge(
    value: float | None, low: float | None = None, high: float | None = None, *, mark: float | None = None
) -> Markup:
    """A score from 0 to 1 as a bar with its interval; `mark` is a score to compare it with."""
    if value is None or math.isnan(value):
        return Markup("")
    x = _percent(value)
    parts = [
        f'<rect class="room" x="0" y="3" width="100" height="6"/><rect class="got" x="0" y="3" width="{x}" height="6"/>'
    ]
    told = [effect(value)]
    if low is not None and high is not None:
        left, right = _percent(low), _percent(high)
        parts.append(f'<rect class="reach" x="{left}" y="1" width="{max(right - left, 0.4):.1f}" height="10"/>')
        told.append(f"interval {effect(low)} to {effect(high)}")
    if mark is not None:
        parts.append(f'<rect class="tick" x="{_percent(mark)}" y="0" width="0.8" height="12"/>')
        told.append(f"all units of the network {effect(mark)}")
    return Markup(
        f'<svg class="gauge" viewBox="0 0 100 12" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape("; ".join(told))}">{"".join(parts)}</svg>'
    )


def _percent(value: float) -> float:
    return round(100 * min(max(value, 0.0), 1.0), 1)


def portion(part: float, whole: float) -> Markup:
    """A part of a whole as a bar; its number stands beside it."""
    width = 100 * part / whole if whole else 0.0
    return Markup(f'<span class="portion" aria-hidden="true"><i style="width:{width:.1f}%"></i></span>')
