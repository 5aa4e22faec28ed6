"""The Python surface: `unitscope.map`, from a model and a corpus to an atlas.

>>> import unitscope
>>> atlas = unitscope.map("MODEL", "corpus.conllu", out="atlas")  # doctest: +SKIP
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from unitscope.atlas import Atlas
from unitscope.bases.specs import MARK, BasisSpec, Request, parse_bases
from unitscope.concepts import parse_sources
from unitscope.concepts.base import ConceptSource
from unitscope.corpora import load_corpus
from unitscope.corpora.base import Corpus
from unitscope.errors import ConceptError, ModelError, PlanError, closest
from unitscope.measures import parse_measures
from unitscope.models.base import Layer, LongItems, Model, Resampling
from unitscope.sites import IMAGE, ITEM, widened
from unitscope.study.bases import basis_layers
from unitscope.study.formulas import MOST
from unitscope.study.layers import GRIDS, check_modality, chosen_layers, has_masks, parse_sites
from unitscope.study.plan import BASELINES, POOLINGS, Budget, Plan, Pooling, Study
from unitscope.study.run import Progress, Run, silent
from unitscope.study.writes import lens_of

DEFAULT_ROLES = ("hidden state", "feed-forward neurons", "recurrent state", "block output")
RESAMPLINGS = ("last", "first", "mean", "max")
_COLUMNS = ("upos", "feats", "deprel", "meaning", "xpos", "lemma", "head", "morphemes", "constituents")
"""Columns of treebanks and of the demo; a corpus' other columns are its own annotation."""
_VERSIONED = ("unitscope", "torch", "transformers", "tokenizers", "numpy", "scipy", "numba", "pyarrow")


