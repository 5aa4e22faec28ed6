"""Masks: at which sites of an item an edit acts.

A mask is asked about one row of a network's input at a time, position by position. Sites become positions by the
transpose of the resample: a word's positions are all those that share a character with it, a cell of a feature map is
itself. Special tokens and padding belong to no site; only `Everywhere` takes them in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unitscope.errors import EditError, closest
from unitscope.sites import Item

if TYPE_CHECKING:
    from unitscope.concepts.base import ConceptSource
    from unitscope.concepts.table import ConceptTable

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a network's input as a layer of `grid` sees it, with T positions.

    `real` [T] is False at special tokens and padding. `words` are pairs (site, position) of the grid's `n_sites` sites,
    None where the row's item is not known. `step` [T] is -1 for the prompt, else which decoding step wrote the
    position, counted from 0.
    """

    grid: str
    real: Bools
    step: Ints
    item: Item | None = None
    n_sites: int = 0
    words: tuple[Ints, Ints] | None = None

    def spread(self, chosen: Bools) -> Bools:
        """Positions [T] of the chosen sites [n_sites]."""
        out = np.zeros(len(self.real), np.bool_)
        if self.words is not None:
            site, position = self.words
            out[position[chosen[site]]] = True
        return out & self.real

    def known(self, what: str) -> Item:
        """The row's item. Raises EditError where it is not known."""
        if self.item is None:
            raise EditError(
                f"A mask by {what} needs the items of the rows that the network is given.",
                fix="Run the model by model.run(items, ...), or give the rows' items: model.edited(edit, items=items).",
            )
        return self.item


class Mask(ABC):
    """Some sites of every item. Combined with `&`, `|` and `~`."""

    @abstractmethod
    def at(self, row: Row) -> Bools:
        """Positions [T] of a row at which the mask holds."""

    def __and__(self, other: Mask) -> Mask:
        return Both(self, other)

    def __or__(self, other: Mask) -> Mask:
        return Either(self, other)

    def __invert__(self) -> Mask:
        return Not(self)

    @staticmethod
    def everywhere() -> Mask:
        """All positions, special tokens and padding too."""
        return Everywhere()

    @staticmethod
    def positions(*places: int) -> Mask:
        """The sites with these indices in their item; -1 is the last."""
        return Positions(tuple(int(place) for place in places))

    @staticmethod
    def items(*ids: str) -> Mask:
        """All sites of the items with these ids."""
        return Items(frozenset(ids))

    @staticmethod
    def concept(source: ConceptSource, name: str) -> Mask:
        """Sites where a concept source says `name`, with or without the category (`NOUN` or `upos:NOUN`)."""
        return Concept(source, name.removeprefix(f"{source.category}:"))

    @staticmethod
    def of_table(table: ConceptTable, items: Sequence[Item], grid: str, name: str) -> Mask:
        """Sites where a concept of a table holds; `items` are those that the table was built from, in its order.

        Raises EditError for a name that the table lacks, and where the items have another number of sites.
        """
        if name not in table.names:
            raise EditError(f"There is no concept '{name}' in the table.", fix=closest(name, table.names))
        sizes = [item.grids[grid].n_sites for item in items]
        if sum(sizes) != table.n_sites:
            raise EditError(f"The items have {sum(sizes)} sites.", expected=f"{table.n_sites}, as the table has")
        held = np.zeros(table.n_sites, np.bool_)
        held[table.sites_of(table.names.index(name))] = True
        parts = np.split(held, np.cumsum(sizes)[:-1])
        return Drawn({item.id: part for item, part in zip(items, parts)}, grid)

    @staticmethod
    def drawn(sites: Mapping[str, ArrayLike], grid: str = "source") -> Mask:
        """Sites drawn by hand: by item id, booleans over all sites of the item on `grid`. Other items: nowhere."""
        return Drawn({name: np.asarray(each, np.bool_).reshape(-1) for name, each in sites.items()}, grid)

    @staticmethod
    def generated(start: int = 0, stop: int | None = None) -> Mask:
        """Tokens that decoding steps [start, stop) wrote, as they are read again; none outside generation."""
        return Generated(start, stop)

    @staticmethod
    def prompt() -> Mask:
        """All sites but those of generated tokens."""
        return Not(Generated())


