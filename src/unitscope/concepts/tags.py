"""Concepts from a word column of the corpus: parts of speech, features, relations, lemmas, any annotation.

A column's value is one concept or, with a separator, several (`Case=Nom|Number=Plur`). Where the column says nothing
the category is not known, which is not the same as a word without features.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from unitscope.concepts.base import Annotation
from unitscope.sites import Item


class _Parts(dict[str | None, tuple[str, ...] | None]):
    """Concepts of each value seen: a corpus repeats few values many times."""

    def __init__(self, separator: str) -> None:
        super().__init__()
        self._separator = separator

    def __missing__(self, value: str | None) -> tuple[str, ...] | None:
        parts = None
        if value is not None:
            pieces = value.split(self._separator) if self._separator else [value]
            parts = tuple(dict.fromkeys(piece for piece in pieces if piece))
        self[value] = parts
        return parts


@dataclass(frozen=True)
class TagSource:
    """The values of `column` as concepts of `category`, cut at `separator` unless that is empty.

    An empty value means none of the concepts; None means not known. Sites of an item without the column are not known.
    """

    column: str
    category: str
    separator: str = ""
    min_sites: int = 20

    @cached_property
    def _parts(self) -> _Parts:
        return _Parts(self.separator)

    def annotate(self, item: Item, grid: str) -> Annotation:
        """Concepts of each word of the grid."""
        text = item.grids[grid]
        values = text.columns.get(self.column)
        return [None] * text.n_sites if values is None else list(map(self._parts.__getitem__, values))
