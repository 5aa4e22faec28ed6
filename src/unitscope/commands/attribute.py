"""`unitscope attribute`: how much of an output flows through units, and which words a unit's value comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unitscope.commands import screen
from unitscope.commands.specs import split_names

if TYPE_CHECKING:
    from rich.console import RenderableType

    from unitscope.atlas import Atlas
    from unitscope.causal.attributing import Question
    from unitscope.causal.to_units import UnitAttribution
    from unitscope.models.base import Model
    from unitscope.sites import Item

TARGET = "class:top"


@dataclass(frozen=True)
class AttributeOptions:
    """Options of `attribute`."""

    of: Annotated[
        str,
        typer.Argument(
            metavar="ATLAS-OR-MODEL",
            help="Folder of an atlas, or a model: folder, hub id, zoo:NAME, python:pkg.module:factory.",
        ),
    ]
    corpus: Annotated[str | None, typer.Option(help="A corpus, as for map; the atlas' corpus, where it has moved.")] = (
        None
    )
    text: Annotated[list[str], typer.Option(metavar="TEXT", help="A text; repeatable. In place of a corpus.")] = field(
        default_factory=list
    )
    layers: Annotated[
        list[str], typer.Option(metavar="GLOB", help="Layers to attribute to; all of an atlas' by default. Repeatable.")
    ] = field(default_factory=list)
    target: Annotated[
        str,
        typer.Option(
            help="The output: class:K, class:top, output:K, next, probability, loss, token:WORD, unit:LAYER:K, "
            "python:pkg.module:function; of a position with @N behind it."
        ),
    ] = TARGET
    unit: Annotated[
        str | None, typer.Option(metavar="LAYER:INDEX", help="Attribute this unit to the words of each text instead.")
    ] = None
    method: Annotated[
        str | None,
        typer.Option(
            help="conductance, integrated-gradients, gradient-x-activation, internal-influence, ablation, "
            "captum:CLASS; with --unit: integrated-gradients, gradient-x-input, leave-one-out."
        ),
    ] = None
    steps: Annotated[int, typer.Option(min=1, help="Points on the path from the baseline.")] = 20
    baseline: Annotated[str, typer.Option(help="Where the path begins: zero, mean, pad, mask.")] = "zero"
    judge: Annotated[
        int, typer.Option(min=0, metavar="N", help="Test against taking out N units of each layer; 0: none.")
    ] = 0
    heat: Annotated[int, typer.Option(min=0, metavar="N", help="Show words by layers for the first N items.")] = 1
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Number of units (or items, with --unit) shown.")] = 10
    name: Annotated[str | None, typer.Option(help="Name to keep it under beside the atlas.")] = None
    keep_ranking: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep the units beside the atlas as a ranking, too.")
    ] = None
    by: Annotated[str, typer.Option(help="What they are ranked by: size (mean absolute value), or mean.")] = "size"
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write tables to this folder.")] = None
    max_items: Annotated[int | None, typer.Option(min=1, help="Read this many items; with an atlas, of each half.")] = (
        None
    )
    batch_size: Annotated[int, typer.Option(min=1, help="Most items in one forward.")] = 32
    seed: Annotated[int, typer.Option(min=0, help="Seed of units and random sets of --judge.")] = 0
    model: Annotated[str | None, typer.Option(help="The atlas' model, where it has moved.")] = None
    threads: Annotated[int, typer.Option(min=1, help="Threads of the model; an atlas has its own.")] = 1
    device: Annotated[str, typer.Option(help="Device the model runs on; an atlas has its own.")] = "cpu"
    weights: Annotated[Path | None, typer.Option(metavar="FILE", help="Weights of a zoo model (.safetensors).")] = None
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False


def run(options: AttributeOptions) -> None:
    """Attribute an output to units, or a unit to words.

    How much of a class logit, a token's logit or any other number flows through every unit of some layers; or, with
    --unit, which words of a text a unit's value comes from. Of an atlas: its layers and bases over half A of its
    documents, judged (--judge) on half B, kept beside it.
    """
    if options.unit is not None:
        _check_words(options)
    if _is_atlas(options.of):
        _of_atlas(options)
        return
    from unitscope.errors import AttributionError
    from unitscope.models import load_model

    for name, value in (("keep-ranking", options.keep_ranking), ("name", options.name), ("model", options.model)):
        if value is not None:
            raise AttributionError(f"Got --{name}, and '{options.of}' is no atlas.", expected="the folder of an atlas")
    items = _items(options)
    weights = None if options.weights is None else str(options.weights)
    model = load_model(options.of, device=options.device, threads=options.threads, weights=weights)
    if options.unit is not None:
        _words(options, model, items)
    else:
        _units(options, model, items)


def _check_words(options: AttributeOptions) -> None:
    """Options that say nothing of a unit's words."""
    from unitscope.errors import AttributionError

    given = (
        ("target", options.target != TARGET),
        ("layers", options.layers),
        ("judge", options.judge),
        ("name", options.name),
        ("keep-ranking", options.keep_ranking),
    )
    for name, asked in given:
        if asked:
            raise AttributionError(f"Got --{name} beside --unit.", expected="one of them: --unit asks for words alone")


