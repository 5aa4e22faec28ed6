"""All that a unit's page shows, as plain data: a server gives the same as JSON."""

from __future__ import annotations

from typing import Any

from unitscope.atlas import Row
from unitscope.errors import StoreError
from unitscope.report.plain import clean, direction, effect, interval, share
from unitscope.report.site import clips
from unitscope.report.site.ablations import sentences
from unitscope.report.site.data import SiteData, UnitKey
from unitscope.report.site.effect_view import unit_effects
from unitscope.report.site.wording import Words
from unitscope.report.wording import of_grid

N_RANKED = 12
"""Most rankings that a unit's page names."""
RARE = 0.1
"""Share of the strongest sites with the concept below which the page says that it is small."""
RUNGS = ("documents", "word types", "ambiguous words", "minimal pairs")


def unit_view(data: SiteData, key: UnitKey) -> dict[str, Any]:
    """Everything about one unit: identity, matches with controls, variance, density, clips, writes, ladder, formulas.

    Raises StoreError when the atlas has no such unit.
    """
    if key not in data.units:
        raise StoreError(f"Unit '{key[0]}:{key[1]}' is not in this atlas.", fix=f"Its layers: {', '.join(data.layer)}.")
    row, info = data.units[key], data.layer[key[0]]
    matches = data.auroc(key)
    first = matches[0] if matches else None
    falls = bool(first and first["sign"] < 0)
    histogram = data.density.of(*key)
    before, after = data.neighbours(key)
    ranked = data.beside.near_top(*key)
    return {
        "layer": key[0],
        "unit": key[1],
        "address": f"{key[0]}:{key[1]}",
        "name": row.get("name"),
        "row": row,
        "info": info,
        "first": first,
        "falls": falls,
        "words": data.words(key[0]),
        "lede": [*lede(row, first, data.words(key[0])), *sentences(data.ablations, key)],
        "does": unit_effects(data, key),
        "matches": matches,
        "others": [each for each in data.matches.get(key, ()) if each["measure"] != "auroc"],
        "shares": {name: row[f"share_{name}"] for name in data.parts},
        "part_names": of_grid(info.grid).parts,
        "layer_shares": info.counts["trained"]["median_shares"],
        "cover": [row[f"cover_{k}"] for k in range(1, 6) if row.get(f"cover_{k}") is not None],
        "density": histogram[0] if histogram else None,
        "scale": clips.Scale.of(row),
        "clips": clips.of_unit(data.clips.of(*key), data.items, falls),
        "writes": _writes(data.writes.of(*key)),
        "attribution": next(iter(data.attributions.of(*key)), None),
        "ladder": _ladder(data.ladder.of(*key)),
        "formulas": data.formulas.of(*key),
        "baselines": _baselines(data, info),
        "ranked": ranked[:N_RANKED],
        "n_ranked": len(ranked),
        "compared": data.beside.compared(*key),
        "previous": before,
        "next": after,
        "place": data.reported_place.get(key),
    }


def lede(row: Row, first: Row | None, words: Words) -> list[str]:
    """What the unit does, in a sentence or two; honest about what word form or place explain."""
    if first is None:
        return ["No concept is reported for this unit."]
    known = "" if first["low"] is None else f" {interval(first['low'], first['high'])}"
    said = [
        f"{direction(first['sign']).capitalize()} {clean(first['concept'])}: on held-out {words.held_out} it tells "
        f"such places from all others with an AUROC of {effect(first['score'])}{known}."
    ]
    cover = row.get("cover_1")
    if cover is not None and cover < RARE:
        said.append(f"But of the sites where it is strongest, only {share(cover)} have the concept.")
    place, bar = first["within_form_position"], first["untrained_p99"]
    left, alone = f"{words.among.capitalize()} {effect(place)} is left", f"{words.alone} may be all it knows"
    if first["kind"] == "contextual":
        said.append(f"{left}, more than {words.alone} or the place explains.")
    elif first["kind"] == "positional":
        said.append("Position or length explains it.")
    elif place is None:
        said.append(f"What is left {words.among} cannot be told: {alone}.")
    elif bar is not None and 0.5 < place <= bar:
        said.append(f"{left}; an untrained copy's best percent of units reaches {effect(bar)}, so {alone}.")
    else:
        said.append(f"{left}: {alone}.")
    if row["context"] and row["context"] != first["concept"]:
        said.append(f"Beyond that it also tells {clean(row['context'])}.")
    return said


def _baselines(data: SiteData, info: Any) -> list[dict[str, Any]]:
    """Shares of contextual units in the unit's layer, and in each baseline of it."""
    return [
        {
            "variant": variant,
            "first": counts["contextual"] / counts["units"],
            "any": counts["with_context"] / counts["units"],
        }
        for variant, counts in info.counts.items()
        if counts["units"]
    ]


def _writes(rows: list[Row]) -> list[dict[str, Any]]:
    """Tokens by kind: promoted and suppressed ones, strongest first."""
    found = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        here = sorted((row for row in rows if row["kind"] == kind), key=lambda row: row["rank"])
        found.append(
            {
                "kind": kind,
                "promoted": [row for row in here if row["sign"] > 0],
                "suppressed": [row for row in here if row["sign"] < 0],
            }
        )
    return found


def _ladder(rows: list[Row]) -> list[dict[str, Any]]:
    """Rungs of each concept from easiest to hardest."""
    found: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["slot"], row["concept"]), []).append(row)
    order = {rung: i for i, rung in enumerate(RUNGS)}
    return [
        {"concept": concept, "rungs": sorted(rungs, key=lambda row: order.get(row["rung"], len(order)))}
        for (_, concept), rungs in sorted(found.items())
    ]
