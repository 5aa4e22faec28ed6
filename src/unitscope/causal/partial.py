"""What a sweep has measured so far, on disk: a run that is killed goes on where it was.

A folder holds the task's statistics of the whole network (`whole`) and of each chunk of edits, a file each, written
whole. What is found there counts only if the network, run again without edits, gives the same numbers bit for bit: so
another model, other items or a task that has changed meanwhile are noticed, whatever the question said. A chunk counts
only for the very edits that it was measured with: a ranking or means of the same name may be others by now.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.edits import Edit
from unitscope.errors import StoreError
from unitscope.store import read_arrays, write_arrays

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Partial:
    """A folder of statistics, [E, I, K] a file."""

    folder: Path

    def check(self, name: str, whole: Floats) -> None:
        """Keep what is there of a sweep if it was made with the same unedited statistics; begin anew otherwise."""
        path = self._path(name, "whole")
        if path.exists():
            found = self._read(path)
            if found is not None and found.shape == whole.shape and (found == whole).all():
                return
        shutil.rmtree(path.parent, ignore_errors=True)
        write_arrays(path, {"statistics": whole})

    def read(self, name: str, start: int, shape: tuple[int, ...], key: str) -> Floats | None:
        """Statistics of a chunk of edits (`key`) that begins at edit `start`; None where they are not there."""
        path = self._path(name, f"{start:06d}")
        found = self._read(path, key) if path.exists() else None
        return found if found is not None and found.shape == shape else None

    def write(self, name: str, start: int, statistics: Floats, key: str) -> None:
        """Keep the statistics of a chunk of edits, whose key is `key_of` them."""
        write_arrays(self._path(name, f"{start:06d}"), {"statistics": statistics}, {"edits": key})

    def discard(self) -> None:
        """Delete all of it: the result is kept elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str, what: str) -> Path:
        return self.folder / name / f"{what}.safetensors"

    @staticmethod
    def _read(path: Path, key: str = "") -> Floats | None:
        try:
            arrays, meta = read_arrays(path)
            return np.asarray(arrays["statistics"], np.float64) if meta.get("edits", "") == key else None
        except (StoreError, KeyError):
            return None


def key_of(edits: Sequence[Edit]) -> str:
    """A key of edits: the same for the same units, changes, numbers and masks."""
    made = hashlib.sha256()
    _told(tuple(edits), made)
    return made.hexdigest()


def _told(what: Any, made: Any) -> None:
    """Feed all that a declaration holds to a digest."""
    if isinstance(what, np.ndarray):
        made.update(f"{what.dtype.str}{what.shape}".encode())
        made.update(np.ascontiguousarray(what).tobytes())
        return
    made.update(f"{type(what).__qualname__}(".encode())
    if is_dataclass(what):
        for each in fields(what):
            _told(getattr(what, each.name), made)
    elif isinstance(what, Mapping):
        for name, each in what.items():
            _told(name, made)
            _told(each, made)
    elif isinstance(what, AbstractSet):
        made.update(repr(sorted(what)).encode())
    elif isinstance(what, (tuple, list)):
        for each in what:
            _told(each, made)
    else:  # what shows itself by its address is new in every run, and measured again
        made.update(repr(what).encode("utf-8", "surrogatepass"))
    made.update(b")")
