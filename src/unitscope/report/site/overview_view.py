"""All that the overview and the list of concepts show, as plain data; and the table of units for scripts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from unitscope.atlas import Row
from unitscope.report.plain import count, counted, share
from unitscope.report.site import clips
from unitscope.report.site.causes_view import causes_panel
from unitscope.report.site.data import SiteData
from unitscope.report.site.inert import slug

KINDS = ("contextual", "appearance", "lexical", "positional")
STATUS = ("dead", "constant", "nan")
N_FINDINGS, N_CONCEPTS = 9, 24
_NOT_REPORTED = "unreported"


def kinds(data: SiteData) -> list[str]:
    """Kinds of matches in an atlas, known ones first."""
    found = {row["kind"] for row in data.units.values() if row["kind"]}
    return [kind for kind in KINDS if kind in found] + sorted(found - set(KINDS))


def overview_view(data: SiteData) -> dict[str, Any]:
    """Layers, findings, concepts, what was run, and what to keep in mind."""
    names = kinds(data)
    return {
        "kinds": names,
        "totals": _totals(data, names),
        "layers": [layer_view(data, info.address, names) for info in data.layers],
        "words": data.words(data.layers[0].address),
        "parts": data.parts,
        "findings": best_findings(data),
        "concepts": concept_bars(data)[:N_CONCEPTS],
        "n_concepts": len(data.concept_rows),
        "causes": causes_panel(data),
        "caveats": caveats(data),
        "manifest": manifest_rows(data),
    }


def _totals(data: SiteData, names: Sequence[str]) -> dict[str, Any]:
    rows = data.units.values()
    n = len(data.units)
    found: dict[str, Any] = {"units": n, "reported": len(data.reported), "layers": len(data.layers)}
    for variant in data.variants:
        counts = [info.counts[variant] for info in data.layers]
        units = sum(each["units"] for each in counts) or 1
        found[variant] = {
            "contextual": sum(each["contextual"] for each in counts) / units,
            "with_context": sum(each["with_context"] for each in counts) / units,
        }
    found["kinds"] = {kind: sum(row["kind"] == kind for row in rows) for kind in names}
    found["dead"] = sum(row["status"] != "live" for row in rows)
    return found


def layer_view(data: SiteData, address: str, names: Sequence[str]) -> dict[str, Any]:
    """A layer's units by kind, in each variant."""
    info = data.layer[address]
    return {
        "info": info,
        "variants": [
            {"variant": variant, "units": counts["units"], "parts": _parts(counts, names), "counts": counts}
            for variant, counts in info.counts.items()
        ],
    }


def _parts(counts: Row, names: Sequence[str]) -> list[tuple[str, int]]:
    """Units of a layer by kind; those that are not reported and those that do not vary behind."""
    by_kind = [(kind, int(counts.get(kind, 0))) for kind in names]
    silent = sum(int(counts.get(status, 0)) for status in STATUS)
    rest = int(counts["units"]) - sum(n for _, n in by_kind)
    dead = min(silent, rest)
    return [*by_kind, (_NOT_REPORTED, rest - dead), ("dead", dead)]


def best_findings(data: SiteData, n: int = N_FINDINGS) -> list[dict[str, Any]]:
    """The best-supported unit of up to `n` concepts, contextual ones first, with sites where it detects."""
    best = [rows[0] for rows in data.by_concept.values()]
    best += [first for rows in data.by_concept.values() if (first := _first_contextual(rows)) is not None]
    ranked = sorted({(row["layer"], row["unit"], row["slot"]): row for row in best}.values(), key=_order)
    chosen: dict[str, Row] = {}
    for row in ranked:
        chosen.setdefault(row["concept"], row)
    found = []
    for row in list(chosen.values())[:n]:
        key = (row["layer"], row["unit"])
        groups = clips.of_unit(data.clips.of(*key), data.items, row["sign"] < 0)
        shown = groups[0]["parts"][0]["clips"] if groups else []
        found.append(
            {
                "match": row,
                "key": key,
                "clips": _different(shown, 3),
                "row": data.units[key],
                "scale": clips.Scale.of(data.units[key]),
            }
        )
    return found


