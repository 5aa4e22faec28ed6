"""The Python surface: `unitscope.map`, from a model and a corpus to an atlas.

>>> import unitscope
>>> atlas = unitscope.map("MODEL", "corpus.conllu", out="atlas")  # doctest: +SKIP
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from unitscope.atlas import Atlas
from unitscope.concepts import parse_sources
from unitscope.concepts.base import ConceptSource
from unitscope.corpora import load_corpus
from unitscope.corpora.base import Corpus
from unitscope.errors import ConceptError, ModelError, PlanError, closest
from unitscope.measures import parse_measures
from unitscope.models.base import Layer, LongItems, Model, Resampling
from unitscope.study.plan import BASELINES, Budget, Plan, Study
from unitscope.study.run import Progress, Run, silent
from unitscope.study.writes import lens_of

DEFAULT_ROLES = ("hidden state", "feed-forward neurons", "recurrent state")
RESAMPLINGS = ("last", "first", "mean", "max")
_VERSIONED = ("unitscope", "torch", "transformers", "tokenizers", "numpy", "scipy", "numba", "pyarrow")


@dataclass(frozen=True)
class Settings:
    """Everything about a map but the model, the corpus and the place it goes to.

    `layers`, `concepts` and `measures` are patterns and specs as on the command line; empty means the defaults:
    hidden states and feed-forward neurons; the annotation the corpus has, frequent words, position and covariates;
    every measure. `memory` and `disk` are bytes. `lens` adds the tokens that units write, where the model has an output
    embedding; `attribution` what they add to the logit of the token that comes next.
    """

    layers: Sequence[str] = ()
    concepts: Sequence[str] = ()
    measures: Sequence[str] = ("all",)
    baselines: Sequence[str] = ()
    resample: Resampling = "last"
    long_items: LongItems = "window"
    batch_size: int = 32
    seed: int = 0
    device: str = "cpu"
    threads: int = 1
    workers: int | None = None
    memory: int | None = None
    disk: int | None = None
    max_items: int | None = None
    per_group: int | None = None
    target: Literal["copy"] | None = None
    lens: bool = True
    attribution: bool = False
    sources: Sequence[ConceptSource] = field(default=())

    def __post_init__(self) -> None:
        for name in ("layers", "concepts", "measures", "baselines"):
            if isinstance(getattr(self, name), str):
                raise PlanError(f"Got {name}='{getattr(self, name)}'.", expected=f"a list, as {name}=['...']")
        for baseline in self.baselines:
            if baseline not in BASELINES:
                raise PlanError(
                    f"Unknown baseline '{baseline}'.", expected=" or ".join(BASELINES), fix=closest(baseline, BASELINES)
                )
        if self.resample not in RESAMPLINGS:
            raise PlanError(f"Unknown resampling '{self.resample}'.", expected=f"one of {', '.join(RESAMPLINGS)}")
        if self.long_items not in ("window", "truncate"):
            raise PlanError(f"Got '{self.long_items}' for long items.", expected="window or truncate")
        for name in ("batch_size", "threads", "workers"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise PlanError(f"Got {name}={getattr(self, name)}.", expected="1 or more")
        if self.attribution and not self.lens:
            raise PlanError("Got attribution without the lens.", fix="Leave out --no-lens or --attribution.")
        if not 0 <= self.seed < 1 << 63:
            raise PlanError(f"Got seed={self.seed}.", expected="a whole number from 0 to 2**63 - 1")


def map(
    model: str | Model,
    corpus: str | Corpus,
    *,
    out: str | Path,
    progress: Progress = silent,
    **settings: Any,
) -> Atlas:
    """Map the units of a model over a corpus into the atlas at `out`; goes on where an earlier call was stopped.

    `model` is a spec (folder, hub id, `python:pkg.module:factory`) or a loaded `Model`, `corpus` a spec or a
    `Corpus`; `settings` are the fields of `Settings`. Raises a `UnitscopeError` that says how to mend it.
    """
    unknown = set(settings) - {each.name for each in fields(Settings)}
    if unknown:
        raise TypeError(f"map() got unexpected arguments: {', '.join(sorted(unknown))}")
    return make_run(model, corpus, Path(out), Settings(**settings), progress).finish()


def make_run(
    model: str | Model, corpus: str | Corpus, out: Path, settings: Settings, progress: Progress = silent
) -> Run:
    """Load what a map needs and describe it, without running anything."""
    from unitscope.models import load_model

    spec = model if isinstance(model, str) else None
    limits: dict[str, Any] = {name: getattr(settings, name) for name in ("max_items", "per_group", "target")}
    read = load_corpus(corpus, **limits) if isinstance(corpus, str) else corpus
    if not isinstance(corpus, str) and (given := [name for name, value in limits.items() if value is not None]):
        raise PlanError(
            f"Got {given[0]}={limits[given[0]]!r} beside a corpus object.",
            expected="a path",
            fix="Wrap the corpus: see unitscope.corpora.limit.",
        )
    concepts = list(settings.concepts) or ([] if settings.sources else default_concepts(read))
    sources = [*parse_sources(concepts, read), *settings.sources]
    measures = parse_measures(settings.measures)
    loaded = load_model(model, device=settings.device, threads=settings.threads) if isinstance(model, str) else model
    study = Study(
        model=loaded.name,
        weight_hash=loaded.weight_hash,
        corpus=read.name,
        corpus_hash=read.fingerprint(),
        layers=tuple(_layers(loaded, settings.layers)),
        concepts=tuple(_description(source) for source in sources),
        measures=tuple(_spec(measure) for measure in measures),
        baselines=tuple(name for name in BASELINES if name in settings.baselines),
        resample=settings.resample,
        long_items=settings.long_items,
        batch_size=settings.batch_size,
        seed=settings.seed,
        threads=settings.threads,
        device=settings.device,
        versions=_versions(),
        lens=lens_of(loaded)[0] if settings.lens else "",
        attribution=settings.attribution,
    )
    if study.attribution and not study.lens:
        raise ModelError(f"No logits can be attributed. {lens_of(loaded)[1]}", fix="Leave out --attribution.")
    workers = settings.workers or max(1, (os.cpu_count() or 1) // settings.threads)
    if spec is None or settings.device != "cpu":
        workers = 1  # live objects and accelerators are not shared between processes
    return Run(
        study=study,
        model=loaded,
        model_spec=spec,
        corpus=read,
        sources=sources,
        out=Path(os.path.abspath(out)),
        workers=workers,
        budget=Budget(settings.memory, settings.disk),
        model_bytes=_bytes(loaded),
        progress=progress,
    )


def count(run: Run) -> tuple[int, int]:
    """Items and sites of a run's corpus (its largest grid): one pass, no model."""
    grids = {layer.grid for layer in run.study.layers}
    n_items, n_sites = 0, dict.fromkeys(grids, 0)
    for item in run.corpus:
        n_items += 1
        for grid in grids & set(item.grids):
            n_sites[grid] += item.grids[grid].n_sites
    return n_items, max(n_sites.values(), default=0)


