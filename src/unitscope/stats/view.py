"""A view: some units over some sites, with the concepts there; statistics are asked of it and computed once.

A measure never sees halves, blocks or null draws: the study shows it a view of one fold, and the measure names the
statistics it needs as *requests*, frozen dataclasses compared by value. A request may ask for others in turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import Keys, key_table
from unitscope.errors import MeasureError
from unitscope.stats import kernels

T_co = TypeVar("T_co", covariant=True)


class Request(Protocol[T_co]):
    """Something that can be computed from a view. Requests are hashable and compared by value."""

    def compute(self, view: View) -> T_co:
        """Compute the statistic for all units of the view."""


@dataclass(frozen=True)
class Columns:
    """Concepts over the sites of a view, as sparse columns: `sites[indptr[c]:indptr[c+1]]` ascending, [C+1], [nnz]."""

    indptr: NDArray[np.int64]
    sites: NDArray[np.int32]
    n_sites: int

    @property
    def n_concepts(self) -> int:
        """Number of concepts."""
        return len(self.indptr) - 1

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Sites of each concept, [C]."""
        return cast("NDArray[np.int64]", np.diff(self.indptr))

    def of(self, concept: int) -> NDArray[np.int32]:
        """Sites of one concept."""
        return self.sites[self.indptr[concept] : self.indptr[concept + 1]]

    def only(self, concept: int) -> Columns:
        """These columns with one concept left."""
        sites = self.of(concept)
        return Columns(np.array([0, len(sites)], np.int64), sites, self.n_sites)

    def at(self, keep: NDArray[np.bool_]) -> Columns:
        """Restrict to the sites where `keep` [S] holds, renumbered."""
        new = np.cumsum(keep, dtype=np.int64) - 1
        inside = keep[self.sites]
        before = np.concatenate([[0], np.cumsum(inside, dtype=np.int64)])
        return Columns(before[self.indptr], new[self.sites[inside]].astype(np.int32), int(keep.sum()))

    def joined(self, other: Columns) -> Columns:
        """These columns, then others over the same sites."""
        indptr = np.concatenate([self.indptr, other.indptr[1:] + self.indptr[-1]])
        return Columns(indptr, np.concatenate([self.sites, other.sites]), self.n_sites)

    def mask(self, concept: int) -> NDArray[np.bool_]:
        """Boolean mask [S] of one concept."""
        mask = np.zeros(self.n_sites, np.bool_)
        mask[self.of(concept)] = True
        return mask

    @classmethod
    def from_masks(cls, masks: NDArray[np.bool_]) -> Columns:
        """From dense masks [S, C]."""
        indptr = np.concatenate([[0], np.cumsum(masks.sum(axis=0))]).astype(np.int64)
        return cls(indptr, np.nonzero(masks.T)[1].astype(np.int32), masks.shape[0])


class View:
    """Keys [U, S] of some units over some sites, with concepts as sparse columns over the same sites.

    `scale` [U] turns key values into the units' own: value = from_keys(key) * scale. Raises MeasureError when keys
    and concepts are over different numbers of sites.
    """

    def __init__(self, keys: Keys, columns: Columns, scale: NDArray[np.float32] | None = None) -> None:
        # Compiled loops do not check bounds.
        if keys.shape[1] != columns.n_sites:
            raise MeasureError(
                f"Got activations at {keys.shape[1]} sites and concepts at {columns.n_sites}.", expected="equal sites"
            )
        self.keys = keys
        self.columns = columns
        self.scale = np.ones(keys.shape[0], np.float32) if scale is None else scale
        self._known: dict[Any, Any] = {}

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.keys.shape[0])

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return int(self.keys.shape[1])

    def ask(self, request: Request[T_co]) -> T_co:
        """Answer a request, computed at most once."""
        if request not in self._known:
            self._known[request] = request.compute(self)
        return cast("T_co", self._known[request])

    def pair(self, units: NDArray[np.intp], concept: int) -> View:
        """The same sites with some units and one concept; sorted rows are taken over."""
        part = View(self.keys[units], self.columns.only(concept), self.scale[units])
        part.__dict__["rising"] = self.rising[units]
        part.__dict__["value_of"] = self.value_of
        part._known = {
            request: value.take_units(units) for request, value in self._known.items() if hasattr(value, "take_units")
        }
        return part

    @cached_property
    def rising(self) -> Keys:
        """Each unit's keys sorted, [U, S]."""
        return np.sort(self.keys, axis=1)

    @cached_property
    def ranks(self) -> NDArray[np.int32]:
        """Doubled midranks [U, S]."""
        return kernels.double_ranks(self.keys, self.rising)

    @cached_property
    def order(self) -> NDArray[np.int32]:
        """Sites by falling value, [U, S]."""
        return kernels.descending(self.keys, self.rising)

    @cached_property
    def value_of(self) -> NDArray[np.float32]:
        """Unscaled value of each key, [65536]."""
        return key_table()

    @cached_property
    def swept(self) -> NDArray[np.float64]:
        """Average precisions, rank sums and value sums of all concepts, [4, U, C]: see `kernels.sweep`."""
        return kernels.sweep(self.rising, self.sorted_columns, self.columns.indptr, self.value_of)

    @property
    def has_sorted_columns(self) -> bool:
        """Whether sorted columns are there already, so that a sweep costs less than ranking."""
        return "sorted_columns" in self.__dict__

    @cached_property
    def sorted_columns(self) -> Keys:
        """Keys at each concept's sites, rising within the concept, [U, nnz]."""
        columns = kernels.gather(self.keys, self.columns.sites)
        indptr = self.columns.indptr
        for start, end in zip(indptr[:-1].tolist(), indptr[1:].tolist(), strict=True):
            columns[:, start:end].sort(axis=1)
        return columns
