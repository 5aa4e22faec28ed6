"""Site passes: run the model over shards of items and write every unit's rounded values, unit-major, to the spool.

One file a shard, with for each slice of a layer the float16 values [U, S] and the scales [U], and for each grid which
sites the model had a position for. A shard's bytes depend on the study and the shard alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import halves_scale, turned
from unitscope.models.base import Layer, Model, Resampling
from unitscope.sites import Item, kind_of
from unitscope.store import write_arrays
from unitscope.study.bases import parts_wanted
from unitscope.study.plan import SAMPLED_UNITS, Slice, Study
from unitscope.study.pooling import run_pooled

if TYPE_CHECKING:
    import torch

ROTATION_WIDTH = 1024


def sampled_units(study: Study, layer: int) -> NDArray[np.int64]:
    """Units of a layer, ascending, whose concept is also looked up under another resampling."""
    width = study.layers[layer].width
    # By address, so that the draw does not depend on which other layers are mapped.
    draw = np.random.default_rng([study.seed, 1, *study.layers[layer].address.encode("utf-8")])
    return np.sort(draw.choice(width, size=min(SAMPLED_UNITS, width), replace=False)).astype(np.int64)


def other_resampling(study: Study) -> Resampling:
    """What the study's resampling is checked against: mean, or last where the study uses mean."""
    return "last" if study.resample == "mean" else "mean"


def rotation(layer: Layer, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """A random rotation of a layer: disjoint sets of units (at most 1,024 each) with an orthogonal matrix for each.

    Units of wider layers are first dealt at random into sets, so that no matrix needs more than 4 MB.
    """
    draw = np.random.default_rng([seed, *layer.address.encode("utf-8")])
    order = draw.permutation(layer.width)
    n_sets = -(-layer.width // ROTATION_WIDTH)
    sets = []
    for units in np.array_split(order, n_sets):
        q, r = np.linalg.qr(draw.normal(size=(len(units), len(units))))
        sets.append((np.sort(units).astype(np.int64), (q * np.sign(np.diag(r))).astype(np.float32)))
    return sets


def is_resampled(layer: Layer) -> bool:
    """Whether the layer's values rest on a resampling from subwords to words, which is worth checking."""
    return kind_of(layer.grid) == "text"


def spool_name(part: Slice) -> str:
    """Name of a slice's array in a spool file."""
    return f"{part.layer}.{part.start}"


def run_shard(
    study: Study,
    variant: str,
    part: Sequence[Slice],
    model: Model,
    items: Sequence[Item],
    path: Path,
) -> dict[str, int]:
    """Run one shard of items through the model and write its spool file. Returns counts to tell the user."""

    layers = [study.layers[s.layer] for s in part]
    words = [s.layer for s in part if is_resampled(study.layers[s.layer])] if variant == "trained" else []
    sampled = {index: sampled_units(study, index) for index in words}
    also = {study.layers[index].address: units for index, units in sampled.items()}
    only = parts_wanted(study, part, variant)
    captured = run_pooled(
        model,
        items,
        layers,
        study.pool,
        resample=study.resample,
        batch_size=study.batch_size,
        long_items=study.long_items,
        also={other_resampling(study): also} if also else None,
        **({"only": only} if only else {}),
    )
    arrays: dict[str, NDArray[Any]] = {f"valid.{grid}": valid for grid, valid in captured.valid.items()}
    turned_by: dict[int, torch.Tensor] = {}
    for s, layer in zip(part, layers, strict=True):
        values = captured.values[layer.address]
        if variant == "rotation":
            if s.layer not in turned_by:
                turned_by = {s.layer: rotated(values, layer, study.seed)}
            values = turned_by[s.layer]
        halves, scale = rounded(values if layer.address in only else values[:, s.start : s.stop])
        arrays[spool_name(s)], arrays[f"{spool_name(s)}.scale"] = halves, scale
        if s.start == 0 and s.layer in sampled:
            halves, scale = rounded(captured.values[f"{layer.address}|{other_resampling(study)}"])
            arrays[f"{s.layer}.other"], arrays[f"{s.layer}.other.scale"] = halves, scale
    write_arrays(path, arrays, {"counts": dict(captured.counts)})
    return dict(captured.counts)


def rotated(values: torch.Tensor, layer: Layer, seed: int) -> torch.Tensor:
    """Values [S, U] in the layer's random rotation."""
    import torch

    found = torch.empty_like(values)
    for units, matrix in rotation(layer, seed):
        index = torch.from_numpy(units).to(values.device)
        found[:, index] = values[:, index] @ torch.from_numpy(matrix).to(values.device)
    return found


def rounded(values: torch.Tensor) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Unit-major float16 values [U, S] and the power of two that each unit's were divided by."""
    import torch

    if not len(values):
        return np.zeros((values.shape[1], 0), np.float16), np.ones(values.shape[1], np.float32)
    # Two reductions along the first axis are ten times as fast as torch.aminmax or an infinity norm along it.
    largest = torch.maximum(values.amax(dim=0), -values.amin(dim=0))
    scale = halves_scale(torch.nan_to_num(largest, nan=1.0, posinf=1.0).cpu().numpy())
    if (scale != 1).any():
        values = values / torch.from_numpy(scale).to(values.device)
    halves = values.to(torch.float16)
    bits = halves.contiguous().cpu().numpy().view(np.uint16)
    return turned(bits).view(np.float16), scale
