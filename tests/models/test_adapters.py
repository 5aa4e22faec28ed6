from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from unitscope.errors import ModelError
from unitscope.models.adapters import SOURCE, Adapter, Encoded, EncodeFeed, Feed, shifted, stacked_spans
from unitscope.sites import Text


class Words:
    """One position a word, between two special ones."""

    max_positions = 6

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode(self, texts: Sequence[Text]) -> Encoded:
        self.texts += [text.text for text in texts]
        spans = [[(0, 0), *text.spans, (0, 0)] for text in texts]
        ids = torch.zeros(len(texts), max(map(len, spans)), dtype=torch.long)
        return Encoded(spans=spans, kwargs={"ids": ids})

    def normalise(self, words: Sequence[str]) -> list[str]:
        return [word.lower() for word in words]


def test_spans_of_a_batch() -> None:
    spans = stacked_spans([[(0, 2)], [(0, 1), (1, 3)], []], 3)
    assert spans.tolist() == [[[0, 2], [0, 0]], [[0, 1], [1, 3]], [[0, 0], [0, 0]]]
    assert stacked_spans(np.zeros((2, 4, 2)), 2).shape == (2, 4, 2)
    with pytest.raises(ModelError, match=r"spans for 1 of 2 texts. Return one list of spans a text"):
        stacked_spans([[(0, 1)]], 2)


def test_shifting_leaves_special_positions() -> None:
    spans = np.array([[(0, 0), (0, 2)], [(1, 2), (0, 0)]])
    assert shifted(spans, np.array([[5], [1]])).tolist() == [[[0, 0], [5, 7]], [[2, 3], [0, 0]]]


def test_rows_know_their_special_positions() -> None:
    feed = EncodeFeed(Words())
    assert isinstance(feed, Feed)
    assert isinstance(feed.adapter, Adapter)
    assert (feed.pads, feed.max_positions, feed.grids) == (True, 6, ("source",))
    row, empty = feed.rows(SOURCE, [Text.from_words(["a", "bc"]), Text("", ())])
    assert (row.n_prefix, row.n_suffix, row.n_positions) == (1, 1, 4)
    assert empty.n_positions == 0


def test_a_part_is_encoded_alone_and_keeps_its_place() -> None:
    feed = EncodeFeed(Words())
    text = Text.from_words(["a", "bc", "d", "e"])
    (row,) = feed.rows(SOURCE, [text])
    part = feed.cut(row, (1, 3), (1, 3))
    assert part.text is not None
    assert part.text.words == ("bc", "d")
    assert part.spans.tolist() == [[0, 0], [2, 4], [5, 6], [0, 0]]
    batch = feed.collate({SOURCE: [row, part]})
    assert batch.spans[SOURCE][1].tolist() == [*part.spans.tolist(), [0, 0], [0, 0]]
    assert batch.kwargs["ids"].shape == (2, 6)


def test_probing_stays_within_the_network() -> None:
    feed = EncodeFeed(Words())
    assert feed.probe(SOURCE, 4).n_positions == 4
    assert feed.probe(SOURCE, 48).n_positions == 6


def test_probing_characters_fills_up_with_blanks() -> None:
    class Characters:
        def encode(self, texts: Sequence[Text]) -> Encoded:
            return Encoded(spans=[[(at, at + 1) for at in range(len(text.text))] for text in texts])

    feed = EncodeFeed(Characters())
    assert [feed.probe(SOURCE, n).n_positions for n in (3, 4, 17, 18, 137)] == [3, 4, 17, 18, 137]


def test_words() -> None:
    words = Words()
    feed = EncodeFeed(words)
    assert feed.normalise(["A", "b"]) == ["a", "b"]
    assert feed.n_subwords(["A", "b", "A"]) == [1, 1, 1]
    assert words.texts == ["A", "b"]