def dry_run(run: Run) -> Plan:
    """Cost of a run, from one pass over its corpus."""
    return run.plan(*count(run))


def default_concepts(corpus: Corpus) -> list[str]:
    """Specs used when none are given: annotation columns that say something of single words, then the rest."""
    wanted = ("upos", "feats", "deprel", "meaning")
    return [*(name for name in wanted if name in corpus.columns), "words:40", "position", "covariates"]


def _layers(model: Model, patterns: Sequence[str]) -> list[Layer]:
    if patterns:
        return model.resolve(patterns)
    chosen = [layer for layer in model.layers() if layer.role in DEFAULT_ROLES]
    return chosen or list(model.layers())


def _spec(measure: Any) -> str:
    parameters = ",".join(f"{name}={value}" for name, value in measure.parameters.items())
    return f"{measure.name}:{parameters}" if parameters else str(measure.name)


def _description(source: ConceptSource) -> str:
    """What a source is, as a part of the study's key. Raises ConceptError when that would be another in each run."""
    text = repr(source)
    if re.search(r" at 0x[0-9a-fA-F]+", text):
        raise ConceptError(
            f"The source of '{source.category}' describes itself as {text}, which differs from run to run.",
            expected="a repr that says what the source is",
            fix="Make it a frozen dataclass.",
        )
    return text


def _versions() -> dict[str, str]:
    found = {}
    for name in _VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _bytes(model: Model) -> int:
    module = getattr(model, "module", None)
    if module is None:
        return 0
    return sum(int(p.numel()) * int(p.element_size()) for p in module.parameters())
