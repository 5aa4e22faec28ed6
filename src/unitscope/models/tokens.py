"""Feeding Hugging Face models: tokens with their character spans, padding, and teacher forcing.

Fast tokenizers tell the characters of each token. Slow ones do not: there a text is tokenised by stretches between
blanks, which no sentencepiece or byte-pair model merges over, and tokens share a stretch's characters out among
them. Batches are always padded on the right, whatever the tokenizer's habit: positions then count from the text's
beginning in every model, and the attention mask hides the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.models.adapters import SOURCE, TARGET, Batch, Encoded, Row
from unitscope.models.resample import overlaps
from unitscope.sites import Text

Ints = NDArray[np.int64]

_MARKS = re.compile(r"^(?:##|▁|Ġ)|</w>$|@@$")
_BLANKS = re.compile(r"\S+")


class TokenFeed:
    """The feed of a Hugging Face model; also an `Adapter`.

    `accepts` are the names of the arguments of the model's forward, `max_positions` the longest row. For an
    encoder-decoder `decoder_start` is the token that begins every decoder input (None for other models).
    """

    def __init__(
        self,
        tokenizer: Any,
        accepts: Sequence[str],
        *,
        n_vocabulary: int,
        max_positions: int | None = None,
        decoder_start: int | None = None,
        pad: int = 0,
    ) -> None:
        self.tokenizer = tokenizer
        self.pads = "attention_mask" in accepts
        self.grids = (SOURCE,) if decoder_start is None else (SOURCE, TARGET)
        self.max_positions = max_positions
        self._accepts = frozenset(accepts)
        self._n_vocabulary = n_vocabulary
        self._decoder_start = decoder_start
        self._pad = pad
        self._n_subwords: dict[str, int] = {}

    @property
    def special_ids(self) -> tuple[int, ...]:
        """Numbers of tokens that stand for no text; what the vocabulary lacks does stand for some."""
        unknown = getattr(self.tokenizer, "unk_token_id", None)
        return tuple(int(number) for number in getattr(self.tokenizer, "all_special_ids", ()) if number != unknown)

    def encode(self, texts: Sequence[Text]) -> Encoded:
        """Tokenise and pad source texts; see `unitscope.models.adapters.Adapter`."""
        batch = self.collate({SOURCE: self.rows(SOURCE, texts)})
        return Encoded(batch.spans[SOURCE], batch.args, batch.kwargs)

    def rows(self, grid: str, texts: Sequence[Text]) -> list[Row]:
        """Tokens of each text with the special ones; target texts as the decoder's input."""
        if not texts:
            return []
        read = self._fast if getattr(self.tokenizer, "is_fast", False) else self._slow
        found = read(grid, [text.text for text in texts])
        return [self._forced(row) for row in found] if grid == TARGET else found

    def _fast(self, grid: str, texts: list[str]) -> list[Row]:
        """By the offsets of a fast tokenizer; target texts in the target language's mode, where there is one."""
        found = self.tokenizer(
            **{"text_target" if grid == TARGET else "text": texts},
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            return_attention_mask=False,
            truncation=False,
            padding=False,
            verbose=False,
        )
        rows = []
        for ids, offsets, special in zip(found["input_ids"], found["offset_mapping"], found["special_tokens_mask"]):
            spans = np.array(offsets, dtype=np.int64).reshape(-1, 2)
            # A text may spell out a special token; only those around it have no characters.
            prefix, suffix = _ends(np.array(special, dtype=bool), spans)
            rows.append(Row(spans, prefix, suffix, ids=np.array(ids, dtype=np.int64)))
        return rows

    def _slow(self, grid: str, texts: list[str]) -> list[Row]:
        return [self._slow_row(grid, text) for text in texts]

    def _slow_row(self, grid: str, text: str) -> Row:
        whole = self._ids(grid, text, special=False)
        stretches = [(match.start(), match.end()) for match in _BLANKS.finditer(text)]
        plain = [self._ids(grid, text[a:b], special=False) for a, b in stretches]
        if _joined(plain) != whole:
            # Some tokenizers write the blank into the token: then a stretch is read with the blank before it.
            blank = [self._ids(grid, text[max(0, a - 1) : b], special=False) for a, b in stretches]
            plain = blank if _joined(blank) == whole else plain
        ids = _joined(plain)
        spans = [span for (a, b), mine in zip(stretches, plain) for span in self._share(text, a, b, mine)]
        full = self._ids(grid, text, special=True)
        prefix = next((k for k in range(len(full) - len(whole) + 1) if full[k : k + len(whole)] == whole), 0)
        before, after = full[:prefix], full[prefix + len(whole) :]
        edge = [(0, 0)]
        return Row(
            np.array(edge * len(before) + spans + edge * len(after), dtype=np.int64).reshape(-1, 2),
            len(before),
            len(after),
            ids=np.array(before + ids + after, dtype=np.int64),
        )

    def _ids(self, grid: str, text: str, *, special: bool) -> list[int]:
        name = "text_target" if grid == TARGET else "text"
        found = self.tokenizer(**{name: text}, add_special_tokens=special, truncation=False, verbose=False)
        return [int(token) for token in found["input_ids"]]

    def _share(self, text: str, start: int, end: int, ids: list[int]) -> list[tuple[int, int]]:
        """Spans of a stretch's tokens: by their lengths where these add up (perhaps with the blank before it), else
        each spans the whole.
        """
        sizes = [len(_MARKS.sub("", str(piece))) for piece in self.tokenizer.convert_ids_to_tokens(ids)]
        for begin in (start, max(0, start - 1)):
            if sum(sizes) == end - begin:
                stops = begin + np.cumsum(sizes)
                return [(int(stop) - size, int(stop)) for stop, size in zip(stops, sizes)]
        return [(start, end)] * len(ids)

    def _forced(self, row: Row) -> Row:
        """Shift a target row right: the decoder reads the start token first and never its last special token."""
        ids = row.ids if row.ids is not None else np.zeros(0, dtype=np.int64)
        drop = 1 if row.n_suffix else 0
        keep = len(ids) - drop
        return Row(
            np.concatenate([np.zeros((1, 2), dtype=np.int64), row.spans[:keep]]),
            row.n_prefix + 1,
            row.n_suffix - drop,
            ids=np.concatenate([[self._decoder_start or 0], ids[:keep]]).astype(np.int64),
        )

    def cut(self, row: Row, words: tuple[int, int], positions: tuple[int, int]) -> Row:
        """Tokens [first, last) between the special ones, as they were tokenised in the whole text."""
        if row.ids is None:
            return row
        a, b = row.n_prefix + positions[0], row.n_prefix + positions[1]
        end = row.n_positions - row.n_suffix
        parts = [slice(0, row.n_prefix), slice(a, b), slice(end, None)]
        return Row(
            np.concatenate([row.spans[part] for part in parts]),
            row.n_prefix,
            row.n_suffix,
            ids=np.concatenate([row.ids[part] for part in parts]),
        )

    def collate(self, rows: Mapping[str, Sequence[Row]]) -> Batch:
        """Pad on the right. Without target rows the decoder is given its start token only."""
        ids, mask, spans = self._padded(rows[SOURCE])
        kwargs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
        by_grid = {SOURCE: spans}
        if self._decoder_start is not None:
            n_rows = len(rows[SOURCE])
            if TARGET in rows:
                ids, mask, by_grid[TARGET] = self._padded(rows[TARGET])
            else:
                ids = torch.full((n_rows, 1), self._decoder_start)
                mask = torch.ones_like(ids)
            kwargs |= {"decoder_input_ids": ids, "decoder_attention_mask": mask}
        return Batch(by_grid, (), {name: value for name, value in kwargs.items() if name in self._accepts})

    def _padded(self, rows: Sequence[Row]) -> tuple[torch.Tensor, torch.Tensor, Ints]:
        longest = max((row.n_positions for row in rows), default=0)
        ids = np.full((len(rows), longest), self._pad, dtype=np.int64)
        mask = np.zeros((len(rows), longest), dtype=np.int64)
        spans = np.zeros((len(rows), longest, 2), dtype=np.int64)
        for index, row in enumerate(rows):
            n = row.n_positions
            ids[index, :n] = 0 if row.ids is None else row.ids
            mask[index, :n] = 1
            spans[index, :n] = row.spans
        return torch.from_numpy(ids), torch.from_numpy(mask), spans

    def probe(self, grid: str, n_positions: int) -> Row:
        """Some ordinary token, repeated."""
        special = set(getattr(self.tokenizer, "all_special_ids", ()))
        token = next((k for k in range(self._n_vocabulary - 1, -1, -1) if k not in special), 0)
        return Row(np.zeros((n_positions, 2), dtype=np.int64), ids=np.full(n_positions, token, dtype=np.int64))

    def normalise(self, words: Sequence[str]) -> list[str]:
        """By the tokenizer's own normaliser, where it has one."""
        normaliser = getattr(getattr(self.tokenizer, "backend_tokenizer", None), "normalizer", None)
        if normaliser is None:
            return list(words)
        change: Callable[[str], str] = normaliser.normalize_str
        forms = {word: change(word).replace("▁", " ").strip() for word in dict.fromkeys(words)}
        return [forms[word] for word in words]

    def n_subwords(self, words: Sequence[str]) -> list[int]:
        """Tokens of each word in the middle of a text; words asked before are remembered."""
        new = [word for word in dict.fromkeys(words) if word not in self._n_subwords]
        # A first word puts the blank before each that some tokenizers write into the token.
        texts = [Text.from_words(["a", word]) for word in new]
        for word, text, row in zip(new, texts, self.rows(SOURCE, texts)):
            self._n_subwords[word] = len(overlaps(row.spans, np.array(text.spans[1:], dtype=np.int64))[0])
        return [self._n_subwords[word] for word in words]


def _joined(parts: Sequence[Sequence[int]]) -> list[int]:
    return [token for part in parts for token in part]


def _ends(special: NDArray[np.bool_], spans: Ints) -> tuple[int, int]:
    """Number of special tokens without characters before and after a text's own tokens."""
    real = np.flatnonzero(~(special & (spans[:, 1] <= spans[:, 0])))
    if not len(real):
        return len(spans), 0
    return int(real[0]), int(len(spans) - 1 - real[-1])
