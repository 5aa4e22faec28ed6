"""Pictures that an atlas keeps."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from unitscope.errors import CorpusError
from unitscope.sites import Image
from unitscope.study.pictures import LONGEST, picture_bytes, picture_name, write_picture


def _picture(folder: Path, height: int, width: int) -> Image:
    down = np.linspace(0, 255, height)[:, None, None]
    pixels = np.broadcast_to(down, (height, width, 3)).astype(np.uint8)
    PIL.Image.fromarray(pixels).save(folder / "a.png")
    return Image(str(folder / "a.png"), height, width)


@pytest.mark.parametrize(("size", "expected"), [((30, 40), (40, 30)), ((640, 320), (160, 320)), ((1, 900), (320, 1))])
def test_a_picture_keeps_its_shape_and_is_not_enlarged(
    size: tuple[int, int], expected: tuple[int, int], tmp_path: Path
) -> None:
    name = write_picture(_picture(tmp_path, *size), 12, tmp_path / "images")
    assert name == picture_name(12) == "0000012.jpg"
    with PIL.Image.open(tmp_path / "images" / name) as found:
        assert (found.format, found.size) == ("JPEG", expected)
        assert max(found.size) <= LONGEST
        if size == (30, 40):
            whole = np.asarray(found, np.int64)[:, 0, 0]
            assert np.abs(whole - np.linspace(0, 255, 30)).max() <= 6


def test_the_same_picture_gives_the_same_bytes(tmp_path: Path) -> None:
    image = _picture(tmp_path, 50, 400)
    assert picture_bytes(image) == picture_bytes(image)
    assert b"Exif" not in picture_bytes(image)


def test_a_picture_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"gone\.png"):
        picture_bytes(Image(str(tmp_path / "gone.png"), 3, 3))
