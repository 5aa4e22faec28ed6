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
    from unitscope.causal.question import Question


@dataclass(frozen=True)
class AblateOptions:
    """Options of `ablate`."""

    atlas: Annotated[Path, typer.Argument(metavar="ATLAS", help="Folder of an atlas.")]
    task: Annotated[
        str,
        typer.Option(
            help="What is judged: lm, label:COLUMN, own:COLUMN, own:top, token:CATEGORY, probe:LAYER:CATEGORY, "
            "translation:bleu, similarity, python:pkg.module:function; see the docs for each one's forms."
        ),
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
    match: Annotated[
        list[str],
        typer.Option(metavar="LAYER:UNIT[=CONCEPT]", help="Take out this unit, for its first concept or this one."),
    ] = field(default_factory=list)
    edit: Annotated[
        str | None, typer.Option(help="What they become: zero, or their mean (the default with --retain).")
    ] = None
    retain: Annotated[
        bool, typer.Option("--retain", help="Take out all of the ranking but so many units, not these.")
    ] = False
    keep_ranking: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep the order of the single units as this ranking.")
    ] = None
    dose: Annotated[
        list[str], typer.Option(metavar="LAYER:UNIT", help="Set this unit to quantiles of its values. Repeatable.")
    ] = field(default_factory=list)
    quantiles: Annotated[str, typer.Option(metavar="Q,...", help="Which quantiles; zero is always among them.")] = (
        "0,.01,.1,.25,.5,.75,.9,.99,1"
    )
    at_concept: Annotated[
        bool, typer.Option("--at-concept", help="Set it only at sites with the concept that it is reported for.")
    ] = False
    pairs: Annotated[int, typer.Option(min=0, metavar="N", help="Take out all pairs of the first N units.")] = 0
    greedy: Annotated[int, typer.Option(min=0, metavar="N", help="Choose a set of N units, one after the other.")] = 0
    candidates: Annotated[int, typer.Option(min=1, metavar="N", help="Of how many first units it is chosen.")] = 30
    causes: Annotated[
        int, typer.Option(min=0, metavar="N", help="What units of the first N matches read, write and do.")
    ] = 0
    layers: Annotated[list[str], typer.Option(metavar="GLOB", help="Only these layers of the atlas.")] = field(
        default_factory=list
    )
    name: Annotated[str | None, typer.Option(help="Name to keep it under.")] = None
    max_items: Annotated[int | None, typer.Option(min=1, help="Judge by this many items at most.")] = None
    batch_size: Annotated[int, typer.Option(min=1, help="Most items in one forward.")] = 32
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Number of single units shown.")] = 20
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random sets.")] = 0
    model: Annotated[str | None, typer.Option(help="The atlas' model, where it has moved.")] = None
    corpus: Annotated[str | None, typer.Option(help="The atlas' corpus, where it has moved.")] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it would do and stop.")] = False
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False


def run(options: AblateOptions) -> None:
    """Take units out of the running model and see what it loses.

    By a ranking (top, bottom and random units; or all but these: --retain), one by one (--single), in pairs and chosen
    sets (--pairs, --greedy), set to values of their range (--dose), or for the matches that the atlas reports
    (--matches, --causes): there, what is lost where the concept is beside where it is not. Judged on the half of the
    documents that nothing is chosen on; kept beside the atlas. A run that was stopped goes on where it was.
    """
    from unitscope.atlas import Atlas

    atlas, question = Atlas.open(options.atlas), _question(options)
    if options.dry_run:
        _dry_run(options, atlas, question)
        return
    from rich.text import Text

    from unitscope.annex import check_name
    from unitscope.causal.ablating import ablate
    from unitscope.causal.kept_effects import save
    from unitscope.causal.question import default_name
    from unitscope.report.ablated import shown, to_json
    from unitscope.report.plain import clean

    name = options.name or default_name(question)
    for each in (name, question.keep_ranking or name):
        check_name(each)
    with screen.bars(screen.err()) as progress:
        found = ablate(atlas, question, model=options.model, corpus=options.corpus, tick=progress, resume=True)
    save(atlas, name, found)
    if options.json:
        screen.write_json({"name": name, **to_json(found)})
        return
    console = screen.out(whole_lines=True)
    console.print(shown(found, options.top))
    console.print(Text(f"\nkept as: {clean(atlas.path)}/effects/{clean(name)}"), soft_wrap=True)
    if question.keep_ranking:
        console.print(
            Text(f"order kept as: {clean(atlas.path)}/rankings/{clean(question.keep_ranking)}"), soft_wrap=True
        )


def _question(options: AblateOptions) -> Question:
    from unitscope.causal.question import Question
    from unitscope.errors import TaskError

    parts = [part.strip() for part in options.units.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise TaskError(f"Got '{options.units}' as numbers of units.", expected="numbers from 1 up, as 1,2,5,10")
    return Question(
        task=options.task,
        ranking=options.ranking,
        target=options.concept,
        edit=options.edit or ("mean" if options.retain else "zero"),
        units=tuple(int(part) for part in parts),
        single=tuple(split_names(options.single)),
        matches=options.matches,
        named=tuple(options.match),
        layers=tuple(split_names(options.layers)),
        draws=options.draws,
        max_items=options.max_items,
        batch_size=options.batch_size,
        seed=options.seed,
        retain=options.retain,
        keep_ranking=options.keep_ranking,
        doses=tuple(options.dose),
        quantiles=_quantiles(options.quantiles),
        at_concept=options.at_concept,
        pairs=options.pairs,
        greedy=options.greedy,
        candidates=options.candidates,
        causes=options.causes,
    )


def _quantiles(text: str) -> tuple[float, ...]:
    from unitscope.errors import TaskError

    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise TaskError(f"Got '{text}' as quantiles.", expected="numbers from 0 to 1, as 0,.5,1") from None


def _dry_run(options: AblateOptions, atlas: Atlas, question: Question) -> None:
    from unitscope.causal.asking import planned
    from unitscope.report.plain import count, counted, listed

    plan = planned(atlas, question)
    if options.json:
        screen.write_json(plan)
        return
    n = plan["n_edits_chosen"]
    chosen = f" and {count(n)} of each item of the other half" if n else ""
    ranked = "" if plan["n_ranked"] is None else f"; {counted(plan['n_ranked'], 'unit')} ranked"
    screen.out().print(
        f"{counted(plan['n_units'], 'unit')} of {counted(len(plan['layers']), 'layer')} "
        f"({listed(plan['layers'])}){ranked}: {counted(plan['n_edits'], 'edit')} of each held-out item{chosen}, "
        f"at most about {counted(plan['forwards'], 'forward')} of an item; what lies below an edit runs once",
        soft_wrap=True,
    )
