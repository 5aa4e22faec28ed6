"""Items and their sites: where in the data a unit can be active.

An *item* is one document's sentence, one sentence pair, one image. It carries one or more named *grids* (`source`,
`target`, `image`, `item`); a grid's *sites* are the places at which units are compared with concepts. For text a grid
is a `Text`: words with their character spans. For an image it is an `Image`: a picture cut into cells; a corpus gives
the picture as grid `image`, and each size of feature map is a grid of its own, `image:13x13`, cut from it (`Cells`).
The grid `item` has one site, the item as a whole (`Whole`). Layers and concepts each declare one grid and only equal
grids are tallied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from unitscope.errors import CorpusError

Column = tuple[str | None, ...]
Grid = Any
"""A `Text`, `Image` or `Whole`: which one is told by the grid's name, so its reader need not ask."""

IMAGE, ITEM = "image", "item"
_CELLS = re.compile(r"(\d+)x(\d+) cells of ([\d.]+)x([\d.]+) from ([\d.-]+),([\d.-]+) in (\d+)x(\d+)")


def kind_of(grid: str) -> str:
    """What a grid's sites are, by its name: `text`, `image` or `item`.

    >>> kind_of("source"), kind_of("image:13x13"), kind_of("item")
    ('text', 'image', 'item')
    """
    return ITEM if grid == ITEM else IMAGE if grid.partition(":")[0] == IMAGE else "text"


