"""`unitscope demo`: a real encoder over the generated corpus, told in plain sentences and shown as pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unitscope.commands import screen
from unitscope.commands.specs import split_names

if TYPE_CHECKING:
    from unitscope.atlas import Atlas


@dataclass(frozen=True)
class DemoOptions:
    """Options of `demo`."""

    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the atlas.")] = Path("unitscope-demo")
    baseline: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="untrained, rotation (both by default) or none; may be repeated."),
    ] = field(default_factory=list)
    seed: Annotated[int, typer.Option(min=0, help="Seed of halves, rotation and untrained weights.")] = 0
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; by default as many as fit.")] = None
    site: Annotated[bool, typer.Option("--site/--no-site", help="Write the atlas as pages too, beside it.")] = True
    ablate: Annotated[
        bool, typer.Option("--ablate/--no-ablate", help="Take units out of the model, to see whose vectors move.")
    ] = True
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False


def run(options: DemoOptions) -> None:
    """Map a small encoder and tell what was found.

    The encoder is all-MiniLM-L6-v2 (extra 'demo'), the corpus a generated one with known annotation. Takes two or
    three minutes on two cores. Goes on where the same command was stopped.
    """
    from unitscope import demo
    from unitscope.commands.map import mapped

    chosen = split_names(options.baseline) or list(demo.BASELINES)
    settings = demo.settings([] if chosen == ["none"] else chosen, seed=options.seed, workers=options.workers)
    atlas = mapped(demo.model_folder(), demo.CORPUS, options.out, settings)
    if options.ablate:
        with screen.bars(screen.err()) as progress:
            demo.take_out(atlas, progress)
    told = demo.tell(atlas)
    index = _site(atlas, options) if options.site else None
    if options.json:
        found = {"out": str(options.out), "key": atlas.manifest["key"], "findings": told}
        screen.write_json({**found, "site": None if index is None else str(index)})
        return
    from rich.text import Text

    from unitscope.report import terminal
    from unitscope.report.plain import clean

    console = screen.out()
    for sentence in told:
        console.print(Text(f"{sentence}\n"))
    console.print(
        terminal.heading("Units whose first concept is contextual, and units with any contextual match"),
        terminal.baseline_shares(atlas),
    )
    console.print(Text(f"\nsee: unitscope show {clean(options.out)}"), soft_wrap=True)
    if index is not None:
        console.print(Text(f"open: {clean(index)}"), soft_wrap=True)


def _site(atlas: Atlas, options: DemoOptions) -> Path:
    """Write the atlas as pages beside it, and give the first one."""
    from unitscope.report.site.export import export

    with screen.bars(screen.err()) as progress:
        return export(atlas, options.out.with_name(f"{options.out.name}-site"), progress).index
