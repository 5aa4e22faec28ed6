"""What the rows of a batch are: which item each one is, and which of its positions are sites.

A pass over items says it before each forward (`announced`), so that edits know words and concepts. Where a module is
called with inputs of the user's own, what can be known is read off them (`TokenRows`): padding from the attention mask,
special tokens from their numbers, decoding steps from the cache's length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import EditError
from unitscope.masks import Row
from unitscope.models.probe import Tap
from unitscope.models.resample import covered, overlaps
from unitscope.sites import Item

Ints = NDArray[np.int64]


class Known(Protocol):
    """What is known of a batch's rows."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    def item(self, row: int) -> Item | None:
        """A row's item."""

    def length(self, grid: str) -> int:
        """Positions of each row as the network is given it."""

    def first(self, grid: str) -> int:
        """Which position of the whole text the rows begin at (above 0 in decoding steps)."""

    def rows(self, tap: Tap, n_outputs: int) -> list[Row]:
        """Each row as a layer sees it that has `n_outputs` positions."""


@dataclass(frozen=True, eq=False)
class Announced:
    """Rows of items. `spans[grid]` [B, T, 2] are characters of the input's positions; pictures have none.

    `read_to` is the order (`Tap.order`) of the last layer that the forward is run for, if it ends there; else -1.
    """

    items: tuple[Item, ...]
    spans: Mapping[str, Ints]
    read_to: int = -1

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.items)

    def item(self, row: int) -> Item | None:
        """A row's item."""
        return self.items[row]

    def length(self, grid: str) -> int:
        """Positions of each row; 0 for pictures."""
        return int(self.spans[grid].shape[1]) if grid in self.spans else 0

    def first(self, grid: str) -> int:
        """Rows begin with their text."""
        return 0

    def rows(self, tap: Tap, n_outputs: int) -> list[Row]:
        """See `Known.rows`."""
        step = np.full(n_outputs, -1)
        if tap.grid not in self.spans:
            cells = np.arange(n_outputs)
            real = np.ones(n_outputs, np.bool_)
            return [Row(tap.grid, real, step, item, n_outputs, (cells, cells)) for item in self.items]
        found = []
        for item, spans in zip(self.items, covered(self.spans[tap.grid], tap, n_outputs)):
            text = item.grids.get(tap.grid)
            words = None
            if text is not None:
                words = overlaps(spans, np.array(text.spans, np.int64).reshape(-1, 2))
            n_sites = 0 if text is None else text.n_sites
            found.append(Row(tap.grid, spans[:, 1] > spans[:, 0], step, item, n_sites, words))
        return found


