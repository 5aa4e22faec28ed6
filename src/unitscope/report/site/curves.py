"""Curves as Vega-Lite: a score against a number of units, for top, random and bottom units or other sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unitscope.report.site.charts import Spec, finished
from unitscope.report.site.probe_view import EXPLAINED, SELECTIONS

_COLORS = ("var(--contextual)", "var(--soft)", "var(--lexical)", "var(--positional)", "var(--appearance)")
_SHAPES = ("circle", "square", "triangle-down", "diamond", "cross")
_DASHES = ([1, 0], [5, 3], [2, 2], [8, 2, 2, 2], [1, 3])
PANEL = 440
"""Width of a panel; the page's script makes them narrower, or stacks them, where there is less room."""


def curve(curves: Sequence[dict[str, Any]], full: float | None, metric: str) -> Spec:
    """Lines of the three selections with their intervals, a panel a mode; a dashed rule is the probe of all units.

    `curves` are those of one target, as `probe_view` gives them.
    """
    values = [
        {"panel": _panel(each["mode"]), "selection": name, "units": point["n_units"], **_numbers(point[name])}
        for each in curves
        for point in each["points"]
        for name in SELECTIONS
        if name in point
    ]
    return lines(values, SELECTIONS, full, metric)


def lines(
    values: Sequence[dict[str, Any]],
    selections: Sequence[str],
    full: float | None,
    metric: str,
    *,
    title: str = "units (logarithmic)",
    logarithmic: bool = True,
) -> Spec:
    """Lines of up to five selections with their intervals, a panel each `panel`; a dashed rule is `full`.

    `values` have `panel`, `selection`, `units` (along the axis), `value`, `low` and `high`.
    """
    import altair as alt

    panels = list(dict.fromkeys(value["panel"] for value in values))
    named = {"domain": list(selections)}
    scale = alt.Scale(type="log", nice=False) if logarithmic else alt.Scale(zero=False, nice=True)
    legend = alt.Legend(orient="top", title=None, symbolOpacity=1, symbolSize=70)
    color = alt.Color("selection:N", scale=alt.Scale(**named, range=list(_COLORS[: len(selections)])), legend=legend)
    x = alt.X(
        "units:Q",
        title=title,
        scale=scale,
        axis=alt.Axis(format="~s" if logarithmic else "~g", tickCount=5, grid=False),
    )
    y = alt.Y("value:Q", title=metric, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=6))
    banded = any(each["low"] is not None for each in values)
    ends = [alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("low", "high")]
    tooltip = [
        "selection:N",
        alt.Tooltip("units:Q", title=title.partition(" ")[0], format=","),
        alt.Tooltip("value:Q", title=metric, format=".4~g"),
        *(ends if banded else ()),
    ]
    base = alt.Chart()
    band = base.mark_area(opacity=0.16).encode(
        x=x, y=alt.Y("low:Q", title=metric, scale=alt.Scale(zero=False)), y2="high:Q", color=color
    )
    line = base.mark_line(strokeWidth=1.8).encode(
        x=x,
        y=y,
        color=color,
        strokeDash=alt.StrokeDash(
            "selection:N", scale=alt.Scale(**named, range=list(_DASHES[: len(selections)])), legend=legend
        ),
    )
    points = base.mark_point(filled=True, size=46, opacity=1).encode(
        x=x,
        y=y,
        color=color,
        shape=alt.Shape("selection:N", scale=alt.Scale(**named, range=list(_SHAPES[: len(selections)])), legend=legend),
        tooltip=tooltip,
    )
    layers = [band, line, points] if banded else [line, points]
    if full is not None:
        layers.append(
            base.mark_rule(aria=False, strokeDash=[6, 4], color="var(--ink)", opacity=0.6).encode(y=alt.datum(full))
        )
    chart = (
        alt.layer(*layers, data=alt.Data(values=values))
        .properties(width=PANEL, height=250)
        .facet(
            facet=alt.Facet(
                "panel:N", title=None, sort=panels, header=alt.Header(labelOrient="top", labelAnchor="start")
            ),
            columns=2,
        )
    )
    return finished(chart)


def _panel(mode: str) -> str:
    return f"{mode}: {EXPLAINED[mode]}" if mode in EXPLAINED else mode


def _numbers(point: dict[str, Any]) -> dict[str, Any]:
    return {name: point[name] for name in ("value", "low", "high")}


def strengths(points: Sequence[dict[str, Any]]) -> Spec:
    """What was reached at each strength on the development split, success and collateral; the chosen one is ringed."""
    selections = list(dict.fromkeys(each["selection"] for each in points))[: len(_COLORS)]
    shown = [each for each in points if each["selection"] in selections]
    spec = lines(shown, selections, None, "value", title="strength", logarithmic=False)
    ring = {
        "transform": [{"filter": "datum.chosen"}],
        "mark": {
            "type": "point",
            "size": 190,
            "filled": False,
            "strokeWidth": 1.8,
            "stroke": "var(--focus)",
            "shape": "circle",
        },
        "encoding": {"x": {"field": "units", "type": "quantitative"}, "y": {"field": "value", "type": "quantitative"}},
    }
    spec["spec"]["layer"].append(ring)
    spec["resolve"] = {"scale": {"y": "independent"}}
    return spec


def effects(points: Sequence[dict[str, Any]], unedited: float | None, metric: str) -> Spec:
    """A task's value against the number of units taken out, and kept; the dashed rule is the unedited value."""
    sizes = [each["units"] for each in points]
    wide = max(sizes, default=1) > 20 * max(min(sizes, default=1), 1)
    title = "units (logarithmic)" if wide else "units"
    spec = lines(points, SELECTIONS, unedited, metric, title=title, logarithmic=wide)
    spec["resolve"] = {"scale": {"y": "independent"}}  # what is kept of a network does far worse than what is taken
    return spec
