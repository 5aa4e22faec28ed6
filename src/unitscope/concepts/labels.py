"""Labels of items as concepts of the grid `item`: the class of a text, the type of a sentence.

A label says something of a whole item, so it is compared with what units do over the whole item, one site each. On
grids of words it is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from unitscope.concepts.base import ITEM_GRID, Annotation
from unitscope.corpora.table import BETWEEN
from unitscope.errors import ConceptError
from unitscope.sites import Item


@dataclass(frozen=True)
class LabelSource:
    """The values of the labels called `names`, as `LABEL=VALUE`.

    An item without any of them is not known. `judge` raises ConceptError when no label has two values.
    """

    names_of_labels: tuple[str, ...]
    min_sites: int = 20

    @property
    def category(self) -> str:
        """Always 'labels'."""
        return "labels"

    def speaks(self, grid: str) -> bool:
        """Of whole items only."""
        return grid == ITEM_GRID

    @cached_property
    def _names(self) -> dict[tuple[str | None, ...], tuple[str, ...] | None]:
        return {}

    def annotate(self, item: Item, grid: str) -> Annotation:
        """One entry: the item's labels."""
        values = tuple(item.labels.get(name) for name in self.names_of_labels)
        if values not in self._names:
            pairs = [(n, v) for n, given in zip(self.names_of_labels, values) if given for v in given.split(BETWEEN)]
            self._names[values] = tuple(f"{name}={value}" for name, value in pairs) or None
        return [self._names[values]]

    def judge(self, grid: str, counts: Mapping[str, int], n_known: int) -> None:
        """Raise ConceptError when each label has one value over the whole corpus."""
        if not counts:
            raise ConceptError(
                f"No item has a label of {', '.join(map(repr, self.names_of_labels))}.",
                expected="items with labels",
                fix="Give the column that holds the class: --columns label=NAME.",
            )
        values = [name.partition("=")[0] for name in counts]
        if len(set(values)) == len(values):
            only = ", ".join(f"'{name}' ({n} items)" for name, n in counts.items())
            raise ConceptError(
                f"Each label has one value: {only}.",
                expected="two values or more of a label",
                fix="Leave 'labels' out, give another column (--columns label=NAME), or more items.",
            )
