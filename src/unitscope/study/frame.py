"""The frame of a grid: its valid sites with blocks, halves and controls, and the concepts by universe.

A *universe* is a set of sites over which some concepts are known; mostly there is one, all sites. Within it the frame
holds the concepts as columns over all sites and over each half, and everything the unit passes need that does not
depend on a unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from unitscope.concepts.table import ConceptTable
from unitscope.errors import PlanError
from unitscope.limits import release_memory
from unitscope.sites import kind_of
from unitscope.stats.controls import Controls, WithinForm
from unitscope.stats.formulas import Masks
from unitscope.stats.grid_controls import controls_of
from unitscope.stats.halves import Halves, split
from unitscope.stats.intervals import Blocks
from unitscope.stats.passport import Passports
from unitscope.stats.shifts import Shifts
from unitscope.stats.strata import Strata
from unitscope.stats.view import Columns, Part
from unitscope.store import ArrayFile
from unitscope.study.clipsites import Places
from unitscope.study.prepare import Prepared, Sites

T = TypeVar("T")
MIN_SITES, MIN_BLOCKS = 20, 5
ALIKE = 0.8
KEPT = 24_000_000
"""Bytes of what depends on a concept but no unit that are kept between chunks of units."""


class Kept:
    """Things made once and kept, up to a number of bytes; what comes later is made anew each time.

    Chunks of units ask for much the same concepts in the same order, so giving up old things for new ones would keep
    nothing long enough to be asked for again.
    """

    def __init__(self, n_bytes: int) -> None:
        self._room = n_bytes
        self._things: dict[tuple[str, int], Any] = {}

    def get(self, key: tuple[str, int], make: Callable[[], T]) -> T:
        """The thing under `key`, made if it is not there."""
        if key in self._things:
            return cast("T", self._things[key])
        thing = make()
        parts = vars(thing).values() if is_dataclass(thing) else (thing,)
        size = sum(part.nbytes for part in parts if isinstance(part, np.ndarray))
        if size <= self._room:
            self._things[key] = thing
            self._room -= size
        return thing


@dataclass(frozen=True)
class Universe:
    """Sites [S] (as a mask over the frame's, None for all) where `concepts` (indices into the frame's) are known."""

    concepts: NDArray[np.intp]
    known: NDArray[np.bool_] | None
    columns: Columns
    halves: Halves
    controls: Controls

    @cached_property
    def columns_a(self) -> Columns:
        """Concepts over the sites of half A."""
        return self.columns.at(self.halves.a)

    @cached_property
    def columns_b(self) -> Columns:
        """Concepts over the sites of half B."""
        return self.columns.at(self.halves.b)

    @cached_property
    def part(self) -> Part:
        """The universe's sites among the frame's."""
        return Part.of(np.ones(self.columns.n_sites, np.bool_) if self.known is None else self.known)

    @cached_property
    def part_a(self) -> Part:
        """Half A among the universe's sites."""
        return Part.of(self.halves.a)

    @cached_property
    def part_b(self) -> Part:
        """Half B among the universe's sites."""
        return Part.of(self.halves.b)

    @cached_property
    def blocks_b(self) -> Blocks:
        """Blocks of half B."""
        return Blocks.of(self.halves.block[self.halves.b])

    @cached_property
    def forms_b(self) -> Strata:
        """Strata of word form over half B."""
        return Strata.of(self.controls_b.form_stratum, self.blocks_b.of_site)

    @cached_property
    def places_b(self) -> Strata:
        """Strata of word form at position over half B."""
        return Strata.of(self.controls_b.form_at_position, self.blocks_b.of_site)

    @cached_property
    def masks_a(self) -> Masks:
        """Concepts over half A as bits, for the search of formulas."""
        return Masks.of(self.columns_a)

    @cached_property
    def within_a(self) -> WithinForm:
        """Design for partial effects within word forms on half A."""
        return WithinForm.prepare(self.controls.at(self.halves.a), self.columns_a)

    @cached_property
    def passports_a(self) -> Passports:
        """Design for variance shares on half A: the same sums as the partial effects, and blocks."""
        block = np.unique(self.halves.block[self.halves.a], return_inverse=True)[1].astype(np.int32)
        return Passports.prepare(self.within_a.controls, self.columns_a, block)

    @cached_property
    def controls_b(self) -> Controls:
        """Controls over half B."""
        return self.controls.at(self.halves.b)

    @cached_property
    def shifts_b(self) -> Shifts:
        """Null of circular shifts over half B."""
        return Shifts(int(self.halves.b.sum()))

    @cached_property
    def kept(self) -> Kept:
        """What is kept between chunks of units."""
        return Kept(KEPT)

    def spectrum_b(self, concept: int) -> NDArray[np.complex64]:
        """Spectrum of a concept's mask over half B."""
        return self.kept.get(("spectrum", concept), lambda: self.shifts_b.of_concept(self.columns_b.mask(concept)))

    def blocks_with(self, half: int) -> NDArray[np.int64]:
        """Number of blocks of a half that carry each concept, [C]."""
        columns = self.columns_b if half else self.columns_a
        block = self.halves.block[self.halves.half == half]
        return np.array([len(np.unique(block[columns.of(c)])) for c in range(columns.n_concepts)], np.int64)

    @cached_property
    def eligible(self) -> NDArray[np.bool_]:
        """Concepts with at least 20 sites in at least 5 blocks, and 20 sites without, in each half, [C]."""
        found = np.ones(self.columns.n_concepts, np.bool_)
        for half, columns in enumerate((self.columns_a, self.columns_b)):
            found &= (columns.counts >= MIN_SITES) & (columns.n_sites - columns.counts >= MIN_SITES)
            found &= self.blocks_with(half) >= MIN_BLOCKS
        return found


