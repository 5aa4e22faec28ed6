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
from unitscope.study.plan import ITEMS_PER_SHARD, Study
from unitscope.study.prepare import Prepared

CONTEXT = 60
"""Characters kept on either side of the word."""


def clips(
    study: Study,
    frames: Mapping[str, Frame],
    prepared: Prepared,
    arrays: Mapping[str, NDArray[Any]],
    usable: NDArray[np.bool_],
) -> dict[str, Any]:
    """One row a unit and rank: item, group, position, value, word, text before and after. Shard by shard."""
    tables = [
        _sites_of_grid(study, frame, grid, arrays, usable) for grid, frame in sorted(frames.items())
    ]
    table = {name: np.concatenate([part[name] for part in tables]) for name in tables[0]}
    grid_of = {grid: grid for grid in frames}
    word, before, after, item_id, group = (np.full(len(table["item"]), "", object) for _ in range(5))
    by_shard = np.argsort(table["item"] // ITEMS_PER_SHARD, kind="stable")
    shard, items = -1, []
    for row in by_shard.tolist():
        number, index = divmod(int(table["item"][row]), ITEMS_PER_SHARD)
        if number != shard:
            shard, items = number, prepared.items(number)
        item = items[index]
        text = item.grids[grid_of[table["grid"][row]]]
        start, end = text.spans[int(table["position"][row])]
        word[row], item_id[row], group[row] = text.text[start:end], item.id, item.group
        before[row], after[row] = text.text[max(0, start - CONTEXT) : start], text.text[end : end + CONTEXT]
    del table["item"]
    table |= {"item": item_id, "group": group, "word": word, "before": before, "after": after}
    order = np.lexsort((table["rank"], table["unit"], table.pop("layer_order")))
    return {name: column[order] for name, column in table.items()}


def _sites_of_grid(
    study: Study, frame: Frame, grid: str, arrays: Mapping[str, NDArray[Any]], usable: NDArray[np.bool_]
) -> dict[str, Any]:
    layers = np.array([i for i, layer in enumerate(study.layers) if layer.grid == grid], np.int32)
    units = np.flatnonzero(usable & np.isin(arrays["layer"], layers))
    sites = arrays["clips"][units]
    n = sites.shape[1]
    flat = sites.reshape(-1)
    keep = flat >= 0
    address = np.array([layer.address for layer in study.layers], object)
    layer_index = np.repeat(arrays["layer"][units], n)[keep]
    values = arrays["clip_values"][units].reshape(-1)[keep].astype(np.float64)
    return {
        "layer": address[layer_index],
        "layer_order": layer_index,
        "unit": np.repeat(arrays["unit"][units], n)[keep],
        "rank": np.tile(np.arange(1, n + 1, dtype=np.int32), len(units))[keep],
        "value": values,
        "grid": np.full(int(keep.sum()), grid, object),
        "position": frame.sites.position[flat[keep]],
        "item": frame.sites.item[flat[keep]],
    }
