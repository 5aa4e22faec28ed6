"""Draw what `unitscope show` prints of an atlas as SVG, for the README and the tutorial.

Usage: docs/figures/terminal.py ATLAS [--unit LAYER:INDEX]
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from pathlib import Path

from rich.console import Console, RenderableType
from rich.terminal_theme import SVG_EXPORT_THEME

from unitscope.atlas import Atlas
from unitscope.report import terminal, unit

IMAGES = Path(__file__).resolve().parent.parent / "images"
WIDTH = 118


def draw(shown: RenderableType, title: str) -> str:
    """A rendering as SVG; equal renderings give equal bytes."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, markup=False, highlight=False, emoji=False
    )
    console.print(shown)
    drawn = console.export_svg(title=title, theme=SVG_EXPORT_THEME, unique_id="unitscope")
    # Whatever monospace font is there will do: nothing is fetched when a page is read.
    return re.sub(r"@font-face \{.*?\n    \}\n", "", drawn, flags=re.S)


def main() -> int:
    """Draw the overview and one unit: that of the best-supported match, unless another is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("atlas", type=Path)
    parser.add_argument("--unit", metavar="LAYER:INDEX", help="the unit drawn")
    parser.add_argument("--out", type=Path, default=IMAGES)
    arguments = parser.parse_args()
    atlas = Atlas.open(arguments.atlas)
    name = arguments.atlas.resolve().name
    address = arguments.unit
    if address is None:
        best = terminal.findings.best_supported(atlas, top=1)[0]
        address = f"{best['layer']}:{best['unit']}"
    pictures = {
        "show.svg": (terminal.overview(atlas, top=3), f"unitscope show {name} --top 3"),
        "unit.svg": (unit.unit(atlas, address, top=6), f"unitscope show {name} --unit {address} --top 6"),
    }
    for file, (shown, title) in pictures.items():
        (arguments.out / file).write_text(draw(shown, title) + "\n", encoding="utf-8")
        print(arguments.out / file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
