"""Layers pooled to one site an item: `ADDRESS@item`, the mean (or maximum, last, first) over the item's valid sites.

No backend knows of it: the layer is read on its own grid and pooled here. An item without a valid site is not valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unitscope.models.address import POOLED
from unitscope.models.base import Captured, Layer, LongItems, Model, Resampling
from unitscope.sites import ITEM, Cells, Item, kind_of, widened

if TYPE_CHECKING:
    import torch


def pooled_layer(layer: Layer) -> Layer:
    """The layer `ADDRESS@item` of a layer; one that has one site an item already stays as it is."""
    if layer.grid == ITEM:
        return layer
    return replace(layer, address=f"{layer.address}{POOLED}", grid=ITEM, pooled_from=layer.grid)


def base_layer(layer: Layer) -> Layer:
    """The layer that a pooled one is read from; others stay as they are."""
    if not layer.pooled_from:
        return layer
    return replace(layer, address=layer.address.removesuffix(POOLED), grid=layer.pooled_from, pooled_from="")


def run_pooled(
    model: Model,
    items: Sequence[Item],
    layers: Sequence[Layer],
    pool: str,
    *,
    resample: Resampling,
    batch_size: int,
    long_items: LongItems,
    also: Mapping[Resampling, Mapping[str, NDArray[np.int64]]] | None,
    **further: Any,
) -> Captured:
    """As `Model.run`, for layers some of which are pooled over their items' sites by `pool`."""
    asked = list({layer.address: layer for layer in map(base_layer, layers)}.values())
    settings: dict[str, Any] = {"resample": resample, "batch_size": batch_size, "long_items": long_items, **further}
    captured = model.run(items, asked, **settings, also=also)
    pooled = [layer for layer in layers if layer.pooled_from]
    if not pooled:
        return captured
    values, valid = dict(captured.values), dict(captured.valid)
    whole = np.ones(len(items), np.bool_)
    for layer in pooled:
        base = base_layer(layer)
        keep = captured.valid[base.grid]
        counts = _sites_of_items(items, base)
        values[layer.address], there = pooled_values(captured.values[base.address], keep, counts, pool)
        whole &= there
    for layer in pooled:
        values[layer.address][~_tensor(whole)] = 0
    valid[ITEM] = whole & valid.get(ITEM, whole)
    return Captured(values, valid, captured.counts)


def pooled_values(
    values: torch.Tensor, valid: NDArray[np.bool_], counts: NDArray[np.int64], pool: str
) -> tuple[torch.Tensor, NDArray[np.bool_]]:
    """Values [S, U] of sites pooled over each item's valid ones, [items, U], and which items have any.

    `counts` [items] sites belong to each item, in order.
    """
    import torch

    item = np.repeat(np.arange(len(counts)), counts)[valid]
    n_valid = np.bincount(item, minlength=len(counts))
    kept = values[_tensor(valid)].to("cpu", torch.float32)
    found = torch.zeros(len(counts), values.shape[1])
    ends = np.cumsum(n_valid)
    there = n_valid > 0
    if pool in ("last", "first"):
        rows = (ends - 1 if pool == "last" else ends - n_valid)[there]
        found[_tensor(there)] = kept[torch.from_numpy(rows)]
    elif pool == "max":
        index = torch.from_numpy(item)[:, None].expand(-1, values.shape[1])
        found.scatter_reduce_(0, index, kept, "amax", include_self=False)
    else:
        found.index_add_(0, torch.from_numpy(item), kept)
        found /= torch.from_numpy(np.maximum(n_valid, 1))[:, None]
    return found, there


def _sites_of_items(items: Sequence[Item], layer: Layer) -> NDArray[np.int64]:
    cells = {layer.grid: Cells.parse(layer.cells)} if kind_of(layer.grid) == "image" else {}
    counts = [widened(item, cells, False).grids[layer.grid].n_sites for item in items]
    return np.array(counts, np.int64)


def _tensor(mask: NDArray[np.bool_]) -> torch.Tensor:
    import torch

    return torch.from_numpy(mask)
