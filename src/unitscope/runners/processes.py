"""Run tasks in worker processes on this machine.

Each worker is `python -m unitscope.runners.worker FOLDER`. It reads tasks as lines of JSON from its standard input
and answers each with a line; it opens the work folder by itself, so nothing but the folder is shared. A worker that
loses its parent reads the end of its input and stops at once.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from unitscope import errors
from unitscope.errors import UnitscopeError
from unitscope.runners.base import Job, Tick


@dataclass(frozen=True)
class ProcessRunner:
    """Keeps `n_workers` processes busy."""

    n_workers: int
    threads: int = 1

    def run(self, job: Job, tasks: Sequence[int], folder: Path, tick: Tick) -> None:
        """Run all tasks; the first error of a worker stops the others and is raised here."""
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for task in tasks:
            waiting.put(task)
        answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        with ExitStack() as stack:
            for _ in range(min(self.n_workers, len(tasks))):
                log = stack.enter_context(tempfile.TemporaryFile("w+"))
                process = _start(folder, self.threads, log)
                stack.callback(_end, process)
                threading.Thread(target=_feed, args=(process, log, job, waiting, answers), daemon=True).start()
            for _ in tasks:
                answer = answers.get()
                if "error" in answer:
                    raise _error(answer)
                tick(answer["counts"])


def _start(folder: Path, threads: int, log: IO[str]) -> subprocess.Popen[str]:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads))}
    paths = [path for path in sys.path if path]
    environment["PYTHONPATH"] = os.pathsep.join([os.getcwd(), *paths])
    command = [sys.executable, "-m", "unitscope.runners.worker", str(folder)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment, text=True, encoding="utf-8"
    )


def _end(process: subprocess.Popen[str]) -> None:
    """Kill a worker if it still runs. Not by the process' own context: what a broken pipe holds cannot be flushed."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError, ValueError):
                pipe.close()


def _feed(
    process: subprocess.Popen[str],
    log: IO[str],
    job: Job,
    waiting: queue.SimpleQueue[int],
    answers: queue.SimpleQueue[dict[str, Any]],
) -> None:
    """Hand one worker task after task until none waits or it fails."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        while True:
            try:
                task = waiting.get_nowait()
            except queue.Empty:
                break
            process.stdin.write(json.dumps({"job": job.to_json(), "task": task}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                process.wait()
                log.seek(0)
                tail = log.read()[-2000:]
                killed = "If memory ran out, lower --memory or --workers. " * (process.returncode < 0)
                answers.put(
                    {
                        "error": f"A worker process died (exit {process.returncode}).",
                        "fix": f"{killed}Run the same command again: it goes on where it stopped.",
                        "log": tail,
                    }
                )
                return
            answers.put(json.loads(line))
        process.stdin.close()
        process.wait()
    except (OSError, ValueError) as error:  # a broken pipe, or an answer that is no JSON
        answers.put({"error": f"A worker process cannot be reached: {error}."})


def _error(answer: dict[str, Any]) -> UnitscopeError:
    kind = getattr(errors, answer.get("type", ""), UnitscopeError)
    detail = answer.get("log", "").strip().splitlines()
    fix = answer.get("fix") or "Run the same command again: it goes on where it stopped."
    got = answer["error"] + (f" Its last words: {detail[-1]}" if detail else "")
    error: UnitscopeError = kind(got, expected=answer.get("expected", ""), fix=fix)
    return error
