"""Running a study: prepare, rounds of site and unit passes, assembly, and the one rename that makes an atlas.

All work happens in `OUT.partial` beside the atlas. Every file is written under a temporary name and renamed, every
step is skipped where its result is there, and every step is a deterministic function of the study: a run that is
killed anywhere goes on when it is started again and ends with the same bytes.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.atlas import MANIFEST, RUN, Atlas
from unitscope.bases.specs import BasisSpec
from unitscope.concepts.base import ConceptSource
from unitscope.corpora.base import Corpus
from unitscope.errors import StoreError
from unitscope.limits import numeric_threads, release_memory
from unitscope.models.base import Model
from unitscope.runners.base import Job, Runner
from unitscope.runners.processes import ProcessRunner
from unitscope.runners.serial import SerialRunner
from unitscope.store import ArrayFile, cannot_write, read_json, read_sealed, write_json, write_sealed
from unitscope.study.assemble import write_atlas
from unitscope.study.attribution import run_attribution
from unitscope.study.bases import fit, save_given, write_fitted
from unitscope.study.claim import claimed, clear
from unitscope.study.execute import Executor, resampling_changes
from unitscope.study.minimal_pairs import PairResults, make_pairs, run_pairs
from unitscope.study.plan import Budget, Plan, Slice, Study, blocks_of, make_plan
from unitscope.study.prepare import Prepared, prepare
from unitscope.study.writes import lens_note, write_layers, write_writes

N_SKIPPED = 100
"""Items left out that the manifest names; all are counted."""
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and of how much."""


def silent(what: str, done: int, total: int) -> None:
    """Show no progress."""


