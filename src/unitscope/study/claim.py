"""Whose a work folder is: a mark with the study's key, and a lock so that two runs never meet in one folder.

The lock is the operating system's and dies with its process, however that ends. Nothing is deleted from a folder
that no run has marked.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from unitscope.errors import StoreError
from unitscope.store import cannot_write, read_json, write_json
from unitscope.study.plan import Study

MARK, LOCK, PREPARED = "study.json", "lock", "prepared"


@contextmanager
def claimed(work: Path, study: Study) -> Iterator[None]:
    """Hold the work folder of a study for the time of a run.

    Raises StoreError when another run is at work in it, when it holds unfinished work of another study, or when it
    is no work folder at all.
    """
    _refuse_foreign(work)
    with _locked(work):
        mark = _read_mark(work)
        stale = mark.get("finished") or not (work / PREPARED).exists()
        if mark and mark.get("key") != study.key and not stale:
            raise StoreError(
                f"'{work.name}' holds the unfinished work of another run.",
                fix="Finish that run with its own command, give another --out, or delete that folder.",
            )
        if mark.get("finished") or mark.get("key") != study.key:
            _empty(work)
            write_json(work / MARK, {"key": study.key, "study": study.to_json()})
        for path in work.rglob(".*.tmp"):  # what a killed run left half written
            with suppress(OSError):
                path.unlink()
        yield


def clear(work: Path) -> None:
    """Delete the work folder of a finished study; what is left of it by a kill is deleted by the next run."""
    if (work / MARK).exists():
        with suppress(StoreError):
            write_json(work / MARK, {**_read_mark(work), "finished": True})
        _empty(work)
        with suppress(OSError):
            (work / MARK).unlink()
    for leave in ((work / LOCK).unlink, work.rmdir):
        with suppress(OSError):
            leave()


def _refuse_foreign(work: Path) -> None:
    try:
        names = {path.name for path in work.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(work, error) from error
    ours = {LOCK, *(name for name in names if name.startswith(f".{MARK}."))}
    if MARK not in names and names - ours:
        raise StoreError(
            f"'{work.name}' is in the way: unfinished work would go there, but it is not ours.",
            fix="Give another --out, or move that folder.",
        )


def _read_mark(work: Path) -> dict[str, Any]:
    if not (work / MARK).exists():
        return {}
    try:
        mark = read_json(work / MARK)
    except StoreError:
        mark = None
    if not isinstance(mark, dict):
        raise StoreError(f"'{MARK}' in '{work.name}' is corrupted.", fix="Delete that folder and map again.")
    return mark


def _empty(work: Path) -> None:
    """Delete all but the mark and the lock."""
    for path in sorted(work.iterdir()):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in (MARK, LOCK):
            with suppress(OSError):
                path.unlink()


@contextmanager
def _locked(work: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # where the system has no such locks, runs are trusted not to meet
        yield
        return
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock = os.open(work / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise cannot_write(work / LOCK, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise StoreError(
            f"Another run is at work in '{work.name}'.", fix="Wait for it, stop it, or give another --out."
        ) from error
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        os.close(lock)
