"""`unitscope ablate`: what a network can no longer do without units."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unitscope.commands import screen
from unitscope.commands.specs import split_names

if TYPE_CHECKING:
    from unitscope.atlas import Atlas
    from unitscope.causal.ablating import Question


@dataclass(frozen=True)
class AblateOptions:
    """Options of `ablate`."""

    atlas: Annotated[Path, typer.Argument(metavar="ATLAS", help="Folder of an atlas.")]
    task: Annotated[
        str, typer.Option(help="What is judged: lm, label:COLUMN, label:COLUMN:loss, python:pkg.module:function.")
    ] = "lm"
    ranking: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take out the units of a ranking that is kept, most by most.")
    ] = None
    concept: Annotated[str | None, typer.Option(metavar="NAME", help="The concept whose ranking it is.")] = None
    units: Annotated[str, typer.Option(metavar="N,...", help="How many units are taken out.")] = "1,2,5,10,50"
    draws: Annotated[int, typer.Option(min=0, metavar="N", help="Random sets of each size.")] = 5
    single: Annotated[
        list[str], typer.Option(metavar="GLOB", help="Take out each unit of these layers alone. Repeatable.")
    ] = field(default_factory=list)
    matches: Annotated[
        int, typer.Option(min=0, metavar="N", help="Take out the units of the first N matches, one by one.")
    ] = 0
    edit: Annotated[str, typer.Option(help="What they become: zero, or their mean.")] = "zero"
    layers: Annotated[list[str], typer.Option(metavar="GLOB", help="Only these layers of the atlas.")] = field(
        default_factory=list
    )
    name: Annotated[str | None, typer.Option(help="Name to keep it under.")] = None
    max_items: Annotated[int | None, typer.Option(min=1, help="Judge by this many items at most.")] = None
    batch_size: Annotated[int, typer.Option(min=1, help="Most items in one forward.")] = 32
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Number of single units shown.")] = 20
    seed: Annotated[int, typer.Option(help="Seed of the random sets.")] = 0
    model: Annotated[str | None, typer.Option(help="The atlas' model, where it has moved.")] = None
    corpus: Annotated[str | None, typer.Option(help="The atlas' corpus, where it has moved.")] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it would do and stop.")] = False
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False


def run(options: AblateOptions) -> None:
    """Take units out of the running model and see what it loses.

    By a ranking (top, bottom and random units), one by one (--single), or for the matches that the atlas reports
    (--matches): there, what is lost where the concept is beside where it is not. Judged on the half of the documents
    that rankings are not made from; kept beside the atlas.
    """
    from unitscope.atlas import Atlas

    atlas, question = Atlas.open(options.atlas), _question(options)
    if options.dry_run:
        _dry_run(options, atlas, question)
        return
    from rich.text import Text

    from unitscope.causal.ablating import ablate, default_name, save
    from unitscope.report.ablated import shown, to_json
    from unitscope.report.plain import clean

    name = options.name or default_name(question)
    with screen.bars(screen.err()) as progress:
        found = ablate(atlas, question, model=options.model, corpus=options.corpus, tick=progress)
    save(atlas, name, found)
    if options.json:
        screen.write_json({"name": name, **to_json(found)})
        return
    console = screen.out(whole_lines=True)
    console.print(shown(found, options.top))
    console.print(Text(f"\nkept as: {clean(atlas.path)}/effects/{clean(name)}"), soft_wrap=True)


def _question(options: AblateOptions) -> Question:
    from unitscope.causal.ablating import Question
    from unitscope.errors import TaskError

    parts = [part.strip() for part in options.units.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise TaskError(f"Got '{options.units}' as numbers of units.", expected="numbers from 1 up, as 1,2,5,10")
    return Question(
        task=options.task,
        ranking=options.ranking,
        target=options.concept,
        edit=options.edit,
        units=tuple(int(part) for part in parts),
        single=tuple(split_names(options.single)),
        matches=options.matches,
        layers=tuple(split_names(options.layers)),
        draws=options.draws,
        max_items=options.max_items,
        batch_size=options.batch_size,
        seed=options.seed,
    )


def _dry_run(options: AblateOptions, atlas: Atlas, question: Question) -> None:
    from unitscope.causal.ablating import planned
    from unitscope.report.plain import counted, listed

    plan = planned(atlas, question)
    if options.json:
        screen.write_json(plan)
        return
    ranked = "" if plan["n_ranked"] is None else f"; {counted(plan['n_ranked'], 'unit')} ranked"
    screen.out().print(
        f"{counted(plan['n_units'], 'unit')} of {counted(len(plan['layers']), 'layer')} "
        f"({listed(plan['layers'])}){ranked}: {counted(plan['n_edits'], 'edit')} of each held-out item",
        soft_wrap=True,
    )
