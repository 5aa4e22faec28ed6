"""Values of units at sites, read piece by piece: what probes, rankings, comparisons and ablations are made from.

A shard is what is held in memory at a time: a file as `unitscope.extraction` writes it, or an array.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from unitscope.concepts.table import ConceptTable
from unitscope.errors import PlanError, StoreError, UnknownLayerError, closest
from unitscope.models.base import Layer
from unitscope.stats.halves import Halves, split
from unitscope.store import ArrayFile
from unitscope.study.prepare import Prepared, Sites

if TYPE_CHECKING:
    pass


class Shard(Protocol):
    """Some sites, one after the other."""

    @property
    def n_sites(self) -> int:
        """Number of sites."""

    def values(self, layer: int) -> NDArray[np.float32]:
        """Values [n_sites, U] of a layer, by its index."""


@dataclass(frozen=True)
class ArrayShard:
    """Sites whose values are in memory: one array [n, U] a layer."""

    arrays: tuple[NDArray[np.float32], ...]

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return len(self.arrays[0])

    def values(self, layer: int) -> NDArray[np.float32]:
        """Values [n_sites, U] of a layer."""
        return self.arrays[layer]


@dataclass(frozen=True)
class FileShard:
    """Sites whose values are in files, one a layer. `keep` [sites of the shard] says which are valid in all layers."""

    paths: tuple[Path, ...]
    keep: NDArray[np.bool_]

    @property
    def n_sites(self) -> int:
        """Number of valid sites."""
        return int(self.keep.sum())

    def values(self, layer: int) -> NDArray[np.float32]:
        """Values [n_sites, U] of a layer. Raises StoreError when the file is corrupted."""
        import torch

        file = ArrayFile(self.paths[layer])
        halves = torch.from_numpy(file.read("values")).t().contiguous().to(torch.float32)
        if not self.keep.all():
            halves = halves[torch.from_numpy(self.keep)]
        scale = file.read("scale")
        if (scale != 1).any():
            halves *= torch.from_numpy(scale)
        found: NDArray[np.float32] = halves.numpy()
        return found


@dataclass(frozen=True)
class Activations:
    """Values of U units, all units of `layers` in order, at the S valid sites of one grid.

    `sites` are arrays [S]; `item_ids` the id of each item, which `sites.item` indexes; `groups` the names of groups and
    `group` [S] the index of each site's. `concepts` are masks over the S sites. `seed` is that of the study, which
    halves follow.
    """

    layers: tuple[Layer, ...]
    grid: str
    sites: Sites
    item_ids: tuple[str, ...]
    groups: tuple[str, ...]
    group: NDArray[np.int32]
    concepts: ConceptTable
    shards: tuple[Shard, ...] = field(repr=False)
    seed: int = 0
    parent: str = ""
    prepared: Prepared | None = None

    @property
    def n_sites(self) -> int:
        """Number of sites, S."""
        return len(self.group)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """First column of each layer, and the number of units after the last, [layers + 1]."""
        return np.cumsum([0, *(layer.width for layer in self.layers)]).astype(np.int64)

    @property
    def n_units(self) -> int:
        """Number of units, U."""
        return int(self.starts[-1])

    @cached_property
    def addresses(self) -> list[str]:
        """Address `layer:unit` of each column, [U]."""
        return [f"{layer.address}:{unit}" for layer in self.layers for unit in range(layer.width)]

    @cached_property
    def halves(self) -> Halves:
        """Blocks and halves of the sites, as the study has them: what is chosen on A is judged on B."""
        group_of_item = np.zeros(len(self.item_ids), np.int64)
        group_of_item[self.sites.item] = self.group
        return split(self.sites.item, [self.groups[g] for g in group_of_item], self.seed)

    def columns(self, patterns: Sequence[str]) -> NDArray[np.int64]:
        """Columns of the units of layers that match addresses or globs; all where there are none.

        Raises UnknownLayerError for a pattern that matches no layer here.
        """
        known = [layer.address for layer in self.layers]
        chosen = np.zeros(len(known), np.bool_)
        for pattern in patterns:
            fits = np.array([at == pattern or fnmatchcase(at, pattern) for at in known])
            if not fits.any():
                raise UnknownLayerError(
                    f"No layer '{pattern}' among these activations.",
                    fix=closest(pattern, known) or f"There are: {', '.join(known)}.",
                )
            chosen |= fits
        if not patterns:
            chosen[:] = True
        return np.flatnonzero(np.repeat(chosen, np.diff(self.starts)))

    def layer_of(self, columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of the layer that each column belongs to."""
        return np.searchsorted(self.starts, columns, side="right").astype(np.int64) - 1

    def blocks(self, columns: NDArray[np.int64] | None = None) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Rows and their values [n, units], a shard at a time, in the sites' order; `columns` ascend."""
        start = 0
        for shard in self.shards:
            n = shard.n_sites
            if n:
                yield slice(start, start + n), self._read(shard, columns)
            start += n

    def values(
        self, columns: NDArray[np.int64] | None = None, sites: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """Values [S', units] of chosen columns at chosen sites, all in memory."""
        n = self.n_sites if sites is None else int(sites.sum())
        found = np.empty((n, self.n_units if columns is None else len(columns)), np.float32)
        at = 0
        for rows, block in self.blocks(columns):
            kept = block if sites is None else block[sites[rows]]
            found[at : at + len(kept)] = kept
            at += len(kept)
        return found

    def words(self) -> list[str]:
        """Surface form at each site of a text grid, [S]. Raises StoreError where there are no items to read."""
        if self.prepared is None:
            raise StoreError("These activations were made from arrays and hold no words.")
        texts = [item.grids[self.grid].words for n in range(self.prepared.n_shards) for item in self.prepared.items(n)]
        return [texts[i][p] for i, p in zip(self.sites.item.tolist(), self.sites.position.tolist())]

    def _read(self, shard: Shard, columns: NDArray[np.int64] | None) -> NDArray[np.float32]:
        parts = []
        for index in range(len(self.layers)):
            start, stop = self.starts[index], self.starts[index + 1]
            if columns is None:
                parts.append(shard.values(index))
                continue
            first, last = np.searchsorted(columns, [start, stop])
            if last - first == stop - start:
                parts.append(shard.values(index))
            elif last > first:
                parts.append(shard.values(index)[:, columns[first:last] - start])
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    @classmethod
    def of_arrays(
        cls,
        values: Mapping[str, NDArray[np.float32]],
        concepts: ConceptTable,
        *,
        sites: Sites | None = None,
        groups: Sequence[str] | None = None,
        grid: str = "source",
        seed: int = 0,
    ) -> Activations:
        """Activations in memory: values [S, U] by layer. Without `sites` each site is an item of its own.

        `groups` [S] are names; by default every item is its own.
        """
        n_sites = concepts.n_sites
        if sites is None:
            each = np.arange(n_sites, dtype=np.int32)
            zero = np.zeros(n_sites, np.int32)
            sites = Sites(each, zero, zero + 1, zero)
        for address, array in values.items():
            if array.ndim != 2 or len(array) != n_sites:
                raise PlanError(f"Got values of shape {array.shape} for '{address}'.", expected=f"[{n_sites}, units]")
        ids = tuple(str(i) for i in range(int(sites.item.max(initial=-1)) + 1))
        named = [ids[i] for i in sites.item] if groups is None else list(groups)
        index = {name: i for i, name in enumerate(dict.fromkeys(named))}
        layers = tuple(Layer(at, array.shape[1], grid, order=i) for i, (at, array) in enumerate(values.items()))
        return cls(
            layers=layers,
            grid=grid,
            sites=sites,
            item_ids=ids,
            groups=tuple(index),
            group=np.array([index[name] for name in named], np.int32),
            concepts=concepts,
            shards=(ArrayShard(tuple(np.asarray(array, np.float32) for array in values.values())),),
            seed=seed,
        )
