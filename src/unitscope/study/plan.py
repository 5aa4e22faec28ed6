"""What to run: the declarative description of a study, its key, its rounds and its cost, before anything runs.

A `Study` says everything that determines the result; its fingerprint is the key under which work is resumed. A `Plan`
adds how: rounds of units small enough for the disk and memory budgets, shards of items, blocks of units. Neither
budgets nor the number of workers enter the key, because they change no bit of the result.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from unitscope.errors import PlanError
from unitscope.models.base import Layer, LongItems, Resampling
from unitscope.sites import Cells, kind_of
from unitscope.store import fingerprint

SCHEMA = 2
ITEMS_PER_SHARD = 128
IMAGES_PER_SHARD = 32
UNITS_PER_BLOCK = 1024
SAMPLED_UNITS = 32
BASELINES = ("untrained", "rotation")
N_CANDIDATES = 5
POOLINGS = ("mean", "max", "last", "first")

Pooling = Literal["mean", "max", "last", "first"]


@dataclass(frozen=True)
class Study:
    """All that determines an atlas. `model` and `corpus` are specs, with hashes of weights and content beside them."""

    model: str
    weight_hash: str
    corpus: str
    corpus_hash: str
    layers: tuple[Layer, ...]
    concepts: tuple[str, ...]
    measures: tuple[str, ...]
    baselines: tuple[str, ...] = ()
    formulas: int = 0
    ladder: bool = False
    pairs: bool = False
    resample: Resampling = "last"
    long_items: LongItems = "window"
    batch_size: int = 32
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    versions: dict[str, str] = field(default_factory=dict)
    lens: str = ""
    """Fingerprint of the readout through which units are seen to write; empty for no lens."""
    attribution: bool = False
    pool: Pooling = "mean"

    @property
    def items_per_shard(self) -> int:
        """Items a site pass takes at a time: fewer images than texts, since an image has many sites."""
        images = any(kind_of(layer.pooled_from or layer.grid) == "image" for layer in self.layers)
        return IMAGES_PER_SHARD if images else ITEMS_PER_SHARD

    @property
    def cells(self) -> dict[str, Cells]:
        """How pictures are cut for each image grid."""
        return {layer.grid: Cells.parse(layer.cells) for layer in self.layers if kind_of(layer.grid) == "image"}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: the manifest's identity."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Study:
        """Invert `to_json`."""
        rest = {key: value for key, value in data.items() if key not in {"schema", "layers"}}
        for name in ("concepts", "measures", "baselines"):
            rest[name] = tuple(rest[name])
        return cls(layers=tuple(Layer(**layer) for layer in data["layers"]), **rest)

    @property
    def key(self) -> str:
        """Fingerprint under which work is resumed."""
        return fingerprint(self.to_json())

    @property
    def variants(self) -> tuple[str, ...]:
        """The model as it is, then the baselines asked for."""
        return ("trained", *self.baselines)


@dataclass(frozen=True)
class Slice:
    """Units [start, stop) of a layer, by the layer's index in the study."""

    layer: int
    start: int
    stop: int


@dataclass(frozen=True)
class Budget:
    """Bytes that may be used: memory of all workers together, disk for temporary files; None: what is free."""

    memory: int | None = None
    disk: int | None = None


@dataclass(frozen=True)
class Plan:
    """How a study runs. `rounds` are sets of unit slices that share one pass over the corpus."""

    rounds: tuple[tuple[Slice, ...], ...]
    n_items: int
    n_sites: int
    n_workers: int
    spool_bytes: int
    worker_bytes: int
    forwards: int

    @property
    def passes(self) -> int:
        """Passes of the model over the corpus."""
        return self.forwards // max(self.n_items, 1)

    def to_json(self) -> dict[str, Any]:
        """For `--dry-run`."""
        return {
            "rounds": len(self.rounds),
            "items": self.n_items,
            "sites": self.n_sites,
            "workers": self.n_workers,
            "passes": self.passes,
            "forwards": self.forwards,
            "spool_bytes": self.spool_bytes,
            "memory_bytes": self.worker_bytes * self.n_workers,
        }


def make_plan(
    study: Study,
    *,
    n_items: int,
    n_sites: int,
    model_bytes: int,
    folder: Path,
    budget: Budget,
    workers: int,
) -> Plan:
    """Cut the study into rounds that keep the budgets. Raises PlanError when not even one block of units fits."""
    disk = budget.disk if budget.disk is not None else int(_free_disk(folder) * 0.8)
    memory = budget.memory
    sites_in_shard = max(1, round(n_sites / max(n_items, 1) * study.items_per_shard))
    # A worker holds the interpreter with its libraries, the weights, one batch's activations, one shard's rounded
    # activations twice (as captured and unit-major), and later a chunk of units with its statistics.
    fixed = 700_000_000 + 2 * model_bytes + 4 * n_sites * 24
    per_unit_memory = 2 * 2 * sites_in_shard
    total_units = sum(layer.width for layer in study.layers)
    if memory is not None:
        workers = max(1, min(workers, memory // (fixed + 32_000_000)))
    share = None if memory is None else memory // workers - fixed
    most = total_units if share is None else min(total_units, share // max(per_unit_memory, 1))
    most = min(most, disk // max(2 * n_sites, 1), max(UNITS_PER_BLOCK, 1_000_000_000 // per_unit_memory))
    least = min(UNITS_PER_BLOCK, total_units)
    if most < least:
        needed = fixed + least * per_unit_memory
        raise PlanError(
            f"The budgets allow {max(most, 0)} units at a time.",
            expected=f"at least {least}: about {needed / 1e9:.1f} GB of memory "
            f"and {least * 2 * n_sites / 1e9:.2f} GB of disk",
            fix="Raise --memory or --disk, or give a smaller corpus (--max-items).",
        )
    rounds = _rounds(study.layers, most)
    return Plan(
        rounds=rounds,
        n_items=n_items,
        n_sites=n_sites,
        n_workers=workers,
        spool_bytes=max(sum(s.stop - s.start for s in part) for part in rounds) * 2 * n_sites,
        worker_bytes=fixed + min(most, total_units) * per_unit_memory,
        forwards=n_items * len(rounds) * len(study.variants),
    )


def _rounds(layers: Sequence[Layer], most: int) -> tuple[tuple[Slice, ...], ...]:
    """Pack whole blocks of units, layer after layer, into rounds of at most `most` units."""
    rounds: list[tuple[Slice, ...]] = []
    current: list[Slice] = []
    room = most
    for index, layer in enumerate(layers):
        start = 0
        while start < layer.width:
            fits = layer.width - start if room >= layer.width - start else room // UNITS_PER_BLOCK * UNITS_PER_BLOCK
            if fits <= 0:
                rounds.append(tuple(current))
                current, room = [], most
                continue
            current.append(Slice(index, start, start + fits))
            start, room = start + fits, room - fits
    return (*rounds, tuple(current)) if current else tuple(rounds)


def blocks_of(part: Sequence[Slice]) -> list[Slice]:
    """Blocks of at most 1,024 units that a round's slices consist of."""
    return [
        Slice(s.layer, start, min(start + UNITS_PER_BLOCK, s.stop))
        for s in part
        for start in range(s.start, s.stop, UNITS_PER_BLOCK)
    ]


def _free_disk(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
