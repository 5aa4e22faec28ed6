"""The concept table in one pass over the items, for all sources together.

What holds at a site is mostly one of few combinations, so a pass stores per source and site one int32, the number of
the combination, and expands them with numpy at the end. A hundred thousand word forms cost their names and no more.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from unitscope.concepts.base import ConceptSource, Judging, speaks
from unitscope.concepts.table import ConceptTable
from unitscope.errors import ConceptError
from unitscope.sites import Item


@runtime_checkable
class Declaring(Protocol):
    """A source that names its concepts beforehand: each must have a site, else the user made a mistake."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names without the category."""


class ConceptTableBuilder:
    """Collects the annotations of one grid's items, in site order.

    Raises ConceptError when two sources share a category, since names and known masks would clash.

    >>> from unitscope.concepts.words import WordSource
    >>> from unitscope.sites import Text
    >>> builder = ConceptTableBuilder([WordSource(min_sites=2)])
    >>> builder.add(Item("1", "a", {"source": Text.from_words(["to", "be", "or", "not", "to", "be"])}), "source")
    >>> table = builder.build()
    >>> table.names, table.sites.tolist(), table.dropped["words"]
    (('words:be', 'words:to'), [1, 5, 0, 4], 2)
    """

    def __init__(self, sources: Sequence[ConceptSource]) -> None:
        self._columns = [_SourceColumn(source) for source in sources]
        self._n_sites = 0
        seen: set[str] = set()
        for source in sources:
            if source.category in seen:
                raise ConceptError(f"Two sources have the category '{source.category}'.", expected="one source each")
            seen.add(source.category)

    @property
    def n_sites(self) -> int:
        """Number of sites added so far."""
        return self._n_sites

    def add(self, item: Item, grid: str) -> None:
        """Annotate the sites of one grid of an item and append them.

        Raises ConceptError when the item has no such grid or a source does not give one entry a site.
        """
        if grid not in item.grids:
            raise ConceptError(f"Item '{item.id}' has no grid '{grid}'.", expected=" or ".join(map(repr, item.grids)))
        for column in self._columns:
            column.add(item, grid)
        self._n_sites += item.grids[grid].n_sites

    def build(self) -> ConceptTable:
        """The table of all sites added, concepts in order of their source, then by name.

        Concepts below their source's `min_sites` and concepts that hold at every known site are left out. Raises
        ConceptError when no concept is left, or when one that the source declares has no site at all.
        """
        parts = [column.masks() for column in self._columns]
        names = tuple(name for part in parts for name in part.names)
        dropped = {part.category: part.n_dropped for part in parts}
        always = tuple(name for part in parts for name in part.always)
        if not names:
            raise self._nothing_left(dropped, always)
        indptr = np.zeros(len(names) + 1, dtype=np.int64)
        np.cumsum(np.concatenate([part.counts for part in parts]), out=indptr[1:])
        return ConceptTable(
            names=names,
            categories=tuple(part.category for part in parts for _ in part.names),
            indptr=indptr,
            sites=np.concatenate([part.sites for part in parts]),
            n_sites=self._n_sites,
            known=MappingProxyType({p.category: p.known for p in parts if p.known is not None and p.names}),
            dropped=MappingProxyType(dropped),
            always=always,
        )

    def _nothing_left(self, dropped: Mapping[str, int], always: tuple[str, ...]) -> ConceptError:
        tally = [
            f"{n} of '{column.source.category}' have fewer than {column.source.min_sites} sites"
            for column in self._columns
            if (n := dropped[column.source.category])
        ]
        tally += [f"'{c.source.category}' says nothing of this grid" for c in self._columns if not c.speaks]
        tally += [f"'{name}' holds at every site" for name in always[:3]]
        silent = [column.source.category for column in self._columns if not column.speaks]
        return ConceptError(
            f"No concept is left over {self._n_sites} sites{': ' if tally else ''}{', '.join(tally)}.",
            fix=f"Concepts of items ({', '.join(silent)}) need a layer pooled to items, as LAYER@item."
            if silent == ["labels"]
            else "Use more items, lower a minimum (as in 'upos@5'), or add a concept source.",
        )


@dataclass(frozen=True)
class _Masks:
    """One source's part of the table; `names` are full names, `known` is None where all sites are."""

    category: str
    names: tuple[str, ...]
    counts: NDArray[np.int64]
    sites: NDArray[np.int32]
    known: NDArray[np.bool_] | None
    n_dropped: int
    always: tuple[str, ...]


