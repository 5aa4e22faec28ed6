"""What is shown of an item as a whole: its picture, its text, or no more than its name."""

from __future__ import annotations

from unitscope.sites import Image, Item, Text, Whole


def shown_whole(item: Item) -> Image | Text | Whole:
    """The item's picture, uncut; else its first text; else nothing but that it is an item.

    >>> shown_whole(Item("a", "g", {"source": Text.from_words(["a", "cat"])})).words
    ('a', 'cat')
    """
    for kind in (Image, Text):
        for grid in item.grids.values():
            if isinstance(grid, kind):
                return grid.cut(None) if isinstance(grid, Image) else grid
    return Whole()
