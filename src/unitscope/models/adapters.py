"""Input adapters: how a network is fed texts, and which characters each of its positions stands for.

Anyone who brings an own `torch.nn.Module` writes one small class, an `Adapter`: a method `encode` from texts to the
module's input tensors and the character span of every position. Nothing else is needed; words are mapped to
positions, long texts cut, and batches formed from the spans alone::

    class Characters:
        pads = False  # the module would read padding, so only texts of equal length share a batch

        def encode(self, texts: Sequence[Text]) -> Encoded:
            ids = torch.tensor([[ord(c) % 128 for c in text.text] for text in texts])
            spans = [[(i, i + 1) for i in range(len(text.text))] for text in texts]
            return Encoded(spans=spans, args=(ids,))

Internally a `Feed` does more, for speed: it tokenises all texts first and pads batches later, and it can cut a row
without tokenising it anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import ModelError
from unitscope.sites import Text

SOURCE, TARGET = "source", "target"


@dataclass(frozen=True)
class Encoded:
    """A batch of texts as a network takes it.

    `spans` has one row a text: the half-open character span (start, end) in the text of every model position,
    (0, 0) for special positions and padding; an array [B, T, 2], or a list of B arrays [T, 2]. `args` and `kwargs`
    are what the module is called with; tensors among them are moved to the module's device.
    """

    spans: Any
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Adapter(Protocol):
    """What a user gives beside a module.

    Optional attributes: `pads` (default True) says that `encode` may pad texts of different lengths to one and the
    module ignores the padding; with False only rows of equal length share a batch, so that padding never occurs.
    `max_positions` (default None: no limit) is the longest row the module takes. `normalise(words) -> list[str]`
    gives word forms as the network can tell them apart. `probe_word` (default "the") is a word the module can read.
    """

    def encode(self, texts: Sequence[Text]) -> Encoded:
        """Encode the texts as one batch, padded to one length."""


@runtime_checkable
class ImageAdapter(Protocol):
    """What a user gives beside a module that reads images.

    Pictures are scaled (bilinear, to exactly this size, whatever their own shape) and handed over as they are.
    """

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels that pictures are scaled to."""

    def encode_images(self, pixels: NDArray[np.float32]) -> Sequence[Any]:
        """Arguments of the module for pixels [B, 3, H, W]: red, green and blue in [0, 1]."""


@dataclass(frozen=True)
class Row:
    """One text as one row of the network's input, not padded yet.

    `spans` [T, 2] as in `Encoded`. The first `n_prefix` and last `n_suffix` positions are special ones that every
    row of this network has. `ids` are token numbers where the feed works with them, else `text` is encoded later;
    where `text` is only a part of the item's text, `shift` is the character at which it begins there.
    """

    spans: NDArray[np.int64]
    n_prefix: int = 0
    n_suffix: int = 0
    ids: NDArray[np.int64] | None = None
    text: Text | None = None
    shift: int = 0

    @property
    def n_positions(self) -> int:
        """Length of the row."""
        return int(self.spans.shape[0])


@dataclass(frozen=True)
class Batch:
    """Rows padded to one length: what the module is called with, and spans [B, T, 2] by grid."""

    spans: Mapping[str, NDArray[np.int64]]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@runtime_checkable
class Feed(Protocol):
    """What `TorchModel` needs of an adapter, in two steps: rows first, batches later."""

    @property
    def pads(self) -> bool:
        """Whether rows of different lengths may share a batch."""

    @property
    def grids(self) -> tuple[str, ...]:
        """Grids that the network reads: ('source',) or ('source', 'target')."""

    @property
    def max_positions(self) -> int | None:
        """Longest row that the network takes, None for no limit."""

    def rows(self, grid: str, texts: Sequence[Text]) -> list[Row]:
        """Tokenise texts of one grid."""

    def cut(self, row: Row, words: tuple[int, int], positions: tuple[int, int]) -> Row:
        """Part of a row: words [first, last), which are the positions [first, last), with the special ones."""

    def collate(self, rows: Mapping[str, Sequence[Row]]) -> Batch:
        """Pad rows to one batch. Without target rows a network with a decoder gets a minimal one."""

    def probe(self, grid: str, n_positions: int) -> Row:
        """Any valid row of about this many positions."""

    def normalise(self, words: Sequence[str]) -> list[str]:
        """Word forms as the network can tell them apart."""

    def n_subwords(self, words: Sequence[str]) -> list[int]:
        """Number of positions each word has on its own."""


