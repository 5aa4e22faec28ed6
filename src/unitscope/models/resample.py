"""From a network's positions to words: which positions a word has, and reducing their values to one row.

A position belongs to every word that its characters overlap; a word's value is that of its last or first position,
or the mean or maximum over all of them. The rows of a whole batch are gathered by index operations on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.models.base import Resampling
from unitscope.models.probe import Tap

if TYPE_CHECKING:
    from unitscope.models.mass import Around

Ints = NDArray[np.int64]
Each = Callable[[torch.Tensor, str, Ints], torch.Tensor]
"""Makes units of rows [n, values] that were taken at some entries of the places, which are known under a name."""


@dataclass(frozen=True)
class Places:
    """Positions of words in one batch, sorted by word, then position.

    `words` [n] counts up from 0 to `n_words` - 1, each at least once; `rows` and `positions` [n] say where in the
    batch (axes row, position).
    """

    words: Ints
    rows: Ints
    positions: Ints
    n_words: int

    @cached_property
    def starts(self) -> Ints:
        """Index of each word's first entry, and the number of entries at the end: [n_words + 1]."""
        return np.searchsorted(self.words, np.arange(self.n_words + 1)).astype(np.int64)


def overlaps(positions: Ints, words: Ints) -> tuple[Ints, Ints]:
    """Pairs (word, position) whose half-open spans [n, 2] share a character, sorted by word, then position.

    Words are increasing and disjoint. Empty spans overlap nothing.

    >>> overlaps(np.array([[0, 2], [2, 5]]), np.array([[0, 1], [1, 3], [4, 5]]))
    (array([0, 1, 1, 2]), array([0, 0, 1, 1]))
    """
    # The first word that ends after the position starts, and the first that starts after the position ends.
    first = np.searchsorted(words[:, 1], positions[:, 0], side="right")
    stop = np.searchsorted(words[:, 0], positions[:, 1], side="left")
    n = np.where(positions[:, 1] > positions[:, 0], np.maximum(stop - first, 0), 0)
    position = np.repeat(np.arange(len(positions)), n)
    word = np.repeat(first - (np.cumsum(n) - n), n) + np.arange(n.sum())
    order = np.lexsort((position, word))
    return word[order], position[order]


def covered(spans: Ints, tap: Tap, n_outputs: int) -> Ints:
    """Character spans [B, T', 2] of a layer's positions, from those of the network's input [B, T, 2].

    Special positions and padding do not count; a layer's position over nothing else has the span (0, 0).
    """
    n_inputs = spans.shape[1]
    if tap.is_direct:
        return spans[:, :n_outputs]
    far = np.iinfo(np.int64).max
    real = spans[..., 1] > spans[..., 0]
    start = np.where(real, spans[..., 0], far)
    end = np.where(real, spans[..., 1], 0)
    out = np.zeros((spans.shape[0], n_outputs, 2), dtype=np.int64)
    for place in range(n_outputs):
        low = max(0, place * tap.stride + tap.offset)
        high = min(n_inputs, (place + 1) * tap.stride + tap.offset)
        if low < high:
            first = start[:, low:high].min(axis=1)
            out[:, place, 0] = np.where(first == far, 0, first)
            out[:, place, 1] = end[:, low:high].max(axis=1)
    return out


def places(spans: Ints, words: Sequence[Ints], keep: Sequence[Ints]) -> tuple[Places, Ints]:
    """Positions of the words of a batch.

    `spans` [B, T, 2] are those of a layer's positions, `words[b]` [W, 2] those of a row's words, and `keep[b]` are
    the words to take from this row. Returns the places and, for each of its words, its index in the concatenation
    of `keep`; words without a position are left out.
    """
    found_words, found_rows, found_positions = [], [], []
    at = 0
    for row, (mine, chosen) in enumerate(zip(words, keep)):
        if not len(chosen):
            continue
        word, position = overlaps(spans[row], mine[chosen])
        found_words.append(word + at)
        found_rows.append(np.full(len(word), row, dtype=np.int64))
        found_positions.append(position)
        at += len(chosen)
    if not found_words:
        empty = np.zeros(0, dtype=np.int64)
        return Places(empty, empty, empty, 0), empty
    word = np.concatenate(found_words)
    present, compact = np.unique(word, return_inverse=True)
    where = Places(compact.astype(np.int64), np.concatenate(found_rows), np.concatenate(found_positions), len(present))
    return where, present.astype(np.int64)


class Gather:
    """Index tensors of one batch on one device, made once and used for all layers with the same positions."""

    def __init__(self, where: Places, device: torch.device) -> None:
        self.where = where
        self.device = device
        self.around: Around
        self._indices: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def _at(self, key: str, entries: Ints) -> tuple[torch.Tensor, torch.Tensor]:
        if key not in self._indices:
            rows = torch.from_numpy(self.where.rows[entries]).to(self.device)
            positions = torch.from_numpy(self.where.positions[entries]).to(self.device)
            self._indices[key] = (rows, positions)
        return self._indices[key]

    def reduce(
        self, tensor: torch.Tensor, how: Resampling, columns: torch.Tensor | None = None, each: Each | None = None
    ) -> torch.Tensor:
        """One row a word [n_words, units] from (batch, site, units...), optionally of chosen units only.

        `each` makes other units of the values at positions, before they are reduced to words.
        """
        starts = self.where.starts
        if how == "last":
            return self._take(tensor, columns, "last", starts[1:] - 1, each)
        first = self._take(tensor, columns, "first", starts[:-1], each)
        if how == "first":
            return first
        # The k-th positions of all words that have so many: indices are unique in each step, so the sum has one order.
        n = np.diff(starts)
        total = first
        for k in range(1, int(n.max(initial=0))):
            longer = np.flatnonzero(n > k)
            more = self._take(tensor, columns, f"{k}", starts[longer] + k, each)
            into = torch.from_numpy(longer).to(self.device)
            so_far = total.index_select(0, into)
            total.index_copy_(0, into, torch.maximum(so_far, more) if how == "max" else so_far + more)
        if how == "mean":
            total /= torch.from_numpy(n).to(self.device, total.dtype)[:, None]
        return total

    def _take(
        self, tensor: torch.Tensor, columns: torch.Tensor | None, key: str, entries: Ints, each: Each | None
    ) -> torch.Tensor:
        rows, positions = self._at(key, entries)
        if tensor.is_contiguous():
            flat = tensor.view(tensor.shape[0] * tensor.shape[1], -1)
            taken = flat.index_select(0, rows * tensor.shape[1] + positions)
        else:
            taken = tensor[rows, positions].flatten(1)
        if each is not None:
            return each(taken, key, entries)
        return taken if columns is None else taken.index_select(1, columns)
