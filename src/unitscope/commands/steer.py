"""`unitscope steer`: change a property of the output by the units of a ranking."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unitscope.commands import screen
from unitscope.commands.specs import split_names

if TYPE_CHECKING:
    from unitscope.atlas import Atlas
    from unitscope.causal.steering import Question

_PROPERTY = "label:COLUMN=VALUE, choice:A,B|C,D, words:A,B (or a file), regex:PATTERN, python:pkg.module:function."


@dataclass(frozen=True)
class SteerOptions:
    """Options of `steer`."""

    atlas: Annotated[Path, typer.Argument(metavar="ATLAS", help="Folder of an atlas.")]
    property: Annotated[str, typer.Option(metavar="PROPERTY", help=f"What the output should have: {_PROPERTY}")]
    ranking: Annotated[str, typer.Option(metavar="NAME", help="Steer by the first units of a ranking that is kept.")]
    concept: Annotated[str | None, typer.Option(metavar="NAME", help="The concept whose ranking it is.")] = None
    remove: Annotated[bool, typer.Option("--remove", help="Take the property away instead.")] = False
    how: Annotated[
        str | None,
        typer.Option(help="add, gap, set, scale (default add); with --remove: mean, project, scale (default mean)."),
    ] = None
    direction: Annotated[
        str, typer.Option(help="Which way units are pushed: as the property says, or as the ranking's concept does.")
    ] = "property"
    against: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --direction concept: away from this one.")
    ] = None
    units: Annotated[str, typer.Option(metavar="N,...", help="Numbers of units to choose from.")] = "1,5,20,100"
    strengths: Annotated[
        str | None, typer.Option(metavar="S,...", help="Strengths to choose from; by default those that fit --how.")
    ] = None
    limit: Annotated[float, typer.Option(min=0.0, help="Most collateral damage that a choice may do.")] = 0.1
    draws: Annotated[int, typer.Option(min=0, metavar="N", help="Random sets.")] = 5
    keep: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Another label; its accuracy's fall is the collateral damage.")
    ] = None
    prompt_words: Annotated[int, typer.Option(min=1, help="Words of a text that the model writes on from.")] = 4
    tokens: Annotated[int, typer.Option(min=1, help="Tokens that it writes at most.")] = 12
    temperature: Annotated[float, typer.Option(min=0.0, help="Draw tokens at this temperature; 0: the likeliest.")] = (
        0.0
    )
    layers: Annotated[list[str], typer.Option(metavar="GLOB", help="Only units of these layers.")] = field(
        default_factory=list
    )
    name: Annotated[str | None, typer.Option(help="Name to keep it under.")] = None
    max_items: Annotated[
        int | None, typer.Option(min=1, help="Choose by this many items at most, and judge by as many.")
    ] = None
    batch_size: Annotated[int, typer.Option(min=1, help="Most items in one forward.")] = 32
    examples: Annotated[
        int, typer.Option(min=0, metavar="N", help="Held-out items that are shown, the first ones.")
    ] = 6
    seed: Annotated[int, typer.Option(min=0, help="Seed of random sets, the development part and drawn tokens.")] = 0
    model: Annotated[str | None, typer.Option(help="The atlas' model, where it has moved.")] = None
    corpus: Annotated[str | None, typer.Option(help="The atlas' corpus, where it has moved.")] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it would do and stop.")] = False
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False


def run(options: SteerOptions) -> None:
    """Change a property of the output by the units of a ranking.

    Units are shifted, set or scaled. How many and how strongly is chosen on a part of the half of the documents that
    rankings are made from, and tested on the other half, beside as many random units. With --remove a property is
    taken away. Kept beside the atlas.
    """
    from unitscope.annex import check_name
    from unitscope.atlas import Atlas
    from unitscope.causal.steering import default_name, save, steer

    atlas, question = Atlas.open(options.atlas), _question(options)
    name = options.name or default_name(question)
    check_name(name)
    if options.dry_run:
        _dry_run(options, atlas, question)
        return
    from rich.text import Text

    from unitscope.report.plain import clean
    from unitscope.report.steered import shown, to_json

    with screen.bars(screen.err()) as progress:
        found = steer(atlas, question, model=options.model, corpus=options.corpus, tick=progress)
    save(atlas, name, found)
    if options.json:
        screen.write_json({"name": name, **to_json(found)})
        return
    console = screen.out(whole_lines=True)
    console.print(shown(found))
    console.print(Text(f"\nkept as: {clean(atlas.path)}/steering/{clean(name)}"), soft_wrap=True)


def _question(options: SteerOptions) -> Question:
    from unitscope.causal.steering import Question
    from unitscope.errors import TaskError

    sizes = [part.strip() for part in options.units.split(",")]
    if not all(part.isdecimal() and int(part) for part in sizes):
        raise TaskError(f"Got '{options.units}' as numbers of units.", expected="numbers from 1 up, as 1,5,20")
    try:
        strengths = tuple(float(part) for part in (options.strengths or "").split(",") if part.strip())
    except ValueError:
        raise TaskError(f"Got '{options.strengths}' as strengths.", expected="numbers, as 0.5,1,2") from None
    return Question(
        goal=options.property,
        ranking=options.ranking,
        target=options.concept,
        remove=options.remove,
        how=options.how or "",
        direction=options.direction,
        against=options.against or "",
        units=tuple(int(part) for part in sizes),
        strengths=strengths,
        limit=options.limit,
        draws=options.draws,
        keep=options.keep or "",
        prompt_words=options.prompt_words,
        tokens=options.tokens,
        temperature=options.temperature,
        layers=tuple(split_names(options.layers)),
        examples=options.examples,
        max_items=options.max_items,
        batch_size=options.batch_size,
        seed=options.seed,
    )


def _dry_run(options: SteerOptions, atlas: Atlas, question: Question) -> None:
    from unitscope.causal.steering import planned
    from unitscope.report.plain import counted, listed, number

    plan = planned(atlas, question)
    if options.json:
        screen.write_json(plan)
        return
    screen.out().print(
        f"{counted(plan['n_ranked'], 'unit')} ranked in {counted(len(plan['layers']), 'layer')} "
        f"({listed(plan['layers'])}); {', '.join(map(str, plan['units']))} units at strengths "
        f"{', '.join(map(number, plan['strengths']))}: {counted(plan['dev_edits'], 'edit')} of each development item, "
        f"up to {plan['held_out_edits']} of each held-out item" + ("; each writes texts" if plan["writes"] else ""),
        soft_wrap=True,
    )
