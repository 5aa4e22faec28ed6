"""Where commands write: data and reports to stdout, progress and costs to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from unitscope.report.plain import count, finite, size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from unitscope.study.plan import Plan
    from unitscope.study.run import Progress


def out() -> Console:
    """The console on stdout. Nothing is read as markup, nothing is cut: text that does not fit is wrapped."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False, soft_wrap=False)


def err() -> Console:
    """The console on stderr."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, emoji=False)


def write_json(value: Any) -> None:
    """Write one JSON value to stdout, in ASCII; NaN and infinities become null."""
    sys.stdout.write(json.dumps(finite(value), indent=1, allow_nan=False) + "\n")


@contextmanager
def bars() -> Iterator[Progress]:
    """Progress on stderr: bars with the time left on a terminal, else a line where a step begins."""
    console = err()
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


def cost(plan: Plan) -> str:
    """One line on what a run will cost."""
    found: Mapping[str, Any] = plan.to_json()
    return (
        f"{count(found['items'])} items, {count(found['sites'])} words; {count(found['passes'])} passes of the model "
        f"({count(found['forwards'])} forwards of an item) in {count(found['rounds'])} rounds; up to "
        f"{size(found['spool_bytes'])} of disk and {size(found['memory_bytes'])} of memory, "
        f"{count(found['workers'])} workers"
    )
