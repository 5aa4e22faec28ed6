"""Concepts from the labels of whole items: the class of a text, the kind of a sentence. They are on the grid `item`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from unitscope.concepts.base import Annotation
from unitscope.sites import Item


@dataclass(frozen=True)
class LabelSource:
    """Each label of an item with its value, `labels:class=World`; an item without labels is not known."""

    min_sites: int = 20
    grids: ClassVar[tuple[str, ...]] = ("item",)

    @property
    def category(self) -> str:
        """Always 'labels'."""
        return "labels"

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The labels of the item, once for each of its sites."""
        names = tuple(f"{name}={value}" for name, value in item.labels.items()) or None
        return [names] * item.grids[grid].n_sites
