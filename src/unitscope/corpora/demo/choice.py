"""Seeded choices that do not depend on the Python version: only `random.Random.random` is used.

`draw` deals from a shuffled deck and deals anew only when it is empty, so that every word of the lexicon is used about
as often as every other of its list.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T")


class Chooser:
    """Draws at random; `reseed` starts a new stream but keeps the decks."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random
        self._decks: dict[Hashable, list[int]] = {}

    def reseed(self, seed: str) -> None:
        """Start the stream of `seed`."""
        self._random = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        """True with the probability given."""
        return self._random() < probability

    def number(self, low: int, high: int) -> int:
        """An integer between `low` and `high`, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, values: Sequence[T]) -> T:
        """One of the values, each time anew."""
        return values[int(self._random() * len(values))]

    def weighted(self, values: Sequence[tuple[float, T]]) -> T:
        """One of the values by its weight."""
        left = self._random() * sum(weight for weight, _ in values)
        for weight, value in values:
            left -= weight
            if left < 0:
                return value
        return values[-1][1]

    def draw(self, deck: Hashable, values: Sequence[T]) -> T:
        """Next value of the deck of this name; the deck holds each of `values` once."""
        left = self._decks.get(deck)
        if not left or left[-1] >= len(values):
            left = list(range(len(values)))
            for index in range(len(left) - 1, 0, -1):
                other = int(self._random() * (index + 1))
                left[index], left[other] = left[other], left[index]
            self._decks[deck] = left
        return values[left.pop()]
