import pytest

from unitscope.concepts.words import PositionSource, WordSource
from unitscope.sites import Item, Text


def item(*words):
    return Item("1", "g", {"source": Text.from_words(["unread"]), "target": Text.from_words(words)})


def test_words_are_lower_cased():
    assert WordSource().annotate(item("The", "THE", "Été", "."), "target") == [("the",), ("the",), ("été",), (".",)]
    assert (WordSource().category, WordSource().min_sites) == ("words", 40)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 20])
def test_positions(n):
    names = ["first", "second", "third", *["4-7"] * 4, *["8-15"] * 8, *["16+"] * 5][:n]
    expected = [{name} | ({"last"} if index == n - 1 else set()) for index, name in enumerate(names)]
    assert [set(entry) for entry in PositionSource().annotate(item(*["w"] * n), "target")] == expected
    assert PositionSource().category == "position"
