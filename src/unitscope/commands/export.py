"""`unitscope export`: an atlas as a static site."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from unitscope.commands import screen


@dataclass(frozen=True)
class ExportOptions:
    """Options of `export`."""

    atlas: Annotated[Path, typer.Argument(metavar="ATLAS", help="Folder of an atlas.")]
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the site; one made before is replaced.")]
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False


def run(options: ExportOptions) -> None:
    """Write an atlas as pages to look at.

    A folder of HTML that opens from disk in any browser and needs no network: an overview, a table of all units, a
    page for each reported unit and each concept, and search.
    """
    from unitscope.atlas import Atlas
    from unitscope.report.plain import clean, counted, size
    from unitscope.report.site.export import export

    atlas = Atlas.open(options.atlas)
    with screen.bars(screen.err()) as progress:
        done = export(atlas, options.out, progress)
    left_out = [f"{each.kind}/{each.name}: {each.why}" for each in done.left_out]
    if options.json:
        figures = {"units": done.units, "concepts": done.concepts, "files": done.files, "bytes": done.n_bytes}
        screen.write_json({"index": str(done.index), **figures, "seconds": done.seconds, "left_out": left_out})
        return
    from rich.text import Text

    for each in left_out:
        screen.err().print(Text(f"left out: {clean(each)}"), soft_wrap=True)
    pages = f"{counted(done.units, 'unit')} and {counted(done.concepts, 'concept')}"
    told = f"{pages}, {size(done.n_bytes)} in {done.seconds:.0f} s"
    screen.out().print(Text(f"{told}\nopen: {clean(done.index)}"), soft_wrap=True)
