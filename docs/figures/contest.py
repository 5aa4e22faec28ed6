"""Write the tables of docs/contest.md from the folders of contests.

A table stands between `<!-- begin table: NAME -->` and `<!-- end table -->`, NAME being the folder's; everything else
on the page stays as it is.

Usage: docs/figures/contest.py FOLDER... [--page PAGE]
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unitscope.commands.contest import HEADS, cells
from unitscope.contest import Standing
from unitscope.report.plain import count, share

PAGE = Path(__file__).resolve().parent.parent / "contest.md"


def table(written: dict[str, Any], lost: Sequence[float]) -> str:
    """The figures as a table, and a line on the run."""
    found = [_standing(row) for row in written["figures"]]
    lines = [["basis", "units", *HEADS.values()], ["---"] * 2 + ["---:"] * len(HEADS), *cells(found)]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    about = written["contest"]
    said = f"\n{count(about['units'])} units of `{about['layer']}`, {count(about['seeds'])} seeds"
    if lost:
        mean = sum(lost) / len(lost)
        said += (
            f"; autoencoders of {count(about['latents'])} latents, {about['k']} on at a word, leave "
            f"{share(mean)} of the variance unexplained"
        )
    return f"{text}{said}.\n"


def _standing(row: dict[str, Any]) -> Standing:
    numbers = {name: math.nan if row[name] is None else row[name] for name in ("value", "low", "high")}
    return Standing(row["arm"], row["form"], row["figure"], **numbers)


def filled(page: str, folder: Path) -> str:
    """The page with the folder's table written anew. Raises KeyError where the page has no such table."""
    written = json.loads((folder / "contest.json").read_text(encoding="utf-8"))
    configs = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("autoencoders/*/cfg.json")]
    made = table(written, [config["meta"]["unexplained"] for config in configs])
    marked = re.compile(rf"(<!-- begin table: {re.escape(folder.name)} -->\n).*?(<!-- end table -->)", re.S)
    if not marked.search(page):
        raise KeyError(folder.name)
    return marked.sub(lambda match: f"{match[1]}\n{made}\n{match[2]}", page)


def main() -> int:
    """Fill the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    page = arguments.page.read_text(encoding="utf-8")
    for folder in arguments.folders:
        page = filled(page, folder)
    arguments.page.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
