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

    from unitscope.causal.to_units import UnitAttribution
    from unitscope.models.base import Model
    from unitscope.sites import Item


@dataclass(frozen=True)
class AttributeOptions:
    """Options of `attribute`."""

    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Folder, hub id, zoo:NAME, or python:pkg.module:factory.")
    ]
    corpus: Annotated[str | None, typer.Option(help="A corpus, as for map.")] = None
    text: Annotated[list[str], typer.Option(metavar="TEXT", help="A text; repeatable. In place of a corpus.")] = field(
        default_factory=list
    )
    layers: Annotated[list[str], typer.Option(metavar="GLOB", help="Layers to attribute to. Repeatable.")] = field(
        default_factory=list
    )
    target: Annotated[
        str,
        typer.Option(
            help="The output: class:K, class:top, output:K, next, probability, loss, token:WORD, unit:LAYER:K, "
            "python:pkg.module:function; of a position with @N behind it."
        ),
    ] = "class:top"
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
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write tables to this folder.")] = None
    max_items: Annotated[int | None, typer.Option(min=1, help="Read this many items.")] = None
    batch_size: Annotated[int, typer.Option(min=1, help="Most items in one forward.")] = 32
    seed: Annotated[int, typer.Option(min=0, help="Seed of units and random sets of --judge.")] = 0
    threads: Annotated[int, typer.Option(min=1, help="Threads of the model.")] = 1
    device: Annotated[str, typer.Option(help="Device the model runs on.")] = "cpu"
    weights: Annotated[Path | None, typer.Option(metavar="FILE", help="Weights of a zoo model (.safetensors).")] = None
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False


def run(options: AttributeOptions) -> None:
    """Attribute an output to units, or a unit to words.

    How much of a class logit, a token's logit or any other number flows through every unit of some layers; or, with
    --unit, which words of a text a unit's value comes from.
    """
    from unitscope.models import load_model

    items = _items(options)
    weights = None if options.weights is None else str(options.weights)
    model = load_model(options.model, device=options.device, threads=options.threads, weights=weights)
    if options.unit is not None:
        _words(options, model, items)
    else:
        _units(options, model, items)


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
    if not n or len(grids) != 1 or kind_of(next(iter(grids))) != "text" or found.method == "ablation":
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