def _is_atlas(text: str) -> bool:
    from unitscope.atlas import MANIFEST

    return (Path(text) / MANIFEST).is_file()


def _items(options: AttributeOptions) -> list[Item]:
    from unitscope.causal.attribution import items_of
    from unitscope.corpora import load_corpus
    from unitscope.errors import AttributionError

    if (options.corpus is None) == (not options.text):
        raise AttributionError("Got no corpus." if not options.text else "Got a corpus and texts.",
                               expected="either --corpus or --text")  # fmt: skip
    if options.corpus is None:
        return items_of(options.text, options.max_items)
    return list(load_corpus(options.corpus, max_items=options.max_items))


def _of_atlas(options: AttributeOptions) -> None:
    from unitscope.annex import check_name
    from unitscope.atlas import Atlas
    from unitscope.causal.attributing import Question, default_name
    from unitscope.errors import AttributionError

    atlas = Atlas.open(options.of)
    if options.unit is not None:
        _words_of_atlas(options, atlas)
        return
    if options.text:
        raise AttributionError("Got texts, and an atlas has its own.", fix="Give --unit, or a model in its place.")
    if options.out is not None:
        raise AttributionError("Got --out; what is found is kept beside the atlas.", fix="Name it with --name.")
    question = Question(
        target=options.target,
        layers=tuple(split_names(options.layers)),
        method=options.method or "conductance",
        steps=options.steps,
        baseline=options.baseline,
        judge=options.judge,
        max_items=options.max_items,
        batch_size=options.batch_size,
        seed=options.seed,
    )
    name = options.name or default_name(question)
    for each in (name, options.keep_ranking or name):
        check_name(each)
    _attributed(options, atlas, question, name)


def _attributed(options: AttributeOptions, atlas: Atlas, question: Question, name: str) -> None:
    from rich.text import Text

    from unitscope.causal.attributing import attribute_atlas, save, save_ranking
    from unitscope.errors import AttributionError
    from unitscope.report.attribution import units_data, units_shown
    from unitscope.report.plain import clean, counted

    if options.by not in ("size", "mean"):
        raise AttributionError(f"Cannot rank by '{options.by}'.", expected="size or mean")
    with screen.bars(screen.err()) as progress:
        made = attribute_atlas(atlas, question, model=options.model, corpus=options.corpus, tick=progress)
    save(atlas, name, made)
    if options.keep_ranking is not None:
        save_ranking(atlas, options.keep_ranking, made, options.by)  # type: ignore[arg-type]
    found, judged = made.found, list(made.judged)
    if options.json:
        data = {"name": name, "ranking": options.keep_ranking, "judged_items": made.n_judged}
        screen.write_json({"model": made.model, "seed": options.seed, **data, **units_data(found, judged, options.top)})
        return
    console = screen.out()
    console.print(units_shown(made.model, found, judged, options.top, _heat(found, list(made.items), options.heat)))
    held = f"; judged on {counted(made.n_judged, 'item')} of half B" if judged else ""
    console.print(Text(f"\nAttributed on {counted(len(made.items), 'item')} of half A{held}."))
    console.print(Text(f"kept as: {clean(atlas.path)}/attributions/{clean(name)}"), soft_wrap=True)
    if options.keep_ranking is not None:
        console.print(Text(f"ranking: {clean(atlas.path)}/rankings/{clean(options.keep_ranking)}"), soft_wrap=True)


