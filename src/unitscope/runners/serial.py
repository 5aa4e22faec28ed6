"""Run tasks one after another in this process: for live objects, debugging, and one core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unitscope.runners.base import Execute, Job, Tick


@dataclass(frozen=True)
class SerialRunner:
    """Calls `execute` for each task."""

    execute: Execute

    def run(self, job: Job, tasks: Sequence[int], folder: Path, tick: Tick) -> None:
        """Run all tasks in order."""
        for task in tasks:
            tick(self.execute(job, task))
