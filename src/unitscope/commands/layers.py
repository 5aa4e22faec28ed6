"""`unitscope layers`: what a model is made of, and how its layers are called."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from unitscope.commands import screen


@dataclass(frozen=True)
class LayersOptions:
    """Options of `layers`."""

    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Folder, hub id, zoo:NAME, or python:pkg.module:factory.")
    ]
    device: Annotated[str, typer.Option(help="Device to load the model on.")] = "cpu"
    weights: Annotated[Path | None, typer.Option(metavar="FILE", help="Weights of a zoo model (.safetensors).")] = None
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False


def run(options: LayersOptions) -> None:
    """List the layers of a model.

    Address, number of units, grid of sites, role where it is recognised, attention heads, order of execution.
    """
    from unitscope.models import load_model

    weights = None if options.weights is None else str(options.weights)
    model = load_model(options.model, device=options.device, weights=weights)
    layers = model.layers()
    if options.json:
        screen.write_json({"model": model.name, "layers": [asdict(layer) for layer in layers]})
        return
    from rich.text import Text

    from unitscope.report.listing import Counts
    from unitscope.report.plain import clean, count

    rows = [
        [
            clean(layer.address),
            count(layer.width),
            clean(layer.grid),
            clean(layer.role),
            str(layer.n_heads or ""),
            str(layer.order),
        ]
        for layer in layers
    ]
    console = screen.out(whole_lines=True)
    n_units = sum(layer.width for layer in layers)
    console.print(Text(f"{clean(model.name)}: {count(len(layers))} layers, {count(n_units)} units\n", style="bold"))
    console.print(Counts(["address", "width", "grid", "role", "heads", "order"], rows, texts=("grid", "role")))
