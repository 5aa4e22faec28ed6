"""What a runner is: it executes the tasks of a declarative job, each of which leaves a file; states live on disk.

A job is plain JSON values: a folder that holds the study and its inputs, a kind of work, and which variant and round
it belongs to. A task is one shard of items or one block of units. Tasks are independent, write their result
atomically, and give the same bytes wherever they run, so a runner needs no merging and may be killed at any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Kind = Literal["sites", "units", "check"]


@dataclass(frozen=True)
class Job:
    """A set of tasks of one kind in a work folder."""

    kind: Kind
    variant: str
    round: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


Execute = Callable[[Job, int], dict[str, int]]
"""Runs one task of a job and returns counts to tell the user."""
Tick = Callable[[dict[str, int]], None]


class Runner(Protocol):
    """Executes tasks."""

    def run(self, job: Job, tasks: Sequence[int], folder: Path, tick: Tick) -> None:
        """Run all tasks, in any order; call `tick` with the counts of each as it is done."""
