"""What a sweep has measured so far, on disk: a run that is killed goes on where it was.

A folder holds the task's statistics of the whole network (`whole`) and of each chunk of edits, a file each, written
whole. What is found there counts only if the network, run again without edits, gives the same numbers bit for bit: so
another model, other items or a task that has changed meanwhile are noticed, whatever the question said.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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

    def read(self, name: str, start: int, shape: tuple[int, ...]) -> Floats | None:
        """Statistics of a chunk that begins at edit `start`; None where they are not there."""
        path = self._path(name, f"{start:06d}")
        found = self._read(path) if path.exists() else None
        return found if found is not None and found.shape == shape else None

    def write(self, name: str, start: int, statistics: Floats) -> None:
        """Keep the statistics of a chunk."""
        write_arrays(self._path(name, f"{start:06d}"), {"statistics": statistics})

    def discard(self) -> None:
        """Delete all of it: the result is kept elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str, what: str) -> Path:
        return self.folder / name / f"{what}.safetensors"

    @staticmethod
    def _read(path: Path) -> Floats | None:
        try:
            return np.asarray(read_arrays(path)[0]["statistics"], np.float64)
        except (StoreError, KeyError):
            return None
