"""`unitscope merge`: atlases of different layers of one study into one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from unitscope.commands import screen


@dataclass(frozen=True)
class MergeOptions:
    """Options of `merge`."""

    atlases: Annotated[list[Path], typer.Argument(metavar="ATLAS...", help="Folders of atlases.")]
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the merged atlas.")]
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False


def run(options: MergeOptions) -> None:
    """Merge atlases of different layers.

    They must be mapped alike otherwise; the result is the atlas that one run would have made.
    """
    from unitscope.merge import merge

    atlas = merge(options.atlases, options.out)
    if options.json:
        screen.write_json({"out": str(options.out), "key": atlas.manifest["key"], "summary": atlas.summary})
        return
    from rich.text import Text

    from unitscope.report import terminal
    from unitscope.report.plain import clean

    screen.out().print(terminal.layer_counts(atlas))
    screen.out().print(Text(f"\nsee: unitscope show {clean(options.out)}"), soft_wrap=True)
