"""What is held fixed on grids other than words.

On an image grid a cell's *appearance* (its quantised mean colour and texture) takes the place of the word form, its
row and column bins that of position and length, and the stratum is a cell of the same appearance in the same ninth
part of the image. On the grid `item` a site is a whole text: nothing takes the place of the word form, so there is no
effect within it, and the stratum is the length of the text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unitscope.stats.controls import LENGTH_EDGES, Controls
from unitscope.stats.view import Columns

BINS = 12
"""Bins of rows, and of columns."""
PARTS = 3
"""Parts, each way, into which the strata cut the image."""
LENGTH_STRATA = (6, 11, 16, 21, 31, 41, 81)


def controls_of(kind: str, form: NDArray[np.int32], position: NDArray[np.int32], length: NDArray[np.int32]) -> Controls:
    """Controls for the sites of a kind of grid (`text`, `image`, `item`); `form` is dense."""
    if kind == "image":
        row, column = position // np.maximum(length, 1), position % np.maximum(length, 1)
        return CellControls(form, position, length, int(row.max(initial=0)) + 1, int(column.max(initial=0)) + 1)
    if kind == "item":
        return ItemControls(form, position, length)
    return Controls(form, position, length)


@dataclass(frozen=True)
class CellControls(Controls):
    """Appearance, cell in reading order, and number of columns of each site; of how many rows and columns in all."""

    n_rows: int = 1
    n_columns: int = 1

    def at(self, keep: NDArray[np.bool_]) -> CellControls:
        """Restrict to the sites where `keep` [S] holds; appearances stay dense."""
        form = np.unique(self.form[keep], return_inverse=True)[1].astype(np.int32)
        return replace(self, form=form, position=self.position[keep], length=self.length[keep])

    def _cut(self, n: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        width = np.maximum(self.length, 1)
        row, column = self.position // width, self.position % width
        down = row * min(n, self.n_rows) // self.n_rows
        return down.astype(np.int32), (column * min(n, self.n_columns) // self.n_columns).astype(np.int32)

    @cached_property
    def position_bin(self) -> NDArray[np.int32]:
        """Bin of the row [S]."""
        return self._cut(BINS)[0]

    @cached_property
    def length_bin(self) -> NDArray[np.int32]:
        """Bin of the column [S]."""
        return self._cut(BINS)[1]

    @cached_property
    def form_at_position(self) -> NDArray[np.int32]:
        """Stratum of appearance and ninth part of the image, dense [S]."""
        down, across = self._cut(PARTS)
        mixed = (self.form.astype(np.int64) * PARTS + down) * PARTS + across
        return np.asarray(np.unique(mixed, return_inverse=True)[1], np.int32)

    @cached_property
    def columns(self) -> Columns:
        """Indicator columns: bins of rows, then of columns (all but the first of each)."""
        return _indicators(
            [self.position_bin, self.length_bin], [self.n_position, min(BINS, self.n_columns) - 1], len(self.form)
        )

    @property
    def n_position(self) -> int:
        """How many of the columns are bins of rows."""
        return min(BINS, self.n_rows) - 1


@dataclass(frozen=True)
class ItemControls(Controls):
    """A single form, position 0, and the number of words of each item."""

    def at(self, keep: NDArray[np.bool_]) -> ItemControls:
        """Restrict to the sites where `keep` [S] holds."""
        return ItemControls(self.form[keep], self.position[keep], self.length[keep])

    @property
    def form_stratum(self) -> NDArray[np.int32]:
        """Each item its own stratum [S]: nothing stands for the word form, so there is no effect within it."""
        return np.arange(len(self.form), dtype=np.int32)

    @cached_property
    def form_at_position(self) -> NDArray[np.int32]:
        """Stratum of the text's length (to 5, 10, 15, 20, 30, 40, 80, more words), dense [S]."""
        coarse = np.searchsorted(LENGTH_STRATA, self.length, side="right")
        return np.asarray(np.unique(coarse, return_inverse=True)[1], np.int32)

    @cached_property
    def columns(self) -> Columns:
        """Indicator columns of the text's length."""
        return _indicators([self.length_bin], [len(LENGTH_EDGES)], len(self.form))

    @property
    def n_position(self) -> int:
        """An item has no position."""
        return 0


def _indicators(bins: list[NDArray[np.int32]], counts: list[int], n_sites: int) -> Columns:
    """Columns of the bins 1 ... count of each, one after the other."""
    parts = [np.flatnonzero(each == i) for each, count in zip(bins, counts, strict=True) for i in range(1, count + 1)]
    indptr = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return Columns(indptr, np.concatenate([*parts, np.zeros(0, np.intp)]).astype(np.int32), n_sites)
