"""Runs a small map in forked children that are killed at chosen steps. Not a test: `test_kill.py` starts it.

Every change on disk is a step: the beginning of a file, its middle (half of its bytes are there), its renaming, the
renaming and deleting of folders. The steps are counted by wrapping the functions that make them, so that the package
needs no hooks. A child that reaches the step it was given ends itself with SIGKILL.

Usage: kill_driver.py CORPUS FOLDER, then one JSON list a line on standard input: the steps at which to kill one
after another, in one output folder. The answer is a line: how each child ended, and the digests at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import unitscope.store

SETTINGS: dict[str, Any] = {
    "layers": ("embed", "mix", "out"),
    "concepts": ("upos", "words:20"),
    "measures": ("auroc",),
    "baselines": ("untrained",),
    "workers": 1,
}


class Steps:
    """Counts the steps of this process under one folder and kills it at one of them."""

    def __init__(self) -> None:
        self.target = -1
        self.folder = ""
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


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


STEPS = Steps()
_writing = unitscope.store.writing


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    STEPS.pass_by("begin", path)
    with _writing(path) as file:
        yield file
        if STEPS.at("half", path):
            file.flush()
            file.truncate(file.tell() // 2)
            die()


unitscope.store.writing = writing  # before the modules that import it by name


def wrap(owner: Any, name: str) -> None:
    plain: Callable[..., Any] = getattr(owner, name)

    def stepping(path: Any, *args: Any, **kwargs: Any) -> Any:
        STEPS.pass_by(f"before {name}", path)
        found = plain(path, *args, **kwargs)
        STEPS.pass_by(f"after {name}", path)
        return found

    setattr(owner, name, stepping)


_rmtree = shutil.rmtree


def rmtree(path: Any, *args: Any, **kwargs: Any) -> None:
    STEPS.pass_by("before rmtree", path)
    files = sorted(file for file in Path(path).rglob("*") if file.is_file())
    if files and STEPS.at("half rmtree", path):
        for file in files[: (len(files) + 1) // 2]:
            os.unlink(file)
        die()
    _rmtree(path, *args, **kwargs)
    STEPS.pass_by("after rmtree", path)


def child(target: int, corpus: str, out: str) -> tuple[int, list[str]]:
    """Run the map in a fork that dies at a step (-1: never). Its exit (negative: a signal) and the steps it passed."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        STEPS.target, STEPS.folder = target, out
        for name in ("replace", "rename", "unlink"):
            wrap(Path, name)
        shutil.rmtree = rmtree
        try:
            unitscope.map("python:small_model:make", corpus, out=out, **SETTINGS)
            os.write(write, json.dumps(STEPS.names).encode())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code, json.loads(said) if said else []


def digests(out: str) -> dict[str, str]:
    """SHA-256 of every file but run.json, by its path in the atlas."""
    folder = Path(out)
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "run.json")
    return {str(path.relative_to(folder)): unitscope.store.sha256_of(path) for path in files}


def main() -> None:
    corpus, folder = sys.argv[1:]
    out = str(Path(folder) / "atlas")
    import unitscope.models
    import unitscope.study.run

    unitscope.map("python:small_model:make", corpus, out=f"{out}-warm", **SETTINGS)  # imports, compiled loops
    for line in sys.stdin:
        codes, names = [], []
        for target in [*json.loads(line), -1]:
            code, names = child(target, corpus, out)
            codes.append(code)
        left = sorted(path.name for path in Path(folder).iterdir() if path.name.startswith("atlas.") or "tmp" in path.name)
        print(json.dumps({"codes": codes, "names": names, "digests": digests(out), "left": left}), flush=True)
        _rmtree(out)


if __name__ == "__main__":
    main()
