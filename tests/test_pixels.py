"""Masks and colours pooled to cells, against loops over pixels."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.errors import CorpusError
from unitscope.pixels import cell_colours, cell_labels, cell_sums, read_mask
from unitscope.sites import Cells, Image


@given(st.integers(1, 5), st.integers(1, 5), st.integers(5, 9), st.integers(5, 9), st.integers(0, 99))
def test_cell_sums_are_those_of_a_loop(rows: int, columns: int, height: int, width: int, seed: int) -> None:
    plane = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    cells = Cells(rows, columns, 4.0, 3.0, 1.0, 0.0, 4 * rows + 2, 3 * columns)
    found = cell_sums(plane, cells)
    for i in range(rows):
        for j in range(columns):
            y = [round((1 + 4 * k) * height / cells.height) for k in (i, i + 1)]
            x = [round(3 * k * width / cells.width) for k in (j, j + 1)]
            y, x = [min(y[0], height - 1), max(y)], [min(x[0], width - 1), max(x)]
            expected = plane[y[0] : max(y[1], y[0] + 1), x[0] : max(x[1], x[0] + 1)].sum()
            assert found[i, j] == pytest.approx(expected, abs=1e-4)


def _image(folder: Path, labels: np.ndarray) -> Image:
    PIL.Image.fromarray(np.full((*labels.shape, 3), 90, np.uint8)).save(folder / "a.png")
    PIL.Image.fromarray(labels.astype(np.uint8)).save(folder / "m.png")
    return Image(str(folder / "a.png"), *labels.shape, str(folder / "m.png"), ("sky", "road"), frozenset({9}))


def test_labels_need_half_of_the_known_pixels(tmp_path: Path) -> None:
    labels = np.array([[0, 0, 9, 9], [1, 1, 9, 1], [1, 9, 0, 1], [1, 9, 9, 9]])
    image = _image(tmp_path, labels).cut(Cells.even(2, 2, 4, 4))
    found, known = cell_labels(image)
    assert known.tolist() == [True, False, True, True]
    assert found[known].tolist() == [0, 1, 0]
    colour, spread = cell_colours(image)
    assert colour.tolist() == [[90.0] * 3] * 4
    assert spread.max() < 0.1


def test_bad_masks_are_named(tmp_path: Path) -> None:
    image = _image(tmp_path, np.full((4, 4), 7))
    with pytest.raises(CorpusError, match=r"Mask 'm\.png' has the labels 7, which classes\.json does not name"):
        read_mask(image)
    PIL.Image.new("L", (3, 4)).save(tmp_path / "m.png")
    with pytest.raises(CorpusError, match=r"Mask 'm\.png' is 3 x 4\. Expected: 4 x 4"):
        read_mask(image)
    PIL.Image.new("RGB", (4, 4)).save(tmp_path / "m.png")
    with pytest.raises(CorpusError, match="is of mode RGB"):
        read_mask(image)
    (tmp_path / "m.png").write_bytes(b"no image")
    with pytest.raises(CorpusError, match="cannot be read as an image"):
        read_mask(image)
