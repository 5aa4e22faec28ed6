"""`unitscope show`: what an atlas says, on the terminal or as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unitscope.commands import screen

if TYPE_CHECKING:
    from rich.console import RenderableType

    from unitscope.atlas import Atlas


@dataclass(frozen=True)
class ShowOptions:
    """Options of `show`."""

    atlas: Annotated[Path, typer.Argument(metavar="ATLAS", help="Folder of an atlas.")]
    unit: Annotated[str | None, typer.Option(metavar="LAYER:INDEX", help="Everything about one unit.")] = None
    concept: Annotated[str | None, typer.Option(metavar="NAME", help="The units that carry a concept.")] = None
    layer: Annotated[str | None, typer.Option(metavar="ADDRESS", help="One layer.")] = None
    passport: Annotated[bool, typer.Option("--passport", help="What the units' variance is made of.")] = False
    baselines: Annotated[bool, typer.Option("--baselines", help="Every layer beside its baselines.")] = False
    kind: Annotated[str | None, typer.Option(help="Only matches that are contextual, lexical or positional.")] = None
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Number of matches or words shown.")] = 10
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False

    def view(self) -> str:
        """Which view is asked for. Raises PlanError when more than one is."""
        from unitscope.errors import PlanError

        asked = [name for name in ("unit", "concept", "layer", "passport", "baselines") if getattr(self, name)]
        if len(asked) > 1:
            raise PlanError(f"Got --{asked[0]} and --{asked[1]}.", expected="one of them")
        return asked[0] if asked else "overview"


def run(options: ShowOptions) -> None:
    """Show what an atlas says.

    An overview with its best-supported matches, or one unit, one concept, one layer.
    """
    view = options.view()
    from unitscope.atlas import Atlas

    atlas = Atlas.open(options.atlas)
    if options.json:
        screen.write_json(_data(atlas, view, options))
        return
    screen.out().print(_shown(atlas, view, options))


def _data(atlas: Atlas, view: str, options: ShowOptions) -> Any:
    from unitscope.report import findings

    kind, top = options.kind, options.top
    views: dict[str, Callable[[], Any]] = {
        "overview": lambda: findings.overview(atlas, kind=kind, top=top),
        "unit": lambda: _unit(atlas, options.unit or ""),
        "concept": lambda: findings.concept_view(atlas, options.concept or "", kind=kind, top=top),
        "layer": lambda: findings.layer_view(atlas, options.layer or "", kind=kind, top=top),
        "passport": lambda: findings.passports(atlas),
        "baselines": lambda: findings.baselines(atlas),
    }
    return views[view]()


def _unit(atlas: Atlas, address: str) -> Any:
    from unitscope.report import findings
    from unitscope.report.kept_effects import effects_of

    view = findings.unit_view(atlas, address)
    return view | {"effects": effects_of(atlas, view["layer"], view["unit"])}


def _shown(atlas: Atlas, view: str, options: ShowOptions) -> RenderableType:
    from unitscope.report import terminal, unit

    kind, top = options.kind, options.top
    views: dict[str, Callable[[], RenderableType]] = {
        "overview": lambda: terminal.overview(atlas, kind=kind, top=top),
        "unit": lambda: unit.unit(atlas, options.unit or "", top=top),
        "concept": lambda: terminal.concept(atlas, options.concept or "", kind=kind, top=top),
        "layer": lambda: terminal.layer(atlas, options.layer or "", kind=kind, top=top),
        "passport": lambda: terminal.passport(atlas),
        "baselines": lambda: terminal.baselines(atlas),
    }
    return views[view]()