@dataclass(frozen=True, eq=False)
class TokenRows:
    """Rows of token numbers that a module was called with: `real` and `steps` are [B, T].

    `before` positions of each row were read by earlier calls. `items` are the rows' items where they are known, and
    `texts[b]` the spans [T, 2] of the row's prompt on the grid `grid`.
    """

    real: NDArray[np.bool_]
    steps: Ints
    before: int = 0
    items: tuple[Item, ...] = ()
    grid: str = ""
    texts: tuple[Ints, ...] = ()

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.real)

    def item(self, row: int) -> Item | None:
        """A row's item; several rows in turn have one where there are more of them (beams)."""
        return self.items[row * len(self.items) // self.n_rows] if self.items else None

    def length(self, grid: str) -> int:
        """Positions of each row."""
        return int(self.real.shape[1])

    def first(self, grid: str) -> int:
        """Positions that earlier calls have read."""
        return self.before

    def rows(self, tap: Tap, n_outputs: int) -> list[Row]:
        """See `Known.rows`."""
        found = []
        for at in range(self.n_rows):
            item = self.item(at)
            real, step = self._covered(at, tap, n_outputs)
            words, n_sites = None, 0
            if item is not None and self.texts and tap.grid == self.grid and tap.is_direct:
                text = item.grids[self.grid]
                spans = self.texts[at * len(self.items) // self.n_rows]
                words, n_sites = overlaps(spans, np.array(text.spans, np.int64).reshape(-1, 2)), text.n_sites
            found.append(Row(tap.grid, real, step, item, n_sites, words))
        return found

    def _covered(self, row: int, tap: Tap, n_outputs: int) -> tuple[NDArray[np.bool_], Ints]:
        if tap.is_direct and n_outputs == self.real.shape[1]:
            return self.real[row], self.steps[row]
        real = np.zeros(n_outputs, np.bool_)
        for place in range(n_outputs):
            low = max(0, place * tap.stride + tap.offset)
            real[place] = self.real[row, low : (place + 1) * tap.stride + tap.offset].any()
        return real, np.full(n_outputs, -1)


@dataclass(frozen=True, eq=False)
class Unknown:
    """Rows of which nothing is known: every position counts as a site."""

    n_rows: int

    def item(self, row: int) -> Item | None:
        """No item is known."""
        return None

    def length(self, grid: str) -> int:
        """Not known: 0."""
        return 0

    def first(self, grid: str) -> int:
        """Rows begin with their text."""
        return 0

    def rows(self, tap: Tap, n_outputs: int) -> list[Row]:
        """See `Known.rows`."""
        row = Row(tap.grid, np.ones(n_outputs, np.bool_), np.full(n_outputs, -1))
        return [row] * self.n_rows


_NOW: ContextVar[Known | None] = ContextVar("rows", default=None)
_HEARERS: ContextVar[tuple[Callable[[Known], None], ...]] = ContextVar("hearers", default=())


@contextmanager
def announced(known: Known | None) -> Iterator[None]:
    """Say what the rows are that the module is called with inside."""
    if known is not None:
        for hear in _HEARERS.get():
            hear(known)
    token = _NOW.set(known)
    try:
        yield
    finally:
        _NOW.reset(token)


def hearing(hear: Callable[[Known], None]) -> Callable[[], None]:
    """Have `hear` called with what the rows are, before each forward for which that is said; returns how to stop it."""
    _HEARERS.set((*_HEARERS.get(), hear))

    def stop() -> None:
        _HEARERS.set(tuple(each for each in _HEARERS.get() if each != hear))

    return stop


def current() -> Known | None:
    """What has been said of the rows that run now."""
    return _NOW.get()


class Prompts:
    """Keeps, over the calls of one generation, how long the prompt was, for one module that is given token numbers."""

    def __init__(self, special: Sequence[int]) -> None:
        self.special = np.array(sorted(special), np.int64)
        self.prompt = 0

    def read(self, inputs: Mapping[str, Any], names: tuple[str, str]) -> TokenRows | None:
        """Rows of a call's named arguments; None where it has no token numbers. `names`: of numbers and mask."""
        numbers: Any = inputs.get(names[0])
        if getattr(numbers, "ndim", 0) != 2:
            return None
        ids = np.asarray(numbers.detach().cpu())
        n_rows, length = ids.shape
        before = _cached(inputs.get("past_key_values"))
        if not before:
            self.prompt = length
        real = ~np.isin(ids, self.special)
        mask: Any = inputs.get(names[1])
        if getattr(mask, "ndim", 0) == 2 and mask.shape[1] >= length:
            real &= np.asarray(mask.detach().cpu())[:, -length:].astype(np.bool_)
        place = before + np.arange(length)
        steps = np.where(place >= self.prompt, place - self.prompt, -1)
        return TokenRows(real, np.broadcast_to(steps, (n_rows, length)), before)


def _cached(cache: Any) -> int:
    """Positions that a cache of keys and values holds."""
    length = getattr(cache, "get_seq_length", None)
    return int(length()) if length is not None else 0


def prompt_spans(known: TokenRows, mask: Any, spans: Sequence[Ints], name: str) -> tuple[Ints, ...]:
    """Spans [T, 2] of each item's positions where padding puts them.

    Raises EditError where the rows have other lengths than the items' own.
    """
    n_rows, length = known.real.shape
    filled = np.ones((n_rows, length), np.bool_)
    if getattr(mask, "ndim", 0) == 2 and mask.shape[1] == length:
        filled = np.asarray(mask.detach().cpu()).astype(np.bool_)
    found = []
    for at, mine in enumerate(spans):
        row = at * n_rows // len(spans)
        places = np.flatnonzero(filled[row])
        if len(places) != len(mine):
            raise EditError(
                f"Row {row} of {name}'s input has {len(places)} positions.",
                expected=f"{len(mine)}, as its item has",
                fix="Give the items of the rows, in their order.",
            )
        out = np.zeros((length, 2), np.int64)
        out[places] = mine
        found.append(out)
    return tuple(found)
