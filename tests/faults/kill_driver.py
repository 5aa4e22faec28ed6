"""Runs a small map in forked children that are killed at chosen steps. Not a test: `test_kill.py` starts it.

Every change on disk is a step: the beginning of a file, its middle (half of its bytes are there), its renaming, the
renaming and deleting of folders. The steps are counted by wrapping the functions that make them, so that the package
needs no hooks. A process that reaches the step it was given ends itself with SIGKILL. Worker processes are forked
instead of started anew, which saves their imports; their pipes and protocol are the real ones.

Usage: kill_driver.py CORPUS FOLDER, then one JSON object a line on standard input: `kills`, the steps at which to
kill one child after another in one output folder (a whole number: a step of the run's own process; a fraction:
seconds; ["worker", n]: a step of a worker; "delete": delete the atlas), and `workers`. A last child runs to its end.
The answer is a line: how each child ended, the steps of the last one, the digests of its files, what else is left.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import unitscope.store

SETTINGS: dict[str, Any] = {
    "layers": ("embed", "mix", "out"),
    "concepts": ("upos", "words:20"),
    "measures": ("auroc",),
    "baselines": ("untrained",),
    "formulas": 2,
    "ladder": True,
    "pairs": True,
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Steps:
    """Counts the steps of this process under one folder and kills it at one of them."""

    def __init__(self, target: int = -1, folder: str = "nowhere") -> None:
        self.target, self.folder = target, folder
        self.names: list[str] = []

    def at(self, name: str, path: Any) -> bool:
        """Count a step; whether it is the one to die at."""
        if not str(path).startswith(self.folder):
            return False
        self.names.append(f"{name} {Path(path).name}")
        return len(self.names) - 1 == self.target

    def pass_by(self, name: str, path: Any) -> None:
        if self.at(name, path):
            die()


steps = Steps()
worker_target = -1
_writing, _rmtree = unitscope.store.writing, shutil.rmtree


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    steps.pass_by("begin", path)
    with _writing(path) as file:
        yield file
        if steps.at("half", path):
            file.flush()
            file.truncate(file.tell() // 2)
            die()


unitscope.store.writing = writing  # before the modules that import it by name


def wrap(owner: Any, name: str) -> None:
    plain: Callable[..., Any] = getattr(owner, name)

    def stepping(path: Any, *args: Any, **kwargs: Any) -> Any:
        steps.pass_by(f"before {name}", path)
        found = plain(path, *args, **kwargs)
        steps.pass_by(f"after {name}", path)
        return found

    setattr(owner, name, stepping)


def rmtree(path: Any, *args: Any, **kwargs: Any) -> None:
    steps.pass_by("before rmtree", path)
    files = sorted(file for file in Path(path).rglob("*") if file.is_file())
    if files and steps.at("half rmtree", path):
        for file in files[: (len(files) + 1) // 2]:
            os.unlink(file)
        die()
    _rmtree(path, *args, **kwargs)
    steps.pass_by("after rmtree", path)


class Forked:
    """A worker process, as far as the runner needs a `subprocess.Popen`."""

    def __init__(self, folder: Path) -> None:
        ask, answer = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            from unitscope.runners import worker

            steps.__init__(worker_target, steps.folder)  # type: ignore[misc]
            os.dup2(ask[0], 0)
            os.dup2(answer[1], 1)
            os.closerange(3, 200)  # as a program started anew would find them
            sys.stdin = os.fdopen(0, encoding="utf-8")
            worker.main([str(folder)])
        os.close(ask[0])
        os.close(answer[1])
        self.stdin, self.stdout = os.fdopen(ask[1], "w"), os.fdopen(answer[0])
        self.returncode: int | None = None
        self._waiting = threading.Lock()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            if self.returncode is None:
                os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int | None:
        with self._waiting:
            if self.returncode is None:
                self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: Any) -> None:
        self.stdin.close()
        self.wait()


def child(target: Any, workers: int, corpus: str, out: str) -> tuple[int, list[str]]:
    """Run the map in a fork that dies at a target. Its exit (negative: a signal) and the steps it passed."""
    global worker_target
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        steps.__init__(target if isinstance(target, int) else -1, out)  # type: ignore[misc]
        worker_target = target[1] if isinstance(target, list) else -1
        try:
            unitscope.map("python:small_model:make", corpus, out=out, workers=workers, **SETTINGS)
            os.write(write, json.dumps(steps.names).encode())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(write)
    timer = threading.Timer(target, os.kill, (pid, signal.SIGKILL)) if isinstance(target, float) else None
    if timer:
        timer.start()
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if timer:
        timer.cancel()
        timer.join()
    return code, json.loads(said) if said else []


def digests(out: str) -> dict[str, str]:
    """SHA-256 of every file but run.json, by its path in the atlas."""
    folder = Path(out)
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "run.json")
    return {str(path.relative_to(folder)): unitscope.store.sha256_of(path) for path in files}


def main() -> None:
    corpus, folder = sys.argv[1:]
    out = str(Path(folder) / "atlas")
    from unitscope.runners import processes

    unitscope.map("python:small_model:make", corpus, out=f"{folder}/warm", workers=1, **SETTINGS)  # imports, loops
    for name in ("replace", "rename", "unlink"):
        wrap(Path, name)
    shutil.rmtree = rmtree  # type: ignore[assignment]
    processes._start = lambda folder, threads, log: Forked(folder)  # type: ignore[assignment,return-value]
    for line in sys.stdin:
        task, codes, names = json.loads(line), [], []
        for target in [*task["kills"], -1]:
            if target == "delete":
                _rmtree(out, ignore_errors=True)
                continue
            code, names = child(target, task["workers"], corpus, out)
            codes.append(code)
        left = sorted({path.name for path in Path(folder).iterdir()} - {"atlas", "warm"})
        answer = {"codes": codes, "names": names, "digests": digests(out), "left": left}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        _rmtree(out)


if __name__ == "__main__":
    main()
