"""Tasks in this process: in order, one tick each, the first error ends them."""

from __future__ import annotations

from pathlib import Path

import pytest

from unitscope.errors import StoreError
from unitscope.runners.base import Job
from unitscope.runners.serial import SerialRunner

JOB = Job("sites", "trained", 0)


def test_tasks_run_in_order_with_a_tick_each() -> None:
    done: list[tuple[Job, int]] = []

    def execute(job: Job, task: int) -> dict[str, int]:
        done.append((job, task))
        return {"n": task * 2}

    ticks: list[dict[str, int]] = []
    SerialRunner(execute).run(JOB, [3, 1, 2], Path(), ticks.append)
    assert done == [(JOB, 3), (JOB, 1), (JOB, 2)]
    assert ticks == [{"n": 6}, {"n": 2}, {"n": 4}]


def test_an_error_ends_the_run() -> None:
    done: list[int] = []

    def execute(job: Job, task: int) -> dict[str, int]:
        if task == 1:
            raise StoreError("no")
        done.append(task)
        return {}

    with pytest.raises(StoreError, match="no"):
        SerialRunner(execute).run(JOB, [0, 1, 2], Path(), lambda counts: None)
    assert done == [0]


def test_a_job_is_plain_values() -> None:
    assert JOB.to_json() == {"kind": "sites", "variant": "trained", "round": 0}
    assert Job(**JOB.to_json()) == JOB
