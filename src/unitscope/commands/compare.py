"""`unitscope compare`: which units of two atlases kept their concept, moved to another, lost or gained one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from unitscope.commands import screen
from unitscope.commands.specs import split_names


@dataclass(frozen=True)
class CompareOptions:
    """Options of `compare`."""

    a: Annotated[str, typer.Argument(metavar="ATLAS_A", help="Folder of an atlas, as FOLDER[@BASELINE][:LAYER].")]
    b: Annotated[str, typer.Argument(metavar="ATLAS_B", help="What it is compared with, likewise.")]
    layers: Annotated[list[str], typer.Option(metavar="GLOB", help="Layers of both, as for map.")] = field(
        default_factory=list
    )
    match: Annotated[str, typer.Option(help="Pair units by address or by profile; auto finds out which.")] = "auto"
    out: Annotated[str | None, typer.Option(metavar="NAME", help="Its name beside atlas A; by default made of B.")] = (
        None
    )
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Number of units shown.")] = 10
    seed: Annotated[int, typer.Option(help="Seed of random pairings.")] = 0
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False


def run(options: CompareOptions) -> None:
    """Compare the units of two atlases.

    Two networks, checkpoints or seeds, a fine-tuned network and its base, a network and its untrained copy, two
    layers: which units kept their concept, moved to another, lost or gained one, beside units paired at random.
    """
    from unitscope.comparison import compare
    from unitscope.report import comparison

    found = compare(
        options.a,
        options.b,
        layers=split_names(options.layers),
        match=options.match,  # type: ignore[arg-type]
        seed=options.seed,
    )
    name = options.out or default_name(found.about)
    found.save(name)
    if options.json:
        screen.write_json(_data(name, found, options.top))
        return
    from rich.text import Text

    from unitscope.report.plain import clean

    console = screen.out()
    console.print(comparison.comparison(found, options.top))
    console.print(Text(f"\nkept as: {clean(found.a.atlas.path)}/comparisons/{clean(name)}"), soft_wrap=True)


def default_name(about: Any) -> str:
    """A name made of what is compared.

    >>> a = {"atlas": "base", "variant": "trained", "layers": ["x"]}
    >>> default_name({"a": a, "b": {**a, "variant": "untrained"}})
    'x-vs-base-untrained-x'
    """
    parts = []
    for side in (about["a"], about["b"]):
        layer = side["layers"] if len(side["layers"]) == 1 else []
        parts.append([side["variant"]] * (side["variant"] != "trained") + layer)
    both = "-".join([*parts[0], "vs", about["b"]["atlas"], *parts[1]])
    return re.sub(r"[^\w.+=-]+", "-", both).lstrip(".+=-")[:100]


def _data(name: str, found: Any, top: int) -> dict[str, Any]:
    from unitscope.report.comparison import movers, sentences, shifts

    units = found.rows("units")
    return {
        "name": name,
        **found.about,
        "told": sentences(found.about),
        "layers": found.rows("layers"),
        "concepts": found.rows("concepts"),
        "movers": movers(units)[:top],
        "shifts": shifts(units)[:top],
    }
