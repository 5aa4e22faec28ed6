"""`unitscope rank`: order the units of an atlas by a method, keep the order, and see how far orders agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unitscope.commands import screen
from unitscope.commands.specs import split_names

if TYPE_CHECKING:
    from unitscope.atlas import Atlas
    from unitscope.rankings.base import Ranking


@dataclass(frozen=True)
class RankOptions:
    """Options of `rank`."""

    atlas: Annotated[Path, typer.Argument(metavar="ATLAS", help="Folder of an atlas.")]
    by: Annotated[
        str | None, typer.Option(metavar="METHOD", help="How to rank, as name or name:parameter=value,... .")
    ] = None
    concepts: Annotated[
        str | None, typer.Option(metavar="CATEGORY", help="Rank for each concept of a category, and for all.")
    ] = None
    concept: Annotated[list[str], typer.Option(metavar="NAME", help="Rank for one concept; may be repeated.")] = field(
        default_factory=list
    )
    layers: Annotated[list[str], typer.Option(metavar="GLOB", help="Only these layers of the atlas.")] = field(
        default_factory=list
    )
    half: Annotated[str | None, typer.Option(help="Sites used: a, b or all; by default what the method uses.")] = None
    with_: Annotated[
        list[str],
        typer.Option("--with", metavar="ATLAS[@BASELINE][:GLOB]", help="Another model's atlas of the same corpus."),
    ] = field(default_factory=list)
    name: Annotated[str | None, typer.Option(help="Name to keep it under, or of one that is kept.")] = None
    agree: Annotated[bool, typer.Option("--agree", help="How far the kept rankings agree.")] = False
    cross: Annotated[
        str | None,
        typer.Option(metavar="N,N", help="Fit probes of --concepts to the first N units of each kept ranking."),
    ] = None
    alike: Annotated[
        bool, typer.Option("--alike", help="How alike layers are: CKA, SVCCA, PWCCA; with --with, to another model's.")
    ] = False
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Number of units shown, or compared.")] = 20
    seed: Annotated[int, typer.Option(min=0, help="Seed of whatever is drawn.")] = 0
    model: Annotated[str | None, typer.Option(help="The atlas' model, where it has moved.")] = None
    corpus: Annotated[str | None, typer.Option(help="The atlas' corpus, where it has moved.")] = None
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False


def run(options: RankOptions) -> None:
    """Rank the units of an atlas.

    By a measure, effects on held-out sites, class means, variance, chance, or what other models have of them. Rankings
    are kept beside the atlas; without --by those that are there are listed, or one is shown with --name. --agree
    compares them, --cross fits probes to their first units. --alike compares layers instead of units.
    """
    from unitscope.atlas import Atlas
    from unitscope.errors import PlanError

    asked = {"--agree": options.agree, "--by": options.by, "--cross": options.cross, "--alike": options.alike}
    given = [name for name, value in asked.items() if value]
    if len(given) > 1:
        raise PlanError(f"Got {' and '.join(given)}.", expected="one of them")
    atlas = Atlas.open(options.atlas)
    if options.agree:
        _agree(atlas, options)
    elif options.cross:
        _cross(atlas, options, options.cross)
    elif options.alike:
        _alike(atlas, options)
    elif options.by:
        _rank(atlas, options, options.by)
    else:
        _show(atlas, options)


def _rank(atlas: Atlas, options: RankOptions, by: str) -> None:
    from unitscope.rankings.asked import Question
    from unitscope.rankings.make import default_name, rank

    layers = split_names(options.layers)
    question = Question(options.concepts, tuple(options.concept), tuple(layers), options.half, options.seed)  # type: ignore[arg-type]
    name = options.name or default_name(by, question, options.with_)
    with screen.bars(screen.err()) as progress:
        found = rank(
            atlas,
            by=by,
            concepts=question.category,
            concept=question.concepts,
            layers=layers,
            half=question.half,
            seed=options.seed,
            name=name,
            others=options.with_,
            model=options.model,
            corpus=options.corpus,
            tick=progress,
        )
    _print(atlas, found, name, options)


def _print(atlas: Atlas, found: tuple[Ranking, ...], name: str, options: RankOptions) -> None:
    from rich.text import Text

    from unitscope.report import ranked
    from unitscope.report.plain import clean

    if options.json:
        screen.write_json({"name": name, "rankings": ranked.to_json(atlas, found, options.top)})
        return
    console = screen.out(whole_lines=True)
    console.print(ranked.rankings(atlas, found, options.top))
    console.print(Text(f"\nkept as: {clean(atlas.path)}/rankings/{clean(name)}"), soft_wrap=True)


def _show(atlas: Atlas, options: RankOptions) -> None:
    from unitscope.errors import RankingError
    from unitscope.rankings import kept
    from unitscope.rankings.methods import method_names
    from unitscope.report import ranked

    if options.name is not None:
        found = kept.load(atlas, options.name)
        if options.concept:
            found = tuple(kept.of_target(found, target) for target in options.concept)
        _print(atlas, found, options.name, options)
        return
    names = kept.names(atlas)
    if not names:
        raise RankingError(
            "This atlas has no rankings yet.",
            expected="--by METHOD to make one",
            fix=f"Methods: {', '.join(method_names())}.",
        )
    there = {name: kept.load(atlas, name) for name in names}
    if options.json:
        screen.write_json({name: [each.target for each in its] for name, its in there.items()})
        return
    screen.out(whole_lines=True).print(ranked.kept(there))


def _agree(atlas: Atlas, options: RankOptions) -> None:
    from unitscope.errors import PlanError
    from unitscope.rankings import kept
    from unitscope.rankings.agreement import agreement
    from unitscope.rankings.base import ALL
    from unitscope.report import ranked

    if len(options.concept) > 1:
        raise PlanError(f"Got {len(options.concept)} concepts to compare rankings for.", expected="one, or none")
    target = options.concept[0] if options.concept else ALL
    found = {}
    for name in kept.names(atlas):
        for each in kept.load(atlas, name):
            category = each.origin.parameters.get("category")
            if each.target == target and (options.concepts is None or category in (None, options.concepts)):
                found[name] = each
    compared = agreement(found, options.top)
    if options.json:
        screen.write_json(ranked.agreement_json(compared))
        return
    screen.out(whole_lines=True).print(ranked.agreement(compared))


def _cross(atlas: Atlas, options: RankOptions, numbers: str) -> None:
    from unitscope.errors import PlanError
    from unitscope.rankings import kept
    from unitscope.rankings.base import ALL
    from unitscope.rankings.probed import cross_probes
    from unitscope.report import crossed

    if options.concepts is None:
        raise PlanError("Got --cross without --concepts.", expected="a category to probe, as --concepts upos")
    parts = split_names([numbers])
    if not parts or not all(each.isdecimal() and int(each) > 0 for each in parts):
        raise PlanError(f"Got --cross {numbers}.", expected="numbers of units, as 10,50")
    names = [options.name] if options.name else kept.names(atlas)
    found = {
        name: each
        for name in names
        for each in kept.load(atlas, name)
        if each.target == ALL and each.origin.parameters.get("category") in (None, options.concepts)
    }
    with screen.bars(screen.err()) as progress:
        made = cross_probes(
            atlas,
            options.concepts,
            found,
            sorted({int(each) for each in parts}),
            layers=split_names(options.layers),
            seed=options.seed,
            model=options.model,
            corpus=options.corpus,
            tick=progress,
        )
    if options.json:
        screen.write_json(crossed.crossed_json(made))
        return
    screen.out(whole_lines=True).print(crossed.crossed(made, options.concepts))


def _alike(atlas: Atlas, options: RankOptions) -> None:
    from unitscope.errors import PlanError
    from unitscope.rankings.alike import alike
    from unitscope.report import crossed

    if len(options.with_) > 1:
        raise PlanError(f"Got {len(options.with_)} other models.", expected="one, or none")
    with screen.bars(screen.err()) as progress:
        found, told = alike(
            atlas,
            options.with_[0] if options.with_ else None,
            layers=split_names(options.layers),
            seed=options.seed,
            model=options.model,
            corpus=options.corpus,
            tick=progress,
        )
    if options.json:
        screen.write_json({"sites": told, "layers": crossed.similar_json(found)})
        return
    screen.out(whole_lines=True).print(crossed.similar(found, told))
