"""A unit's region in a picture: where its values, interpolated between cells, exceed a threshold.

As in network dissection (Bau et al. 2017) the region is what lies above the unit's upper quantile; it is outlined, and
what lies outside is dimmed, so that nothing is told by colour alone.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from unitscope.sites import Cells

OUTLINE, DIMMED = (255, 230, 0), 0.45


def heat(values: NDArray[np.float32], cells: Cells, height: int, width: int) -> NDArray[np.float32]:
    """Values of cells [rows * columns] at every pixel of a picture of the whole input, bilinear, [height, width]."""
    grid = np.asarray(values, np.float32).reshape(cells.rows, cells.columns)
    down = _weights(height, cells.height, cells.rows, cells.tall, cells.top)
    across = _weights(width, cells.width, cells.columns, cells.wide, cells.left)
    return np.asarray(down @ grid @ across.T, np.float32)


def _weights(n_pixels: int, n_input: int, n: int, size: float, start: float) -> NDArray[np.float32]:
    centre = ((np.arange(n_pixels) + 0.5) * n_input / n_pixels - start) / size - 0.5
    at = np.clip(centre, 0, n - 1)
    low = np.minimum(at.astype(int), max(n - 2, 0))
    found = np.zeros((n_pixels, n), np.float32)
    found[np.arange(n_pixels), np.minimum(low + 1, n - 1)] = at - low
    found[np.arange(n_pixels), low] += (1 - (at - low)).astype(np.float32)
    return found


def region(values: NDArray[np.float32], cells: Cells, threshold: float, height: int, width: int) -> NDArray[np.bool_]:
    """Pixels [height, width] at which the unit is above its threshold, strictly."""
    return heat(values, cells, height, width) > threshold


def edge(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a region with a neighbour (up, down, left, right) outside it; the picture's border is no outside.

    >>> edge(np.array([[1, 1, 1], [1, 1, 1], [1, 1, 0]], bool)).astype(int).tolist()
    [[0, 0, 0], [0, 0, 1], [0, 1, 0]]
    """
    wide = np.pad(inside, 1, mode="edge")
    around = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return np.asarray(inside & ~around)


def outlined(picture: bytes, values: NDArray[np.float32], cells: Cells, threshold: float) -> bytes:
    """A picture of the atlas (JPEG or PNG) with the unit's region outlined and the rest dimmed, as PNG."""
    import PIL.Image

    with PIL.Image.open(io.BytesIO(picture)) as opened:
        pixels = np.asarray(opened.convert("RGB"), np.float32)
    inside = region(values, cells, threshold, *pixels.shape[:2])
    shown = np.where(inside[..., None], pixels, pixels * DIMMED)
    line = edge(inside) | edge(~inside)
    shown[line] = OUTLINE
    out = io.BytesIO()
    PIL.Image.fromarray(shown.astype(np.uint8)).save(out, "PNG")
    return out.getvalue()