def _first_contextual(rows: Sequence[Row]) -> Row | None:
    return next((row for row in rows if row["kind"] == "contextual"), None)


def _order(row: Row) -> tuple[Any, ...]:
    low = row["score"] if row["low"] is None else row["low"]
    place = row["within_form_position"] if row["kind"] == "contextual" else 0.0
    return (
        row["kind"] != "contextual",
        row["low"] is None,
        -min(low, place or low),
        -row["score"],
        row["layer"],
        row["unit"],
    )


def _different(shown: Sequence[Row], n: int) -> list[Row]:
    """The first clips of different items, so that a card does not show one sentence thrice."""
    by_item: dict[int, Row] = {}
    for clip in shown:
        by_item.setdefault(clip["item"], clip)
    return list(by_item.values())[:n]


def concept_bars(data: SiteData) -> list[dict[str, Any]]:
    """Concepts by the number of units that carry them, with kinds."""
    found = []
    for name, rows in data.concept_rows.items():
        matches = data.by_concept.get(name, [])
        parts: dict[str, int] = {}
        for row in sorted(matches, key=lambda row: str(row["kind"])):
            parts[row["kind"]] = parts.get(row["kind"], 0) + 1
        best = matches[0] if matches else None
        found.append(
            {
                "name": name,
                "category": rows[0]["category"],
                "n": sum(row["n"] for row in rows),
                "prevalence": rows[0]["prevalence"],
                "eligible": any(row["eligible"] for row in rows),
                "units": len(matches),
                "parts": parts,
                "best": best,
            }
        )
    return sorted(found, key=lambda row: (-row["units"], row["name"]))


def caveats(data: SiteData) -> list[str]:
    """What a reader should keep in mind, as far as this atlas gives cause."""
    said = []
    for grid, notes in data.manifest["grids"].items():
        if notes["blocks_are_runs_inside_groups"]:
            said.append(
                f"Grid '{grid}': only {counted(notes['groups'], 'group')}. Blocks are runs of whole items "
                "inside groups, which are less independent than groups; intervals may be too narrow."
            )
        if notes["concepts_eligible"] < notes["concepts"]:
            said.append(
                f"Grid '{grid}': {count(notes['concepts_eligible'])} of {count(notes['concepts'])} concepts are "
                "frequent enough to be tested."
            )
        if notes["sites_without_position"]:
            said.append(
                f"Grid '{grid}': {count(notes['sites_without_position'])} sites have no position in the model "
                "and are left out."
            )
    ran = data.variants[1:]
    if "untrained" not in ran:
        said.append("No untrained copy was run: more units are called contextual than would be beside one.")
    if "rotation" not in ran:
        said.append(
            "No rotated basis was run: whether these units are special beside any other direction is not known."
        )
    totals = _totals(data, ())
    if "rotation" in ran and totals["rotation"]["with_context"] >= totals["trained"]["with_context"]:
        said.append(
            "A rotated basis has as many units with a contextual concept "
            f"({share(totals['rotation']['with_context'])}) as the model's own "
            f"({share(totals['trained']['with_context'])}): by this count the units are no privileged basis."
        )
    note = data.manifest["notes"].get("resampling") or {}
    if note.get("of"):
        said.append(
            f"Of {note['of']} sampled units, {note['changed']} would be tested on another concept if words "
            f"took the {note['between'][1]} instead of the {note['between'][0]} of their subwords."
        )
    said.append(
        "Nearly every unit passes the q-value: it says that an association is there, not what it is. Read the effects."
    )
    measured = "is under Effects" if data.beside.of("effects") else "was not measured here"
    said.append(f"A label is a correlation. What the network does without a unit {measured}.")
    for each in data.beside.left_out:
        said.append(f"Left out, since it cannot be read: {each.kind}/{each.name}. {each.why}")
    return said


