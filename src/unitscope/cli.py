"""The command line: one verb a command, no logic. Imports nothing heavy, so that `--help` is instant."""

from __future__ import annotations

from typing import Annotated

import typer

from unitscope.commands import (
    ablate,
    attribute,
    compare,
    contest,
    demo,
    export,
    layers,
    merge,
    probe,
    rank,
    show,
    steer,
)
from unitscope.commands import map as map_
from unitscope.commands.verbs import add_verb

app = typer.Typer(
    name="unitscope",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
add_verb(app, "demo", demo.DemoOptions, demo.run, resumes=True)
add_verb(app, "layers", layers.LayersOptions, layers.run)
add_verb(app, "map", map_.MapOptions, map_.run, resumes=True)
add_verb(app, "show", show.ShowOptions, show.run)
add_verb(app, "export", export.ExportOptions, export.run)
add_verb(app, "merge", merge.MergeOptions, merge.run)
add_verb(app, "contest", contest.ContestOptions, contest.run, resumes=True)
add_verb(app, "rank", rank.RankOptions, rank.run, resumes=True)
add_verb(app, "probe", probe.ProbeOptions, probe.run, resumes=True)
add_verb(app, "compare", compare.CompareOptions, compare.run)
add_verb(app, "attribute", attribute.AttributeOptions, attribute.run)
add_verb(app, "ablate", ablate.AblateOptions, ablate.run, resumes=True)
add_verb(app, "steer", steer.SteerOptions, steer.run, resumes=True)


def _version(asked: bool) -> None:
    if asked:
        from unitscope import __version__

        typer.echo(f"unitscope {__version__}")
        raise typer.Exit


@app.callback()
def unitscope(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version.")
    ] = False,
) -> None:
    """Show what the units of a trained network respond to, how sure we may be of it, and what it does without them."""


def main() -> None:
    """Run the command line with the process' arguments; ends in an exit code."""
    app(prog_name="unitscope")