@dataclass
class Run:
    """A study with its live objects, where it is written, and how it is worked."""

    study: Study
    model: Model
    corpus: Corpus
    sources: Sequence[ConceptSource]
    out: Path
    model_spec: str | None = None
    workers: int = 1
    budget: Budget = field(default_factory=Budget)
    model_bytes: int = 0
    bases: Mapping[str, BasisSpec] = field(default_factory=dict)
    progress: Progress = silent
    origin: Mapping[str, Any] = field(default_factory=dict)
    """Where model and corpus are and how they are read, for what is computed from them later; no part of the result."""
    announce: Callable[[Plan], None] = field(default=lambda plan: None)
    """Called with the plan when the corpus has been read and the long part begins."""

    @property
    def work(self) -> Path:
        """Folder of unfinished work, beside the atlas."""
        return self.out.with_name(f"{self.out.name}.partial")

    @property
    def _writes(self) -> Path:
        """Folder of what layers write."""
        return self.work / "blocks" / "writes"

    @property
    def _attributed(self) -> Path:
        """Folder of attributed logits by shard of items."""
        return self.work / "blocks" / "attribution"

    @staticmethod
    def _blocks(executor: Executor, variant: str) -> list[tuple[Slice, Path]]:
        """Blocks of units of a variant, and where they are."""
        parts = [part for each in executor.rounds for part in blocks_of(each)]
        return [(part, executor.block(variant, part)) for part in parts]

    def plan(self, n_items: int, n_sites: int) -> Plan:
        """Cost of the study on a corpus of this size."""
        return make_plan(
            self.study,
            n_items=n_items,
            n_sites=n_sites,
            model_bytes=self.model_bytes,
            folder=self.out.parent,
            budget=self.budget,
            workers=self.workers,
        )

    def finish(self) -> Atlas:
        """Run what is left of the study and open its atlas.

        Raises StoreError when `out` or its unfinished work belongs to another study, or the disk is full.
        """
        with numeric_threads(self.study.threads):
            return self._finish()

    def _finish(self) -> Atlas:
        started = time.time()
        if self._done():
            clear(self.work)
            return Atlas.open(self.out)
        with claimed(self.work, self.study):
            if not self._done():  # as a run that was at work until now may have left it
                self._make(started)
            clear(self.work)
        return Atlas.open(self.out)

    def _make(self, started: float) -> None:
        """All steps from the corpus to the one rename."""
        prepared = prepare(
            self.corpus,
            self.sources,
            sorted({layer.grid for layer in self.study.layers}),
            self.work / "prepared",
            self.model.normalise,
            lambda n: self.progress("reading the corpus", n, 0),
            cells=self.study.cells,
            items_per_shard=self.study.items_per_shard,
        )
        n_sites = max(prepared.n_sites(grid) for grid in prepared.grids)
        plan = self.plan(prepared.n_items, n_sites)
        self.announce(plan)
        executor = self._executor(plan)
        self._prepare_bases(executor)
        runner: Runner = SerialRunner(executor.execute)
        if plan.n_workers > 1:
            runner = ProcessRunner(plan.n_workers, self.study.threads)
        counts = self._passes(executor, runner)
        if self.study.lens:
            write_layers(
                self.study, executor.model_for("trained"), self._writes, partial(self.progress, "what units write")
            )
        if self.study.attribution:
            tick = partial(self.progress, "attributing logits")
            run_attribution(self.study, self.model, prepared, self._blocks(executor, "trained"), self._attributed, tick)
        self._assemble(executor, prepared, counts)
        write_json(
            self.work / "atlas" / RUN,
            {
                "seconds": round(time.time() - started, 3),
                "finished": int(time.time()),
                "plan": plan.to_json(),
                "origin": dict(self.origin),
            },
        )
        try:
            (self.work / "atlas").rename(self.out)
        except OSError as error:
            raise cannot_write(self.out, error) from error

    def _done(self) -> bool:
        """Whether the atlas is there already. Raises StoreError when `out` is something else."""
        if not self.out.exists():
            return False
        if not (self.out / MANIFEST).exists():
            if self.out.is_dir() and not any(self.out.iterdir()):
                self.out.rmdir()
                return False
            raise StoreError(
                f"'{self.out.name}' exists and is no atlas.",
                fix="Give another --out, or delete it if it is not needed.",
            )
        manifest = read_json(self.out / MANIFEST)
        if not isinstance(manifest, dict) or manifest.get("key") != self.study.key:
            raise StoreError(
                f"'{self.out.name}' holds the atlas of another run.",
                expected="the same model, corpus, layers, concepts, measures and parameters",
                fix="Give another --out, or delete it if it is not needed.",
            )
        return True

    def _executor(self, plan: Plan) -> Executor:
        """The executor, with the rounds that were planned when the work began, unless today's budgets ask for more."""
        path = self.work / "work.json"
        rounds = [[asdict(part) for part in each] for each in plan.rounds]
        begun = read_sealed(path)["rounds"] if path.exists() else None
        if begun and (self.budget == Budget() or len(rounds) <= len(begun)):
            rounds = begun
        if rounds != begun:  # blocks are cut alike in all plans and stay; the spool may hold other units a round
            shutil.rmtree(self.work / "spool", ignore_errors=True)
        work = {"study": self.study.to_json(), "rounds": rounds, "model": self.model_spec}
        write_sealed(path, work)  # the model may have another address today
        executor = Executor.open(self.work)
        executor.model = self.model
        return executor

    def _prepare_bases(self, executor: Executor) -> None:
        """Make the bases that the study's layers are on, and fit those that must be."""
        if not any(layer.basis for layer in self.study.layers):
            return
        save_given(self.study, self.bases, self.model, self.work)
        for variant in self.study.variants:
            label = f"fitting bases ({variant})"
            fit(executor, self.bases, variant, lambda n, of, label=label: self.progress(label, n, of))  # type: ignore[misc]

    def _passes(self, executor: Executor, runner: Runner) -> Counter[str]:
        """All site and unit passes. A round's spool is deleted once its blocks are there."""
        for variant in self.study.variants:
            for number in range(len(executor.rounds)):
                kinds = ("units", "check") if variant == "trained" else ("units",)
                jobs = [Job(kind, variant, number) for kind in kinds]  # type: ignore[arg-type]
                if any(executor.tasks(job) for job in jobs) or not executor.kept(variant, number):
                    self._work(executor, runner, Job("sites", variant, number))
                    if variant == "trained":
                        executor.keep(number)
                    for job in jobs:
                        self._work(executor, runner, job)
                shutil.rmtree(executor.spool(variant, number, 0).parent, ignore_errors=True)
        return Counter(executor.counts())

    def _work(self, executor: Executor, runner: Runner, job: Job) -> None:
        tasks = executor.tasks(job)
        if not tasks:
            return
        names = {"sites": "running the model", "units": "scoring units", "check": "checking resampling"}
        label = f"{names[job.kind]} ({job.variant}" + (
            f", round {job.round + 1} of {len(executor.rounds)})" if len(executor.rounds) > 1 else ")"
        )
        done = 0

        def tick(_: dict[str, int]) -> None:
            nonlocal done
            done += 1
            self.progress(label, done, len(tasks))

        release_memory()
        self.progress(label, 0, len(tasks))
        runner.run(job, tasks, self.work, tick)

    def _pairs(self, executor: Executor) -> PairResults:
        """Run the minimal pairs, once."""
        if not executor.pairs.exists():
            self.progress("running minimal pairs", 0, 1)
            run_pairs(
                executor.model_for("trained"), self.study, make_pairs(self.sources, self.study.seed), executor.pairs
            )
        return PairResults.read(executor.pairs)

    def _assemble(self, executor: Executor, prepared: Prepared, counts: Counter[str]) -> None:
        self.progress("writing the atlas", 0, 1)
        release_memory()
        folder = self.work / "atlas"
        shutil.rmtree(folder, ignore_errors=True)
        blocks = {variant: self._blocks(executor, variant) for variant in self.study.variants}
        frames = {grid: executor.frame(grid) for grid in prepared.grids}
        first = {layer: _first_concepts(blocks["trained"], layer) for layer in range(len(self.study.layers))}
        skipped = prepared.skipped
        if skipped:
            counts["skipped_items"] = len(skipped)
        notes = {"items": prepared.n_items, "counts": dict(counts), "resampling": resampling_changes(executor, first)}
        if skipped:
            notes["skipped"] = dict(sorted(skipped.items())[:N_SKIPPED])
        notes["writes"] = lens_note(self.study, self.model)
        if self.study.lens:
            model = executor.model_for("trained")
            write_writes(self.study, model, self._writes, self._attributed, prepared.n_shards, folder)
        notes["corpus"] = prepared.corpus_notes
        write_fitted(self.study, self.work, folder)
        pairs = self._pairs(executor) if self.study.pairs else None
        write_atlas(self.study, executor.measures, frames, prepared, blocks, notes, folder, pairs)
        self.progress("writing the atlas", 1, 1)


def _first_concepts(blocks: Sequence[tuple[Slice, Path]], layer: int) -> NDArray[np.int32]:
    ordered = sorted((part.start, path) for part, path in blocks if part.layer == layer)
    return np.concatenate([ArrayFile(path).read("concept")[:, 0] for _, path in ordered])
