"""Worker processes: every task is answered once, errors come back as they were, and nobody is left running."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import pytest

from unitscope.errors import ConceptError, StoreError, UnitscopeError
from unitscope.runners import processes
from unitscope.runners.base import Job
from unitscope.runners.processes import ProcessRunner

JOB = Job("units", "trained", 2)

STUB = """
import json, os, signal, sys, time
def say(**answer): print(json.dumps(answer), flush=True)
if ACT == "gone": sys.exit(3)
for line in sys.stdin:
    request = json.loads(line)
    task = request["task"]
    assert request["job"] == {"kind": "units", "variant": "trained", "round": 2}
    if task != 7 or ACT == "well":
        time.sleep(0.02)
        say(counts={"task": task, "pid": os.getpid()})
    elif ACT == "error": say(error="got", expected="expected", fix="fix", type="ConceptError")
    elif ACT == "strange": say(error="got", type="os")
    elif ACT == "die":
        print("first line", file=sys.stderr)
        print("NameError: the last line", file=sys.stderr)
        sys.exit(5)
    elif ACT == "killed": os.kill(os.getpid(), signal.SIGKILL)
    elif ACT == "babble": print("no json", flush=True)
"""


class Started(list[subprocess.Popen[str]]):
    """Stub processes in place of workers; remembers them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, act: str) -> None:
        super().__init__()

        def start(folder: Path, threads: int, log: IO[str]) -> subprocess.Popen[str]:
            code = f"ACT = {act!r}{STUB}"
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
            self.append(subprocess.Popen([sys.executable, "-S", "-c", code], text=True, **pipes))
            return self[-1]

        monkeypatch.setattr(processes, "_start", start)


def run(n_workers: int, tasks: list[int]) -> list[dict[str, int]]:
    ticks: list[dict[str, int]] = []
    ProcessRunner(n_workers).run(JOB, tasks, Path("folder"), ticks.append)
    return ticks


@pytest.mark.parametrize(("n_workers", "n_tasks"), [(1, 5), (2, 9), (3, 9), (8, 3), (2, 0)])
def test_every_task_is_done_once(n_workers: int, n_tasks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch, "well")
    ticks = run(n_workers, list(range(n_tasks)))
    assert sorted(tick["task"] for tick in ticks) == list(range(n_tasks))
    assert len(started) == min(n_workers, n_tasks)
    assert {tick["pid"] for tick in ticks} <= {process.pid for process in started}
    assert all(process.returncode is not None for process in started)


def test_work_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    Started(monkeypatch, "well")
    assert len({tick["pid"] for tick in run(2, list(range(20)))}) == 2


@pytest.mark.parametrize(
    ("act", "kind", "said"),
    [
        ("error", ConceptError, r"^got Expected: expected. fix$"),
        ("strange", UnitscopeError, r"^got Run the same command again: it goes on where it stopped.$"),
        ("die", UnitscopeError, r"^A worker process died \(exit 5\). Its last words: NameError: the last line Run the"),
        (
            "killed",
            UnitscopeError,
            r"^A worker process died \(exit -9\). If memory ran out, lower --memory or --workers",
        ),
        ("babble", UnitscopeError, r"^A worker process cannot be reached: "),
        ("gone", UnitscopeError, r"^A worker process (died \(exit 3\)|cannot be reached)"),
    ],
)
@pytest.mark.parametrize("n_workers", [1, 2])
def test_the_first_error_is_raised_and_ends_all(
    act: str, kind: type[UnitscopeError], said: str, n_workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = Started(monkeypatch, act)
    with pytest.raises(kind, match=said) as caught:
        run(n_workers, list(range(40)))
    assert type(caught.value) is kind
    assert all(process.returncode is not None for process in started)


def test_a_worker_that_is_gone_before_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pipe is broken when the first task is written."""
    started = Started(monkeypatch, "gone")
    plain = processes._feed

    def late(process: subprocess.Popen[str], *rest: Any) -> None:
        process.wait()
        plain(process, *rest)

    monkeypatch.setattr(processes, "_feed", late)
    with pytest.raises(UnitscopeError, match="A worker process cannot be reached"):
        run(1, [0, 1])
    assert started[0].returncode == 3


def test_an_interrupt_ends_all_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch, "well")

    def tick(_: dict[str, int]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ProcessRunner(3).run(JOB, list(range(30)), Path("folder"), tick)
    assert len(started) == 3
    assert all(process.returncode is not None for process in started)


def test_workers_are_started_with_few_threads_and_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    seen: dict[str, Any] = {}

    def popen(command: list[str], **options: Any) -> None:
        seen.update(options, command=command)

    monkeypatch.setattr(subprocess, "Popen", popen)
    with (tmp_path / "log").open("w") as log:
        processes._start(tmp_path / "work", 2, log)
    assert seen["command"] == [sys.executable, "-m", "unitscope.runners.worker", str(tmp_path / "work")]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        assert seen["env"][name] == "2"
    assert seen["env"]["PYTHONPATH"].split(os.pathsep)[0] == str(tmp_path)


WORKER = """
import sys, time
from types import SimpleNamespace
import unitscope.study.execute as execute
from unitscope.errors import StoreError

class Fake:
    study = SimpleNamespace(threads=1)

    @classmethod
    def open(cls, folder):
        assert str(folder) == "the folder"
        return cls()

    def execute(self, job, task):
        print("noise of a library")
        if task == 2:
            raise StoreError("got", expected="expected", fix="fix")
        if task == 3:
            time.sleep(60)
        if task == 4:
            raise ZeroDivisionError("by mistake")
        return {job.kind: task}

execute.Executor = Fake
from unitscope.runners import worker
worker.main(["the folder"])
"""


def test_a_worker_answers_and_stops_in_the_middle_of_a_task_when_its_parent_is_gone(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None

            def ask(task: int) -> None:
                process.stdin.write(f'{{"job": {{"kind": "check", "variant": "v", "round": 0}}, "task": {task}}}\n')
                process.stdin.flush()

            ask(1)
            assert process.stdout.readline() == '{"counts": {"check": 1}}\n'
            ask(2)
            said = process.stdout.readline()
            assert said == '{"error": "got", "expected": "expected", "fix": "fix", "type": "StoreError"}\n'
            ask(3)
            time.sleep(0.1)
            started = time.monotonic()
            process.stdin.close()
            assert process.wait(timeout=20) == 0
            assert time.monotonic() - started < 10
        log.seek(0)
        assert "noise of a library" in log.read()


def test_a_mistake_in_a_worker_ends_it_with_its_traceback(tmp_path: Path) -> None:
    request = '{"job": {"kind": "check", "variant": "v", "round": 0}, "task": 4}\n'
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(request)
        process.stdin.flush()
        assert process.wait(timeout=20) == 1
        assert process.stderr.read().strip().splitlines()[-1] == "ZeroDivisionError: by mistake"


def test_a_work_folder_that_is_not_there(tmp_path: Path) -> None:
    from unitscope.study.execute import Executor

    with pytest.raises(StoreError, match=r"'work.json' is missing from"):
        Executor.open(tmp_path)
