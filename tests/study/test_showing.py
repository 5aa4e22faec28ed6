"""What is shown of an item as a whole."""

from unitscope.sites import Cells, Image, Item, Text, Whole
from unitscope.study.showing import shown_whole

TEXT = Text.from_words(["a", "cat"])


def test_a_picture_goes_before_a_text_and_a_text_before_nothing() -> None:
    picture = Image("a.png", 4, 6).cut(Cells.even(2, 3, 4, 6))
    assert shown_whole(Item("i", "g", {"source": TEXT, "image:2x3": picture})) == Image("a.png", 4, 6)
    assert shown_whole(Item("i", "g", {"item": Whole(2), "source": TEXT})) is TEXT
    assert shown_whole(Item("i", "g", {"item": Whole(0)})) == Whole()
