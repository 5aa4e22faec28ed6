"""From blocks of units to an atlas: discoveries over all tested units, kinds, tables, clips, manifest.

Everything here is a deterministic function of the blocks, so the bytes are the same however the blocks were made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.atlas import CHECKSUMS, MANIFEST, write_table
from unitscope.measures.base import Measure
from unitscope.stats.discoveries import adjust
from unitscope.stats.passport import PARTS
from unitscope.store import read_arrays, sha256_of, write_arrays, write_json
from unitscope.study.frame import Frame
from unitscope.study.kinds import LEVEL, bars, kinds
from unitscope.study.plan import N_CANDIDATES, Slice, Study
from unitscope.study.prepare import Prepared
from unitscope.study.unitpass import N_REPORTED, STATUS

Arrays = dict[str, NDArray[Any]]
Table = dict[str, Any]


def gather_blocks(paths: Sequence[tuple[Slice, Path]], skip: str = "score.") -> Arrays:
    """All units of a variant, by layer then unit: the blocks' arrays without those whose name starts with `skip`."""
    parts: list[Arrays] = []
    for part, path in sorted(paths, key=lambda each: (each[0].layer, each[0].start)):
        arrays, _ = read_arrays(path)
        kept = {name: array for name, array in arrays.items() if not name.startswith(skip)}
        n = part.stop - part.start
        kept["layer"] = np.full(n, part.layer, np.int32)
        kept["unit"] = np.arange(part.start, part.stop, dtype=np.int32)
        parts.append(kept)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def write_atlas(
    study: Study,
    measures: Sequence[Measure],
    frames: Mapping[str, Frame],
    prepared: Prepared,
    blocks: Mapping[str, Sequence[tuple[Slice, Path]]],
    notes: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write all files of an atlas into a fresh folder."""
    grids = [layer.grid for layer in study.layers]
    by_variant = {variant: gather_blocks(blocks[variant]) for variant in study.variants}
    bar = np.full(len(grids), np.nan)
    if "untrained" in by_variant:
        arrays = by_variant["untrained"]
        bar = bars(arrays["layer"], arrays["pair.place"][:, 0], len(grids))
    summary: dict[str, Any] = {}
    for variant, arrays in by_variant.items():
        matches = find_matches(study, frames, measures, arrays, bar)
        units = unit_table(study, frames, arrays, matches)
        summary[variant] = summarise(study, frames, arrays, units)
        if variant == "trained":
            write_table(folder / "units.parquet", units)
            write_table(folder / "matches.parquet", matches)
            write_table(folder / "clips.parquet", clip_table(study, frames, prepared, arrays, units))
        else:
            write_table(folder / "baselines" / f"{variant}.units.parquet", units)
            write_table(folder / "baselines" / f"{variant}.matches.parquet", matches)
    write_table(folder / "concepts.parquet", concept_table(frames))
    _write_scores(study, measures, frames, blocks["trained"], folder)
    manifest = {
        "study": study.to_json(),
        "key": study.key,
        "measures": {m.key: {"name": m.name, "parameters": m.parameters, "ends": m.ends} for m in measures},
        "grids": {name: _grid_notes(frame) for name, frame in frames.items()},
        "summary": summary,
        "notes": dict(notes),
    }
    write_json(folder / MANIFEST, manifest)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    write_json(folder / CHECKSUMS, {str(path.relative_to(folder).as_posix()): sha256_of(path) for path in files})


def find_matches(
    study: Study,
    frames: Mapping[str, Frame],
    measures: Sequence[Measure],
    arrays: Arrays,
    bar: NDArray[np.float64],
) -> Table:
    """Reported matches: first concepts with q < .05, further ones where the first is rejected; a row a measure."""
    p = arrays["pair.p"]
    q = np.full(p.shape, np.nan)
    q[:, 0] = adjust(p[:, 0])
    open_further = q[:, 0] < LEVEL
    further = np.where(open_further[:, None], p[:, 1:], np.nan)
    q[:, 1:] = adjust(further.reshape(-1)).reshape(further.shape)
    units, slots = np.nonzero(q < LEVEL)
    layer = arrays["layer"][units]
    names = [frames[each.grid].table.names for each in study.layers]
    concepts = arrays["concept"][units, slots]
    concept_names = np.array([names[i][c] for i, c in zip(layer.tolist(), concepts.tolist())], object)
    pick = {name: arrays[f"pair.{name}"][units, slots] for name in ("auroc", "low", "high", "form", "place")}
    p_form, p_place = arrays["pair.form_p"][units, slots], arrays["pair.place_p"][units, slots]
    kind = kinds(concept_names, pick["form"], p_form, pick["place"], p_place, bar[layer])
    n_b = [np.zeros(f.table.n_concepts, np.int64) for f in (frames[each.grid] for each in study.layers)]
    n_all = [np.zeros(f.table.n_concepts, np.int64) for f in (frames[each.grid] for each in study.layers)]
    for index, each in enumerate(study.layers):
        for universe in frames[each.grid].universes:
            n_b[index][universe.concepts] = universe.columns_b.counts
            n_all[index][universe.concepts] = universe.columns_b.n_sites
    n = np.array([n_b[i][c] for i, c in zip(layer.tolist(), concepts.tolist())], np.int64)
    sites = np.array([n_all[i][c] for i, c in zip(layer.tolist(), concepts.tolist())], np.int64)
    sign = arrays["sign"][units, slots]
    base = {
        "layer": np.array([study.layers[i].address for i in layer.tolist()], object),
        "unit": arrays["unit"][units],
        "slot": (slots + 1).astype(np.int32),
        "concept": concept_names,
        "sign": sign,
        "n": n,
        "prevalence": n / np.maximum(sites, 1),
        "kind": kind,
        "within_form": pick["form"],
        "within_form_p": p_form,
        "within_form_q": adjust(p_form),
        "within_form_position": pick["place"],
        "within_form_position_p": p_place,
        "within_form_position_q": adjust(p_place),
        "untrained_p99": bar[layer],
        "a_auroc": np.where(sign > 0, arrays["auroc_a"][units, slots], 1 - arrays["auroc_a"][units, slots]),
    }
    blank = np.full(len(units), np.nan)
    rows = [
        _rows(base, "auroc", pick["auroc"], pick["low"], pick["high"], p[units, slots], q[units, slots], blank + 0.5, blank)
    ]
    first = slots == 0
    for measure in measures:
        if measure.name == "auroc":
            continue
        use = first & ((measure.ends == "both") | ((measure.ends == "upper") == (sign > 0)))
        value = arrays[f"held_out.{measure.key}"][units].astype(np.float64)
        if measure.ends == "both" and measure.bounds[0] < 0:
            value = value * sign
        chance = arrays[f"held_out.{measure.key}.chance"][units].astype(np.float64)
        ceiling = arrays[f"held_out.{measure.key}.ceiling"][units].astype(np.float64)
        whole = _rows(base, measure.key, value, blank, blank, blank, blank, chance, ceiling)
        rows.append({name: column[use] for name, column in whole.items()})
    table = {name: np.concatenate([part[name] for part in rows]) for name in rows[0]}
    rank = np.concatenate([units[row_use] for row_use in _uses(first, measures, sign)])
    order = np.lexsort((np.arange(len(rank)), table["slot"], rank))
    return {name: column[order] for name, column in table.items()}


def _uses(first: NDArray[np.bool_], measures: Sequence[Measure], sign: NDArray[np.int8]) -> list[NDArray[np.bool_]]:
    uses = [np.ones(len(first), np.bool_)]
    for measure in measures:
        if measure.name != "auroc":
            uses.append(first & ((measure.ends == "both") | ((measure.ends == "upper") == (sign > 0))))
    return uses


def _rows(base: Table, measure: str, score: Any, low: Any, high: Any, p: Any, q: Any, chance: Any, ceiling: Any) -> Table:
    n = len(base["unit"])
    return {
        **{name: base[name] for name in ("layer", "unit", "slot", "concept", "sign")},
        "measure": np.full(n, measure, object),
        "score": score,
        "low": low,
        "high": high,
        "chance": chance,
        "ceiling": ceiling,
        "p": p,
        "q": q,
        **{name: base[name] for name in list(base)[5:]},
    }


def unit_table(study: Study, frames: Mapping[str, Frame], arrays: Arrays, matches: Table) -> Table:
    """One row a unit: status, moments, thresholds, passport, cover, first reported concept."""
    layer = arrays["layer"]
    address = np.array([each.address for each in study.layers], object)
    table: Table = {
        "layer": address[layer],
        "unit": arrays["unit"],
        "status": np.array(STATUS, object)[arrays["status"]],
        **{name: arrays["moments"][:, i] for i, name in enumerate(("mean", "sd", "least", "greatest"))},
    }
    for i, tail in enumerate(("upper", "lower")):
        table[f"threshold_{tail}"] = arrays["threshold"][:, i]
        table[f"n_on_{tail}"] = arrays["n_on"][:, i].astype(np.int64)
    for i, part in enumerate(PARTS):
        table[f"share_{part}"] = arrays["passport"][:, i].astype(np.float64)
    n_units = len(layer)
    tested = arrays["concept"][:, 0]
    names = [frames[each.grid].table.names for each in study.layers]
    table["tested"] = np.array([names[i][c] if c >= 0 else None for i, c in zip(layer.tolist(), tested.tolist())], object)
    where = {key: i for i, key in enumerate(zip(table["layer"].tolist(), arrays["unit"].tolist(), strict=True))}
    best, kind, n_matches = np.full(n_units, None, object), np.full(n_units, None, object), np.zeros(n_units, np.int32)
    score = np.full(n_units, np.nan)
    rows = np.flatnonzero(matches["measure"] == "auroc")
    for i in rows.tolist():
        unit = where[matches["layer"][i], int(matches["unit"][i])]
        n_matches[unit] += 1
        if matches["slot"][i] == 1:
            best[unit], kind[unit], score[unit] = matches["concept"][i], matches["kind"][i], matches["score"][i]
    table |= {"concept": best, "score": score, "kind": kind, "n_matches": n_matches}
    for k in range(N_CANDIDATES):
        table[f"cover_{k + 1}"] = arrays["cover"][:, k].astype(np.float64)
    return table


def summarise(study: Study, frames: Mapping[str, Frame], arrays: Arrays, units: Table) -> dict[str, Any]:
    """Counts by layer for the manifest: status, tested, reported, kinds, median passport, smallest attainable q."""
    found: dict[str, Any] = {}
    n_tested = int((arrays["concept"][:, 0] >= 0).sum())
    for index, layer in enumerate(study.layers):
        here = arrays["layer"] == index
        kind = units["kind"][here]
        effect = arrays["pair.place"][here, 0]
        known = effect[~np.isnan(effect)]
        passport = arrays["passport"][here]
        passport = passport[~np.isnan(passport).any(axis=1)]
        found[layer.address] = {
            "units": int(here.sum()),
            **{name: int((units["status"][here] == name).sum()) for name in STATUS},
            "tested": int((arrays["concept"][here, 0] >= 0).sum()),
            "reported": int(sum(value is not None for value in kind)),
            **{name: int((kind == name).sum()) for name in ("contextual", "lexical", "positional")},
            "within_form_position_p99": round(float(np.quantile(known, 0.99)), 6) if len(known) else None,
            "median_shares": dict(zip(PARTS, np.median(passport, axis=0).astype(float).round(4).tolist(), strict=True))
            if len(passport)
            else None,
        }
    smallest = [u.shifts_b.smallest_p for frame in frames.values() for u in frame.universes]
    found["all"] = {"tested": n_tested, "smallest_q": min(smallest, default=1.0), "reported_slots": N_REPORTED}
    return found


def concept_table(frames: Mapping[str, Frame]) -> Table:
    """One row a concept and grid: sizes, blocks in each half, whether it can be tested."""
    parts: list[Table] = []
    for grid, frame in frames.items():
        table = frame.table
        n_known, n = np.zeros(table.n_concepts, np.int64), np.zeros(table.n_concepts, np.int64)
        halves = {name: n.copy() for name in ("n_a", "n_b", "blocks_a", "blocks_b")}
        for universe in frame.universes:
            at = universe.concepts
            n_known[at], n[at] = universe.columns.n_sites, universe.columns.counts
            halves["n_a"][at], halves["n_b"][at] = universe.columns_a.counts, universe.columns_b.counts
            halves["blocks_a"][at], halves["blocks_b"][at] = universe.blocks_with(0), universe.blocks_with(1)
        parts.append(
            {
                "concept": np.array(table.names, object),
                "category": np.array(table.categories, object),
                "grid": np.full(table.n_concepts, grid, object),
                "n": n,
                "n_known": n_known,
                "prevalence": n / np.maximum(n_known, 1),
                **halves,
                "eligible": frame.eligible,
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def clip_table(
    study: Study, frames: Mapping[str, Frame], prepared: Prepared, arrays: Arrays, units: Table
) -> Table:
    """The highest sites of every reported unit with their words in context; values in the unit's own scale."""
    from unitscope.study.clips import clips

    reported = np.array([kind is not None for kind in units["kind"]], np.bool_)
    return clips(study, frames, prepared, arrays, reported)


def _write_scores(
    study: Study,
    measures: Sequence[Measure],
    frames: Mapping[str, Frame],
    blocks: Sequence[tuple[Slice, Path]],
    folder: Path,
) -> None:
    """Unsplit scores of all units and concepts, one file a measure, an array [U, C] a layer."""
    ordered = sorted(blocks, key=lambda each: (each[0].layer, each[0].start))
    names = {grid: list(frame.table.names) for grid, frame in frames.items()}
    for measure in measures:
        arrays: Arrays = {}
        for index, layer in enumerate(study.layers):
            from unitscope.store import ArrayFile

            parts = [ArrayFile(path).read(f"score.{measure.key}") for part, path in ordered if part.layer == index]
            arrays[layer.address] = np.concatenate(parts)
        meta = {"measure": measure.name, "parameters": measure.parameters, "seed": study.seed, "parent": study.key}
        write_arrays(folder / "scores" / f"{measure.key}.safetensors", arrays, {**meta, "concepts": names})


def _grid_notes(frame: Frame) -> dict[str, Any]:
    halves = frame.halves
    return {
        "sites": frame.n_sites,
        "sites_without_position": int((~frame.valid).sum()),
        "sites_a": int(halves.a.sum()),
        "sites_b": int(halves.b.sum()),
        "groups": halves.n_groups,
        "blocks": halves.n_blocks,
        "blocks_are_runs_inside_groups": halves.runs,
        "concepts": frame.table.n_concepts,
        "concepts_eligible": int(frame.eligible.sum()),
        "concepts_dropped": dict(frame.table.dropped),
    }
