"""All that pages of comparisons show, as plain data: what became of units, by layer and by concept, and movers."""

from __future__ import annotations

from typing import Any

from unitscope.comparison import STATUSES
from unitscope.report import comparison as told
from unitscope.report.site.data import SiteData

N_MOVERS, N_CONCEPTS = 100, 60
Row = dict[str, Any]


def comparisons_view(data: SiteData) -> list[Row]:
    """All comparisons of an atlas: both sides, counts, chance."""
    return [_described(annex) for annex in data.beside.of("comparisons")]


def _described(annex: Any) -> Row:
    about = annex.about
    return {
        "name": annex.name,
        "a": told.side_name(about["a"]),
        "b": told.side_name(about["b"]),
        "about": about,
        "counts": about["counts"],
        "chance": about["chance"],
        "parts": [(name, int(about["counts"].get(name, 0))) for name in STATUSES],
    }


def comparison_view(data: SiteData, name: str) -> dict[str, Any]:
    """One comparison. Raises StoreError where the atlas has none of this name."""
    annex = data.beside.get("comparisons", name)
    units, layers = (data.beside.rows(annex, table) for table in ("units", "layers"))
    concepts = data.beside.rows(annex, "concepts")
    moved, shifted = told.movers(units), told.shifts(units)
    return {
        **_described(annex),
        "key": annex.parent,
        "sentences": told.sentences(annex.about),
        "layers": [{**row, "parts": [(status, int(row.get(status, 0))) for status in STATUSES]} for row in layers],
        "by_profile": annex.about["match"] == "profile",
        "movers": moved[:N_MOVERS],
        "n_movers": len(moved),
        "shifts": shifted[:N_MOVERS],
        "n_shifts": len(shifted),
        "concepts": concepts[:N_CONCEPTS],
        "n_concepts": len(concepts),
        "partners": _partners(data.beside.rows(annex, "partners")),
    }


def _partners(rows: list[Row]) -> Row | None:
    """Layers of A by layers of B: units that have their most alike unit there, as counts and as shares of A's layer."""
    if not rows:
        return None
    mine, theirs = (list(dict.fromkeys(row[name] for row in rows)) for name in ("layer", "layer_b"))
    theirs.sort()
    counts = {(row["layer"], row["layer_b"]): int(row["units"]) for row in rows}
    totals = {layer: sum(counts.get((layer, other), 0) for other in theirs) for layer in mine}
    return {
        "columns": theirs,
        "rows": [
            {
                "layer": layer,
                "cells": [(n := counts.get((layer, other), 0), n / (totals[layer] or 1)) for other in theirs],
            }
            for layer in mine
        ],
    }
