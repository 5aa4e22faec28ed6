"""Clips: the sites where a unit is highest, with their words, so that an atlas can be read on its own.

Every unit that varies has them, reported or not: what is reported depends on the other units, and an unreported
unit's highest sites are what its reader wants to see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.study.frame import Frame
from unitscope.study.plan import Study
from unitscope.study.prepare import Prepared
from unitscope.study.showing import shown_site

CONTEXT = 60
"""Characters kept on either side of the word."""
_TEXTS = ("item", "group", "word", "before", "after")


def clips(
    study: Study,
    frames: Mapping[str, Frame],
    prepared: Prepared,
    arrays: Mapping[str, NDArray[Any]],
    usable: NDArray[np.bool_],
    end: str = "clips",
) -> dict[str, Any]:
    """One row a unit and rank: item, group, position, value, word, text before and after. Read shard by shard.

    `end` is `clips` for the units' highest sites, `clips_low` for their lowest.
    """
    tables = [_sites_of_grid(study, frames, grid, arrays, usable, end) for grid in sorted(frames)]
    table = {name: np.concatenate([part[name] for part in tables]) for name in tables[0]}
    # One number a place: unique rows would be compared as strings of bytes, far slower.
    grid_order, item_number, position = table.pop("grid_order"), table.pop("item"), table["position"]
    spans = (int(item_number.max(initial=0)) + 1, int(position.max(initial=0)) + 1)
    code = (grid_order.astype(np.int64) * spans[0] + item_number) * spans[1] + position
    codes, place_of_row = np.unique(code, return_inverse=True)
    places = np.stack([codes // spans[1] // spans[0], codes // spans[1] % spans[0], codes % spans[1]], axis=1)
    grids = sorted(frames)
    texts: dict[str, NDArray[Any]] = {name: np.full(len(places), "", object) for name in _TEXTS}
    shard, items, per_shard = -1, [], prepared.items_per_shard
    for row in np.argsort(places[:, 1], kind="stable").tolist():
        grid, number, position = places[row].tolist()
        if number // per_shard != shard:
            shard = number // per_shard
            items = prepared.items(shard)
        item = items[number % per_shard]
        shown = shown_site(item, grids[grid], study.cells.get(grids[grid]), position, CONTEXT)
        for name, value in zip(_TEXTS, (item.id, item.group, *shown), strict=True):
            texts[name][row] = value
    table |= {name: values[place_of_row.reshape(-1)] for name, values in texts.items()}
    order = np.lexsort((table["rank"], table["unit"], table.pop("layer_order")))
    return {name: column[order] for name, column in table.items()}


def _sites_of_grid(
    study: Study,
    frames: Mapping[str, Frame],
    grid: str,
    arrays: Mapping[str, NDArray[Any]],
    usable: NDArray[np.bool_],
    end: str,
) -> dict[str, Any]:
    frame = frames[grid]
    layers = np.array([i for i, layer in enumerate(study.layers) if layer.grid == grid], np.int32)
    units = np.flatnonzero(usable & np.isin(arrays["layer"], layers))
    sites = arrays[end][units]
    n = sites.shape[1]
    flat = sites.reshape(-1)
    keep = flat >= 0
    address = np.array([layer.address for layer in study.layers], object)
    layer_index = np.repeat(arrays["layer"][units], n)[keep]
    values = arrays[f"{end}.values"][units].reshape(-1)[keep].astype(np.float64)
    return {
        "layer": address[layer_index],
        "layer_order": layer_index,
        "unit": np.repeat(arrays["unit"][units], n)[keep],
        "rank": np.tile(np.arange(1, n + 1, dtype=np.int32), len(units))[keep],
        "value": values,
        "grid": np.full(int(keep.sum()), grid, object),
        "grid_order": np.full(int(keep.sum()), sorted(frames).index(grid), np.int32),
        "position": frame.sites.position[flat[keep]],
        "item": frame.sites.item[flat[keep]],
    }
