"""Concept sources: which named concepts hold at each site of an item.

A source belongs to one *category* (`upos`, `feats.Number`, `words`). It says for each site which concepts of the
category hold there, or that it does not know: the category's `known` mask. One source a file; frozen dataclasses
whose fields are their parameters, so that a source is its own description.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from unitscope.sites import Item

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
