"""Concept sources: which named concepts hold at each site of an item.

A source belongs to one *category* (`upos`, `feats.Number`, `words`). It says for each site which concepts of the
category hold there, or that it does not know: the category's `known` mask. One source a file; frozen dataclasses
whose fields are their parameters, so that a source is its own description.

Two methods are optional. `speaks(grid)` says whether the source has anything to say of a grid; without it, a source
speaks of texts' words alone. `judge(grid, counts, n_known)` is called when all sites of a grid have been annotated,
and raises ConceptError where the outcome shows a mistake of the user. A source that must see the corpus first (to count
or to learn) is handed it as a field left out of its repr, and reads it in passes of its own at first use: the corpus'
fingerprint is in the study's key beside the source's parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from unitscope.sites import Item, kind_of

Annotation = Sequence[Sequence[str] | None]
"""One entry a site: names of the concepts that hold there (may be empty), or None where that is not known."""


@runtime_checkable
class ConceptSource(Protocol):
    """Names the concepts at each site of an item."""

    @property
    def category(self) -> str:
        """Category that the source's concepts belong to, unique in a run."""

    @property
    def min_sites(self) -> int:
        """Concepts with fewer sites in the corpus are dropped (and counted)."""

    def annotate(self, item: Item, grid: str) -> Annotation:
        """Annotate every site of one grid of the item, in site order."""


ITEM_GRID = "item"
"""The grid whose sites are whole items, one each."""


@runtime_checkable
class Speaking(Protocol):
    """A source that knows of which grids it speaks."""

    def speaks(self, grid: str) -> bool:
        """Whether the source can annotate the grid."""


@runtime_checkable
class Judging(Protocol):
    """A source that can tell from the outcome that the user made a mistake."""

    def judge(self, grid: str, counts: Mapping[str, int], n_known: int) -> None:
        """Raise ConceptError where `counts`, sites by name without the category, show a mistake."""


def speaks(source: ConceptSource, grid: str) -> bool:
    """Whether a source has anything to say of a grid: by default of texts' words."""
    return source.speaks(grid) if isinstance(source, Speaking) else kind_of(grid) == "text"
