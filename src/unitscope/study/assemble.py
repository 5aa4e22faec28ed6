"""From blocks of units to an atlas: tables of units and tested pairs, clips, concepts, scores.

Everything here is a deterministic function of the blocks, so the bytes are the same however the blocks were made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.atlas import IMAGES, write_arrow, write_table
from unitscope.measures.base import Measure
from unitscope.stats.passport import PARTS
from unitscope.store import ArrayFile, write_arrays
from unitscope.study.bases import write_names
from unitscope.study.clips import Shown, clip_tables, item_table
from unitscope.study.density import density_table
from unitscope.study.formulas import formula_table, with_q
from unitscope.study.frame import Frame
from unitscope.study.ladder import ladder_table
from unitscope.study.minimal_pairs import PairResults
from unitscope.study.plan import N_CANDIDATES, Slice, Study
from unitscope.study.prepare import Prepared
from unitscope.study.unitpass import N_REPORTED, STATUS
from unitscope.study.verdicts import Evidence, conclude, table_name, write_manifest

Arrays = dict[str, NDArray[Any]]
Table = dict[str, Any]


def gather_blocks(paths: Sequence[tuple[Slice, Path]], skip: tuple[str, ...] = ("score.", "clip.")) -> Arrays:
    """All units of a variant, by layer then unit: the blocks' arrays without those whose name starts with `skip`."""
    parts: list[Arrays] = []
    for part, path in sorted(paths, key=lambda each: (each[0].layer, each[0].start)):
        file = ArrayFile(path)
        kept = {name: file.read(name) for name in file.names if not name.startswith(skip)}
        n = part.stop - part.start
        kept["layer"] = np.full(n, part.layer, np.int32)
        kept["unit"] = np.arange(part.start, part.stop, dtype=np.int32)
        parts.append(kept)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def gather_clips(paths: Sequence[tuple[Slice, Path]]) -> Iterator[Arrays]:
    """What clips need of each block, by layer then unit."""
    for part, path in sorted(paths, key=lambda each: (each[0].layer, each[0].start)):
        file = ArrayFile(path)
        arrays = {name: file.read(name) for name in ("clip.sites", "clip.keys", "scale", "concept", "sign")}
        arrays["layer"] = np.full(part.stop - part.start, part.layer, np.int32)
        arrays["unit"] = np.arange(part.start, part.stop, dtype=np.int32)
        yield arrays


def write_atlas(
    study: Study,
    measures: Sequence[Measure],
    frames: Mapping[str, Frame],
    prepared: Prepared,
    blocks: Mapping[str, Sequence[tuple[Slice, Path]]],
    notes: Mapping[str, Any],
    folder: Path,
    pairs: PairResults | None = None,
) -> None:
    """Write all files of an atlas into a fresh folder."""
    evidence: dict[str, Evidence] = {}
    for variant in study.variants:
        arrays = gather_blocks(blocks[variant])
        units, tests = unit_table(study, frames, arrays), test_table(study, frames, measures, arrays)
        evidence[variant] = Evidence(units, tests)
        if study.formulas:
            tables = [frames[layer.grid].table for layer in study.layers]
            table = with_q(formula_table([layer.address for layer in study.layers], tables, arrays))
            write_table(folder / f"{table_name(variant, 'formulas')}.parquet", table)
        if study.ladder and variant == "trained":
            write_table(folder / "ladder.parquet", ladder_table(tests, arrays, pairs, N_REPORTED))
        if variant == "trained":
            shown: Shown = {grid: np.zeros(0, np.int32) for grid in frames}
            write_arrow(folder / "clips.parquet", clip_tables(study, frames, gather_clips(blocks[variant]), shown))
            write_arrow(folder / "items.parquet", item_table(prepared, shown, study.cells, folder / IMAGES))
            varying = np.isin(units["status"], ("live", "dead"))
            write_arrow(folder / "density.parquet", density_table(study, arrays, varying))
    smallest = min((u.shifts_b.smallest_p for frame in frames.values() for u in frame.universes), default=1.0)
    summary = conclude(study, measures, evidence, smallest, folder)
    write_table(folder / "concepts.parquet", concept_table(frames))
    _write_scores(study, measures, frames, blocks["trained"], folder)
    write_names(study, folder)
    grids = {name: _grid_notes(frame) for name, frame in frames.items()}
    write_manifest(study, measures, grids, summary, notes, folder)


