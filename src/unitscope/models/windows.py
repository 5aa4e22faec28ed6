"""Items longer than the network: cut off, or read through overlapping windows.

Windows begin at words and overlap by half. A word is in one or two of them and its values are taken from the one
that leaves it the most context on its poorer side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from unitscope.models.adapters import SOURCE, TARGET, Feed, Row
from unitscope.models.base import LongItems
from unitscope.models.resample import overlaps

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """(A part of) one text of an item, as a row, and the words [n] whose values are taken from it."""

    row: Row
    keep: Ints


@dataclass(frozen=True)
class Piece:
    """What one row of a forward reads: a part of the item by grid."""

    item: int
    parts: Mapping[str, Part]

    @property
    def lengths(self) -> tuple[int, ...]:
        """Row lengths, source first."""
        return tuple(self.parts[grid].row.n_positions for grid in (SOURCE, TARGET) if grid in self.parts)


def fit(feed: Feed, row: Row, words: Ints, long_items: LongItems, counts: Counter[str]) -> list[Part]:
    """Parts of one text that the network can take; `counts` is told what was cut.

    `words` [W, 2] are the spans of the text's words.
    """
    limit = feed.max_positions
    if limit is None or row.n_positions <= limit:
        return [Part(row, np.arange(len(words)))]
    capacity = max(1, limit - row.n_prefix - row.n_suffix)
    body = row.spans[row.n_prefix : row.n_positions - row.n_suffix]
    word, position = overlaps(body, words)
    present, starts = np.unique(word, return_index=True)
    first, last = position[starts], position[np.append(starts[1:], len(position)) - 1]
    short = last - first < capacity
    counts["truncated_words"] += int((~short).sum())
    present, first, last = present[short], first[short], last[short]
    if long_items == "truncate":
        counts["truncated_items"] += 1
        n = int((last < capacity).sum())
        counts["truncated_words"] += len(present) - n
        ranges, owner = ([(0, n)] if n else []), np.zeros(len(present), dtype=np.int64)
    else:
        counts["windowed_items"] += 1
        ranges = windows(first, last, capacity)
        owner = owners(first, last, ranges)
    parts = []
    for index, (a, b) in enumerate(ranges):
        cut = feed.cut(row, (int(present[a]), int(present[b - 1]) + 1), (int(first[a]), int(last[b - 1]) + 1))
        parts.append(Part(cut, present[a:b][owner[a:b] == index]))
    return parts


def windows(first: Ints, last: Ints, capacity: int) -> list[tuple[int, int]]:
    """Ranges [a, b) of words, overlapping by half, each at most `capacity` positions long.

    `first` and `last` are each word's first and last position, none longer than `capacity`. The last window is
    moved back to be as long as the others.

    >>> words = np.arange(10)
    >>> windows(words, words, 4)
    [(0, 4), (2, 6), (4, 8), (6, 10)]
    """
    n = len(first)
    found: list[tuple[int, int]] = []
    a = 0
    while n:
        b = int(np.searchsorted(last, first[a] + capacity))
        if b >= n:
            found.append((int(np.searchsorted(first, last[-1] - capacity, side="right")), n))
            break
        found.append((a, b))
        half = int(np.searchsorted(first, first[a] + capacity // 2))
        # Where long words follow, a window by half would end where this one does and add nothing.
        further = int(np.searchsorted(first, last[b] - capacity, side="right"))
        a = min(max(half, further, a + 1), b)
    return found


def owners(first: Ints, last: Ints, ranges: Sequence[tuple[int, int]]) -> Ints:
    """Index of the window that each word's values are taken from.

    >>> words = np.arange(6)
    >>> owners(words, words, [(0, 4), (2, 6)])
    array([0, 0, 0, 1, 1, 1])
    """
    owner = np.zeros(len(first), dtype=np.int64)
    best = np.full(len(first), -1, dtype=np.int64)
    for index, (a, b) in enumerate(ranges):
        poorer = np.minimum(first[a:b] - first[a], last[b - 1] - last[a:b])
        better = poorer > best[a:b]
        owner[a:b][better] = index
        best[a:b][better] = poorer[better]
    return owner


def pieces(item: int, parts: Mapping[str, Sequence[Part]]) -> list[Piece]:
    """Join the parts of an item's texts to rows of a forward.

    The i-th target part is read beside the i-th source part, the last one where there are fewer. A part that is
    read again beside another gives its values only once.
    """
    if not all(parts.values()):
        return []
    grids = tuple(parts)
    joined = []
    for row in zip_longest(*parts.values()):
        mine = {}
        for grid, part in zip(grids, row):
            again = parts[grid][-1]
            mine[grid] = Part(again.row, np.zeros(0, dtype=np.int64)) if part is None else part
        joined.append(Piece(item, mine))
    return joined
