from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unitscope.models.adapters import Row
from unitscope.models.tokens import TokenFeed
from unitscope.models.windows import Part, fit, owners, pieces, windows

lengths = st.lists(st.integers(1, 5), min_size=1, max_size=60)


@given(lengths, st.integers(5, 24))
def test_windows_cover_all_words_fit_and_overlap(sizes: list[int], capacity: int) -> None:
    stops = np.cumsum(sizes)
    first, last = stops - sizes, stops - 1
    ranges = windows(first, last, capacity)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == len(sizes)
    for a, b in ranges:
        assert a < b
        assert last[b - 1] - first[a] < capacity
    for (a, b), (c, d) in pairwise(ranges):
        assert a < c <= b < d
        if (c, d) != ranges[-1]:
            assert first[c] - first[a] <= capacity // 2 + 5  # by half, up to a word
    owner = owners(first, last, ranges)
    for word, mine in enumerate(owner.tolist()):
        poorer = {
            index: min(first[word] - first[a], last[b - 1] - last[word])
            for index, (a, b) in enumerate(ranges)
            if a <= word < b
        }
        assert poorer[mine] == max(poorer.values())


def feed(limit: int | None) -> TokenFeed:
    return TokenFeed(None, ("input_ids",), n_vocabulary=9, max_positions=limit)


def row(n_words: int, size: int = 1) -> tuple[Row, np.ndarray]:
    """Words of one character; `size` positions each, between two special ones."""
    words = np.array([(at, at + 1) for at in range(n_words)])
    spans = np.concatenate([[(0, 0)], np.repeat(words, size, axis=0), [(0, 0)]])
    return Row(spans, 1, 1, ids=np.arange(len(spans))), words


def test_what_fits_is_left_alone() -> None:
    whole, words = row(6)
    for limit in (None, 8):
        counts: Counter[str] = Counter()
        (part,) = fit(feed(limit), whole, words, "window", counts)
        assert part.row is whole
        assert part.keep.tolist() == list(range(6))
        assert not counts


def test_windows_share_the_words_out() -> None:
    whole, words = row(20, 2)
    counts: Counter[str] = Counter()
    parts = fit(feed(12), whole, words, "window", counts)
    assert sorted(np.concatenate([part.keep for part in parts]).tolist()) == list(range(20))
    assert all(part.row.n_positions <= 12 for part in parts)
    assert counts["windowed_items"] == 1
    assert counts["truncated_words"] == 0


def test_truncation_drops_words_that_do_not_fit_whole() -> None:
    whole, words = row(5, 3)
    counts: Counter[str] = Counter()
    (part,) = fit(feed(10), whole, words, "truncate", counts)
    assert part.keep.tolist() == [0, 1]
    assert part.row.n_positions == 8
    assert counts == {"truncated_items": 1, "truncated_words": 3}


def test_a_word_longer_than_the_network_is_lost() -> None:
    whole, words = row(2, 9)
    for mode in ("window", "truncate"):
        counts: Counter[str] = Counter()
        assert fit(feed(10), whole, words, mode, counts) == []  # type: ignore[arg-type]
        assert counts["truncated_words"] == 2


def test_pieces_pair_parts_and_give_each_word_once() -> None:
    def part(*keep: int) -> Part:
        return Part(row(3)[0], np.array(keep))

    joined = pieces(7, {"source": [part(0), part(1)], "target": [part(0, 1), part(2), part(3)]})
    assert [piece.item for piece in joined] == [7, 7, 7]
    assert [piece.parts["source"].keep.tolist() for piece in joined] == [[0], [1], []]
    assert [piece.parts["target"].keep.tolist() for piece in joined] == [[0, 1], [2], [3]]
    assert joined[2].parts["source"].row is joined[1].parts["source"].row
    assert joined[0].lengths == (5, 5)
    assert pieces(7, {"source": []}) == []