def _words_of_atlas(options: AttributeOptions, atlas: Atlas) -> None:
    from dataclasses import replace

    from unitscope.causal.attribution import items_of
    from unitscope.causal.halves import model_of, with_own_bases
    from unitscope.corpora import load_corpus
    from unitscope.errors import AttributionError
    from unitscope.extraction import origin_of

    origin = origin_of(atlas)
    given = options.corpus or (None if options.text else origin.get("corpus"))
    if options.text:
        items = items_of(options.text, options.max_items)
    elif given:
        reading = {key: value for key, value in origin.get("reading", {}).items() if key != "sites"}
        limit = {} if options.max_items is None else {"max_items": options.max_items}
        items = list(load_corpus(given, **{**reading, **limit}))
    else:
        raise AttributionError("This atlas does not say where its corpus is.", fix="Give --corpus or --text.")
    layer = (options.unit or "").rpartition(":")[0]
    model = with_own_bases(atlas, model_of(atlas, options.model), [layer])
    _words(replace(options, corpus=None), model, items)


def _units(options: AttributeOptions, model: Model, items: list[Item]) -> None:
    from unitscope.causal.asked import method_of, target_of
    from unitscope.causal.feeding import network
    from unitscope.causal.files import write_attribution
    from unitscope.causal.judge import judge
    from unitscope.causal.to_units import attribute_units
    from unitscope.errors import AttributionError
    from unitscope.report.attribution import units_data, units_shown
    from unitscope.report.plain import finite

    layers = split_names(options.layers)
    if not layers:
        raise AttributionError("Got no layers.", expected="--layers GLOB", fix="List them: unitscope layers MODEL")
    target = target_of(options.target, network(model))
    method = method_of(options.method or "conductance", options.steps)
    with screen.bars(screen.err()) as progress:
        found = attribute_units(
            model,
            items,
            layers=layers,
            target=target,
            method=method,
            baseline=options.baseline,
            batch_size=options.batch_size,
            progress=progress,
        )
    judged = (
        judge(model, items, found, target, n_units=options.judge, batch_size=options.batch_size, seed=options.seed)
        if options.judge
        else []
    )
    data = {"model": model.name, "seed": options.seed, **units_data(found, judged, options.top)}
    if options.out is not None:
        write_attribution(options.out, found, items, finite({**data, "weight_hash": model.weight_hash}))
    if options.json:
        screen.write_json(data)
        return
    console = screen.out()
    console.print(units_shown(model.name, found, judged, options.top, _heat(found, items, options.heat)))


def _heat(found: UnitAttribution, items: list[Item], n: int) -> RenderableType | None:
    """Words by layers of the first items, where all layers are on one text grid."""
    from rich.console import Group
    from rich.text import Text

    from unitscope.report.attribution import heat_map
    from unitscope.sites import kind_of

    grids = {layer.grid for layer in found.layers}
    if not n or len(grids) != 1 or kind_of(next(iter(grids))) != "text" or not found.by_site:
        return None
    grid, start = grids.pop(), 0
    parts: list[RenderableType] = []
    for index, item in enumerate(items[:n]):
        words = item.grids[grid].words
        values = [found.by_site[layer.address][start : start + len(words)].tolist() for layer in found.layers]
        parts += [heat_map(found, index, words, values), Text("* the greatest of its layer\n")]
        start += len(words)
    return Group(*parts)


def _words(options: AttributeOptions, model: Model, items: list[Item]) -> None:
    from unitscope.causal.to_tokens import KINDS, TokenMethod, attribute_tokens
    from unitscope.errors import AttributionError
    from unitscope.report.attribution import tokens_data, tokens_shown
    from unitscope.store import write_json

    layer, _, unit = (options.unit or "").rpartition(":")
    if not layer or not unit.isdecimal():
        raise AttributionError(f"Cannot read the unit '{options.unit}'.", expected="LAYER:INDEX, as encoder.layer.3:7")
    kind = options.method or "integrated-gradients"
    if kind not in KINDS:
        raise AttributionError(f"Unknown method '{kind}' to words.", expected=", ".join(KINDS))
    maps = list(
        attribute_tokens(
            model,
            items,
            layer,
            [int(unit)],
            method=TokenMethod(kind, options.steps),
            at="peak",
            baseline=options.baseline,
            batch_size=options.batch_size,
        )
    )
    if not maps:
        raise AttributionError("None of the items has a word.", expected="texts, each with a word or more")
    # Where the unit is greatest is what one wants to see explained.
    maps.sort(key=lambda each: (-float(each.height[0, 0]), each.item))
    names = [item.id for item in items]
    data: dict[str, Any] = {
        "model": model.name,
        "method": kind,
        "steps": options.steps,
        "maps": tokens_data(maps, names),
    }
    if options.out is not None:
        write_json(options.out / "words.json", {"type": "attribution to words", "version": 1, **data})
    if options.json:
        screen.write_json({**data, "maps": tokens_data(maps[: options.top], names)})
        return
    screen.out().print(tokens_shown(maps[: options.top], names, kind))
