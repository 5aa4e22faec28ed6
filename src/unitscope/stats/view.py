"""A view: some units over some sites, with the concepts there; statistics are asked of it and computed once.

A measure never sees halves, blocks or null draws: the study shows it a view of one fold, and the measure names the
statistics it needs as *requests*, frozen dataclasses compared by value. A request may ask for others in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import Keys, key_table
from unitscope.errors import MeasureError
from unitscope.stats import kernels, sorting
from unitscope.stats.walks import Combinations, Walked, walk_all, walk_own

T_co = TypeVar("T_co", covariant=True)


class Request(Protocol[T_co]):
    """Something that can be computed from a view. Requests are hashable and compared by value."""

    def compute(self, view: View) -> T_co:
        """Compute the statistic for all units of the view."""


@runtime_checkable
class Edged(Protocol):
    """A request that counts sites beyond edges on the units' scales."""

    def edges(self, view: View) -> Keys:
        """Keys [U, E]; sites with a greater key are counted."""


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

    @cached_property
    def combinations(self) -> Combinations:
        """Which concepts hold together at each site."""
        return Combinations.of(self.indptr, self.sites, self.n_sites)

    def of(self, concept: int) -> NDArray[np.int32]:
        """Sites of one concept."""
        return self.sites[self.indptr[concept] : self.indptr[concept + 1]]

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


@dataclass(frozen=True)
class Part:
    """Some of the sites: which ones [n], ascending, and each site's new number or -1, [S]."""

    sites: NDArray[np.uint32]
    number: NDArray[np.int32]

    @classmethod
    def of(cls, keep: NDArray[np.bool_]) -> Part:
        """The sites where `keep` [S] holds."""
        number = np.where(keep, np.cumsum(keep, dtype=np.int32) - 1, -1).astype(np.int32)
        return cls(np.flatnonzero(keep).astype(np.uint32), number)


class View:
    """Keys [U, S] of some units over some sites, with concepts as sparse columns over the same sites.

    `scale` [U] turns key values into the units' own: value = from_keys(key) * scale. Raises MeasureError when keys
    and concepts are over different numbers of sites.
    """

    def __init__(
        self,
        keys: Keys,
        columns: Columns,
        scale: NDArray[np.float32] | None = None,
        order: sorting.Order | None = None,
    ) -> None:
        # Compiled loops do not check bounds.
        if keys.shape[1] != columns.n_sites:
            raise MeasureError(
                f"Got activations at {keys.shape[1]} sites and concepts at {columns.n_sites}.", expected="equal sites"
            )
        self.keys = keys
        self.columns = columns
        self.scale = np.ones(keys.shape[0], np.float32) if scale is None else scale
        self._known: dict[Any, Any] = {}
        self._edged: dict[Edged, slice] = {}
        if order is not None:
            self.__dict__["order"] = order

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.keys.shape[0])

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return int(self.keys.shape[1])

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Sites of each concept, [C], or [U, 1] where each unit has one concept of its own."""
        return self.columns.counts

    def ask(self, request: Request[T_co]) -> T_co:
        """Answer a request, computed at most once."""
        if request not in self._known:
            self._known[request] = request.compute(self)
        return cast("T_co", self._known[request])

    def expect(self, requests: Sequence[Request[Any]]) -> None:
        """Say what will be asked for, so that one walk down the sites answers it all."""
        n_edges = sum(at.stop - at.start for at in self._edged.values())
        for request in requests:
            if isinstance(request, Edged) and request not in self._edged:
                width = request.edges(self).shape[1]
                self._edged[request] = slice(n_edges, n_edges + width)
                n_edges += width
                self.__dict__.pop("walked", None)

    def part(self, part: Part, columns: Columns) -> View:
        """The units over some of the sites, with `columns` over those; the order is taken over."""
        order = sorting.part(self.order, part.number, len(part.sites))
        return View(kernels.gather(self.keys, part.sites), columns, self.scale, order)

    def of(self, units: NDArray[np.intp]) -> View:
        """Some units over the same sites; the order is taken over."""
        return View(self.keys[units], self.columns, self.scale[units], self.order[units])

    def own(self, units: NDArray[np.intp], concepts: NDArray[np.intp]) -> OwnView:
        """Some units over the same sites, each with one concept of its own; shapes [U, C] become [U, 1]."""
        view = OwnView(self.keys[units], self.columns, self.scale[units], self.order[units])
        view.concepts = concepts
        view.__dict__["value_of"] = self.value_of
        return view

    @cached_property
    def order(self) -> sorting.Order:
        """Sites by falling value, equal ones by site, [U, S]."""
        return sorting.falling(self.keys)

    @cached_property
    def rising(self) -> Keys:
        """Each unit's keys sorted, [U, S]."""
        return sorting.rising(self.keys, self.order)

    @cached_property
    def ranks(self) -> NDArray[np.int32]:
        """Doubled midranks [U, S]."""
        return sorting.double_ranks(self.keys, self.order)

    def sorted_at(self, places: Sequence[int]) -> Keys:
        """Keys at places (from 0) of the rising order, [U, len(places)]."""
        at = np.array([self.n_sites - 1 - place for place in places], np.intp)
        return np.take_along_axis(self.keys, self.order[:, at].astype(np.intp), axis=1)

    @cached_property
    def value_of(self) -> NDArray[np.float32]:
        """Unscaled value of each key, [65536]."""
        return key_table()

    @cached_property
    def walked(self) -> Walked:
        """Sums by concept and counts beyond all edges that are expected: see `walks`."""
        parts = [request.edges(self) for request in self._edged]
        return self._walk(np.concatenate([*parts, np.zeros((self.n_units, 0), np.uint16)], axis=1))

    def _walk(self, edges: Keys) -> Walked:
        columns = self.columns
        return walk_all(self.keys, self.order, columns.combinations, columns.counts, edges, self.value_of)

    def rank_sums(self) -> NDArray[np.int64]:
        """Sum of doubled midranks over each concept's sites, [U, C]; cheaper than a walk where none is due."""
        if self._edged or "walked" in self.__dict__:
            return np.asarray(self.walked.sums[2], np.int64)
        return kernels.sum_ranks(self.ranks, self.columns.indptr, self.columns.sites)

    def above(self, request: Edged) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Sites beyond a request's edges: of each concept [U, C, E], and of all [U, E]."""
        self.expect([cast("Request[Any]", request)])
        walked, at = self.walked, self._edged[request]
        return walked.above[:, :, at].astype(np.int64), walked.row_above[:, at].astype(np.int64)


class OwnView(View):
    """A view in which each unit is compared with one concept of its own, `concepts` [U]."""

    concepts: NDArray[np.intp]

    def rank_sums(self) -> NDArray[np.int64]:
        """Sum of doubled midranks over each unit's concept, [U, 1]."""
        return np.asarray(self.walked.sums[2], np.int64)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Sites of each unit's concept, [U, 1]."""
        return self.columns.counts[self.concepts][:, None]

    def _walk(self, edges: Keys) -> Walked:
        columns = self.columns
        return walk_own(self.keys, self.order, columns.indptr, columns.sites, self.concepts, edges, self.value_of)
