"""Masks on rows whose words and positions are known by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.concepts.table import ConceptTable
from unitscope.errors import EditError
from unitscope.masks import AllSites, Drawn, Everywhere, Mask, Row, mask_of
from unitscope.sites import Item, Text

ITEM = Item("a", "g", {"source": Text.from_words(["one", "two", "three"])})
# [CLS] one tw ##o three [SEP] pad
ROW = Row(
    "source",
    np.array([0, 1, 1, 1, 1, 0, 0], bool),
    np.full(7, -1),
    ITEM,
    3,
    (np.array([0, 1, 1, 2]), np.array([1, 2, 3, 4])),
)


@dataclass(frozen=True)
class Long:
    category: str = "length"
    min_sites: int = 1

    def annotate(self, item: Item, grid: str) -> list[Any]:
        return [["long"] if len(word) > 3 else [] if word != "two" else None for word in item.grids[grid].words]


def held(mask: Mask, row: Row = ROW) -> list[int]:
    return np.flatnonzero(mask.at(row)).tolist()


def test_masks_cover_the_positions_of_their_words() -> None:
    assert held(AllSites()) == [1, 2, 3, 4]
    assert held(Mask.everywhere()) == list(range(7))
    assert held(Mask.positions(1)) == [2, 3]
    assert held(Mask.positions(0, -1, 7)) == [1, 4]
    assert held(Mask.items("a", "b")) == [1, 2, 3, 4]
    assert held(Mask.items("b")) == []
    assert held(Mask.concept(Long(), "length:long")) == held(Mask.concept(Long(), "long")) == [4]
    assert held(Mask.drawn({"a": [True, True, False]})) == [1, 2, 3]
    assert held(Mask.drawn({"b": [True]})) == []
    assert held(~Mask.positions(1)) == [1, 4]
    assert held(Mask.positions(1) | Mask.positions(2)) == [2, 3, 4]
    assert held(~Mask.everywhere()) == []


@given(st.sets(st.integers(0, 2)), st.sets(st.integers(0, 2)))
def test_masks_are_sets_of_words(a: set[int], b: set[int]) -> None:
    one, other = Mask.positions(*a), Mask.positions(*b)
    assert held(one & other) == held(Mask.positions(*(a & b)))
    assert held(one | other) == held(Mask.positions(*(a | b)))
    assert held(~(one | other)) == held(~one & ~other) == held(Mask.positions(*({0, 1, 2} - a - b)))


def test_a_concept_of_a_table() -> None:
    other = Item("b", "g", {"source": Text.from_words(["four"])})
    table = ConceptTable(
        ("upos:NUM", "upos:X"), ("upos", "upos"), np.array([0, 2, 3]), np.array([1, 3, 0], np.int32), 4
    )
    mask = Mask.of_table(table, [ITEM, other], "source", "upos:NUM")
    assert held(mask) == [2, 3]
    assert isinstance(mask, Drawn)
    assert mask.sites["b"].tolist() == [True]
    with pytest.raises(EditError, match=r"no concept 'upos:NUN' in the table\. Closest: 'upos:NUM'"):
        Mask.of_table(table, [ITEM, other], "source", "upos:NUN")
    with pytest.raises(EditError, match=r"The items have 3 sites\. Expected: 4, as the table has"):
        Mask.of_table(table, [ITEM], "source", "upos:NUM")


def test_decoding_steps() -> None:
    row = Row("source", np.array([1, 1, 1, 0, 1], bool), np.array([-1, -1, 0, 1, 2]))
    assert held(Mask.generated(), row) == [2, 4]
    assert held(Mask.generated(1), row) == [4]
    assert held(Mask.generated(0, 2), row) == [2]
    assert held(Mask.prompt(), row) == [0, 1]
    assert held(Mask.positions(1, -2), row) == [0, 1]


@pytest.mark.parametrize("mask", [Mask.items("a"), Mask.concept(Long(), "long"), Mask.drawn({"a": [True]})])
def test_rows_that_are_not_known_cannot_be_told_apart(mask: Mask) -> None:
    with pytest.raises(EditError, match="needs the items of the rows that the network is given"):
        mask.at(Row("source", np.ones(3, bool), np.full(3, -1)))


def test_masks_of_other_grids_are_refused() -> None:
    with pytest.raises(
        EditError, match=r"The mask has 2 sites for item 'a'\. Expected: 3, the item's sites on 'source'"
    ):
        Mask.drawn({"a": [True, False]}).at(ROW)
    with pytest.raises(EditError, match=r"drawn on the grid 'image:2x2', and the layer's sites are on 'source'"):
        Mask.drawn({"a": np.ones((2, 2), bool)}, "image:2x2").at(ROW)
    assert mask_of("everywhere") == Everywhere()
