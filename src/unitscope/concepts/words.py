"""Concepts from the words themselves: which form it is, and which place it has in its item."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

from unitscope.concepts.base import Annotation
from unitscope.sites import Item

POSITIONS = ((1, "first"), (2, "second"), (3, "third"), (7, "4-7"), (15, "8-15"))
"""Last place (from 1) of each bin but the open one, and its name."""
OPEN_POSITION = "16+"


class _Lowered(dict[str, tuple[str, ...]]):
    def __missing__(self, word: str) -> tuple[str, ...]:
        lowered = self[word] = (word.lower(),)
        return lowered


@dataclass(frozen=True)
class WordSource:
    """Each lower-cased form as a concept of its own."""

    min_sites: int = 40

    @property
    def category(self) -> str:
        """Always 'words'."""
        return "words"

    @cached_property
    def _lowered(self) -> _Lowered:
        return _Lowered()

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The form of each word of the grid."""
        return list(map(self._lowered.__getitem__, item.grids[grid].words))


@dataclass(frozen=True)
class PositionSource:
    """A word's place in its item: first, second, third, 4-7, 8-15, 16+, and last besides."""

    min_sites: int = 20

    @property
    def category(self) -> str:
        """Always 'position'."""
        return "position"

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The bin of each word of the grid; the last word holds `last` too."""
        return _positions(item.grids[grid].n_sites)


@lru_cache(maxsize=1024)
def _positions(n: int) -> tuple[tuple[str, ...], ...]:
    """Annotation of an item of n words.

    >>> _positions(4)
    (('first',), ('second',), ('third',), ('4-7', 'last'))
    """
    bins = [next((name for end, name in POSITIONS if place <= end), OPEN_POSITION) for place in range(1, n + 1)]
    return tuple((name, "last") if index == n - 1 else (name,) for index, name in enumerate(bins))
