"""What reports call sites of each kind of grid."""

from dataclasses import fields

import pytest

from unitscope.report.wording import IMAGES, ITEMS, TEXTS, of_cells, of_grid
from unitscope.stats.passport import PARTS


@pytest.mark.parametrize(
    ("grid", "expected"),
    [("source", TEXTS), ("target", TEXTS), ("image:13x13", IMAGES), ("image:19x19of55x55", IMAGES), ("item", ITEMS)],
)
def test_words_follow_the_grid(grid: str, expected: object) -> None:
    assert of_grid(grid) is expected


@pytest.mark.parametrize("words", [TEXTS, IMAGES, ITEMS])
def test_everything_has_a_word(words: object) -> None:
    assert all(getattr(words, field.name) for field in fields(words))  # type: ignore[arg-type]
    assert set(PARTS) <= set(words.parts)  # type: ignore[attr-defined]


def test_pictures_are_not_spoken_of_as_words() -> None:
    said = " ".join([IMAGES.legend, IMAGES.shares, IMAGES.all_there, IMAGES.explained])
    assert "word" not in said


def test_a_part_of_the_cells_is_told() -> None:
    assert of_cells("image:14x14of27x27") == ("27x27", "second")
    assert of_cells("image:19x19of112x112") == ("112x112", "6th")
    assert of_cells("image:14x14") is None
    assert of_cells("source") is None
