"""All that pages of attributions show, as plain data: units an output flows through, and maps over words and layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unitscope.annex import Annex
from unitscope.report.plain import count, counted
from unitscope.report.site.ablations import plain
from unitscope.report.site.data import SiteData, UnitKey
from unitscope.report.site.effect_drawings import reach
from unitscope.report.site.effect_words import amount, ends, known
from unitscope.report.site.parameters import parameter_rows

Row = dict[str, Any]
N_UNITS, N_ITEMS, N_WORDS, N_JUDGED = 100, 12, 80, 3
"""Most units, items and words of an item that are shown, and layers whose judgement is told in words."""
_HIDDEN = ("notes", "parameters", "n_items")


def flows(data: SiteData) -> list[Row]:
    """Attributions of an atlas with their rows by unit."""
    found = []
    for annex in data.beside.of("attributions"):
        rows = [plain(row) for row in data.beside.rows(annex, "units")]
        by_unit: dict[UnitKey, Row] = {(row["layer"], int(row["unit"])): row for row in rows}
        found.append({**_described(annex), "units": by_unit, "most": reach(rows, ("mean", "low", "high"))})
    return found


def _described(annex: Annex) -> Row:
    about = annex.about
    inner = about.get("parameters")
    inner = inner if isinstance(inner, dict) else {}

    def said(name: str) -> Any:
        return about.get(name, inner.get(name))

    return {
        "name": annex.name,
        "target": str(said("target") or "output"),
        "method": str(said("method") or "attribution"),
        "how": str(said("how") or ""),
        "n_items": said("n_items"),
        "tables": annex.tables,
    }


def attributions_view(data: SiteData) -> list[Row]:
    """All attributions of an atlas: what was attributed, how, and the unit with the greatest mean."""
    return [{**each, "best": _best(each["units"].values(), 1), "judged": _judged(data, each)} for each in data.flows]


def _best(rows: Any, n: int) -> list[Row]:
    """Units by the size of their mean."""
    return sorted((row for row in rows if known(row["mean"])), key=lambda row: -abs(row["mean"]))[:n]


def _judged(data: SiteData, flow: Row) -> list[Row]:
    annex = data.beside.get("attributions", flow["name"])
    return [plain(row) for row in data.beside.rows(annex, "judged")]


def attribution_view(data: SiteData, name: str) -> dict[str, Any]:
    """One attribution. Raises StoreError where the atlas has none of this name."""
    annex = data.beside.get("attributions", name)
    flow = next(each for each in data.flows if each["name"] == annex.name)
    items = [plain(row) for row in data.beside.rows(annex, "items")]
    judged = _judged(data, flow)
    return {
        **flow,
        "lede": lede(flow, judged),
        "best": _best(flow["units"].values(), N_UNITS),
        "n_units": len(flow["units"]),
        "layers": _layers(items, list(flow["units"].values()), data.atlas.layers),
        "maps": _maps(items, data.beside.rows(annex, "sites"), data.atlas.layers),
        "n_maps": len({row["item"] for row in data.beside.rows(annex, "sites")}),
        "judged": judged,
        "further": [
            each
            for each in (judged[0] if judged else ())
            if each.startswith(("comprehensiveness", "sufficiency")) and not each.endswith(("_low", "_high"))
        ],
        "notes": [str(note) for note in annex.about.get("notes") or ()],
        "parameters": parameter_rows(annex, _HIDDEN),
    }


def lede(flow: Row, judged: Sequence[Row]) -> list[str]:
    """What flows where, and how far it can be trusted."""
    items = f" over {counted(flow['n_items'], 'item')}" if known(flow["n_items"]) else ""
    said = [f"How much of {flow['target']} flows through each of {counted(len(flow['units']), 'unit')}, by "
            f"{flow['method']}{items}."]  # fmt: skip
    best = _best(flow["units"].values(), 1)
    if best:
        row = best[0]
        between = f" {ends(row['low'], row['high'])}" if known(row["low"]) else ""
        said.append(f"Most through {row['layer']}:{row['unit']}: {amount(row['mean'])}{between} on average.")
    tested = [row for row in judged if known(row["correlation"])]
    if tested:
        told = ", ".join(
            f"{row['layer']} {amount(row['correlation'])} {ends(row['low'], row['high'])}" for row in tested[:N_JUDGED]
        )
        said.append(f"Rank correlation with what taking units out one by one does: {told}.")
    if not judged:
        said.append("It was not judged against taking units out.")
    return said


def _layers(items: Sequence[Row], units: Sequence[Row], order: Sequence[str]) -> list[Row]:
    """Per layer the sum of all units' means, what it should be, and the gap; means over items."""
    found = []
    for layer in [each for each in order if any(row["layer"] == each for row in [*items, *units])]:
        here = [row for row in items if row["layer"] == layer]
        means = [row["mean"] for row in units if row["layer"] == layer and known(row["mean"])]
        made: Row = {"layer": layer, "n_units": len(means), "sum": sum(means) if means else None}
        for name in ("output", "explained", "gap"):
            values = [row[name] for row in here if known(row.get(name))]
            made[name] = sum(values) / len(values) if values else None
        found.append(made)
    return found


def _maps(items: Sequence[Row], sites: Sequence[Row], order: Sequence[str]) -> list[Row]:
    """Of each item words by layers, with sums and gaps; heat is the share of the item's greatest value."""
    by_item: dict[Any, dict[str, dict[int, Row]]] = {}
    for row in sites:
        by_item.setdefault(row["item"], {}).setdefault(row["layer"], {})[int(row["site"])] = plain(row)
    ends_of = {(row["item"], row["layer"]): row for row in items}
    found = []
    for item, by_layer in list(by_item.items())[:N_ITEMS]:
        layers = [layer for layer in order if layer in by_layer] or list(by_layer)
        words = {site: row["word"] for rows in by_layer.values() for site, row in rows.items()}
        places = sorted(words)
        most = reach([row for rows in by_layer.values() for row in rows.values()], ("value",))
        found.append(
            {
                "item": item,
                "layers": layers,
                "words": [
                    {"word": words[site], "cells": [_cell(by_layer[layer].get(site), most) for layer in layers]}
                    for site in places[:N_WORDS]
                ],
                "n_words": len(places),
                "sums": [_sum(by_layer[layer].values()) for layer in layers],
                "ends": [ends_of.get((item, layer), plain({})) for layer in layers],
            }
        )
    return found


def _cell(row: Row | None, most: float) -> Row | None:
    if row is None or not known(row["value"]):
        return None
    return {"value": row["value"], "heat": min(abs(row["value"]) / most, 1.0), "below": row["value"] < 0}


def _sum(rows: Any) -> float | None:
    values = [row["value"] for row in rows if known(row["value"])]
    return sum(values) if values else None


def told(flow: Row) -> str:
    """An attribution in a few words.

    >>> told({"target": "loss", "method": "conductance", "units": {1: {}, 2: {}}})
    'loss by conductance, 2 units'
    """
    return f"{flow['target']} by {flow['method']}, {count(len(flow['units']))} units"
