"""`unitscope contest`: bases on one layer compared at equal number and density of units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unitscope.commands import screen
from unitscope.commands.specs import split_concepts

if TYPE_CHECKING:
    from unitscope.contest import Standing


@dataclass(frozen=True)
class ContestOptions:
    """Options of `contest`."""

    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder, hub id, or python:pkg.module:factory.")]
    corpus: Annotated[str, typer.Option(help="A corpus, as for map.")]
    layer: Annotated[str, typer.Option(help="The layer the bases are on.")]
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of atlases, autoencoders and figures.")]
    units: Annotated[int | None, typer.Option(min=1, help="Units of each basis; by default as the layer has.")] = None
    density: Annotated[float, typer.Option(help="Share of sites at which a thinned unit is on.")] = 0.02
    seeds: Annotated[int, typer.Option(min=2, help="Repeats: halves, rotations, draws of units, autoencoders.")] = 3
    max_items: Annotated[int | None, typer.Option(help="Map this many items; autoencoders train on others.")] = 1000
    concepts: Annotated[list[str], typer.Option(metavar="SPEC", help="Concepts, as for map.")] = field(
        default_factory=list
    )
    sae: Annotated[list[str], typer.Option(metavar="FOLDER", help="An autoencoder for all seeds, or one a seed.")] = (
        field(default_factory=list)
    )
    latents: Annotated[int, typer.Option(min=1, help="Latents of autoencoders that are trained.")] = 1536
    k: Annotated[int, typer.Option("--active", min=1, help="Latents that are on at a site.")] = 32
    steps: Annotated[int, typer.Option(min=1, help="Steps of training.")] = 600
    train_items: Annotated[int, typer.Option(min=1, help="Items, of groups not mapped, to train on.")] = 6000
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; by default as many as fit.")] = None
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False


def run(options: ContestOptions) -> None:
    """Compare bases on one layer.

    Its own units, random rotations, principal components and latents of an autoencoder, at equal number of units, as
    they are and thinned to equal density: contextual effects, and what several seeds agree on.
    """
    from unitscope.contest import Contest, contest

    settings = Contest(
        layer=options.layer,
        units=options.units,
        density=options.density,
        seeds=options.seeds,
        max_items=options.max_items,
        sae=tuple(options.sae),
        latents=options.latents,
        k=options.k,
        steps=options.steps,
        train_items=options.train_items,
        concepts=tuple(split_concepts(options.concepts)),
        workers=options.workers,
    )
    with screen.bars(screen.err()) as progress:
        found = contest(options.model, options.corpus, options.out, settings, progress)
    if options.json:
        from unitscope.store import read_json

        screen.write_json({"out": str(options.out), **read_json(options.out / "contest.json")})
        return
    _show(found)


HEADS = {
    "contextual": "contextual",
    "effect_50": "median",
    "effect_90": "9 of 10",
    "effect_99": "99 of 100",
    "concepts": "concepts",
    "found_again": "found again",
    "correlation": "correlation",
}


def cells(found: Sequence[Standing]) -> list[list[str]]:
    """One row an arm and form: every figure with its interval."""
    from unitscope.contest import ARMS, FORMS

    at = {(each.arm, each.form, each.figure): each for each in found}
    return [[arm, form, *(_cell(at.get((arm, form, name)), name) for name in HEADS)] for form in FORMS for arm in ARMS]


def _cell(standing: Standing | None, figure: str) -> str:
    from unitscope.report.plain import effect, share

    if standing is None or standing.value != standing.value:
        return "–"
    if standing.low != standing.low:
        return f"{standing.value:.2g}"
    if figure == "concepts":
        return f"{standing.value:.0f} [{standing.low:.0f}, {standing.high:.0f}]"
    shown = share if figure in ("contextual", "found_again") else effect
    return f"{shown(standing.value)} [{shown(standing.low)}, {shown(standing.high)}]"


def _show(found: Sequence[Standing]) -> None:
    from rich.text import Text

    from unitscope.report.listing import Counts

    console = screen.out(whole_lines=True)
    console.print(Counts(["basis", "units", *HEADS.values()], cells(found), texts=("basis", "units")))
    console.print(
        Text(
            "contextual: share of units with a contextual match. median, 9 of 10, 99 of 100: units' strongest effect "
            "within form × position. concepts: those some unit is contextual for; found again: of them with another "
            "seed; correlation: a unit's greatest with the other seed's basis. In brackets 95 % intervals over seeds."
        )
    )