def test_table(study: Study, frames: Mapping[str, Frame], measures: Sequence[Measure], arrays: Arrays) -> Table:
    """One row a tested pair of unit and concept, with all that its verdict rests on; scores for first concepts only."""
    units, slots = np.nonzero(arrays["concept"][:, :N_REPORTED] >= 0)
    layer, concept = arrays["layer"][units], arrays["concept"][units, slots]
    at = list(zip(layer.tolist(), concept.tolist()))
    on_grid = [frames[each.grid] for each in study.layers]
    sizes = [_sizes_b(frame) for frame in on_grid]
    n = np.array([sizes[i][0][c] for i, c in at], np.int64)
    n_sites = np.array([sizes[i][1][c] for i, c in at], np.int64)
    sign = arrays["sign"][units, slots]
    auroc_a = arrays["auroc_a"][units, slots]
    table: Table = {
        "layer": np.array([each.address for each in study.layers], object)[layer],
        "unit": arrays["unit"][units],
        "slot": (slots + 1).astype(np.int32),
        "concept": np.array([on_grid[i].table.names[c] for i, c in at], object),
        "sign": sign,
        "n": n,
        "prevalence": n / np.maximum(n_sites, 1),
        "a_auroc": np.where(sign > 0, auroc_a, 1 - auroc_a),
        **{name: arrays[f"pair.{key}"][units, slots] for name, key in _PAIRS.items()},
    }
    for measure in measures:
        if measure.name != "auroc":
            for name, key in (("score", ""), ("chance", ".chance"), ("ceiling", ".ceiling")):
                values = arrays[f"held_out.{measure.key}{key}"][units].astype(np.float64)
                table[f"{name}_{measure.key}"] = np.where(slots == 0, values, np.nan)
    return table


_PAIRS = {
    "auroc": "auroc",
    "low": "low",
    "high": "high",
    "p": "p",
    "within_form": "form",
    "within_form_p": "form_p",
    "within_form_position": "place",
    "within_form_position_p": "place_p",
}


def _sizes_b(frame: Frame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sites of each concept on half B, and how many there are where it is known, each [C]."""
    n, n_known = np.zeros(frame.table.n_concepts, np.int64), np.zeros(frame.table.n_concepts, np.int64)
    for universe in frame.universes:
        n[universe.concepts], n_known[universe.concepts] = universe.columns_b.counts, universe.columns_b.n_sites
    return n, n_known


def unit_table(study: Study, frames: Mapping[str, Frame], arrays: Arrays) -> Table:
    """One row a unit: status, moments, thresholds, passport, the concept tested first, cover. No verdict yet."""
    layer = arrays["layer"]
    table: Table = {
        "layer": np.array([each.address for each in study.layers], object)[layer],
        "unit": arrays["unit"],
        "status": np.array(STATUS, object)[arrays["status"]],
        **{name: arrays["moments"][:, i] for i, name in enumerate(("mean", "sd", "least", "greatest"))},
    }
    for i, tail in enumerate(("upper", "lower")):
        table[f"threshold_{tail}"] = arrays["threshold"][:, i]
        table[f"n_on_{tail}"] = arrays["n_on"][:, i].astype(np.int64)
    for i, part in enumerate(PARTS):
        table[f"share_{part}"] = arrays["passport"][:, i].astype(np.float64)
    names = [frames[each.grid].table.names for each in study.layers]
    tested = zip(layer.tolist(), arrays["concept"][:, 0].tolist())
    table["tested"] = np.array([names[i][c] if c >= 0 else None for i, c in tested], object)
    for k in range(N_CANDIDATES):
        table[f"cover_{k + 1}"] = arrays["cover"][:, k].astype(np.float64)
    return table


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
    files = [(part.layer, ArrayFile(path)) for part, path in ordered]
    for measure in measures:
        arrays: Arrays = {}
        for index, layer in enumerate(study.layers):
            parts = [file.read(f"score.{measure.key}") for number, file in files if number == index]
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