@dataclass(frozen=True)
class Frame:
    """Valid sites of a grid. `valid` [all sites] says which; everything else is over the S valid ones.

    `n_shown` [S] is how many sites each one's item has, valid or not, where that is not `sites.length`.
    """

    valid: NDArray[np.bool_]
    sites: Sites
    halves: Halves
    controls: Controls
    table: ConceptTable
    universes: tuple[Universe, ...]
    n_shown: NDArray[np.int32] | None = None

    def ready(self) -> None:
        """Make what all units share, once, before there is a chunk of units in memory beside it."""
        if not self.__dict__.get("_ready"):
            self._prepare()
            release_memory()  # of sparse products
            self.__dict__["_ready"] = True

    def _prepare(self) -> None:
        _ = self.eligible, self.alike
        for universe in self.universes:
            _ = universe.within_a.spread, universe.controls_b.solver, universe.blocks_b, universe.part
            _ = universe.columns.combinations, universe.forms_b, universe.places_b, universe.part_a, universe.part_b
            if universe.known is None:
                _ = universe.passports_a.every

    @property
    def n_sites(self) -> int:
        """Number of valid sites."""
        return len(self.sites.item)

    @property
    def columns(self) -> Columns:
        """All concepts over the frame's sites, known there or not."""
        return Columns(self.table.indptr, self.table.sites, self.table.n_sites)

    @cached_property
    def places(self) -> Places:
        """What drawing clips needs of the sites."""
        return Places.of(self.sites, self.halves, self.n_shown)

    @cached_property
    def passports(self) -> Passports:
        """Design for variance shares over all valid sites without context: for want of concepts known everywhere."""
        nothing = Columns(np.zeros(1, np.int64), np.zeros(0, np.int32), self.n_sites)
        return Passports.prepare(self.controls, nothing, self.halves.block)

    @cached_property
    def eligible(self) -> NDArray[np.bool_]:
        """Concepts that can be chosen and tested, [C]."""
        found = np.zeros(self.table.n_concepts, np.bool_)
        for universe in self.universes:
            found[universe.concepts] = universe.eligible
        return found

    def columns_b(self, universe: Universe) -> Columns:
        """All of the frame's concepts over half B of a universe."""
        if universe.known is None and len(universe.concepts) == self.table.n_concepts:
            return universe.columns_b

        def make() -> Columns:
            whole = Columns(self.table.indptr, self.table.sites, self.table.n_sites)
            return (whole if universe.known is None else whole.at(universe.known)).at(universe.halves.b)

        return universe.kept.get(("columns", -1), make)

    @cached_property
    def alike(self) -> NDArray[np.bool_]:
        """Pairs of concepts that hold at nearly the same sites (Jaccard at least .8), [C, C]."""
        from scipy.sparse import csc_matrix

        table = self.table
        shape = (table.n_sites, table.n_concepts)
        matrix = csc_matrix((np.ones(len(table.sites)), table.sites.copy(), table.indptr.copy()), shape=shape)
        both = np.asarray((matrix.T @ matrix).toarray())
        counts = table.counts().astype(np.float64)
        union = counts[:, None] + counts[None, :] - both
        return np.asarray(both >= ALIKE * np.maximum(union, 1))


def load_frame(prepared: Prepared, grid: str, spool: Sequence[Path], seed: int) -> Frame:
    """Build the frame of a grid from the prepared corpus and what the model had positions for.

    Raises PlanError when the model has a position for no site.
    """
    valid = np.concatenate([ArrayFile(path).read(f"valid.{grid}") for path in spool])
    return make_frame(prepared.sites(grid), prepared.groups(), prepared.concepts(grid), valid, seed, kind_of(grid))


def make_frame(
    sites: Sites,
    groups: Sequence[str],
    table: ConceptTable,
    valid: NDArray[np.bool_],
    seed: int,
    kind: str = "text",
) -> Frame:
    """Build a frame from arrays over all sites; see `load_frame`."""
    if not valid.any():
        raise PlanError("The model has a position for none of the corpus' words.", fix="Check tokenizer and corpus.")
    kept = Sites(*(getattr(sites, name)[valid] for name in ("item", "position", "length", "form")))
    table = table if valid.all() else table.select_sites(valid)
    halves = split(kept.item, groups, seed)
    form = np.unique(kept.form, return_inverse=True)[1].astype(np.int32)
    controls = controls_of(kind, form, kept.position, kept.length)
    columns = Columns(table.indptr, table.sites, table.n_sites)
    universes = tuple(
        _universe(columns, np.array(concepts, np.intp), known, halves, controls)
        for concepts, known in table.universes()
    )
    n_shown = None
    if kind != "text":  # an image's length is its number of columns, an item's its number of words
        n_shown = np.full(len(kept.item), int(sites.position.max()) + 1, np.int32)
    return Frame(valid, kept, halves, controls, table, universes, n_shown)


def _universe(
    columns: Columns, concepts: NDArray[np.intp], known: NDArray[np.bool_] | None, halves: Halves, controls: Controls
) -> Universe:
    chosen = _chosen(columns, concepts.tolist())
    if known is None:
        return Universe(concepts, None, chosen, halves, controls)
    inner = Halves(halves.block[known], halves.half[known], halves.n_blocks, halves.n_groups, halves.runs)
    return Universe(concepts, known, chosen.at(known), inner, controls.at(known))


def _chosen(columns: Columns, concepts: Sequence[int]) -> Columns:
    if len(concepts) == columns.n_concepts:
        return columns
    parts = [columns.of(c) for c in concepts]
    indptr = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return Columns(indptr, np.concatenate([*parts, np.zeros(0, np.int32)]).astype(np.int32), columns.n_sites)
