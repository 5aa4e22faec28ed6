"""Pictures of items that an atlas shows, so that it can be read without its corpus.

A picture is scaled down to at most 320 pixels a side and written as JPEG without metadata: the same pixels and the same
version of Pillow give the same bytes.
"""

from __future__ import annotations

import io
from pathlib import Path

from unitscope.pixels import pixels_of
from unitscope.sites import Image

LONGEST, QUALITY = 320, 85


def picture_bytes(image: Image) -> bytes:
    """The picture as JPEG. Raises CorpusError when it cannot be read."""
    import PIL.Image

    picture = PIL.Image.fromarray(pixels_of(image.path))
    share = LONGEST / max(picture.size)
    if share < 1:
        size = (max(1, round(picture.width * share)), max(1, round(picture.height * share)))
        picture = picture.resize(size, PIL.Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY, subsampling=0)
    return out.getvalue()


def picture_name(number: int) -> str:
    """File name of the picture of an item, by its number in the corpus."""
    return f"{number:07d}.jpg"


def write_picture(image: Image, number: int, folder: Path) -> str:
    """Write the picture of item `number` into `folder` (an atlas' `images/`). Returns the file's name."""
    name = picture_name(number)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(picture_bytes(image))
    return name
