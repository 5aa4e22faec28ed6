"""All that pages of rankings show, as plain data: the best units, their layers, and how far rankings agree."""

from __future__ import annotations

from typing import Any

import numpy as np

from unitscope.report.plain import clean
from unitscope.report.site.beside import Ranked, overlap, top_of
from unitscope.report.site.data import SiteData

SHOWN = 20
MOST_TARGETS = 40
"""Most targets whose overlap is shown as a matrix."""
Row = dict[str, Any]


def rankings_view(data: SiteData) -> dict[str, Any]:
    """All rankings of an atlas, and the overlap of their tops."""
    ranked = data.beside.ranked
    return {
        "rows": [_described(data, each) for each in ranked],
        "matrix": _matrix(
            [each.name for each in ranked],
            [[_shared_targets(a, b) for b in ranked] for a in ranked],
        ),
    }


def _described(data: SiteData, ranked: Ranked) -> Row:
    about = ranked.annex.about
    best = ranked.top(0, 1)
    return {
        "name": ranked.name,
        "method": str(about.get("method", "")),
        "parameters": parameters(about.get("parameters")),
        "seed": about.get("seed"),
        "targets": ranked.targets,
        "n_units": max(ranked.n_units(target) for target in range(len(ranked.targets))),
        "best": data.beside.units[best[0]] if best else None,
    }


def parameters(values: object) -> str:
    """Parameters on one line.

    >>> parameters({"l1": 0.1, "layers": ["a", "b"], "none": None})
    'l1 0.1, layers a b'
    """
    if not isinstance(values, dict):
        return ""
    shown = {name: value for name, value in values.items() if value not in (None, [], "", {})}
    return ", ".join(f"{name} {_value(value)}" for name, value in shown.items())


def _value(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else clean(value)


def _shared_targets(a: Ranked, b: Ranked) -> Row | None:
    """Mean overlap over the targets that two have in common."""
    common = [target for target in a.targets if target in b.targets]
    found = [overlap(a.ranks[a.targets.index(each)], b.ranks[b.targets.index(each)]) for each in common]
    known = [each for each in found if each is not None]
    if not known:
        return None
    return {
        "share": float(np.mean([each.share for each in known])),
        "chance": float(np.mean([each.chance for each in known])),
        "note": f"{len(known)}",
    }


def _matrix(names: list[str], cells: list[list[Row | None]]) -> Row | None:
    """A matrix of overlaps with its names; None where there is nothing to compare."""
    known = [cell for i, row in enumerate(cells) for j, cell in enumerate(row) if i != j and cell is not None]
    if not known:
        return None
    return {"names": names, "cells": cells, "chance": float(np.mean([cell["chance"] for cell in known]))}


def ranking_view(data: SiteData, name: str) -> dict[str, Any]:
    """One name's rankings: for each target the best units and how the top spreads over layers; overlap of targets.

    Raises StoreError where the atlas has no rankings of this name.
    """
    annex = data.beside.get("rankings", name)
    ranked = next(each for each in data.beside.ranked if each.name == annex.name)
    targets = range(len(ranked.targets))
    cells: list[list[Row | None]] = []
    if 1 < len(targets) <= MOST_TARGETS:
        for i in targets:
            found = [overlap(ranked.ranks[i], ranked.ranks[j]) for j in targets]
            cells.append([None if each is None else {"share": each.share, "chance": each.chance} for each in found])
    return {
        **_described(data, ranked),
        "key": annex.parent,
        "sections": [_section(data, ranked, target) for target in targets],
        "matrix": _matrix(list(ranked.targets), cells) if cells else None,
    }


def _section(data: SiteData, ranked: Ranked, target: int) -> Row:
    n = ranked.n_units(target)
    size = top_of(n)
    top = ranked.top(target, size)
    rows = []
    for rank, number in enumerate(top[:SHOWN], 1):
        key = data.beside.units[number]
        first = next(iter(data.auroc(key)), None)
        rows.append({"rank": rank, "key": key, "score": float(ranked.scores[target, number]), "first": first})
    return {
        "target": ranked.targets[target],
        "id": f"target-{target}",
        "n_units": n,
        "top": size,
        "rows": rows,
        "layers": _layers(data, ranked, target, top),
    }


def _layers(data: SiteData, ranked: Ranked, target: int, top: list[int]) -> list[Row]:
    """Units of the top in each layer, and what share of the layer's ranked units that is."""
    found = []
    for info in data.layers:
        start = data.beside.starts[info.address]
        here = ranked.ranks[target, start : start + info.width]
        n_ranked = int((here > 0).sum())
        if n_ranked:
            n = sum(start <= number < start + info.width for number in top)
            found.append({"layer": info.address, "n": n, "of": n_ranked, "share": n / max(len(top), 1)})
    return found
