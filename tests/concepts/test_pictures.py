"""Concepts at the cells of images, against pictures whose cells are known."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from unitscope.concepts.base import speaks
from unitscope.concepts.covariates import CovariateSource
from unitscope.concepts.labels import LabelSource
from unitscope.concepts.pictures import COLOURS, ColourSource, PlaceSource, SegmentSource
from unitscope.concepts.words import PositionSource, WordSource
from unitscope.sites import Cells, Image, Item

GRID = "image:2x3"
CELLS = Cells.even(2, 3, 4, 6)


def _item(folder: Path, colours: list[list[tuple[int, int, int]]], labels: np.ndarray | None = None) -> Item:
    """A picture of 2 x 3 cells of 2 x 2 pixels of one colour each, and its mask."""
    pixels = np.array(colours, np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    PIL.Image.fromarray(pixels).save(folder / "a.png")
    mask = ""
    if labels is not None:
        PIL.Image.fromarray(labels.astype(np.uint8)).save(folder / "m.png")
        mask = str(folder / "m.png")
    image = Image(str(folder / "a.png"), 4, 6, mask, ("sky", "road"), frozenset({9}))
    return Item("i", "g", {GRID: image.cut(CELLS)})


GREY = (128, 128, 128)
GREYS = [[GREY] * 3] * 2


def test_colours_are_the_nearest_terms(tmp_path: Path) -> None:
    rows = [[(0, 0, 0), (250, 250, 250), (120, 118, 122)], [(200, 30, 40), (60, 120, 60), (50, 90, 180)]]
    found = ColourSource().annotate(_item(tmp_path, rows), GRID)
    assert found == [("black",), ("white",), ("grey",), ("red",), ("green",), ("blue",)]


@pytest.mark.parametrize("name", COLOURS)
def test_a_terms_own_colour_has_it(name: str, tmp_path: Path) -> None:
    assert ColourSource().annotate(_item(tmp_path, [[COLOURS[name]] * 3] * 2), GRID) == [(name,)] * 6


def test_place_is_by_thirds(tmp_path: Path) -> None:
    found = list(PlaceSource().annotate(_item(tmp_path, GREYS), GRID))
    assert found == [(row, column) for row in ("top", "bottom") for column in ("left", "middle column", "right")]


def test_segments_need_half_of_a_cells_known_pixels(tmp_path: Path) -> None:
    labels = np.array([[0, 0, 1, 1, 9, 9], [0, 0, 0, 1, 9, 0], [9, 9, 0, 1, 1, 1], [0, 0, 9, 9, 1, 1]])
    found = SegmentSource().annotate(_item(tmp_path, GREYS, labels), GRID)
    assert found == [("sky",), ("road",), None, ("sky",), ("sky",), ("road",)]  # a tie goes to the first


def test_nothing_is_known_without_a_mask(tmp_path: Path) -> None:
    assert SegmentSource().annotate(_item(tmp_path, GREYS), GRID) == [None] * 6


def test_sources_speak_of_their_own_grids() -> None:
    pictures = [SegmentSource(), PlaceSource(), ColourSource()]
    assert all([speaks(each, grid) for grid in ("source", GRID, "item")] == [False, True, False] for each in pictures)
    for words in (WordSource(), PositionSource()):
        assert [speaks(words, grid) for grid in ("source", GRID, "item")] == [True, False, False]
    assert [speaks(CovariateSource(), grid) for grid in ("source", GRID, "item")] == [True, False, True]
    assert [speaks(LabelSource(("class",)), grid) for grid in ("source", GRID, "item")] == [False, False, True]
