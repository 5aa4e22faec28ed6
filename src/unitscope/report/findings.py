"""What an atlas has to say, as plain rows: best-supported matches, counts by layer, one concept, one unit.

The terminal's report, the demo and `--json` show these same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unitscope.atlas import Atlas, Row
from unitscope.errors import StoreError, closest

RUNGS = ("documents", "word types", "ambiguous words", "minimal pairs")
KINDS = ("contextual", "lexical", "positional", "appearance")
N_EXAMPLES = 4
_SHOWN = (
    "case when grid = 'item' then i.id when i.words is not null then i.words[c.position + 1] "
    "else 'r' || (c.position // i.columns + 1) || 'c' || (c.position % i.columns + 1) || ' of ' || i.id end"
)
"""A clip's site in a list: the item, the word, or the cell of an image."""
LEVELS = (0.1, 0.5, 0.9)


def best_supported(
    atlas: Atlas, *, kind: str | None = None, layer: str | None = None, concept: str | None = None, top: int = 10
) -> list[Row]:
    """Reported matches by what is left of them at worst, with the unit's `share_form`, `name` and `words`.

    The words are those it is highest at, or lowest where it falls on the concept.

    A contextual match is worth the smaller of its interval's lower end and its effect within form at like positions,
    any other its interval's lower end; matches without an interval come after all others. Raises StoreError for an
    unknown kind, layer or concept.
    """
    if kind is not None and kind not in KINDS:
        raise StoreError(f"Got kind '{kind}'.", expected=f"one of {', '.join(KINDS)}", fix=closest(kind, KINDS))
    check_layer(atlas, layer)
    if concept is not None:
        concept_row(atlas, concept)
    conditions, parameters = ["m.measure = 'auroc'"], []
    for name, value in (("m.kind", kind), ("m.layer", layer), ("m.concept", concept)):
        if value is not None:
            conditions.append(f"{name} = ?")
            parameters.append(value)
    rows = atlas.sql(
        "select m.*, u.share_form from matches m join units u on u.layer = m.layer and u.unit = m.unit "
        f"where {' and '.join(conditions)} order by m.low is null, "
        "case when m.kind = 'contextual' then least(coalesce(m.low, m.score), m.within_form_position) "
        "else coalesce(m.low, m.score) end desc, m.score desc, list_position(?, m.layer), m.unit limit ?",
        [*parameters, atlas.layers, top],
    )
    examples = {
        sign: example_words(atlas, [row for row in rows if row["sign"] == sign], kind)
        for sign, kind in ((1, "top"), (-1, "low"))
    }
    names = {layer: atlas.names(layer) for layer in {row["layer"] for row in rows}}
    return [
        {
            **row,
            "name": names[row["layer"]].get(row["unit"], ""),
            "words": examples[row["sign"]].get((row["layer"], row["unit"]), []),
        }
        for row in rows
    ]


def example_words(atlas: Atlas, rows: Sequence[Row], kind: str) -> dict[tuple[str, int], list[str]]:
    """The first different words of the clips of a kind, of each unit in rows with `layer` and `unit`."""
    if not rows:
        return {}
    units = sorted({(row["layer"], row["unit"]) for row in rows})
    marks = ", ".join(["(?, ?)"] * len(units))
    clips = atlas.sql(
        f"select layer, unit, {_SHOWN} as word from clips c join items i using (grid, item) "
        f"where kind = ? and word is not null and (layer, unit) in (values {marks}) order by layer, unit, rank",
        [kind, *(value for unit in units for value in unit)],
    )
    found: dict[tuple[str, int], list[str]] = {}
    for clip in clips:
        words = found.setdefault((clip["layer"], clip["unit"]), [])
        if len(words) < N_EXAMPLES and clip["word"].lower() not in {word.lower() for word in words}:
            words.append(clip["word"])
    return found


def kinds(atlas: Atlas) -> tuple[str, ...]:
    """Kinds that matches of this atlas can have, in order: `appearance` where it has images, `lexical` where texts."""
    counts = atlas.summary["trained"][atlas.layers[0]]
    return tuple(kind for kind in KINDS if kind in counts)


def _by_kind(atlas: Atlas) -> str:
    return ", ".join(f"count(*) filter (where kind = '{kind}') as {kind}" for kind in kinds(atlas))


def check_layer(atlas: Atlas, layer: str | None) -> None:
    """Raise StoreError when the atlas has no such layer."""
    if layer is not None and layer not in atlas.layers:
        near = closest(layer, atlas.layers)
        fix = near or f"Its layers: {', '.join(atlas.layers)}."
        raise StoreError(f"Layer '{layer}' is not in this atlas.", fix=fix)


def overview(atlas: Atlas, *, kind: str | None = None, top: int = 10) -> Row:
    """The manifest's identity, counts by variant and layer, and the best-supported matches.

    Without `kind`, contextual matches, or the others where there is none.
    """
    found = best_supported(atlas, kind=kind or "contextual", top=top)
    if not found and kind is None:
        found = best_supported(atlas, top=top)
    manifest = atlas.manifest
    kept = ("study", "measures", "grids", "notes", "summary")
    return {**{name: manifest[name] for name in kept}, "findings": found}


