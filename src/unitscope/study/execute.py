"""Executing one task of a study: a shard of items, a block of units, or a layer's check of resampling.

An `Executor` belongs to one work folder and keeps what several tasks share: the model, the frames, the measures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unitscope.errors import ModelError
from unitscope.measures import Measure, parse_measures
from unitscope.models.base import Model
from unitscope.runners.base import Job
from unitscope.stats.view import Columns, View
from unitscope.store import ArrayFile, read_sealed, write_arrays, write_sealed
from unitscope.study import sitepass, unitpass
from unitscope.study.bases import with_study_bases
from unitscope.study.candidates import Association, choose
from unitscope.study.clipsites import Clipping
from unitscope.study.frame import Frame, load_frame
from unitscope.study.plan import Slice, Study, blocks_of
from unitscope.study.prepare import Prepared


@dataclass
class Executor:
    """Runs tasks of the study in `folder`. `model` is loaded from its spec when it is not given."""

    folder: Path
    study: Study
    rounds: Sequence[Sequence[Slice]]
    model: Model | None = None
    model_spec: str | None = None
    measures: Sequence[Measure] = ()
    _frames: dict[str, Frame] = field(default_factory=dict)
    _variants: dict[str, Model] = field(default_factory=dict)
    _extended: dict[str, Model] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> Executor:
        """Open a work folder as a worker does."""
        work = read_sealed(folder / "work.json")
        study = Study.from_json(work["study"])
        rounds = [[Slice(**part) for part in each] for each in work["rounds"]]
        return cls(folder, study, rounds, model_spec=work["model"], measures=parse_measures(study.measures))

    @property
    def prepared(self) -> Prepared:
        """The prepared corpus."""
        return Prepared(self.folder / "prepared")

    def spool(self, variant: str, number: int, shard: int) -> Path:
        """Spool file of a shard."""
        return self.folder / "spool" / f"{variant}-{number}" / f"{shard:05d}.safetensors"

    def spools(self, variant: str, number: int) -> list[Path]:
        """Spool files of all shards of a round."""
        return [self.spool(variant, number, shard) for shard in range(self.prepared.n_shards)]

    def block(self, variant: str, part: Slice) -> Path:
        """Result file of a block of units."""
        return self.folder / "blocks" / variant / f"{part.layer:03d}-{part.start:07d}.safetensors"

    def check(self, layer: int) -> Path:
        """Result file of a layer's check of resampling."""
        return self.folder / "blocks" / "check" / f"{layer:03d}.safetensors"

    def valid_path(self, grid: str) -> Path:
        """File that says which sites of a grid the model has positions for."""
        return self.folder / f"valid-{grid}.safetensors"

    @property
    def pairs(self) -> Path:
        """Result file of the minimal pairs."""
        return self.folder / "pairs.safetensors"

    def frame(self, grid: str) -> Frame:
        """Frame of a grid; which sites are valid is saved once, since the spool is temporary."""
        if grid not in self._frames:
            self._frames[grid] = load_frame(self.prepared, grid, [self.valid_path(grid)], self.study.seed)
        return self._frames[grid]

    def keep(self, number: int) -> None:
        """Keep what later passes need of a round's spool: which sites are valid, and counts to tell the user."""
        missing = [path for path in self._kept(number) if not path.exists()]
        if not missing:
            return
        files = [ArrayFile(file) for file in self.spools("trained", number)]
        for path in missing:
            if path == self._counts:
                counts: Counter[str] = Counter()
                for file in files:
                    counts.update(file.meta["counts"])
                write_sealed(path, dict(counts))
            else:
                name = path.stem.replace("valid-", "valid.")
                write_arrays(path, {name: np.concatenate([file.read(name) for file in files])})

    def kept(self, variant: str, number: int) -> bool:
        """Whether `keep` has nothing left to do."""
        return variant != "trained" or all(path.exists() for path in self._kept(number))

    def counts(self) -> dict[str, int]:
        """What the user should hear of: words dropped, items cut."""
        counts: dict[str, int] = read_sealed(self._counts)
        return counts

    @property
    def _counts(self) -> Path:
        return self.folder / "counts.json"

    def _kept(self, number: int) -> list[Path]:
        valid = [self.valid_path(grid) for grid in sorted(self._grids(self.rounds[number]))]
        return [self._counts, *valid] if number == 0 else valid

    def _grids(self, part: Sequence[Slice]) -> set[str]:
        return {self.study.layers[s.layer].grid for s in part}

    def tasks(self, job: Job) -> list[int]:
        """Tasks of a job that have no result yet."""
        part = self.rounds[job.round]
        if job.kind == "sites":
            return [i for i, path in enumerate(self.spools(job.variant, job.round)) if not path.exists()]
        if job.kind == "units":
            return [i for i, each in enumerate(blocks_of(part)) if not self.block(job.variant, each).exists()]
        words = [s.layer for s in part if s.start == 0 and sitepass.is_resampled(self.study.layers[s.layer])]
        return [layer for layer in words if not self.check(layer).exists()]

    def execute(self, job: Job, task: int) -> dict[str, int]:
        """Run one task. Returns counts to tell the user."""
        part = self.rounds[job.round]
        if job.kind == "sites":
            path = self.spool(job.variant, job.round, task)
            model = self.model_for(job.variant)
            return sitepass.run_shard(self.study, job.variant, part, model, self.prepared.items(task), path)
        spool = self.spools(job.variant, job.round)
        if job.kind == "check":
            self._check(task, spool)
            return {}
        block = blocks_of(part)[task]
        layer = self.study.layers[block.layer]
        frame = self.frame(layer.grid)
        trained = job.variant == "trained"
        clipping = Clipping.of(self.study.seed, layer, block.start) if trained else None
        extras = unitpass.Extras(self.study.formulas, self.study.ladder and trained, clipping)
        unitpass.run_block(frame, self.measures, block, part, spool, self.block(job.variant, block), extras)
        return {}

    def model_for(self, variant: str) -> Model:
        """The variant's model, with the layers of the study's bases."""
        own = "untrained" if variant == "untrained" else "trained"
        if own not in self._extended:
            self._extended[own] = with_study_bases(self.bare_model(variant), self.study, self.folder, variant)
        return self._extended[own]

    def bare_model(self, variant: str) -> Model:
        """The variant's model with its own layers only."""
        if self.model is None:
            from unitscope.models import load_model

            if self.model_spec is None:
                raise ModelError(
                    "This work was begun with a model object.", fix="Go on with the program that began it."
                )
            self.model = load_model(self.model_spec, device=self.study.device, threads=self.study.threads)
        if variant != "untrained":
            return self.model
        if variant not in self._variants:
            self._variants[variant] = self.model.untrained(self.study.seed)
        return self._variants[variant]

    def _check(self, layer: int, spool: Sequence[Path]) -> None:
        """First concepts of sampled units under the other resampling."""
        frame = self.frame(self.study.layers[layer].grid)
        n = len(sitepass.sampled_units(self.study, layer))
        keys, _ = unitpass.read_keys([ArrayFile(path) for path in spool], f"{layer}.other", 0, n, frame.valid)
        found = Association.blank(n, frame.table.n_concepts)
        for universe in frame.universes:
            view = View(keys, Columns(frame.table.indptr, frame.table.sites, frame.n_sites))
            part = view if universe.known is None else view.part(universe.part, universe.columns)
            unitpass.associate(universe, part.part(universe.part_a, universe.columns_a), found)
        chosen = choose(found, frame.eligible, frame.alike, 1)
        write_arrays(self.check(layer), {"concept": chosen.concept[:, 0]})


def resampling_changes(executor: Executor, concepts: dict[int, Any]) -> dict[str, Any]:
    """Share of sampled units whose first concept differs under the other resampling. `concepts` [U] by layer."""
    differ = total = 0
    for layer, first in concepts.items():
        if not sitepass.is_resampled(executor.study.layers[layer]):
            continue
        sampled = sitepass.sampled_units(executor.study, layer)
        other = ArrayFile(executor.check(layer)).read("concept")
        mine = first[sampled]
        tested = (mine >= 0) & (other >= 0)
        differ += int((mine[tested] != other[tested]).sum())
        total += int(tested.sum())
    names = (executor.study.resample, sitepass.other_resampling(executor.study))
    return {
        "between": list(names),
        "changed": differ,
        "of": total,
        "share": round(differ / total, 4) if total else None,
    }
