"""The two sides of a probe's split: what it is fitted to, and what it is judged on, each with its values.

Values are read once into memory where both sides fit the budget, else from the activations' shards each time. Units
with a value that is no finite number on either side are left out, and counted; units that never change stay (a probe
gives them no weight).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unitscope.activations import Activations
from unitscope.errors import ProbeError
from unitscope.probes.base import ArrayMatrix, Columns, Labels, Matrix, Subset, Targets

MEMORY = 4_000_000_000


@dataclass(frozen=True, eq=False)
class Side:
    """Sites of one side: `values` [S, U]; what is `asked` [S] (a class or number at every site); `block` [S], what
    stands or falls together; `form` [S], word forms, equal numbers on both sides for equal forms.
    """

    values: Matrix
    asked: Labels | Targets
    block: NDArray[np.int32]
    form: NDArray[np.integer]

    @property
    def n_sites(self) -> int:
        """Number of sites, S."""
        return self.asked.n_sites

    @property
    def truth(self) -> NDArray[np.int32] | NDArray[np.float64]:
        """The class' index or the number at each site, [S]."""
        return self.asked.of_site if isinstance(self.asked, Labels) else self.asked.values

    def of_units(self, columns: NDArray[np.integer]) -> Side:
        """The same sites with these columns' units alone."""
        return replace(self, values=Subset(self.values, columns=columns))

    def at(self, keep: NDArray[np.bool_]) -> Side:
        """The sites where `keep` [S] is true."""
        return Side(Subset(self.values, keep), self.asked.select_sites(keep), self.block[keep], self.form[keep])


@dataclass(frozen=True, eq=False)
class Pieces:
    """Values of `columns` (ascending) of activations at the sites of a mask [S], read from their shards each time."""

    activations: Activations
    keep: NDArray[np.bool_]
    columns: NDArray[np.int64]

    @property
    def n_sites(self) -> int:
        """Number of sites in the mask."""
        return int(self.keep.sum())

    @property
    def n_units(self) -> int:
        """Number of columns."""
        return len(self.columns)

    def blocks(self, columns: Columns = None) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """As `Matrix.blocks`; columns may come in any order."""
        wanted = self.columns if columns is None else self.columns[columns]
        rising = np.argsort(wanted, kind="stable")
        back = np.argsort(rising, kind="stable")
        in_order = bool((rising == np.arange(len(rising))).all())
        start = 0
        for rows, values in self.activations.blocks(wanted[rising]):
            part = values[self.keep[rows]]
            if len(part):
                yield slice(start, start + len(part)), part if in_order else part[:, back]
                start += len(part)


@dataclass(frozen=True, eq=False)
class Reading:
    """Values of both sides over U units: `columns` [U] of the activations. `dropped` others have values not finite."""

    train: Matrix
    held: Matrix
    columns: NDArray[np.int64]
    dropped: int


def read_sides(
    parts: Sequence[tuple[Activations, NDArray[np.bool_]]], columns: NDArray[np.int64], memory: int = MEMORY
) -> Reading:
    """Values of `columns` at two masks of sites, of the same activations or of two corpora's.

    Raises ProbeError where no unit has finite values throughout.
    """
    n_bytes = sum(int(keep.sum()) for _, keep in parts) * len(columns) * 4
    finite = np.ones(len(columns), np.bool_)
    if n_bytes > memory:
        pieces = [Pieces(activations, keep, columns) for activations, keep in parts]
        for piece in pieces:
            for _, values in piece.blocks():
                finite &= np.isfinite(values).all(axis=0)
        matrices: list[Matrix] = [replace(piece, columns=columns[finite]) for piece in pieces]
    else:
        arrays = _arrays(parts, columns)
        for array in arrays:
            # A sum is finite where all values are, but for overflow, which the slow look tells apart.
            odd = ~np.isfinite(array.sum(axis=0, dtype=np.float64))
            finite[odd] &= np.isfinite(array[:, odd]).all(axis=0)
        matrices = [ArrayMatrix(array if finite.all() else array[:, finite]) for array in arrays]
    if not finite.any():
        raise ProbeError("No unit has finite values at all sites.", fix="Choose other layers.")
    return Reading(matrices[0], matrices[1], columns[finite], int((~finite).sum()))


def _arrays(
    parts: Sequence[tuple[Activations, NDArray[np.bool_]]], columns: NDArray[np.int64]
) -> list[NDArray[np.float32]]:
    """Values in memory; activations that both sides are of are read once."""
    first, second = parts
    if first[0] is not second[0]:
        return [activations.values(columns, keep) for activations, keep in parts]
    found = [np.empty((int(keep.sum()), len(columns)), np.float32) for _, keep in parts]
    at = [0, 0]
    for rows, block in first[0].blocks(columns):
        for side, (_, keep) in enumerate(parts):
            kept = block[keep[rows]]
            found[side][at[side] : at[side] + len(kept)] = kept
            at[side] += len(kept)
    return found
