"""`unitscope map`: from a model and a corpus to an atlas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unitscope.commands import screen
from unitscope.commands.specs import parse_bytes, split_concepts, split_measures, split_names

if TYPE_CHECKING:
    from unitscope.api import Settings
    from unitscope.atlas import Atlas
    from unitscope.corpora.base import Corpus

_REPEAT = "Repeat the option, or separate by commas."


@dataclass(frozen=True)
class MapOptions:
    """Options of `map`."""

    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Folder, hub id, zoo:NAME, or python:pkg.module:factory.")
    ]
    corpus: Annotated[
        str,
        typer.Option(
            help="A file (.conllu .txt .jsonl .json .csv .tsv .parquet), a folder of images, SOURCE,TARGET, hf:NAME, "
            "or demo."
        ),
    ]
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the atlas.")]
    layers: Annotated[
        list[str],
        typer.Option(metavar="GLOB", help=f"Layers; by default hidden states and feed-forward neurons. {_REPEAT}"),
    ] = field(default_factory=list)
    concepts: Annotated[
        list[str],
        typer.Option(metavar="SPEC", help=f"Concepts; by default the corpus' annotation and more. {_REPEAT}"),
    ] = field(default_factory=list)
    measures: Annotated[list[str], typer.Option(metavar="SPEC", help=f"Measures; by default all. {_REPEAT}")] = field(
        default_factory=list
    )
    baseline: Annotated[
        list[str],
        typer.Option(metavar="NAME", help=f"Also map an untrained copy or a rotation: untrained, rotation. {_REPEAT}"),
    ] = field(default_factory=list)
    basis: Annotated[
        list[str],
        typer.Option(
            metavar="GLOB=KIND",
            help="Also map a basis on layers: GLOB=pca:64, rotation:SEED, matrix:FILE, sae:FOLDER. Repeatable.",
        ),
    ] = field(default_factory=list)
    resample: Annotated[str, typer.Option(help="A word's value over its subwords: last, first, mean, max.")] = "last"
    long: Annotated[str, typer.Option(help="Items the model cannot take whole: window or truncate.")] = "window"
    batch_size: Annotated[int, typer.Option(help="Most items in one forward.")] = 32
    seed: Annotated[int, typer.Option(min=0, help="Seed of halves, rotation and untrained weights.")] = 0
    threads: Annotated[int, typer.Option(help="Threads of each worker.")] = 1
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; by default as many as fit.")] = None
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Most memory of all workers, as 8GB.")] = None
    disk: Annotated[str | None, typer.Option(metavar="SIZE", help="Most disk for temporary files, as 50GB.")] = None
    device: Annotated[str, typer.Option(help="Device the model runs on.")] = "cpu"
    formulas: Annotated[
        int, typer.Option(min=0, metavar="N", help="Search formulas of at most N concepts for each unit; 0: none.")
    ] = 0
    ladder: Annotated[bool, typer.Option("--ladder", help="Test matches on new words and on minimal pairs.")] = False
    pairs: Annotated[
        bool | None,
        typer.Option(
            "--pairs/--no-pairs", help="English minimal pairs in the ladder; by default with the demo corpus."
        ),
    ] = None
    max_items: Annotated[int | None, typer.Option(help="Read this many items.")] = None
    per_group: Annotated[int | None, typer.Option(help="Read this many items of each group.")] = None
    target: Annotated[str | None, typer.Option(metavar="copy", help="Use each text as its own target.")] = None
    lens: Annotated[
        bool, typer.Option("--lens/--no-lens", help="The tokens that units write, where the model has them.")
    ] = True
    attribution: Annotated[
        bool, typer.Option("--attribution", help="Also what units add to the logit of the token that comes next.")
    ] = False
    columns: Annotated[
        list[str],
        typer.Option(metavar="ROLE=NAME", help=f"Columns of a table, as text=title,label=class,group=doc. {_REPEAT}"),
    ] = field(default_factory=list)
    weights: Annotated[Path | None, typer.Option(metavar="FILE", help="Weights of a zoo model (.safetensors).")] = None
    sites: Annotated[
        str,
        typer.Option(help="Sites of images: cells (of each map, at most 400), all, pixels, or ROWSxCOLUMNS."),
    ] = "cells"
    grid: Annotated[str | None, typer.Option(help="Sites: words (or cells), items, or both.")] = None
    pool: Annotated[str, typer.Option(help="An item's value over its sites: mean, max, last, first.")] = "mean"
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it would cost and stop.")] = False
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False

    def settings(self) -> Settings:
        """The same for the Python surface. Raises a `UnitscopeError` for a bad value."""
        from unitscope.api import Settings

        chosen: dict[str, Any] = {
            "layers": split_names(self.layers),
            "concepts": split_concepts(self.concepts),
            "measures": split_measures(self.measures) or ("all",),
            "baselines": split_names(self.baseline),
            "columns": split_names(self.columns),
            "bases": tuple(self.basis),
            "long_items": self.long,
            "memory": parse_bytes(self.memory, "--memory"),
            "disk": parse_bytes(self.disk, "--disk"),
        }
        same = ["resample", "batch_size", "seed", "threads", "workers", "device", "max_items", "per_group", "target"]
        same += ["formulas", "ladder", "pairs", "lens", "attribution", "sites", "grid", "pool"]
        chosen["weights"] = None if self.weights is None else str(self.weights)
        return Settings(**chosen, **{name: getattr(self, name) for name in same})


def run(options: MapOptions) -> None:
    """Map a model's units over a corpus.

    Says what each unit responds to, on held-out documents, beside what word form and position explain. Goes on where
    the same command was stopped.
    """
    settings = options.settings()
    if options.dry_run:
        _dry_run(options, settings)
        return
    atlas = mapped(options.model, options.corpus, options.out, settings)
    if options.json:
        screen.write_json({"out": str(options.out), "key": atlas.manifest["key"], "summary": atlas.summary})
        return
    _summary(atlas, options.out)


def mapped(model: str, corpus: str | Corpus, out: Path, settings: Settings) -> Atlas:
    """Map with progress and the cost on stderr."""
    from unitscope.api import make_run

    console = screen.err()
    with screen.bars(console) as progress:
        run = make_run(model, corpus, out, settings, progress)
        _tell(run.corpus)
        grids = {layer.grid for layer in run.study.layers}
        run.announce = lambda plan: console.print(screen.cost(plan, grids), soft_wrap=not console.is_terminal)
        return run.finish()


def _tell(corpus: Corpus) -> None:
    """How the corpus is read, where that was not said by the user alone."""
    from unitscope.corpora.base import corpus_notes
    from unitscope.report.plain import clean

    console = screen.err()
    for note in corpus_notes(corpus):
        console.print(clean(note), soft_wrap=not console.is_terminal)


def _dry_run(options: MapOptions, settings: Settings) -> None:
    from unitscope.api import dry_run, make_run

    run = make_run(options.model, options.corpus, options.out, settings)
    _tell(run.corpus)
    plan = dry_run(run).to_json()
    plan = {"layers": len(run.study.layers), "units": sum(layer.width for layer in run.study.layers), **plan}
    if options.json:
        screen.write_json(plan)
        return
    from unitscope.report.listing import Counts
    from unitscope.report.plain import count, size

    shown: dict[str, Callable[[float], str]] = {"spool_bytes": size, "memory_bytes": size}
    rows = [[name.replace("_bytes", "").replace("spool", "disk"), shown.get(name, count)(plan[name])] for name in plan]
    screen.out().print(Counts(["what", "how much"], rows))


def _summary(atlas: Atlas, out: Path) -> None:
    from rich.text import Text

    from unitscope.report import terminal
    from unitscope.report.plain import clean

    console = screen.out()
    console.print(terminal.layer_counts(atlas))
    if atlas.manifest["study"]["baselines"]:
        console.print(
            terminal.heading("Units whose first concept is contextual, and units with any contextual match"),
            terminal.baseline_shares(atlas),
        )
    console.print(Text(f"\nsee: unitscope show {clean(out)}"), soft_wrap=True)
