"""Rankings of units on a terminal and as rows: each unit beside what the atlas says that it detects; and agreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.text import Text

from unitscope.atlas import Atlas, Row
from unitscope.rankings.agreement import Agreement
from unitscope.rankings.base import ALL, Ranking, split_address
from unitscope.report import findings
from unitscope.report.listing import Column, Counts, Listing
from unitscope.report.plain import NOTHING, clean, counted, direction, effect, interval, listed, number, share
from unitscope.report.terminal import heading, legend

FIRST = 3
"""Units shown for each target where there are many."""
FITTED = ("a", "b", "all")


def rows(atlas: Atlas, ranking: Ranking, top: int) -> list[Row]:
    """The first units of a ranking, each with the first match that the atlas reports of it, or None in its place."""
    places = [split_address(unit) for unit in ranking.top(top)]
    if not places:
        return []
    marks = ", ".join(["(?, ?)"] * len(places))
    matches = atlas.sql(
        "select layer, unit, concept, sign, score as auroc, low, high, kind, within_form_position from matches "
        f"where measure = 'auroc' and slot = 1 and (layer, unit) in (values {marks})",
        [value for place in places for value in place],
    )
    found = {(row["layer"], row["unit"]): row for row in matches}
    words = {
        sign: findings.example_words(atlas, [row for row in matches if row["sign"] == sign], kind)
        for sign, kind in ((1, "top"), (-1, "low"))
    }
    made = []
    for rank, (place, score) in enumerate(zip(places, ranking.scores.tolist()), 1):
        match = found.get(place)
        kept = ("concept", "sign", "auroc", "low", "high", "kind", "within_form_position")
        made.append(
            {
                "rank": rank,
                "layer": place[0],
                "unit": place[1],
                "score": score,
                **{name: match[name] if match else None for name in kept},
                "words": words[match["sign"]].get(place, []) if match else [],
            }
        )
    return made


def by_layer(atlas: Atlas, ranking: Ranking, top: int) -> dict[str, int]:
    """How many of the first units are in each layer that has any, in order of the layers."""
    counts = Counter(split_address(unit)[0] for unit in ranking.top(top))
    return {layer: counts[layer] for layer in atlas.layers if counts[layer]}


def to_json(atlas: Atlas, rankings: Sequence[Ranking], top: int) -> list[Row]:
    """Rankings as plain values, the first units of each."""
    return [
        {
            "target": each.target,
            "method": each.origin.method,
            "parameters": dict(each.origin.parameters),
            "seed": each.origin.seed,
            "n_units": len(each),
            "layers": by_layer(atlas, each, top),
            "units": rows(atlas, each, top),
        }
        for each in rankings
    ]


def rankings(atlas: Atlas, found: Sequence[Ranking], top: int) -> RenderableType:
    """The first ranking as a list of units, the others with their first units."""
    first, rest = found[0], found[1:]
    parts: list[RenderableType] = [Text(title(first), style="bold"), Text(about(first))]
    parts += [Text(""), _units(rows(atlas, first, top))]
    spread = ", ".join(f"{clean(layer)} {n}" for layer, n in by_layer(atlas, first, top).items())
    parts.append(Text(f"\nlayers of the first {min(top, len(first))}: {spread}"))
    if first.origin.parameters.get("redundancy"):
        parts += [heading("Redundancy by layer"), _redundancy(first.origin.parameters["redundancy"])]
    if rest:
        parts += [heading("First units for each target"), _targets(rest)]
    parts.append(legend(_note(first)))
    return Group(*parts)


def title(ranking: Ranking) -> str:
    """What was ranked by what for what."""
    parameters = ranking.origin.parameters
    method = parameters.get("measure", ranking.origin.method)
    of = parameters.get("category")
    target = "all" if ranking.target == ALL and not of else f"all of {of}" if ranking.target == ALL else ranking.target
    return clean(f"{counted(len(ranking), 'unit')} ranked by {method} for {target}")


def about(ranking: Ranking) -> str:
    """Sites and classes that a ranking rests on."""
    parameters = ranking.origin.parameters
    parts = []
    half = parameters.get("half")
    if half in FITTED:
        parts.append("all sites" if half == "all" else f"sites of half {half.upper()}")
    if parameters.get("classes"):
        parts.append(counted(parameters["classes"], "class", "classes"))
    if parameters.get("left_out"):
        parts.append(f"with too few sites: {', '.join(parameters['left_out'])}")
    if parameters.get("seed") or ranking.origin.method == "random":
        parts.append(f"seed {ranking.origin.seed}")
    parts += _figures(parameters)
    return clean(" · ".join(parts) or "no sites")


def _figures(parameters: Mapping[str, Any]) -> list[str]:
    """What a method found besides the order: other models with their chance, groups with how they hold up."""
    parts = []
    if parameters.get("clusters"):
        parts.append(counted(parameters["clusters"], "cluster"))
    parts += [f"{name.replace('_', ' ')} {number(value)}" for name, value in parameters.get("figures", {}).items()]
    for model, figures in parameters.get("others", {}).items():
        shown = ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in figures.items())
        parts.append(f"against {model}: {shown}")
    dropped = {name: n for name, n in parameters.get("dropped", {}).items() if n}
    if dropped:
        lost = ", ".join(f"{n:,} of {name}" for name, n in dropped.items())
        parts.append(f"sites left out that not all models have: {lost}")
    return parts


def _note(ranking: Ranking) -> str:
    half = ranking.origin.parameters.get("half")
    rest = "The concept and its AUROC are what the atlas reports of the unit on half B, whatever it was ranked for."
    if half == "a":
        return f"Scores are of half A, where the order was chosen: judge it on half B. {rest}"
    if half == "all" and "measure" in ranking.origin.parameters:
        return f"Scores are of all sites: --half a makes an order that may be judged on half B. {rest}"
    if half in ("all", "b"):
        return f"Half B had a part in this order and cannot judge it. {rest}"
    return rest


def _units(found: Sequence[Row]) -> Listing:
    columns = [
        Column("rank", "rank", lead=True),
        Column("unit", lead=True, text=True),
        Column("score", "score"),
        Column("the atlas says", text=True),
        Column("AUROC", "AUROC", text=True),
        Column("kind", text=True),
        Column("strongest at", text=True, free=True),
    ]
    table = []
    for row in found:
        said = row["concept"] is not None
        ends = "" if not said else effect(row["auroc"])
        ends += "" if not said or row["low"] is None else f" {interval(row['low'], row['high'])}"
        table.append(
            [
                str(row["rank"]),
                f"{clean(row['layer'])}:{row['unit']}",
                number(row["score"]),
                f"{direction(row['sign'])} {clean(row['concept'])}" if said else NOTHING,
                ends or NOTHING,
                row["kind"] or NOTHING,
                listed(row["words"]) if row["words"] else NOTHING,
            ]
        )
    return Listing(columns, table)


def _targets(found: Sequence[Ranking]) -> Listing:
    columns = [
        Column("target", lead=True, text=True),
        Column("units", "units"),
        Column("first", text=True, free=True),
    ]
    table = []
    for each in found:
        first = zip(each.top(FIRST), each.scores.tolist())
        shown = ", ".join(f"{clean(unit)} {number(score)}" for unit, score in first)
        table.append([clean(each.target), f"{len(each):,}", shown])
    return Listing(columns, table)


def _redundancy(found: Sequence[Mapping[str, Any]]) -> Counts:
    headings = ["layer", "units", "removable", "half A", "half B", "with other layers", "half A", "half B"]
    kinds = ("removable", "elsewhere")
    table = [
        [
            clean(row["layer"]),
            f"{row['n_units']:,}",
            *(share(row[f"{kind}{half}"]) for kind in kinds for half in ("", "_a", "_b")),
        ]
        for row in found
    ]
    return Counts(headings, table)


def kept(found: Mapping[str, Sequence[Ranking]]) -> RenderableType:
    """Names of the rankings kept beside an atlas."""
    table = [
        [
            clean(name),
            clean(each[0].origin.parameters.get("measure", each[0].origin.method)),
            f"{len(each):,}",
            about(each[0]),
        ]
        for name, each in found.items()
    ]
    columns = [
        Column("name", lead=True, text=True),
        Column("method", "by", text=True),
        Column("targets", "targets"),
        Column("from", text=True, free=True),
    ]
    return Listing(columns, table)


def agreement_json(found: Agreement) -> Row:
    """Agreement as plain values."""
    pairs = ("overlap", "overlap_chance", "rbo", "rbo_chance", "tau")
    each = ("average", "average_chance", "vote", "vote_chance")
    plain: dict[str, Any] = {
        "target": found.target,
        "k": found.k,
        "n_units": found.n_units,
        "persistence": found.persistence,
        "rankings": [
            {"name": name, **{key: float(getattr(found, key)[i]) for key in each}} for i, name in enumerate(found.names)
        ],
    }
    return {**plain, **{key: getattr(found, key).tolist() for key in pairs}}


def agreement(found: Agreement) -> RenderableType:
    """Each ranking's agreement with all others, then every pair."""
    title = f"{counted(len(found.names), 'ranking')} for {found.target} compared over {counted(found.n_units, 'unit')}"
    columns = [
        Column("", lead=True),
        Column("ranking", lead=True, text=True),
        Column(f"average overlap of {found.k}", "average overlap"),
        Column("chance", "chance"),
        Column("vote", "vote"),
        Column("chance", "chance"),
    ]
    each = (found.average, found.average_chance, found.vote, found.vote_chance)
    table = [
        [str(i + 1), clean(name), *(effect(float(figures[i])) for figures in each)]
        for i, name in enumerate(found.names)
    ]
    parts: list[RenderableType] = [Text(clean(title), style="bold"), Text(""), Listing(columns, table)]
    for name, figures, least in (
        (f"Overlap of the first {found.k} units", found.overlap, found.overlap_chance),
        (f"Rank-biased overlap, persistence {found.persistence:g}", found.rbo, found.rbo_chance),
        ("Kendall's tau", found.tau, None),
    ):
        parts += [heading(name), _matrix(found.names, figures)]
        chance = "0" if least is None else _span(least)
        parts.append(Text(f"chance: {chance}", style="dim"))
    parts.append(
        legend(
            "average overlap: mean Jaccard index of a ranking's first units with each other ranking's. vote: with "
            "those that the others elect by Borda counts. Rankings that share their sites share their noise."
        )
    )
    return Group(*parts)


def _matrix(names: Sequence[str], figures: NDArray[np.float64]) -> Counts:
    headings = ["ranking", *(str(i + 1) for i in range(len(names)))]
    table = [
        [f"{i + 1} {clean(name)}", *(NOTHING if i == j else effect(figures[i, j]) for j in range(len(names)))]
        for i, name in enumerate(names)
    ]
    return Counts(headings, table)


def _span(figures: NDArray[np.float64]) -> str:
    values = figures[~np.eye(len(figures), dtype=bool)]
    low, high = effect(float(values.min())), effect(float(values.max()))
    return low if low == high else f"{low} to {high}"
