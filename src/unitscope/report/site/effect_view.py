"""All that pages of effects show, as plain data: curves, single units, classes, doses, sets, matches, causes.

Tables that an ablation need not have are left out where they are absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unitscope.report.plain import count, counted, number
from unitscope.report.site.ablations import Ablation, plain
from unitscope.report.site.data import SiteData, UnitKey
from unitscope.report.site.effect_drawings import reach
from unitscope.report.site.effect_words import FALSE_DISCOVERIES, amount, cost, ends, known, matters
from unitscope.report.site.parameters import parameter_rows

Row = dict[str, Any]
N_UNITS, N_HEAT, N_DOSES = 300, 40, 24
"""Most single units in the table, in the heat table of classes, and curves of doses."""
SELECTIONS = ("top", "random", "bottom")
PANELS = (("", "taken out"), ("keep ", "kept, all others taken out"))
_HIDDEN = ("metric", "rising", "unedited", "parameters", "notes", "n_items", "n_blocks", "task", "halves")


def effects_view(data: SiteData) -> list[Row]:
    """All ablations of an atlas: the task, its unedited value, and what was taken out."""
    return [{**described(each), "said": _first_sentence(each)} for each in data.ablations]


def described(found: Ablation) -> Row:
    """Name, task and figures of an ablation."""
    about = found.about
    parts = [
        (counted(len(found.tables["units"]), "unit") + " one by one") if found.tables["units"] else "",
        f"units of '{about.get('ranking')}'" if found.tables["curve"] else "",
        counted(len(found.tables["matches"]), "match", "matches") if found.tables["matches"] else "",
        "doses" if found.tables["doses"] else "",
        "pairs" if found.tables["pairs"] else "",
        "greedy sets" if found.tables["greedy"] else "",
        "read–write–cause" if found.tables["causes"] else "",
    ]
    return {
        "name": found.name,
        "task": found.task,
        "metric": found.metric,
        "rising": found.rising,
        "edit": found.edit,
        "unedited": found.unedited,
        "chance": about.get("chance"),
        "n_items": about.get("n_items"),
        "n_blocks": about.get("n_blocks"),
        "what": ", ".join(part for part in parts if part),
        "n_contradictions": len(contradictions(found)),
    }


def effect_view(data: SiteData, name: str) -> dict[str, Any]:
    """One ablation. Raises StoreError where the atlas has none of this name."""
    annex = data.beside.get("effects", name)
    found = next(each for each in data.ablations if each.name == annex.name)
    units, tables = found.tables["units"], found.tables
    return {
        **described(found),
        "lede": lede(found),
        "curve": curve_points(found),
        "beyond": [_named(row) for row in tables["curve"] if row["selection"].endswith("beyond")],
        "units": [plain(row, matters=matters(row, found.rising)) for row in units[:N_UNITS]],
        "n_units": len(units),
        "most": reach(units),
        "classes": _classes(found),
        "doses": doses(found, list(dict.fromkeys((row["layer"], row["unit"]) for row in tables["doses"]))[:N_DOSES]),
        "n_doses": len({(row["layer"], row["unit"]) for row in tables["doses"]}),
        "pairs": tables["pairs"],
        "greedy": tables["greedy"],
        "matches": tables["matches"],
        "causes": tables["causes"],
        "contradictions": contradictions(found),
        "parameters": parameter_rows(annex, _HIDDEN),
        "notes": [str(note) for note in found.about.get("notes") or ()],
    }


def lede(found: Ablation) -> list[str]:
    """What was measured, and what the curve and the single units say."""
    said = []
    if found.unedited is not None:
        better = "more is better" if found.rising else "less is better"
        said.append(f"Unedited, the {found.metric} is {number(found.unedited)} ({better}).")
    said += [each for each in (_curve_sentence(found), _units_sentence(found)) if each]
    n, all_ = len(contradictions(found)), len(found.tables["causes"]) or len(found.tables["matches"])
    if all_:
        said.append(
            f"Of {counted(all_, 'labelled unit')}, the effect of {count(n)} does not bear the label out."
            if n
            else f"No effect speaks against the labels of {counted(all_, 'unit')}."
        )
    return said


def _first_sentence(found: Ablation) -> str:
    said = lede(found)
    return said[min(1, len(said) - 1)] if said else ""


def _curve_sentence(found: Ablation) -> str:
    beyond = [row for row in found.tables["curve"] if row["selection"] == "beyond" and known(row["effect"])]
    if not beyond:
        return ""
    row = max(beyond, key=lambda each: each["n_units"])
    said = f"Without the top {counted(row['n_units'], 'unit')} the {found.metric} changes by {amount(row['effect'])}"
    said += f" {ends(row['low'], row['high'])} more than without as many at random"
    if not known(row["low"]):
        return f"{said}; too few documents for an interval."
    if row["low"] <= 0 <= row["high"]:
        return f"{said}: they matter no more than random ones."
    return f"{said}: they matter {'more' if cost(row['effect'], found.rising) > 0 else 'less'}."


def _units_sentence(found: Ablation) -> str:
    units = found.tables["units"]
    tested = [row for row in units if known(row.get("q"))]
    if not tested:
        return ""
    worse = sum(matters(row, found.rising) == "worse without it" for row in tested)
    better = sum(matters(row, found.rising) == "better without it" for row in tested)
    return (
        f"Of {counted(len(tested), 'unit')} taken out alone, {count(worse)} cost {found.metric} and {count(better)} "
        f"better it, at a false discovery rate of {FALSE_DISCOVERIES:.0%}."
    )


def contradictions(found: Ablation) -> list[Row]:
    """Units whose effect speaks against their label: of the read–write–cause table, or of the matches."""
    causes = [row for row in found.tables["causes"] if row.get("contradiction")]
    return causes or [row for row in found.tables["matches"] if row["contradicts"]]


def curve_points(found: Ablation) -> list[Row]:
    """Points of curves for the chart and its table: the value, with the interval of the difference laid around it."""
    points = []
    for prefix, panel in PANELS:
        for row in found.tables["curve"]:
            name = row["selection"].removeprefix(prefix).removesuffix(" mean")
            whole = f"{prefix}{name}"
            if row["selection"] not in (whole, f"{whole} mean") or name not in SELECTIONS:
                continue
            if name == "random" and not row["selection"].endswith(" mean"):
                continue  # single draws make up the mean
            point = {"panel": panel, "selection": name, "units": int(row["n_units"]), "value": row["value"]}
            point |= {"effect": row["effect"], "effect_low": row["low"], "effect_high": row["high"]}
            point |= dict(zip(("low", "high"), _around(found, row), strict=True))
            points.append(point)
    return points


def _around(found: Ablation, row: Row) -> tuple[float | None, float | None]:
    if found.unedited is None or not known(row["low"]) or not known(row["high"]):
        return None, None
    return found.unedited + row["low"], found.unedited + row["high"]


def _named(row: Row) -> Row:
    return plain(row, kept=row["selection"].startswith("keep "))


def _classes(found: Ablation) -> Row | None:
    """Units by classes: effects, those of greatest size first; None where classes were not looked at."""
    rows = found.tables["classes"]
    if not rows:
        return None
    classes = list(dict.fromkeys(str(row["class"]) for row in rows))
    by_unit: dict[UnitKey, dict[str, Row]] = {}
    for row in rows:
        by_unit.setdefault((row["layer"], int(row["unit"])), {})[str(row["class"])] = row
    order = sorted(by_unit, key=lambda key: -reach(list(by_unit[key].values()), ("effect",)))
    most = reach(rows, ("effect",))
    return {
        "classes": classes,
        "n": len(order),
        "rows": [
            {"key": key, "cells": [cell(by_unit[key].get(name), most, found.rising) for name in classes]}
            for key in order[:N_HEAT]
        ],
    }


def cell(row: Row | None, most: float, rising: bool) -> Row | None:
    """A cell of a heat table: what is lost without the unit, as a share of the greatest; whether beyond chance."""
    if row is None or not known(row["effect"]):
        return None
    lost = cost(row["effect"], rising)
    sure = known(row.get("q")) and row["q"] <= FALSE_DISCOVERIES
    return plain(row, heat=min(abs(lost) / most, 1.0), better=lost < 0, sure=sure)


def doses(found: Ablation, keys: Sequence[UnitKey]) -> list[Row]:
    """Doses and responses of units, by quantile."""
    made = []
    trends = {(row["layer"], int(row["unit"])): row for row in found.tables["trends"]}
    for key in keys:
        rows = sorted(found.of_unit.get(key, {}).get("doses", ()), key=_place)
        if rows:
            made.append({"key": key, "rows": rows, "unedited": found.unedited, "trend": trends.get(key)})
    return made


def _place(row: Row) -> tuple[float, float]:
    """Order of doses: by what the unit is set to; settings that are no quantile (as 0) among them."""
    return (row["setting"] if known(row["setting"]) else 0.0, row["quantile"] if known(row["quantile"]) else 0.5)


def unit_effects(data: SiteData, key: UnitKey) -> Row | None:
    """What is known of a unit from all ablations; None where it was never taken out."""
    parts = []
    for found in data.ablations:
        tables = found.of_unit.get(key)
        if tables is None:
            continue
        own, classes = tables.get("units", []), tables.get("classes", [])
        most = reach(classes, ("effect",))
        parts.append(
            {
                **described(found),
                "own": [plain(row, matters=matters(row, found.rising)) for row in own],
                "matches": tables.get("matches", []),
                "causes": tables.get("causes", []),
                "classes": [each for row in classes if (each := cell(row, most, found.rising))],
                "doses": doses(found, [key]),
                "most": reach([*own, *_falls(tables.get("matches", []))]),
            }
        )
    flow = [each for each in data.flows if key in each["units"]]
    if not parts and not flow:
        return None
    return {"parts": parts, "flow": [{**each, "row": each["units"][key]} for each in flow]}


def _falls(rows: Sequence[Row]) -> list[Row]:
    """Effects inside and outside a concept and their difference as rows of their own, for a common scale."""
    return [
        {"effect": row[name], "low": row.get(f"{name}_low"), "high": row.get(f"{name}_high")}
        for row in rows
        for name in ("inside", "outside", "difference")
    ]
