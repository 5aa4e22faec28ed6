"""All that pages of probes show, as plain data: scores beside what they must be compared with, curves, classes, layers.

Tables and columns that a probe need not have are left out where they are absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unitscope.annex import Annex
from unitscope.report.plain import count, counted, effect, interval, share
from unitscope.report.site.data import SiteData
from unitscope.report.site.parameters import parameter_rows

Row = dict[str, Any]
SELECTIONS = ("top", "random", "bottom")
MODES = ("mask", "retrain")
EXPLAINED = {"mask": "all other units at their mean", "retrain": "a new probe on these units alone"}
GAINS = ("above form", "above untrained", "selectivity")
"""Rows of scores that are differences between two."""
CODES = ("bits_per_site", "compression")
"""Figures of a description length."""
_HIDDEN = ("parameters", "notes", "metric", "kind", "targets")


def probes_view(data: SiteData) -> list[Row]:
    """All probes of an atlas: what was read, and its score beside the untrained copy's and the word form's."""
    return [_described(data, annex) for annex in data.beside.of("probes")]


def _described(data: SiteData, annex: Annex) -> Row:
    scores = _scores(data.beside.rows(annex, "scores"))
    about = annex.about
    metric = str(about.get("metric") or (scores[0]["metric"] if scores else "accuracy"))
    main = [row for row in scores if row["metric"] == metric and row["probe"] not in GAINS]
    return {
        "name": annex.name,
        "what": str(_asked(about)),
        "kind": str(about.get("kind") or (scores[0]["probe"] if scores else "probe")),
        "metric": metric,
        "about": about,
        "levels": [row for row in scores if row["probe"] not in GAINS and row["metric"] not in CODES],
        "gains": [row for row in scores if row["probe"] in GAINS],
        "codes": [row for row in scores if row["metric"] in CODES],
        "own": main[0] if main else None,
        "others": main[1:],
        "n_units": about.get("n_units"),
    }


def _asked(about: Mapping[str, Any]) -> object:
    inner = about.get("parameters")
    inner = inner if isinstance(inner, Mapping) else {}
    return about.get("concepts") or inner.get("concepts") or about.get("target") or inner.get("target") or ""


def _scores(rows: Sequence[Row]) -> list[Row]:
    """Scores with their number of sites under one name, the trained network's own probe first."""
    found = [{"low": None, "high": None, **row, "n": row.get("n_sites", row.get("n"))} for row in rows]
    return sorted(
        found, key=lambda row: (row["probe"] in _WHO or row["probe"] in GAINS, row["variant"] not in ("trained", ""))
    )


def probe_view(data: SiteData, name: str) -> dict[str, Any]:
    """One probe. Raises StoreError where the atlas has none of this name."""
    annex = data.beside.get("probes", name)
    found = _described(data, annex)
    curves = _curves(data.beside.rows(annex, "curve"))
    return {
        **found,
        "key": annex.parent,
        "lede": lede(found),
        "minimal": minimal(annex.about),
        "curves": curves,
        "classes": data.beside.rows(annex, "classes"),
        "layers": _layers(data.beside.rows(annex, "layers"), data.atlas.layers),
        "explained": EXPLAINED,
        "notes": [str(note) for note in annex.about.get("notes") or ()],
        "parameters": parameter_rows(annex, _HIDDEN),
    }


def lede(view: Row) -> list[str]:
    """What the probe reads, how well, and beside what."""
    own = view["own"]
    if own is None:
        return ["This probe has no scores."]
    units = f" off {counted(view['n_units'], 'unit')}" if view["n_units"] else ""
    said = [
        f"A {view['kind']} probe reads {view['what'] or view['name']}{units} with {_name(view['metric'])} "
        f"{effect(own['value'])} {interval(own['low'], own['high'])} on sites that it was not trained on."
    ]
    beside = [f"{who(row)} {effect(row['value'])}" for row in view["others"] if row["metric"] == view["metric"]]
    if beside:
        said.append(f"Beside it: {', '.join(beside)}.")
    return said


def _name(metric: str) -> str:
    return "an accuracy of" if metric == "accuracy" else metric


_WHO = {
    "form": "the word form alone",
    "identity": "the word form alone",
    "majority": "the most frequent class",
    "control": "control labels",
    "above form": "above the word form alone",
    "above untrained": "above the untrained copy",
    "selectivity": "above control labels (selectivity)",
    "description": "its description length",
    "control description": "that of control labels",
}


def who(row: Mapping[str, Any]) -> str:
    """What a score is of, in words.

    >>> who({"probe": "linear", "variant": "untrained"}), who({"probe": "majority", "variant": "none"})
    ('linear, untrained', 'the most frequent class')
    """
    known = _WHO.get(row["probe"])
    variant = str(row.get("variant") or "")
    name = known or str(row["probe"])
    return (
        f"{name}, {variant}" if variant not in ("", "none", "text") and not (known and variant == "trained") else name
    )


def minimal(about: Mapping[str, Any]) -> str:
    """The fewest units that do nearly as well as all, as a sentence; empty where it was not looked for."""
    found = about.get("smallest")
    if not isinstance(found, Mapping) or not found.get("n_units"):
        return ""
    n, whole = int(found["n_units"]), found.get("of_units") or about.get("n_units")
    part = f" ({share(n, whole)} of {count(whole)})" if whole else ""
    if found.get("reached") is False:
        return f"No smaller set of units does: all {count(n)} are needed."
    delta = found.get("delta", about.get("delta"))
    near = f" within {effect(delta)} of all units" if delta is not None else " as well as all units"
    scored = found.get("value")
    known = interval(found.get("low"), found.get("high")) if found.get("low") is not None else ""
    on = f": {effect(scored)} {known}".rstrip() + " on sites not used to choose them" if scored is not None else ""
    return f"The fewest units that do{near}: {count(n)}{part}{on}."


def _curves(rows: Sequence[Row]) -> list[Row]:
    """Points by target and mode: the selections' scores at each number of units."""
    found: dict[tuple[str, str], dict[int, Row]] = {}
    for row in rows:
        key = (str(row.get("target", row.get("class", "")) or ""), str(row["mode"]))
        point = found.setdefault(key, {}).setdefault(int(row["n_units"]), {"n_units": int(row["n_units"])})
        point["share"] = row.get("share")
        point[row["selection"]] = {"value": row["accuracy"], "low": row.get("low"), "high": row.get("high")}
    order = {mode: at for at, mode in enumerate(MODES)}
    return [
        {"target": target, "mode": mode, "points": [points[n] for n in sorted(points)]}
        for (target, mode), points in sorted(found.items(), key=lambda each: (each[0][0], order.get(each[0][1], 9)))
    ]


def _layers(rows: Sequence[Row], layers: Sequence[str]) -> Row | None:
    """Classes by layers: number of the class's units and their share of them."""
    if not rows:
        return None
    name = "class" if "class" in rows[0] else "target"
    classes = list(dict.fromkeys(str(row[name]) for row in rows))
    at = {(str(row[name]), row["layer"]): row for row in rows}
    columns = [layer for layer in layers if any((each, layer) in at for each in classes)]
    return {
        "columns": columns,
        "rows": [{"class": each, "cells": [at.get((each, layer)) for layer in columns]} for each in classes],
    }
