"""Pixels of images: reading pictures and label masks, and pooling them to the cells of an image grid.

A cell's pixels are the picture's own: its edges on the network's input are scaled to the picture and rounded, and a
cell holds at least one pixel. Sums over all cells are two small matrix products, one for rows and one for columns.
Pillow is imported when a picture is read.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import CorpusError
from unitscope.sites import Cells, Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Floats = NDArray[np.float32]
MAX_PIXELS = 50_000_000
"""Pictures beyond are refused: a small file can unpack to more than the memory."""
SHARE = 0.5
"""Share of a cell's known pixels that a label needs to hold there, and of its pixels that must be known."""
LEVELS = 4
TEXTURES = (4.0, 16.0)
"""Standard deviations of luminance (0 to 255) within a cell that part flat, textured and rough ones."""


def open_picture(path: str) -> Picture:
    """The picture, fully decoded. Raises CorpusError when it cannot be, or is beyond 50 million pixels."""
    import PIL.Image

    name = Path(path).name
    try:
        with PIL.Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise CorpusError(f"'{name}' has {picture.width} x {picture.height} pixels.", expected="50 million")
            picture.load()
            return picture.copy()
    except CorpusError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever they meet in broken bytes
        raise CorpusError(
            f"'{name}' cannot be read as an image: {error}", fix="Replace the file or leave it out."
        ) from error


def colour_pixels(picture: Picture) -> NDArray[np.uint8]:
    """Red, green and blue of every pixel, [H, W, 3]; grey pictures thrice the same, transparent ones over white."""
    import PIL.Image

    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        over = picture.convert("RGBA")
        picture = PIL.Image.alpha_composite(PIL.Image.new("RGBA", over.size, "white"), over)
    return np.asarray(picture.convert("RGB"), np.uint8)


def read_mask(image: Image) -> NDArray[np.uint8]:
    """Label of every pixel, [H, W]. Raises CorpusError for a mask of another mode or size, or unknown labels."""
    picture = open_picture(image.mask)
    name = Path(image.mask).name
    if picture.mode not in ("P", "L"):
        raise CorpusError(
            f"Mask '{name}' is of mode {picture.mode}.",
            expected="a palette or grey image (mode P or L) whose values are class indices",
        )
    if picture.size != (image.width, image.height):
        raise CorpusError(
            f"Mask '{name}' is {picture.width} x {picture.height}.",
            expected=f"{image.width} x {image.height} as its image",
        )
    labels = np.asarray(picture, np.uint8)
    there = np.flatnonzero(np.bincount(labels.reshape(-1), minlength=256))
    known = {index for index, each in enumerate(image.classes) if each} | image.ignored
    if strange := [index for index in there.tolist() if index not in known]:
        raise CorpusError(
            f"Mask '{name}' has the labels {', '.join(map(str, strange[:5]))}, which classes.json does not name.",
            fix="Add them to classes.json, or to its ignore_index.",
        )
    return labels


@lru_cache(maxsize=4)
def pixels_of(path: str) -> NDArray[np.uint8]:
    """Colour pixels [H, W, 3] of a file, kept while its grids are worked through. Read only."""
    found = colour_pixels(open_picture(path))
    found.flags.writeable = False
    return found


@lru_cache(maxsize=4)
def _labels_of(image: Image) -> NDArray[np.uint8]:
    return read_mask(image)


def labels_of(image: Image) -> NDArray[np.uint8]:
    """Labels [H, W] of an image's mask, kept while its grids are worked through."""
    return _labels_of(Image(image.path, image.height, image.width, image.mask, image.classes, image.ignored))


@lru_cache(maxsize=64)
def _rows(n_cells: int, size: float, start: float, n_input: int, n_pixels: int) -> Floats:
    """Which pixels [n_pixels] each cell holds along one axis, as 0 and 1, [n_cells, n_pixels]."""
    edges = np.rint((start + size * np.arange(n_cells + 1)) * n_pixels / n_input).astype(int)
    first = np.clip(edges[:-1], 0, n_pixels - 1)
    last = np.maximum(np.clip(edges[1:], 0, n_pixels), first + 1)
    at = np.arange(n_pixels)
    return np.asarray((at >= first[:, None]) & (at < last[:, None]), np.float32)


def cell_sums(planes: Floats, cells: Cells) -> Floats:
    """Sums over the pixels of each cell of planes [..., H, W]: [..., rows, columns]."""
    height, width = planes.shape[-2:]
    down = _rows(cells.rows, cells.tall, cells.top, cells.height, height)
    across = _rows(cells.columns, cells.wide, cells.left, cells.width, width)
    found: Floats = np.matmul(down, np.matmul(planes, across.T))
    return found


def cell_labels(image: Image) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Label of each cell (-1: none has half of the known pixels) and whether half its pixels are known, [cells].

    A tie of two labels at just a half goes to the lower index.
    """
    if image.cells is None:
        raise CorpusError("An image without cells has no cell labels.")
    labels = labels_of(image)
    at = [index for index, name in enumerate(image.classes) if name and index not in image.ignored]
    planes = (labels == np.array(at, np.uint8)[:, None, None]).astype(np.float32)
    counts = cell_sums(planes, image.cells)
    n_pixels = cell_sums(np.ones((1, *labels.shape), np.float32), image.cells)[0]
    known = counts.sum(axis=0)
    best = counts.argmax(axis=0)
    enough = counts.max(axis=0) >= SHARE * np.maximum(known, 1)
    found = np.where(enough, np.array(at, np.int16)[best], np.int16(-1))
    return found.reshape(-1).astype(np.int16), (known >= SHARE * n_pixels).reshape(-1)


def cell_colours(image: Image) -> tuple[Floats, Floats]:
    """Mean colour [cells, 3] and standard deviation of luminance [cells] within each cell, both from 0 to 255."""
    if image.cells is None:
        raise CorpusError("An image without cells has no cell colours.")
    return _cell_colours(image.path, image.cells)


@lru_cache(maxsize=8)
def _cell_colours(path: str, cells: Cells) -> tuple[Floats, Floats]:
    colours = pixels_of(path).transpose(2, 0, 1).astype(np.float32)
    light = np.einsum("chw,c->hw", colours, np.array([0.299, 0.587, 0.114], np.float32))
    sums = cell_sums(np.concatenate([colours, light[None], light[None] ** 2, np.ones_like(light)[None]]), cells)
    means = sums[:5] / sums[5]
    spread = np.sqrt(np.maximum(means[4] - means[3] ** 2, 0))
    return means[:3].reshape(3, -1).T, spread.reshape(-1)


def appearance(image: Image) -> NDArray[np.int32]:
    """What each cell looks like, as a number [cells]: mean colour in 4 x 4 x 4 bins, and flat, textured or rough.

    It is to a cell what its form is to a word: what a unit that looks at nothing but the cell can know.
    """
    colour, spread = cell_colours(image)
    level = np.minimum((colour * (LEVELS / 256)).astype(np.int32), LEVELS - 1)
    texture = np.searchsorted(TEXTURES, spread).astype(np.int32)
    code = (level[:, 0] * LEVELS + level[:, 1]) * LEVELS + level[:, 2]
    return np.asarray(code * (len(TEXTURES) + 1) + texture, np.int32)
