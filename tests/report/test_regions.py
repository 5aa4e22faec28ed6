"""Regions of units in pictures."""

import io

import numpy as np
import PIL.Image

from unitscope.report.regions import OUTLINE, outlined, region
from unitscope.sites import Cells


def test_region_covers_the_cell_that_is_high_and_is_outlined() -> None:
    cells = Cells.even(4, 4, 64, 64)
    values = np.zeros(16, np.float32)
    values[5] = 1.0
    inside = region(values, cells, 0.5, 64, 64)
    assert inside[24, 24]
    assert not inside[40:].any()
    assert 50 < inside.sum() < 16 * 16
    out = io.BytesIO()
    PIL.Image.new("RGB", (64, 64), (100, 100, 100)).save(out, "PNG")
    shown = np.asarray(PIL.Image.open(io.BytesIO(outlined(out.getvalue(), values, cells, 0.5))))
    assert shown[24, 24].tolist() == [100, 100, 100]
    assert shown[60, 60].tolist() == [45, 45, 45]
    assert (shown == OUTLINE).all(axis=2).any()
