"""Concepts at the cells of images: labels of a mask, place in the image, and basic colours.

Place and colour are to images what position and word form are to texts: what a unit may respond to instead of things.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from unitscope.concepts.base import Annotation
from unitscope.pixels import cell_colours, cell_labels
from unitscope.sites import IMAGE, Cells, Item, kind_of

COLOURS = MappingProxyType(
    {
        "red": (190, 30, 40),
        "green": (60, 120, 60),
        "yellow": (220, 200, 50),
        "blue": (60, 100, 170),
        "brown": (110, 75, 50),
        "orange": (220, 130, 40),
        "pink": (230, 130, 170),
        "purple": (110, 60, 130),
    }
)
"""A typical value, red, green and blue, of each basic colour term (Berlin and Kay 1969) but black, grey and white."""
PALE = 0.15
"""Chroma, as a share of the brightest channel, below which a colour is black, grey or white by that channel."""
GREYS, GREY_EDGES = ("black", "grey", "white"), (64.0, 192.0)
ROWS, COLUMNS = ("top", "middle row", "bottom"), ("left", "middle column", "right")


@dataclass(frozen=True)
class SegmentSource:
    """The label that at least half of a cell's known pixels have, `segments:road`.

    None is known where fewer than half of the cell's pixels are labelled, or the image has no mask.
    """

    min_sites: int = 20

    @property
    def category(self) -> str:
        """Always 'segments'."""
        return "segments"

    def speaks(self, grid: str) -> bool:
        """Of cells of images only."""
        return kind_of(grid) == IMAGE

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The label of each cell; none where no label has half of it."""
        image = item.grids[grid]
        if not image.mask:
            return [None] * int(image.n_sites)
        labels, known = cell_labels(image)
        names = [(name,) for name in image.classes]
        found = zip(labels.tolist(), known.tolist(), strict=True)
        return [(names[label] if label >= 0 else ()) if is_known else None for label, is_known in found]


@dataclass(frozen=True)
class PlaceSource:
    """Third of the image from top to bottom, and from left to right: `place:bottom`, `place:left`."""

    min_sites: int = 20

    @property
    def category(self) -> str:
        """Always 'place'."""
        return "place"

    def speaks(self, grid: str) -> bool:
        """Of cells of images only."""
        return kind_of(grid) == IMAGE

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The two thirds that each cell's centre is in."""
        return _places(item.grids[grid].cells)


@lru_cache(maxsize=16)
def _places(cells: Cells) -> tuple[tuple[str, ...], ...]:
    """Thirds of each cell.

    >>> _places(Cells.even(1, 3, 30, 30))
    (('middle row', 'left'), ('middle row', 'middle column'), ('middle row', 'right'))
    """
    down = (cells.top + cells.tall * (np.arange(cells.rows) + 0.5)) / cells.height
    across = (cells.left + cells.wide * (np.arange(cells.columns) + 0.5)) / cells.width
    rows = [ROWS[min(max(int(3 * at), 0), 2)] for at in down]
    columns = [COLUMNS[min(max(int(3 * at), 0), 2)] for at in across]
    return tuple((row, column) for row in rows for column in columns)


@dataclass(frozen=True)
class ColourSource:
    """The basic colour of a cell's mean colour, `colours:grey`: black, grey, white, or the nearest of eight others."""

    min_sites: int = 20

    @property
    def category(self) -> str:
        """Always 'colours'."""
        return "colours"

    def speaks(self, grid: str) -> bool:
        """Of cells of images only."""
        return kind_of(grid) == IMAGE

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The colour of each cell."""
        colour, _ = cell_colours(item.grids[grid])
        typical = np.array(list(COLOURS.values()), np.float32)
        nearest = ((colour[:, None] - typical) ** 2).sum(axis=2).argmin(axis=1)
        brightest, darkest = colour.max(axis=1), colour.min(axis=1)
        grey = np.searchsorted(GREY_EDGES, brightest)
        plain = (brightest - darkest < PALE * brightest) | (grey == 0)
        names = [(name,) for name in (*GREYS, *COLOURS)]
        return [names[index] for index in np.where(plain, grey, nearest + len(GREYS)).tolist()]