@dataclass(frozen=True)
class Everywhere(Mask):
    """All positions, special tokens and padding too."""

    def at(self, row: Row) -> Bools:
        """See `Mask.at`."""
        return np.ones(len(row.real), np.bool_)


@dataclass(frozen=True)
class AllSites(Mask):
    """All positions but special tokens and padding."""

    def at(self, row: Row) -> Bools:
        """See `Mask.at`."""
        return row.real


@dataclass(frozen=True)
class Positions(Mask):
    """Sites by their index in the item. Where the row's item is not known, each real position counts as a site."""

    places: tuple[int, ...]

    def at(self, row: Row) -> Bools:
        """See `Mask.at`."""
        known = row.words is not None
        real = np.flatnonzero(row.real & (row.step < 0))
        n = row.n_sites if known else len(real)
        wanted = [place + n if place < 0 else place for place in self.places]
        wanted = [place for place in wanted if 0 <= place < n]
        if known:
            chosen = np.zeros(n, np.bool_)
            chosen[wanted] = True
            return row.spread(chosen)
        out = np.zeros(len(row.real), np.bool_)
        out[real[wanted]] = True
        return out


@dataclass(frozen=True)
class Items(Mask):
    """All sites of some items."""

    ids: frozenset[str]

    def at(self, row: Row) -> Bools:
        """See `Mask.at`."""
        return row.real & (row.known("item").id in self.ids)


@dataclass(frozen=True)
class Concept(Mask):
    """Sites where a source names a concept."""

    source: ConceptSource
    name: str

    def at(self, row: Row) -> Bools:
        """See `Mask.at`."""
        item = row.known("concept")
        if row.words is None:
            return np.zeros(len(row.real), np.bool_)
        found = self.source.annotate(item, row.grid)
        return row.spread(np.array([self.name in (names or ()) for names in found], np.bool_))


@dataclass(frozen=True, eq=False)
class Drawn(Mask):
    """Booleans over the sites of one grid, by item id."""

    sites: Mapping[str, Bools] = field(repr=False)
    grid: str = "source"

    def at(self, row: Row) -> Bools:
        """See `Mask.at`. Raises EditError where the layer is on another grid, or an item has more or fewer sites."""
        item = row.known("item")
        if row.grid != self.grid:
            raise EditError(
                f"The mask is drawn on the grid '{self.grid}', and the layer's sites are on '{row.grid}'.",
                expected=f"a mask on '{row.grid}'",
            )
        chosen = self.sites.get(item.id)
        if chosen is None:
            return np.zeros(len(row.real), np.bool_)
        if len(chosen) != row.n_sites:
            raise EditError(
                f"The mask has {len(chosen)} sites for item '{item.id}'.",
                expected=f"{row.n_sites}, the item's sites on '{row.grid}'",
            )
        return row.spread(chosen)


@dataclass(frozen=True)
class Generated(Mask):
    """Positions that decoding steps [start, stop) wrote."""

    start: int = 0
    stop: int | None = None

    def at(self, row: Row) -> Bools:
        """See `Mask.at`."""
        later = row.step >= max(self.start, 0)
        return row.real & (later if self.stop is None else later & (row.step < self.stop))


@dataclass(frozen=True)
class Both(Mask):
    """Where two masks hold."""

    left: Mask
    right: Mask

    def at(self, row: Row) -> Bools:
        """See `Mask.at`."""
        return self.left.at(row) & self.right.at(row)


@dataclass(frozen=True)
class Either(Mask):
    """Where one of two masks holds."""

    left: Mask
    right: Mask

    def at(self, row: Row) -> Bools:
        """See `Mask.at`."""
        return self.left.at(row) | self.right.at(row)


@dataclass(frozen=True)
class Not(Mask):
    """Sites where a mask does not hold; special tokens and padding are no sites."""

    mask: Mask

    def at(self, row: Row) -> Bools:
        """See `Mask.at`."""
        return row.real & ~self.mask.at(row)


Where = Mask | str | None
"""A mask; `everywhere`; or None: all sites."""


def mask_of(where: Where) -> Mask:
    """What `where` means. Raises EditError for a word that is not known.

    >>> mask_of(None), mask_of("everywhere")
    (AllSites(), Everywhere())
    """
    if where is None:
        return AllSites()
    if isinstance(where, Mask):
        return where
    if where == "everywhere":
        return Everywhere()
    raise EditError(f"Got where={where!r}.", expected="a Mask, 'everywhere', or None for all sites")
