"""An attribution as files: tables of units, items and sites, and a JSON file of what they are.

`attribution.json`, `units.parquet`, `items.parquet`, `sites.parquet`; each is written under another name first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from unitscope.causal.to_units import UnitAttribution
from unitscope.sites import Item
from unitscope.store import write_json, writing

VERSION = 1


def write_attribution(folder: Path, found: UnitAttribution, items: Sequence[Item], about: dict[str, Any]) -> None:
    """Write a folder. Raises StoreError where it cannot be written."""
    for name, columns in tables(found, items).items():
        with writing(folder / f"{name}.parquet") as file:
            pyarrow.parquet.write_table(pyarrow.table(columns), file)
    write_json(folder / "attribution.json", {"type": "attribution", "version": VERSION, **about})


def tables(found: UnitAttribution, items: Sequence[Item]) -> dict[str, dict[str, Any]]:
    """Columns of the tables `units`, `items` and, for methods that tell sites apart, `sites`."""
    made = {"units": _units(found), "items": _items(found)}
    return made | ({"sites": _sites(found, items)} if found.by_site else {})


def _units(found: UnitAttribution) -> dict[str, Any]:
    parts: dict[str, list[Any]] = {name: [] for name in ("layer", "unit", "mean", "low", "high", "size")}
    for layer in found.layers:
        low, high = found.interval(layer.address)
        parts["layer"] += [layer.address] * layer.width
        parts["unit"].append(np.arange(layer.width, dtype=np.int32))
        for name, values in (("mean", found.mean(layer.address)), ("low", low), ("high", high)):
            parts[name].append(values)
        parts["size"].append(found.size(layer.address))
    return {name: each if name == "layer" else np.concatenate(each) for name, each in parts.items()}


def _items(found: UnitAttribution) -> dict[str, Any]:
    n, missing = len(found.items), np.full(len(found.items), np.nan)
    return {
        "item": list(found.items) * len(found.layers),
        "layer": [layer.address for layer in found.layers for _ in range(n)],
        "output": np.tile(found.output, len(found.layers)),
        "explained": np.concatenate([found.explained.get(layer.address, missing) for layer in found.layers]),
        "rest": np.concatenate([found.rest.get(layer.address, missing) for layer in found.layers]),
        "gap": np.concatenate([found.gap.get(layer.address, missing) for layer in found.layers]),
    }


def _sites(found: UnitAttribution, items: Sequence[Item]) -> dict[str, Any]:
    """One row a layer, item and site: the sum over the layer's units."""
    layers, names, sites, words, values = [], [], [], [], []
    for layer in found.layers:
        of_layer = found.by_site[layer.address]
        start = 0
        for item in items:
            grid = item.grids.get(layer.grid)
            shown = list(getattr(grid, "words", ()))
            n = len(shown) if shown else len(of_layer) // len(items)
            layers += [layer.address] * n
            names += [item.id] * n
            sites += list(range(n))
            words += shown or [""] * n
            values.append(of_layer[start : start + n])
            start += n
    return {
        "layer": layers,
        "item": names,
        "site": np.array(sites, np.int32),
        "word": words,
        "value": np.concatenate([np.zeros(0), *values]),
    }
