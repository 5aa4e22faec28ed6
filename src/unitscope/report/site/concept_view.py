"""All that a concept's page shows, as plain data: its sizes, units, layers, and how far measures agree about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from unitscope.atlas import Row
from unitscope.errors import StoreError, closest
from unitscope.report.site import clips
from unitscope.report.site.data import SiteData

SHOWN = 60
EXAMPLES = 4
TOP = 20


def concept_view(data: SiteData, name: str, agreement: Mapping[str, Agreement] | None = None) -> dict[str, Any]:
    """Everything about one concept. Raises StoreError when the atlas has no such concept.

    `agreement` is what `agreements` gave, where many pages are made at once.
    """
    if name not in data.concept_rows:
        raise StoreError(f"Concept '{name}' is not in this atlas.", fix=closest(name, data.concept_rows))
    rows = data.concept_rows[name]
    matches = data.by_concept.get(name, [])
    names = list(data.concept_rows)
    place = names.index(name)
    if agreement is None:
        agreement = agreements(data, {row["grid"] for row in rows})
    return {
        "name": name,
        "category": rows[0]["category"],
        "rows": rows,
        "n_units": len(matches),
        "kinds": _kinds(matches),
        "n_falling": sum(row["sign"] < 0 for row in matches),
        "matches": matches[:SHOWN],
        "profile": profile(data, name),
        "examples": _examples(data, matches[:1]),
        "agreement": [(row["grid"], found) for row in rows if (found := agreement.get(f"{row['grid']}:{name}"))],
        "previous": names[place - 1] if place else None,
        "next": names[place + 1] if place + 1 < len(names) else None,
    }


def _kinds(matches: list[Row]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in sorted(matches, key=lambda row: str(row["kind"])):
        found[row["kind"]] = found.get(row["kind"], 0) + 1
    return found


def _examples(data: SiteData, best: list[Row]) -> list[dict[str, Any]]:
    """Sites of the best unit at the end it detects at."""
    found = []
    for row in best:
        key = (row["layer"], row["unit"])
        groups = clips.of_unit(data.clips.of(*key), data.items, row["sign"] < 0)
        if groups:
            shown = groups[0]["parts"][0]["clips"][:EXAMPLES]
            found.append({"key": key, "clips": shown, "row": data.units[key], "scale": clips.Scale.of(data.units[key])})
    return found


def profile(data: SiteData, name: str) -> list[dict[str, Any]]:
    """For each layer the number of units that carry the concept, by kind and in the baselines, and the best of them."""
    matches = data.by_concept.get(name, [])
    found = []
    for info in data.layers:
        here = [row for row in matches if row["layer"] == info.address]
        found.append(
            {
                "layer": info.address,
                "width": info.width,
                "units": len(here),
                "kinds": _kinds(here),
                "best": here[0] if here else None,
                "baselines": {
                    variant: baseline_counts(data, variant).get((info.address, name), 0)
                    for variant in data.variants[1:]
                },
            }
        )
    return found


def baseline_counts(data: SiteData, variant: str) -> dict[tuple[str, str], int]:
    """How many units of a baseline carry each concept, by layer and concept."""
    cache: dict[str, dict[tuple[str, str], int]] = data.__dict__.setdefault("_baseline_counts", {})
    if variant not in cache:
        found: dict[tuple[str, str], int] = {}
        table = data.optional(f"baselines/{variant}.matches")
        if table is not None:
            columns = (table.column(column).to_pylist() for column in ("layer", "concept", "measure"))
            for layer, concept, measure in zip(*columns, strict=True):
                if measure == "auroc":
                    found[layer, concept] = found.get((layer, concept), 0) + 1
        cache[variant] = found
    return cache[variant]


@dataclass(frozen=True)
class Agreement:
    """How far measures order units alike: rank correlation and shared part of the first twenty, each [M, M]."""

    measures: tuple[str, ...]
    n_units: int
    correlation: NDArray[np.float64]
    overlap: NDArray[np.float64]


def agreements(data: SiteData, grids: set[str] | None = None) -> dict[str, Agreement]:
    """Agreement of measures for each concept of the grids, by 'grid:concept'.

    Spearman's rank correlation and the overlap of the first 20 units under unsplit scores, over all units of all
    layers of the grid that have scores. Units high under one measure are compared with units high under another.
    """
    found: dict[str, Agreement] = {}
    measures = [
        key for key in data.manifest["measures"] if (data.atlas.path / "scores" / f"{key}.safetensors").exists()
    ]
    if len(measures) < 2:
        return found
    for grid in sorted({info.grid for info in data.layers} & (grids or {info.grid for info in data.layers})):
        layers = [info.address for info in data.layers if info.grid == grid]
        names = data.atlas.concept_names(layers[0])
        scores = [np.concatenate([data.atlas.scores(key, layer) for layer in layers]) for key in measures]
        live = ~np.all([np.isnan(each).all(axis=1) for each in scores], axis=0)
        stacked = np.stack([each[live] for each in scores])  # [M, U, C]
        known = ~np.isnan(stacked).all(axis=1).any(axis=0)
        ranks = np.stack([rankdata(np.nan_to_num(each, nan=-np.inf), axis=0) for each in stacked])
        for column in np.flatnonzero(known & bool(len(ranks[0]) > 2)).tolist():
            found[f"{grid}:{names[column]}"] = _agreement(tuple(measures), ranks[:, :, column])
    return found


def _agreement(measures: tuple[str, ...], ranks: NDArray[np.float64]) -> Agreement:
    """Agreement from ranks [M, U]; a measure that is the same for all units agrees with none."""
    n_units = ranks.shape[1]
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    size = np.sqrt((centred**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = centred @ centred.T / np.outer(size, size)
    top = min(TOP, n_units)
    first = [set(np.argpartition(-each, top - 1)[:top].tolist()) for each in ranks]
    overlap = np.array([[len(a & b) / top for b in first] for a in first])
    return Agreement(measures, n_units, correlation, overlap)
