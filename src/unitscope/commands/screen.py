"""Where commands write: data and reports to stdout, progress and costs to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from unitscope.report.plain import counted, finite, size
from unitscope.sites import kind_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from unitscope.study.plan import Plan
    from unitscope.study.run import Progress


def out(*, whole_lines: bool = False) -> Console:
    """The console on stdout; reads no markup. With `whole_lines`, what goes to a pipe or file is not folded."""
    from rich.console import Console

    width = _UNFOLDED if whole_lines and not sys.stdout.isatty() else None
    return Console(markup=False, highlight=False, emoji=False, width=width)


def err() -> Console:
    """The console on stderr."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, emoji=False)


def write_json(value: Any) -> None:
    """Write one JSON value to stdout, in ASCII; NaN and infinities become null."""
    sys.stdout.write(json.dumps(finite(value), indent=1, allow_nan=False) + "\n")


_UNFOLDED = 1000


@contextmanager
def bars(console: Console) -> Iterator[Progress]:
    """Progress: bars with the time left on a terminal, else a line where a step begins."""
    if not console.is_terminal:
        yield _lines(console)
        return
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left", style="dim"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console) as shown:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                for task in shown.tasks:  # a step whose length was not known is over when the next begins
                    shown.update(task.id, total=task.completed)
                tasks[what] = shown.add_task(what, total=total or None)
            shown.update(tasks[what], completed=done, total=total or None)

        yield report


def _lines(console: Console) -> Progress:
    seen: set[str] = set()

    def report(what: str, done: int, total: int) -> None:
        if what not in seen:
            seen.add(what)
            console.print(f"{what} ..." if total <= 1 else f"{what}: {total} parts ...", soft_wrap=True)

    return report


def cost(plan: Plan, grids: Iterable[str] = ()) -> str:
    """One line on what a run over the sites of these grids will cost; sites are words where none are told."""
    found: Mapping[str, Any] = plan.to_json()
    kinds = {kind_of(grid) for grid in grids}
    site = "cell" if "image" in kinds else "whole item" if kinds == {"item"} else "word"
    return (
        f"{counted(found['items'], 'item')}, {counted(found['sites'], site)}; "
        f"{counted(found['passes'], 'pass', 'passes')} of the model "
        f"({counted(found['forwards'], 'forward')} of an item) in {counted(found['rounds'], 'round')}; "
        f"up to {size(found['spool_bytes'])} of disk and {size(found['memory_bytes'])} of memory, "
        f"{counted(found['workers'], 'worker')}"
    )
