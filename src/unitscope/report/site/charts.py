"""Charts as Vega-Lite by Altair. Colours are the page's own custom properties, so charts follow light and dark.

A specification is drawn in the browser by the bundle that ships with the site, through its expression interpreter:
nothing is evaluated. Where scripts are off, a drawing made beforehand stands in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from markupsafe import Markup

from unitscope.atlas import Row
from unitscope.report.site.inert import inert, script_json
from unitscope.report.site.wording import Words

Spec = dict[str, Any]
_LEAVE = "window.vegaEmbed = vegaEmbed;"
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross")
_FONT = "inherit"


def _config() -> Spec:
    """Type, lines and colours of all charts."""
    text = {"labelFont": _FONT, "titleFont": _FONT, "labelColor": "var(--soft)", "titleColor": "var(--soft)"}
    return {
        "background": "transparent",
        "font": _FONT,
        "view": {"stroke": None},
        "axis": {
            **text,
            "titleFontWeight": "normal",
            "gridColor": "var(--line)",
            "domainColor": "var(--line)",
            "tickColor": "var(--line)",
            "labelFontSize": 11,
            "titleFontSize": 11,
        },
        "legend": {**text, "titleFontWeight": "normal", "symbolStrokeWidth": 0},
        "header": {**text, "titleFontWeight": "normal"},
    }


def _color(kinds: Sequence[str]) -> Spec:
    known = ("contextual", "appearance", "lexical", "positional")
    return {"domain": list(kinds), "range": [f"var(--{kind})" if kind in known else "var(--soft)" for kind in kinds]}


def scatter(kinds: Sequence[str], words: Words) -> Spec:
    """Units by AUROC and by what is left of it within form and position; the page's script fills in the units."""
    import altair as alt

    color = _color(kinds)
    axis = alt.Axis(format=".1f", tickCount=5)
    points = (
        alt.Chart(alt.Data(name="units"))
        .mark_point(filled=True, size=22, opacity=0.6, clip=True)
        .encode(
            x=alt.X(
                "place:Q",
                title=f"AUROC {words.among}",
                scale=alt.Scale(domain=[0.0, 1.0]),
                axis=alt.Axis(format=".1f", tickCount=10),
            ),
            y=alt.Y("score:Q", title=f"AUROC over {words.everything}", scale=alt.Scale(domain=[0.5, 1.0]), axis=axis),
            color=alt.Color("kind:N", scale=alt.Scale(**color), legend=alt.Legend(orient="top", title=None)),
            shape=alt.Shape(
                "kind:N",
                scale=alt.Scale(domain=list(kinds), range=list(SHAPES[: len(kinds)])),
                legend=alt.Legend(orient="top", title=None),
            ),
            href="href:N",
            tooltip=[
                "address:N",
                "concept:N",
                "kind:N",
                alt.Tooltip("score:Q", title="AUROC", format=".3f"),
                alt.Tooltip("place:Q", title=words.place, format=".3f"),
            ],
        )
    )
    rule = alt.Chart(alt.Data(values=[{"x": 0.5}])).mark_rule(strokeDash=[4, 3], color="var(--soft)").encode(x="x:Q")
    chart = alt.layer(rule, points).properties(width="container", height=340)
    return finished(chart)


def passport(rows: Sequence[Row]) -> Spec:
    """Median shares of variance of each layer, the model beside its baselines."""
    import altair as alt

    parts = list(dict.fromkeys(row["part"] for row in rows))
    layers = list(dict.fromkeys(inert(row["layer"]) for row in rows))
    values = [{**row, "layer": inert(row["layer"])} for row in rows]
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_bar(height={"band": 0.8})
        .encode(
            x=alt.X("share:Q", title=None, stack="normalize", axis=alt.Axis(format="%", tickCount=5)),
            y=alt.Y("variant:N", title=None, sort=["trained", "untrained", "rotation"]),
            color=alt.Color(
                "part:N",
                sort=parts,
                scale=alt.Scale(domain=parts, range=[f"var(--part-{part})" for part in parts]),
                legend=alt.Legend(orient="top", title=None),
            ),
            order=alt.Order("order:Q"),
            tooltip=["layer:N", "variant:N", "part:N", alt.Tooltip("share:Q", title="median share", format=".1%")],
            row=alt.Row(
                "layer:N",
                sort=layers,
                title=None,
                spacing=14,
                header=alt.Header(labelOrient="top", labelAnchor="start", labelPadding=2),
            ),
        )
        .properties(width=320, height=alt.Step(16))
    )
    return finished(chart)


@cache
def _profile() -> Spec:
    import altair as alt

    chart = (
        alt.Chart(alt.Data(values=[]))
        .mark_bar(height={"band": 0.65})
        .encode(
            x=alt.X("units:Q", title="units that carry it", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("layer:N", title=None, sort=None, axis=alt.Axis(labelLimit=220)),
            color=alt.Color("kind:N", legend=alt.Legend(orient="top", title=None)),
            order=alt.Order("order:Q"),
            tooltip=["layer:N", "kind:N", "units:Q"],
        )
    )
    ticks = (
        alt.Chart(alt.Data(values=[]))
        .mark_point(size=60, filled=False, stroke="var(--ink)", strokeWidth=1.6, opacity=1)
        .encode(
            x="units:Q",
            y=alt.Y("layer:N", sort=None),
            tooltip=["layer:N", "variant:N", "units:Q"],
            shape=alt.Shape(
                "variant:N",
                scale=alt.Scale(domain=["untrained", "rotation"], range=["triangle-down", "diamond"]),
                legend=alt.Legend(
                    orient="top",
                    title=None,
                    symbolStrokeColor="var(--ink)",
                    symbolFillColor="transparent",
                    symbolStrokeWidth=1.6,
                ),
            ),
        )
    )
    return finished(alt.layer(chart, ticks).properties(width="container"))


def profile(rows: Sequence[Row], kinds: Sequence[str]) -> Spec:
    """Units that carry a concept in each layer by kind, with the baselines' numbers as ticks."""
    spec: Spec = script_copy(_profile())
    spec["height"] = 26 * len(rows)
    bars, ticks = spec["layer"]
    bars["data"] = {
        "values": [
            {"layer": inert(row["layer"]), "kind": kind, "units": row["kinds"].get(kind, 0), "order": order}
            for row in rows
            for order, kind in enumerate(kinds)
        ]
    }
    bars["encoding"]["color"]["scale"] = _color(kinds)
    ticks["data"] = {
        "values": [
            {"layer": inert(row["layer"]), "variant": variant, "units": n}
            for row in rows
            for variant, n in row["baselines"].items()
        ]
    }
    if not ticks["data"]["values"]:
        spec["layer"] = [bars]
    return spec


def script_copy(spec: Spec) -> Any:
    """A copy that may be changed."""
    import copy

    return copy.deepcopy(spec)


def finished(chart: Any) -> Spec:
    """A chart as a specification with the type, lines and colours of all charts."""
    spec: Spec = chart.to_dict()
    spec.pop("$schema", None)
    spec["config"] = _config()
    return spec


def embedded(spec: Spec) -> Markup:
    """A specification as data in a page."""
    return Markup(f'<script type="application/json">{script_json(spec)}</script>')


def drawn(spec: Spec) -> Markup:
    """A specification drawn beforehand, for pages whose scripts are off."""
    import vl_convert

    return Markup(vl_convert.vegalite_to_svg(spec))


def bundle() -> str:
    """The script that draws charts in the browser; it leaves one name behind, `vegaEmbed`."""
    import vl_convert

    return f"(()=>{{{vl_convert.javascript_bundle(_LEAVE)}}})();\n"