@dataclass(frozen=True)
class Text:
    """Words of one text, in reading order: the sites of a text grid.

    `text` is the raw string; `spans` are half-open character spans [n_sites] of (start, end), increasing and
    disjoint; `columns` hold one annotation per word (`None`: not annotated), for instance `upos`, `lemma`, `feats`.
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    columns: Mapping[str, Column] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def n_sites(self) -> int:
        """Number of words."""
        return len(self.spans)

    @property
    def words(self) -> tuple[str, ...]:
        """Surface forms, one a site.

        >>> Text("a cat", ((0, 1), (2, 5))).words
        ('a', 'cat')
        """
        return tuple(self.text[start:end] for start, end in self.spans)

    @classmethod
    def from_words(
        cls,
        words: Sequence[str],
        columns: Mapping[str, Column] | None = None,
        space_after: Sequence[bool] | None = None,
    ) -> Text:
        """Join words by single blanks (where `space_after` is true; by default everywhere).

        Raises CorpusError when a column has another length than `words`.

        >>> Text.from_words(["It", "'s"], space_after=[False, True]).text
        "It's"
        """
        pieces: list[str] = []
        spans: list[tuple[int, int]] = []
        at = 0
        for index, word in enumerate(words):
            spans.append((at, at + len(word)))
            pieces.append(word)
            at += len(word)
            if index + 1 < len(words) and (space_after is None or space_after[index]):
                pieces.append(" ")
                at += 1
        for name, values in (columns or {}).items():
            if len(values) != len(words):
                raise CorpusError(
                    f"Column '{name}' has {len(values)} values for {len(words)} words.", expected="one value a word"
                )
        return cls("".join(pieces), tuple(spans), MappingProxyType(dict(columns or {})))


@dataclass(frozen=True)
class Cells:
    """Rows and columns of cells on a network's input: which pixels each site of an image grid stands for.

    The input is `height` x `width` pixels, whatever the picture's own size; cell (i, j) covers the input's rows
    [top + i * tall, top + (i + 1) * tall) and columns [left + j * wide, left + (j + 1) * wide). Sites are in reading
    order.
    """

    rows: int
    columns: int
    tall: float
    wide: float
    top: float
    left: float
    height: int
    width: int

    def __str__(self) -> str:
        size = f"{self.tall:g}x{self.wide:g} from {self.top:g},{self.left:g}"
        return f"{self.rows}x{self.columns} cells of {size} in {self.height}x{self.width}"

    @classmethod
    def parse(cls, text: str) -> Cells:
        """Invert `str`. Raises CorpusError for anything else.

        >>> Cells.parse("13x13 cells of 16x16 from 8,8 in 224x224").tall
        16.0
        """
        match = _CELLS.fullmatch(text)
        if match is None:
            raise CorpusError(f"Cannot read cells '{text}'.", expected="as '13x13 cells of 16x16 from 8,8 in 224x224'")
        rows, columns, tall, wide, top, left, height, width = match.groups()
        sizes = (float(tall), float(wide), float(top), float(left))
        return cls(int(rows), int(columns), *sizes, int(height), int(width))

    @classmethod
    def even(cls, rows: int, columns: int, height: int, width: int) -> Cells:
        """Cells that share the whole input evenly."""
        return cls(rows, columns, height / rows, width / columns, 0.0, 0.0, height, width)


@dataclass(frozen=True)
class Image:
    """A picture cut into cells: the sites of an image grid, in reading order. Pixels are read when they are needed.

    `path` is the picture's file, `height` and `width` its own size in pixels; `mask` the file of its label mask (of
    the same size; empty: none), whose values are indices of `classes` (empty names: unknown to the corpus), and
    `ignored` those that mean 'not labelled'. Without `cells` the grid is the picture as a corpus gives it.
    """

    path: str
    height: int
    width: int
    mask: str = ""
    classes: tuple[str, ...] = ()
    ignored: frozenset[int] = frozenset()
    cells: Cells | None = None

    @property
    def n_sites(self) -> int:
        """Number of cells; of pixels before the picture is cut."""
        return self.height * self.width if self.cells is None else self.cells.rows * self.cells.columns

    def cut(self, cells: Cells | None) -> Image:
        """The same picture in other cells, or uncut."""
        return replace(self, cells=cells)


@dataclass(frozen=True)
class Whole:
    """The item as a whole: one site. `length` is its number of words, 0 where it has none."""

    length: int = 0
    n_sites: int = 1


@dataclass(frozen=True)
class Item:
    """One unit of reading with a stable id, the group it came from (document, video), and its grids by name.

    `labels` are item-level annotations (class of a text, sentence type).
    """

    id: str
    group: str
    grids: Mapping[str, Grid]
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def to_json(self) -> dict[str, Any]:
        """What a model needs of the item (text and spans, a picture's file; no annotation), as plain JSON values."""
        return {"id": self.id, "group": self.group, "grids": {name: _plain(grid) for name, grid in self.grids.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Item:
        """Invert `to_json`."""
        return cls(data["id"], data["group"], {name: _grid(grid) for name, grid in data["grids"].items()})


def widened(item: Item, cells: Mapping[str, Cells], whole: bool) -> Item:
    """The item with the grids that layers are on: its picture cut into `cells`, and one site for all of it."""
    if not cells and not whole:
        return item
    grids = dict(item.grids)
    if IMAGE in grids:
        grids |= {name: grids[IMAGE].cut(each) for name, each in cells.items()}
    if whole:
        lengths = [grid.n_sites for name, grid in item.grids.items() if kind_of(name) == "text"]
        grids[ITEM] = Whole(lengths[0] if lengths else 0)
    return replace(item, grids=MappingProxyType(grids))


def _plain(grid: Grid) -> dict[str, Any]:
    if isinstance(grid, Image):
        cells = None if grid.cells is None else str(grid.cells)
        return {"path": grid.path, "height": grid.height, "width": grid.width, "cells": cells}
    if isinstance(grid, Whole):
        return {"length": grid.length}
    return {"text": grid.text, "spans": [list(span) for span in grid.spans]}


def _grid(data: Mapping[str, Any]) -> Grid:
    if "path" in data:
        cells = None if data["cells"] is None else Cells.parse(data["cells"])
        return Image(data["path"], int(data["height"]), int(data["width"]), cells=cells)
    if "length" in data:
        return Whole(int(data["length"]))
    return Text(data["text"], tuple((int(a), int(b)) for a, b in data["spans"]))
