"""How a verb becomes a command: its options are a dataclass, its errors a line on stderr and an exit code.

Exit codes: 0 done; 2 an error of the user's, with what was got, what was expected and how to mend it; 130 interrupted.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_type_hints

import typer

from unitscope.errors import UnitscopeError
from unitscope.report.plain import clean

Options = TypeVar("Options")
USER_ERROR, INTERRUPTED = 2, 130


def add_verb(
    app: typer.Typer, name: str, options: type[Options], run: Callable[[Options], None], *, resumes: bool = False
) -> None:
    """Add a command to `app`: `options` is a dataclass of annotated typer parameters, `run` is given one of them.

    `resumes` says that the same command goes on where an interrupted one stopped.
    """

    def verb(**values: Any) -> None:
        guarded(lambda: run(options(**values)), resumes)

    verb.__signature__ = _signature(options)  # type: ignore[attr-defined]
    verb.__annotations__ = {}
    app.command(name, help=inspect.getdoc(run))(verb)


def _signature(options: type[Any]) -> inspect.Signature:
    hints = get_type_hints(options, include_extras=True)
    parameters = []
    for field in fields(options):
        default = field.default
        if field.default_factory is not MISSING:
            default = field.default_factory()
        parameters.append(
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if default is MISSING else default,
                annotation=hints[field.name],
            )
        )
    return inspect.Signature(parameters)


def guarded(work: Callable[[], None], resumes: bool = False) -> None:
    """Do `work`; errors raised on purpose, interrupts and closed pipes end in an exit code and no traceback."""
    try:
        work()
        sys.stdout.flush()
    except UnitscopeError as error:
        complain("Error:", str(error))
        raise typer.Exit(USER_ERROR) from None
    except KeyboardInterrupt:
        goes_on = " The same command goes on where this one stopped." if resumes else ""
        complain("Stopped.", goes_on.strip())
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # The reader has gone; what is still buffered must not fail again when the interpreter ends.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def complain(head: str, text: str) -> None:
    """Write one line to stderr, its head red where that is a terminal."""
    typer.secho(head, err=True, nl=False, fg=typer.colors.RED if sys.stderr.isatty() else None)
    typer.echo(f" {clean(text)}", err=True)