def stacked_spans(spans: Any, n_texts: int) -> NDArray[np.int64]:
    """Spans of a batch as one array [B, T, 2], shorter rows filled with (0, 0).

    Raises ModelError when they are not one list of pairs for each text.

    >>> stacked_spans([[(0, 1)], [(0, 1), (1, 2)]], 2).shape
    (2, 2, 2)
    """
    rows = [np.asarray(row, dtype=np.int64).reshape(-1, 2) for row in spans]
    if len(rows) != n_texts:
        raise ModelError(
            f"The adapter gave spans for {len(rows)} of {n_texts} texts.", fix="Return one list of spans a text."
        )
    out = np.zeros((n_texts, max((len(row) for row in rows), default=0), 2), dtype=np.int64)
    for index, row in enumerate(rows):
        out[index, : len(row)] = row
    return out


def shifted(spans: NDArray[np.int64], shift: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Move spans along the text, leaving those of special positions and padding at (0, 0)."""
    real = spans[..., 1] > spans[..., 0]
    return np.where(real[..., None], spans + np.expand_dims(shift, -1), 0)


class EncodeFeed:
    """A feed made of an adapter that can only `encode`: texts are encoded alone for their lengths, then in batches."""

    grids: tuple[str, ...] = (SOURCE,)

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.pads = bool(getattr(adapter, "pads", True))
        limit = getattr(adapter, "max_positions", None)
        self.max_positions = None if limit is None else int(limit)

    def rows(self, grid: str, texts: Sequence[Text]) -> list[Row]:
        """Encode every text alone; see `Feed.rows`."""
        return [self._row(text) for text in texts]

    def _row(self, text: Text, shift: int = 0) -> Row:
        if not text.text:
            return Row(np.zeros((0, 2), dtype=np.int64), text=text)
        spans = shifted(stacked_spans(self.adapter.encode([text]).spans, 1)[0], shift)
        real = np.flatnonzero(spans[:, 1] > spans[:, 0])
        ends = (int(real[0]), int(len(spans) - 1 - real[-1])) if len(real) else (0, 0)
        return Row(spans, *ends, text=text, shift=shift)

    def cut(self, row: Row, words: tuple[int, int], positions: tuple[int, int]) -> Row:
        """Encode the text of some words only; see `Feed.cut`."""
        if row.text is None:
            raise ModelError("A row without its text cannot be cut.")
        spans = row.text.spans[words[0] : words[1]]
        start, end = spans[0][0], spans[-1][1]
        part = Text(row.text.text[start:end], tuple((a - start, b - start) for a, b in spans))
        return self._row(part, shift=start)

    def collate(self, rows: Mapping[str, Sequence[Row]]) -> Batch:
        """Encode the rows' texts together; see `Feed.collate`."""
        texts = [row.text for row in rows[SOURCE] if row.text is not None]
        encoded = self.adapter.encode(texts)
        shifts = np.array([row.shift for row in rows[SOURCE]], dtype=np.int64)[:, None]
        spans = shifted(stacked_spans(encoded.spans, len(texts)), shifts)
        return Batch({SOURCE: spans}, tuple(encoded.args), dict(encoded.kwargs))

    def probe(self, grid: str, n_positions: int) -> Row:
        """Repeat the probe word until the row is long enough; see `Feed.probe`.

        Where blanks have positions, they make up the length that words alone cannot have.
        """
        word = str(getattr(self.adapter, "probe_word", "the"))
        n_words = 1
        row = self._row(Text.from_words([word]))
        while row.n_positions < n_positions and n_words < n_positions:
            n_words += 1
            longer = self._row(Text.from_words([word] * n_words))
            if longer.n_positions > n_positions and row.text is not None:
                filled = Text(row.text.text + " " * (n_positions - row.n_positions), row.text.spans)
                blank = self._row(filled)
                if blank.n_positions == n_positions:
                    return blank
            if self.max_positions is not None and longer.n_positions > self.max_positions:
                break
            row = longer
        return row

    def normalise(self, words: Sequence[str]) -> list[str]:
        """Ask the adapter, where it can tell; see `Feed.normalise`."""
        own = getattr(self.adapter, "normalise", None)
        return list(words) if own is None else [str(word) for word in own(words)]

    def n_subwords(self, words: Sequence[str]) -> list[int]:
        """Encode each word alone; see `Feed.n_subwords`."""
        counts = {}
        for word in dict.fromkeys(words):
            spans = self._row(Text.from_words([word])).spans
            counts[word] = int((spans[:, 1] > spans[:, 0]).sum())
        return [counts[word] for word in words]