def manifest_rows(data: SiteData) -> list[tuple[str, str]]:
    """What was run, as names and values."""
    study = data.manifest["study"]
    rows = [
        ("model", study["model"]),
        ("weights (SHA-256)", study["weight_hash"]),
        ("corpus", study["corpus"]),
        ("corpus (SHA-256)", study["corpus_hash"]),
        ("items", count(data.manifest["notes"]["items"])),
    ]
    for grid, notes in data.manifest["grids"].items():
        rows.append(
            (
                f"sites ({grid})",
                f"{count(notes['sites'])}: {count(notes['sites_a'])} in half A, {count(notes['sites_b'])} in half B",
            )
        )
        rows.append((f"blocks ({grid})", f"{count(notes['blocks'])} of {counted(notes['groups'], 'group')}"))
    rows += [
        ("layers", ", ".join(data.layer)),
        ("concepts", "; ".join(map(str, study["concepts"]))),
        ("measures", ", ".join(study["measures"])),
        ("baselines", ", ".join(study["baselines"]) or "none"),
        ("smallest attainable q", f"{data.atlas.summary['trained']['all']['smallest_q']:.2g}"),
    ]
    shown = {"model", "weight_hash", "corpus", "corpus_hash", "layers", "concepts", "measures", "baselines", "versions"}
    rows += [(name.replace("_", " "), str(value)) for name, value in study.items() if name not in shown]
    rows.append(("versions", ", ".join(f"{name} {version}" for name, version in study["versions"].items())))
    rows.append(("key", data.manifest["key"]))
    return rows


def passport_rows(data: SiteData) -> list[Row]:
    """Median shares of variance by layer, variant and part."""
    names = data.parts
    found = []
    for info in data.layers:
        for variant, counts in info.counts.items():
            shares = counts["median_shares"] or {}
            for order, part in enumerate(names if shares else ()):
                found.append(
                    {"layer": info.address, "variant": variant, "part": part, "share": shares[part], "order": order}
                )
    return found


def unit_table(data: SiteData) -> dict[str, Any]:
    """All units for the table and the search: columns of whole numbers, effects in thousandths, null where unknown."""
    concepts = list(data.concept_rows)
    number = {name: i for i, name in enumerate(concepts)}
    names = kinds(data)
    kind_number = {kind: i for i, kind in enumerate(names)}
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    status = ["live", *STATUS]
    for key, row in data.units.items():
        matches = data.auroc(key)
        first: Row = matches[0] if matches else {}
        values = (
            row["unit"],
            status.index(row["status"]) if row["status"] in status else 0,
            kind_number.get(row["kind"]),
            number.get(first.get("concept", "")),
            first.get("sign"),
            *(
                _thousandths(first.get(name))
                for name in ("score", "low", "high", "within_form", "within_form_position", "untrained_p99")
            ),
            _thousandths(first.get("q"), 10),
            first.get("n"),
            _thousandths(row["share_form"]),
            number.get(row["context"] or ""),
        )
        for name, value in zip(_COLUMNS, values, strict=True):
            columns[name].append(value)
    return {
        "layers": [[info.address, slug(info.address), info.role, info.width] for info in data.layers],
        "sizes": [sum(key[0] == info.address for key in data.units) for info in data.layers],
        "concepts": [[name, slug(name), len(data.by_concept.get(name, ()))] for name in concepts],
        "kinds": names,
        "status": status,
        "columns": columns,
    }


_COLUMNS = (
    "unit", "status", "kind", "concept", "sign", "score", "low", "high", "form", "place", "bar", "q", "n",
    "share", "context",
)  # fmt: skip


def _thousandths(value: float | None, times: int = 1) -> int | None:
    return None if value is None or math.isnan(value) else round(1000 * times * value)
