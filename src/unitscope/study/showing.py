"""What is shown of one site in a list: the word in its sentence, the cell of an image, the beginning of a text."""

from __future__ import annotations

from unitscope.sites import ITEM, Cells, Image, Item, Text


def shown_site(item: Item, grid: str, cells: Cells | None, position: int, context: int) -> tuple[str, str, str]:
    """A site in words, and up to `context` characters before and after it.

    >>> shown_site(Item("a", "g", {"source": Text.from_words(["a", "cat", "sat"])}), "source", None, 1, 60)
    ('cat', 'a ', ' sat')
    """
    if cells is not None:
        row, column = divmod(position, cells.columns)
        return f"r{row + 1}c{column + 1}", "", f" of {item.id}"
    if grid == ITEM:
        text = next((each.text for each in item.grids.values() if isinstance(each, Text)), "")
        return (text[: 2 * context] or item.id), "", ""
    found: Text = item.grids[grid]
    first, last = found.spans[position]
    return found.text[first:last], found.text[max(0, first - context) : first], found.text[last : last + context]


def picture_of(item: Item) -> Image | None:
    """The item's picture, if it has one."""
    return next((each for each in item.grids.values() if isinstance(each, Image)), None)
