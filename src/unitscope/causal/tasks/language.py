"""Language modelling: what a model says of each token after those before it, as a whole or by class of word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.causal.bound import Bound, Floats, Value, of_class, ratio
from unitscope.causal.targets import hidden_state, token_logits
from unitscope.causal.tasks.base import Ints, Words
from unitscope.errors import AttributionError, TaskError
from unitscope.models.adapters import SOURCE, TARGET
from unitscope.models.editing import Editable
from unitscope.models.torch import TorchModel
from unitscope.sites import Item


@dataclass(frozen=True)
class LanguageModelling:
    """Loss of each token that follows another, in nats: what the model says of it after the tokens before it.

    Items longer than the model takes, and those of one token, are left out. Of an encoder-decoder the target text's
    tokens, teacher-forced. With `words` each number has the class of the word that the token is part of (of the first
    of its words that has one; the last class is that of tokens without any), and with `only` (one of the classes) the
    value is that of its tokens alone. With `perplexity` it is the exponential of the mean loss.
    """

    words: Words | None = field(default=None, repr=False)
    only: str = ""
    perplexity: bool = False

    rising: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """As the command line takes it."""
        about = "" if self.words is None else f":{self.only or self.words.category}"
        return f"lm{about}{':perplexity' * self.perplexity}"

    @property
    def metric(self) -> str:
        """`loss` or `perplexity`."""
        return "perplexity" if self.perplexity else "loss"

    def bound(self, model: Editable, items: Sequence[Item]) -> Bound:
        """See `Task`."""
        if not isinstance(model, TorchModel) or not hasattr(model.feed, "rows"):
            raise TaskError(f"{model.name} reads no text.", expected="a language model")
        grid = TARGET if TARGET in model.grids else SOURCE
        tokens = _Tokens(model, items, grid)
        numbers = {item.id: each for item, each in zip(tokens.items, tokens.ids, strict=True)}

        def read(output: Any, batch: Sequence[Item]) -> list[torch.Tensor]:
            hidden = hidden_state(output)
            own = [numbers[item.id] for item in batch]
            counts = [len(each) - 1 for each in own]
            states = torch.cat([hidden[row, :n] for row, n in enumerate(counts)])
            following = torch.from_numpy(np.concatenate([each[1:] for each in own])).to(states.device)
            try:
                scores = token_logits(model, states)
            except AttributionError as error:
                raise TaskError(str(error), expected="a language model for the task 'lm'") from error
            return list(torch.split(torch.nn.functional.cross_entropy(scores, following, reduction="none"), counts))

        left_out = len(items) - len(tokens.items)
        if self.words is None:
            value = exponential(ratio) if self.perplexity else ratio
            return Bound(tuple(tokens.items), read, left_out, tokens.places(first=False), value=value)
        classes = (*self.words.names, f"no {self.words.category}")
        of_number = tuple(
            _class_of_token(self.words.of(item), places, len(self.words.names))
            for item, places in zip(tokens.items, tokens.places(first=True), strict=True)
        )
        value = ratio if not self.only else of_class(self._only(of_number))
        return Bound(
            tuple(tokens.items),
            read,
            left_out,
            tokens.places(first=False),
            classes,
            of_number,
            exponential(value) if self.perplexity else value,
        )

    def _only(self, of_number: Sequence[Ints]) -> int:
        assert self.words is not None
        at = self.words.names.index(self.only)
        if not any((each == at).any() for each in of_number):
            raise TaskError(f"No token to judge by is of a word with '{self.only}'.", fix="Judge by more items.")
        return at


def exponential(value: Value) -> Value:
    """The exponential of a value: perplexity, of a mean loss in nats."""

    def found(sums: Floats) -> Floats:
        return np.exp(np.minimum(value(sums), 700.0))

    return found


def _class_of_token(words: Ints, places: Ints, none: int) -> Ints:
    """Class of each token, by the word it is in; `none` where it is in no word or the word has no class."""
    found = np.where(places >= 0, words[np.maximum(places, 0)], -1) if len(words) else np.full(len(places), -1)
    return np.where(found >= 0, found, none).astype(np.int64)


class _Tokens:
    """Items that have a token to predict, and their tokens."""

    def __init__(self, model: TorchModel, items: Sequence[Item], grid: str) -> None:
        most = model.feed.max_positions
        self.items: list[Item] = []
        self.ids: list[NDArray[np.int64]] = []
        self._spans: list[tuple[Ints, Ints]] = []
        fits = [item for item in items if grid in item.grids and SOURCE in item.grids]
        rows = model.feed.rows(grid, [item.grids[grid] for item in fits])
        for item, row in zip(fits, rows, strict=True):
            if row.ids is None:
                raise TaskError(f"{model.name} reads no token numbers.", expected="a language model")
            if row.n_positions >= 2 and (most is None or row.n_positions <= most):
                self.items.append(item)
                self.ids.append(row.ids)
                self._spans.append((row.spans, np.array(item.grids[grid].spans, np.int64).reshape(-1, 2)))
        if not self.items:
            raise TaskError(
                "No item has a token to predict that the model can read.",
                expected=f"texts of 2 to {most} tokens" if most else "texts of 2 tokens or more",
            )

    def places(self, first: bool) -> tuple[Ints, ...]:
        """Of each number the word of the token that was read last; or with `first` the word of the token predicted."""
        if first:
            return tuple(_first_words(spans[1:], words) for spans, words in self._spans)
        return tuple(_last_words(spans[:-1], words) for spans, words in self._spans)


def _last_words(tokens: Ints, words: Ints) -> Ints:
    """The word that each token's last character is in, -1 for none: a word is known once it has been read."""
    if not len(words):
        return np.full(len(tokens), -1)
    at = np.searchsorted(words[:, 0], tokens[:, 1] - 1, side="right") - 1
    inside = (tokens[:, 1] > tokens[:, 0]) & (at >= 0) & (tokens[:, 1] <= words[at, 1])
    return np.where(inside, at, -1).astype(np.int64)


def _first_words(tokens: Ints, words: Ints) -> Ints:
    """The first word that each token shares a character with, -1 for none."""
    if not len(words):
        return np.full(len(tokens), -1)
    at = np.searchsorted(words[:, 1], tokens[:, 0], side="right")
    inside = (tokens[:, 1] > tokens[:, 0]) & (at < len(words))
    at = np.minimum(at, len(words) - 1)
    return np.where(inside & (words[at, 0] < tokens[:, 1]), at, -1).astype(np.int64)