class _SourceColumn:
    """One source's annotations: the number of a combination for each site."""

    def __init__(self, source: ConceptSource) -> None:
        self.source = source
        self._numbers = _Combinations(source.category)
        self._at_site = array("i")
        self._grid: str | None = None
        self.speaks = True

    def add(self, item: Item, grid: str) -> None:
        n_sites = item.grids[grid].n_sites
        if self._grid is None:
            self._grid, self.speaks = grid, speaks(self.source, grid)
        entries: Sequence[Sequence[str] | None]
        entries = self.source.annotate(item, grid) if self.speaks else [None] * n_sites
        if len(entries) != n_sites:
            raise ConceptError(
                f"Source '{self.source.category}' gave {len(entries)} entries for item '{item.id}'.",
                expected=f"one for each of its {n_sites} sites",
            )
        try:
            numbers = [*map(self._numbers.__getitem__, entries)]
        except TypeError:  # entries that cannot be hashed, such as lists
            numbers = [self._numbers[entry if entry is None else tuple(entry)] for entry in entries]
        self._at_site.extend(numbers)

    def masks(self) -> _Masks:
        category, min_sites = self.source.category, self.source.min_sites
        at_site = np.array(self._at_site, dtype=np.int32)
        n_of, members, known_of = self._numbers.table()
        known = known_of[at_site]
        n_names = len(self._numbers.names)
        # Combination k holds members[first[k] : first[k] + n_of[k]]; lay them out for all sites one after another.
        first = np.cumsum(n_of) - n_of
        n_here = n_of[at_site]
        start = np.cumsum(n_here) - n_here
        concepts = members[np.repeat(first[at_site] - start, n_here) + np.arange(int(n_here.sum()))]
        sites = np.repeat(np.arange(len(at_site), dtype=np.int32), n_here)
        counts = np.bincount(concepts, minlength=n_names)
        if self.speaks and self._grid is not None:
            self._check_declared(counts)
            if isinstance(self.source, Judging):
                by_name = dict(zip(self._numbers.names, counts.tolist()))
                self.source.judge(self._grid, by_name, int(known.sum()))
        always = (counts == known.sum()) & (counts >= min_sites)
        keep = (counts >= min_sites) & ~always & (counts > 0)
        names = self._numbers.names
        order = sorted(np.flatnonzero(keep).tolist(), key=names.__getitem__)
        rank = np.full(n_names, -1, dtype=np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        ranks = rank[concepts]
        sites, ranks = sites[ranks >= 0], ranks[ranks >= 0]
        return _Masks(
            category=category,
            names=tuple(f"{category}:{names[index]}" for index in order),
            counts=counts[order].astype(np.int64),
            sites=sites[np.argsort(ranks, kind="stable")],
            known=None if known.all() else known,
            n_dropped=int((counts < min_sites).sum()),
            always=tuple(sorted(f"{category}:{names[index]}" for index in np.flatnonzero(always))),
        )

    def _check_declared(self, counts: NDArray[np.int64]) -> None:
        declared = self.source.names if isinstance(self.source, Declaring) else ()
        count_of = dict(zip(self._numbers.names, counts.tolist()))
        if missing := [name for name in declared if not count_of.get(name)]:
            full = ", ".join(f"'{self.source.category}:{name}'" for name in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise ConceptError(
                f"No site of the corpus holds {full}{more}.",
                fix="Check the forms or the pattern against the corpus's words, or use more items.",
            )


class _Combinations(dict[Sequence[str] | None, int]):
    """Numbers the distinct annotations of one category, and the names in them."""

    def __init__(self, category: str) -> None:
        super().__init__()
        self._category = category
        self._number_of: dict[str, int] = {}
        self._members: list[tuple[int, ...] | None] = []

    def __missing__(self, entry: Sequence[str] | None) -> int:
        members = None
        if entry is not None:
            if isinstance(entry, str) or not all(isinstance(name, str) and name for name in entry):
                raise ConceptError(
                    f"Source '{self._category}' gave {entry!r} for a site.",
                    expected="a sequence of names, none empty, or None",
                )
            members = tuple(dict.fromkeys(self._number_of.setdefault(name, len(self._number_of)) for name in entry))
        self._members.append(members)
        number = self[entry] = len(self._members) - 1
        return number

    @property
    def names(self) -> list[str]:
        """Names in order of first appearance."""
        return list(self._number_of)

    def table(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.bool_]]:
        """For each combination its number of names and whether it is known; their name numbers, end to end."""
        n_of = np.array([len(members or ()) for members in self._members], dtype=np.int64)
        flat = [index for members in self._members for index in members or ()]
        known = np.array([members is not None for members in self._members], dtype=np.bool_)
        return n_of, np.array(flat, dtype=np.int32), known