@dataclass(frozen=True)
class Settings:
    """Everything about a map but the model, the corpus and the place it goes to.

    `formulas` is the most concepts in a formula (0: none are searched for); `ladder` asks for the generalisation
    ladder, with minimal pairs where `pairs` is true (None: for the demo corpus).
    `layers`, `concepts` and `measures` are patterns and specs as on the command line; empty means the defaults:
    hidden states and feed-forward neurons; the annotation the corpus has, frequent words, position and covariates;
    every measure. `bases` are specs as on the command line, or pairs of a layer (or glob) and a basis object. `memory`
    and `disk` are bytes. `columns` says which column of a table is what. `lens` adds the tokens that units write, where
    the model has an output embedding; `attribution` what they add to the logit of the token that comes next.
    `weights` is a file for a model of the zoo; `sites`, `grid` and `pool` say which sites layers are compared on: see
    `unitscope.study.layers`.
    """

    layers: Sequence[str] = ()
    concepts: Sequence[str] = ()
    measures: Sequence[str] = ("all",)
    baselines: Sequence[str] = ()
    bases: Sequence[str | Request] = ()
    resample: Resampling = "last"
    long_items: LongItems = "window"
    batch_size: int = 32
    seed: int = 0
    device: str = "cpu"
    threads: int = 1
    workers: int | None = None
    memory: int | None = None
    disk: int | None = None
    formulas: int = 0
    ladder: bool = False
    pairs: bool | None = None
    max_items: int | None = None
    per_group: int | None = None
    target: Literal["copy"] | None = None
    lens: bool = True
    attribution: bool = False
    columns: Sequence[str] | Mapping[str, str] = ()
    sources: Sequence[ConceptSource] = field(default=())
    weights: str | None = None
    sites: str = "cells"
    grid: str | None = None
    pool: Pooling = "mean"

    def __post_init__(self) -> None:
        for name in ("layers", "concepts", "measures", "baselines", "columns", "bases"):
            if isinstance(getattr(self, name), str):
                raise PlanError(f"Got {name}='{getattr(self, name)}'.", expected=f"a list, as {name}=['...']")
        for baseline in self.baselines:
            if baseline not in BASELINES:
                raise PlanError(
                    f"Unknown baseline '{baseline}'.", expected=" or ".join(BASELINES), fix=closest(baseline, BASELINES)
                )
        if self.resample not in RESAMPLINGS:
            raise PlanError(f"Unknown resampling '{self.resample}'.", expected=f"one of {', '.join(RESAMPLINGS)}")
        if self.pool not in POOLINGS:
            raise PlanError(f"Unknown pooling '{self.pool}'.", expected=f"one of {', '.join(POOLINGS)}")
        if self.grid not in (None, *GRIDS):
            raise PlanError(f"Unknown grid '{self.grid}'.", expected=f"one of {', '.join(GRIDS)}")
        _ = parse_sites(self.sites)
        if self.long_items not in ("window", "truncate"):
            raise PlanError(f"Got '{self.long_items}' for long items.", expected="window or truncate")
        for name in ("batch_size", "threads", "workers"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise PlanError(f"Got {name}={getattr(self, name)}.", expected="1 or more")
        if self.attribution and not self.lens:
            raise PlanError("Got attribution without the lens.", fix="Leave out --no-lens or --attribution.")
        if not 0 <= self.formulas <= MOST:
            raise PlanError(f"Got formulas={self.formulas}.", expected=f"0 to {MOST} concepts in a formula")
        if self.pairs and not self.ladder:
            raise PlanError("Got pairs without the ladder.", fix="Ask for the ladder too (--ladder).")
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
    if settings.weights is not None:
        if spec is None:
            raise PlanError("Got weights beside a model object.", expected="a spec such as zoo:squeezenet")
        if spec.startswith("zoo:"):  # as workers load it again, from wherever they run
            spec = model = f"{spec}:{os.path.abspath(settings.weights)}"
    limits: dict[str, Any] = {name: getattr(settings, name) for name in ("max_items", "per_group", "target")}
    read = load_corpus(corpus, **limits, columns=settings.columns) if isinstance(corpus, str) else corpus
    limits["columns"] = settings.columns or None
    if not isinstance(corpus, str) and (given := [name for name, value in limits.items() if value is not None]):
        raise PlanError(
            f"Got {given[0]}={limits[given[0]]!r} beside a corpus object.",
            expected="a path",
            fix="Wrap the corpus: see unitscope.corpora.limit.",
        )
    concepts = list(settings.concepts) or ([] if settings.sources else default_concepts(read, settings.grid))
    sources = [*parse_sources(concepts, read, settings.sources), *settings.sources]
    measures = parse_measures(settings.measures)
    loaded = load_model(model, device=settings.device, threads=settings.threads) if isinstance(model, str) else model
    origin = _origin(spec and model, corpus, settings, concepts)
    check_modality(loaded, read)
    layers, bases = _layers(loaded, settings, sources)
    study = Study(
        model=loaded.name,
        weight_hash=loaded.weight_hash,
        corpus=read.name,
        corpus_hash=read.fingerprint(),
        layers=layers,
        concepts=tuple(_description(source) for source in sources),
        measures=tuple(_spec(measure) for measure in measures),
        baselines=tuple(name for name in BASELINES if name in settings.baselines),
        formulas=settings.formulas,
        ladder=settings.ladder,
        pairs=settings.ladder and _is_demo(read) if settings.pairs is None else settings.pairs,
        resample=settings.resample,
        long_items=settings.long_items,
        batch_size=settings.batch_size,
        seed=settings.seed,
        threads=settings.threads,
        device=settings.device,
        versions=_versions(),
        lens=lens_of(loaded)[0] if settings.lens else "",
        attribution=settings.attribution,
        pool=settings.pool,
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
        model_bytes=_bytes(loaded) + sum(_basis_bytes(spec) for spec in bases.values()),
        bases=bases,
        progress=progress,
        origin=origin,
    )


def count(run: Run) -> tuple[int, int]:
    """Items and sites of a run's corpus (its largest grid): one pass, no model."""
    grids = {layer.grid for layer in run.study.layers}
    n_items, n_sites = 0, dict.fromkeys(grids, 0)
    for each in run.corpus:
        n_items += 1
        item = widened(each, run.study.cells, ITEM in grids)
        for grid in grids & set(item.grids):
            n_sites[grid] += item.grids[grid].n_sites
    return n_items, max(n_sites.values(), default=0)


def dry_run(run: Run) -> Plan:
    """Cost of a run, from one pass over its corpus."""
    return run.plan(*count(run))


def default_concepts(corpus: Corpus, grid: str | None = None) -> list[str]:
    """Specs used when none are given: annotation columns that say something of single words, then the rest.

    For images the labels of their masks, place and colours; for whole items their labels.
    """
    labels = ["labels"] if grid in ("items", "both") else []
    if grid == "items":
        return labels
    if IMAGE in corpus.grids:
        return [*(["segments"] if has_masks(corpus) else []), "place", "colours", *labels]
    wanted = ("upos", "feats", "deprel", "meaning")
    others = (f"column:{name}" for name in corpus.columns if name not in _COLUMNS)
    annotation = [*(name for name in wanted if name in corpus.columns), *others]
    return [*annotation, "words:40", "position", "covariates", *labels]


def _layers(
    model: Model, settings: Settings, sources: Sequence[ConceptSource]
) -> tuple[tuple[Layer, ...], dict[str, BasisSpec]]:
    """Layers of a study in order of execution, and the bases by the layer they make.

    Layers of bases are always mapped; beside them those that patterns name, or the ones that the bases are on where
    there are no patterns. A pattern that only matches layers of bases adds nothing.
    """
    choose = partial(
        chosen_layers, model, roles=DEFAULT_ROLES, grid=settings.grid, sites=settings.sites, sources=sources
    )
    requests = parse_bases(settings.bases)
    if not requests:
        return choose(settings.layers), {}
    if settings.grid not in (None, "words") or settings.sites != "cells":
        raise PlanError(
            "Got bases beside --grid or --sites.", fix="Map bases on their own sites: leave --grid and --sites out."
        )
    on, made, specs = basis_layers(model, requests)
    known = [layer.address for layer in made]
    plain = [each for each in settings.layers if not (MARK in each and any(fnmatchcase(at, each) for at in known))]
    patterns = plain or ([] if settings.layers else [layer.address for layer in on])
    chosen = [*(choose(patterns) if patterns else ()), *made]
    return tuple(sorted(chosen, key=lambda layer: (layer.order, layer.address))), specs


def _origin(model: Any, corpus: str | Corpus, settings: Settings, concepts: Sequence[str]) -> dict[str, Any]:
    """Where model and corpus are and how they are read, in absolute paths; objects are left out."""
    found: dict[str, Any] = {}
    if isinstance(model, str):
        found["model"] = os.path.abspath(model) if os.path.exists(model) else model
    if isinstance(corpus, str):
        whole = os.path.exists(corpus)
        parts = [corpus] if whole else corpus.split(",")
        found["corpus"] = ",".join(os.path.abspath(part) if os.path.exists(part) else part for part in parts)
        columns = dict(settings.columns) if isinstance(settings.columns, Mapping) else list(settings.columns)
        reading = {name: getattr(settings, name) for name in ("max_items", "per_group", "target")}
        found["reading"] = {**reading, "columns": columns, "sites": settings.sites}
    if not settings.sources:
        found["concepts"] = list(concepts)
    return found


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


def _is_demo(corpus: Corpus) -> bool:
    return corpus.name.partition("[")[0] == "demo"


def _bytes(model: Model) -> int:
    module = getattr(model, "module", None)
    if module is None:
        return 0
    return sum(int(p.numel()) * int(p.element_size()) for p in module.parameters())


def _basis_bytes(spec: BasisSpec) -> int:
    """Bytes of a basis that is there already; what is yet to be fitted is no wider than its layer."""
    basis = getattr(spec, "basis", None)
    return 0 if basis is None else sum(int(array.nbytes) for array in basis.save()[0].values())