def layer_rows(atlas: Atlas, variant: str = "trained") -> list[Row]:
    """Counts of each layer of a variant."""
    summary = atlas.summary[variant]
    return [{"layer": layer, **summary[layer]} for layer in atlas.layers]


def variants(atlas: Atlas) -> list[str]:
    """The model as it is, then the baselines that were run."""
    return ["trained", *atlas.manifest["study"]["baselines"]]


def baselines(atlas: Atlas) -> list[Row]:
    """Counts of each layer in each variant. Raises StoreError when no baseline was run."""
    if len(variants(atlas)) == 1:
        raise StoreError("No baseline was run for this atlas.", fix="Map with --baseline untrained,rotation.")
    by_variant = {variant: layer_rows(atlas, variant) for variant in variants(atlas)}
    return [
        {"variant": variant, **by_variant[variant][index]}
        for index in range(len(atlas.layers))
        for variant in by_variant
    ]


def passports(atlas: Atlas) -> list[Row]:
    """Shares of variance of each layer and variant: tenth, fiftieth and ninetieth percentile over its units."""
    found: list[Row] = []
    for variant in variants(atlas):
        table = atlas.table("units" if variant == "trained" else f"baselines/{variant}.units")
        layer = np.array(table.column("layer").to_pylist(), object)
        for address in atlas.layers:
            row: Row = {"layer": address, "variant": variant}
            for name in parts(atlas):
                values = table.column(f"share_{name}").to_numpy()[layer == address]
                values = values[~np.isnan(values)]
                row[name] = np.quantile(values, LEVELS).tolist() if len(values) else None
            found.append(row)
    return sorted(found, key=lambda row: atlas.layers.index(row["layer"]))


def parts(atlas: Atlas) -> list[str]:
    """Names of the parts of a unit's variance, in order."""
    names = atlas.table("units").column_names
    return [name.removeprefix("share_") for name in names if name.startswith("share_")]


def layer_view(atlas: Atlas, layer: str, *, kind: str | None = None, top: int = 10) -> Row:
    """Counts of one layer, its most frequent concepts, and its best-supported matches."""
    check_layer(atlas, layer)
    described = next(each for each in atlas.manifest["study"]["layers"] if each["address"] == layer)
    where = " and kind = ?" if kind else ""
    concepts = atlas.sql(
        f"select concept, count(*) as units, {_by_kind(atlas)}, max(score) as greatest "
        f"from matches where measure = 'auroc' and slot = 1 and layer = ?{where} "
        "group by concept order by units desc, concept limit ?",
        [layer, *([kind] if kind else []), top],
    )
    return {
        **described,
        "counts": {variant: atlas.summary[variant][layer] for variant in variants(atlas)},
        "concepts": concepts,
        "findings": best_supported(atlas, kind=kind, layer=layer, top=top),
    }


def concept_row(atlas: Atlas, concept: str) -> Row:
    """The concept's row. Raises StoreError when the atlas has no such concept."""
    rows = atlas.concepts()
    for row in rows:
        if row["concept"] == concept:
            return row
    names = [row["concept"] for row in rows]
    same = [name for name in names if name.lower().endswith(concept.lower())]
    fix = f"Closest: {', '.join(map(repr, same[:3]))}." if same else closest(concept, names)
    raise StoreError(f"Concept '{concept}' is not in this atlas.", fix=fix)


def concept_view(atlas: Atlas, concept: str, *, kind: str | None = None, top: int = 10) -> Row:
    """A concept's sizes, how many units carry it in each layer, and the best of them."""
    row = concept_row(atlas, concept)
    profile = atlas.sql(
        f"select layer, count(*) as units, {_by_kind(atlas)}, "
        "count(*) filter (where sign < 0) as falling, max(score) as greatest, "
        "max(within_form_position) as greatest_within from matches "
        "where measure = 'auroc' and concept = ? group by layer order by list_position(?, layer)",
        [concept, atlas.layers],
    )
    found = best_supported(atlas, kind=kind, concept=concept, top=top)
    return {**row, "profile": profile, "findings": found}


def unit_view(atlas: Atlas, address: str) -> Row:
    """A unit's row, its layer, all tested pairs, reported matches and clips."""
    record = atlas.unit(address)
    layer, unit = record.row["layer"], record.row["unit"]
    described = next(each for each in atlas.manifest["study"]["layers"] if each["address"] == layer)
    tested: list[Any] = atlas.sql(
        "select slot, concept, sign, n, auroc, p from tests where layer = ? and unit = ? order by slot", [layer, unit]
    )
    extra = {
        name: atlas.sql(
            f"select * exclude (layer, unit) from {name} where layer = ? and unit = ?{order}", [layer, unit]
        )
        for name, order in (("formulas", ""), ("ladder", f" order by slot, list_position({list(RUNGS)}, rung)"))
        if atlas.has(name)
    }
    return {
        "address": record.address,
        "role": described["role"],
        "grid": described["grid"],
        "name": atlas.names(layer).get(unit, ""),
        **record.row,
        "matches": list(record.matches),
        "tests": tested,
        "clips": list(record.clips),
        "writes": list(record.writes),
        "attribution": record.attribution,
        **extra,
    }
