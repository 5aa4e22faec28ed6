"""`unitscope probe`: what an atlas' units tell of a concept, beside an untrained copy and word identity."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unitscope.commands import screen
from unitscope.commands.specs import parse_bytes, split_names

if TYPE_CHECKING:
    from unitscope.atlas import Atlas
    from unitscope.probes.settings import ProbeSettings


@dataclass(frozen=True)
class ProbeOptions:
    """Options of `probe`."""

    atlas: Annotated[Path, typer.Argument(metavar="ATLAS", help="Folder of an atlas.")]
    concepts: Annotated[
        str,
        typer.Option(
            metavar="SPEC",
            help="What is read: a category (upos), a feature (Tense), one concept, or covariate:position, "
            "covariate:length, covariate:frequency.",
        ),
    ]
    layers: Annotated[
        list[str], typer.Option(metavar="GLOB", help="Layers of the atlas, on one grid; by default all.")
    ] = field(default_factory=list)
    kind: Annotated[str, typer.Option(help="linear or gaussian.")] = "linear"
    l1: Annotated[float | None, typer.Option(help="Penalty on |weights|; by default chosen on training blocks.")] = None
    l2: Annotated[float | None, typer.Option(help="Penalty on squared weights; by default chosen likewise.")] = None
    seeds: Annotated[int, typer.Option(min=2, help="Probes trained without a part of the training blocks each.")] = 5
    curves: Annotated[
        bool, typer.Option("--curves/--no-curves", help="Accuracy of fewer units, and the fewest that are enough.")
    ] = True
    draws: Annotated[int, typer.Option(min=2, help="Random draws of units at each number of the curves.")] = 3
    delta: Annotated[float, typer.Option(help="How much less accuracy than that of all units is enough.")] = 0.01
    mass: Annotated[float, typer.Option(help="Share of weight mass that a class' top units hold.")] = 0.25
    control: Annotated[bool, typer.Option("--control/--no-control", help="The control task and selectivity.")] = True
    untrained: Annotated[
        bool, typer.Option("--untrained/--no-untrained", help="The same probe on an untrained copy.")
    ] = True
    mdl: Annotated[bool, typer.Option("--mdl", help="Also the description length (online code).")] = False
    units: Annotated[int, typer.Option(min=1, help="Most units that a Gaussian probe chooses.")] = 10
    least: Annotated[int, typer.Option(min=1, help="Fewest sites of a class on each side.")] = 5
    eval_corpus: Annotated[
        str | None, typer.Option(metavar="CORPUS", help="Judge on this corpus; all of the atlas' own then trains.")
    ] = None
    model: Annotated[str | None, typer.Option(help="The model, where it has moved.")] = None
    corpus: Annotated[str | None, typer.Option(help="The corpus, where it has moved.")] = None
    name: Annotated[str, typer.Option(help="Name of the result; by default made from the concepts.")] = ""
    seed: Annotated[int, typer.Option(min=0, help="Seed of folds, draws and control tasks.")] = 0
    threads: Annotated[int, typer.Option(min=1, help="Threads.")] = 1
    device: Annotated[str, typer.Option(help="Device that linear probes are fitted on.")] = "cpu"
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Most memory for values, as 4GB.")] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it would cost and stop.")] = False
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False

    def settings(self) -> ProbeSettings:
        """The same for the Python surface. Raises a `UnitscopeError` for a bad value."""
        from unitscope.probes.settings import settings_of

        same = ("kind", "l1", "l2", "seeds", "curves", "draws", "delta", "mass", "control", "untrained", "mdl", "least")
        chosen: dict[str, Any] = {name: getattr(self, name) for name in (*same, "name", "seed", "threads", "device")}
        memory = parse_bytes(self.memory, "--memory")
        return settings_of(
            self.concepts,
            {
                **chosen,
                "layers": split_names(self.layers),
                "most": self.units,
                "eval_corpus": self.eval_corpus,
                **({} if memory is None else {"memory": memory}),
            },
        )


def run(options: ProbeOptions) -> None:
    """Probe what an atlas' units tell of a concept.

    Fits to one half of the documents and judges on the other, beside an untrained copy, word identity and a control
    task; says how many units are enough and where they lie. Goes on where the same command was stopped.
    """
    settings = options.settings()
    from unitscope.atlas import Atlas

    atlas = Atlas.open(options.atlas)
    if options.dry_run:
        _dry_run(options, atlas, settings)
        return
    from unitscope.probes.result import finished
    from unitscope.probes.study import run as run_probe

    console = screen.err()
    result = finished(atlas, settings.called, settings.parameters())
    if result is not None:
        console.print(f"'{settings.called}' is finished already: it is read.")
    else:
        from unitscope.probes.cost import cost_of

        console.print(cost_of(atlas, settings).told(), soft_wrap=not console.is_terminal)
        with screen.bars(console) as progress:
            result = run_probe(atlas, settings, options.model, options.corpus, progress)
    if options.json:
        screen.write_json({"out": str(options.atlas), **result.to_json()})
        return
    from unitscope.report.probe import summary

    screen.out().print(summary(result))


def _dry_run(options: ProbeOptions, atlas: Atlas, settings: ProbeSettings) -> None:
    from unitscope.probes.cost import cost_of

    cost = cost_of(atlas, settings)
    if options.json:
        screen.write_json(cost.to_json())
    else:
        screen.out().print(cost.told(), soft_wrap=True)
