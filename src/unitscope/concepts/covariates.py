"""What a unit may respond to instead of meaning: length, frequency, capitals, digits.

As concepts they compete with the linguistic ones for each unit; as numbers (`site_covariates`) they are held fixed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unitscope.concepts.base import ITEM_GRID, Annotation
from unitscope.corpora.base import Corpus
from unitscope.sites import IMAGE, Item, Text, kind_of

LENGTHS = ((5, "length 1-5"), (10, "length 6-10"), (20, "length 11-20"), (40, "length 21-40"))
"""Largest number of words in the item, of each bin but the open one, and the bin's name."""
OPEN_LENGTH = "length 41+"
FREQUENCIES = ((1, "frequency 1"), (9, "frequency 2-9"), (99, "frequency 10-99"), (999, "frequency 100-999"))
"""Largest number of occurrences of the lower-cased form in the corpus, of each bin but the open one, and its name."""
OPEN_FREQUENCY = "frequency 1000+"
CAPITALISED, ALL_CAPS, HAS_DIGIT = "capitalised", "all caps", "has digit"
N_TENTHS = 10


@dataclass(frozen=True)
class CovariateSource:
    """Length of the item in bins, frequency of the form in decades, and `capitalised`, `all caps`, `has digit`.

    Frequencies are counted over the grid in all of `corpus`, in one pass at first use; without a corpus there are none.
    On the grid `item` only the length of the item's `source` is told.
    """

    min_sites: int = 20
    corpus: Corpus | None = field(default=None, repr=False, compare=False)

    @property
    def category(self) -> str:
        """Always 'covariates'."""
        return "covariates"

    def speaks(self, grid: str) -> bool:
        """Of words, and of whole items."""
        return kind_of(grid) != IMAGE

    @cached_property
    def _names_of(self) -> dict[str, _WordNames]:
        return {}

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The bins and flags of each word of the grid."""
        if grid == ITEM_GRID:
            source = item.grids.get("source")
            return [None if source is None else (_bin(source.n_sites, LENGTHS, OPEN_LENGTH),)]
        if grid not in self._names_of:
            counts = None if self.corpus is None else form_counts(self.corpus, grid)
            self._names_of[grid] = _WordNames(counts)
        text = item.grids[grid]
        length = (_bin(text.n_sites, LENGTHS, OPEN_LENGTH),)
        return [names + length for names in map(self._names_of[grid].__getitem__, text.words)]


class _WordNames(dict[str, tuple[str, ...]]):
    """Covariates of a word wherever it stands."""

    def __init__(self, counts: Mapping[str, int] | None) -> None:
        super().__init__()
        self._counts = counts

    def __missing__(self, word: str) -> tuple[str, ...]:
        names = [] if self._counts is None else [_bin(self._counts.get(word.lower(), 0), FREQUENCIES, OPEN_FREQUENCY)]
        capitals = capital_flag(word)
        names += [CAPITALISED] * (capitals >= 1) + [ALL_CAPS] * (capitals == 2)
        if any(character.isdigit() for character in word):
            names.append(HAS_DIGIT)
        result = self[word] = tuple(names)
        return result


def _bin(value: int, bins: Sequence[tuple[int, str]], beyond: str) -> str:
    return next((name for largest, name in bins if value <= largest), beyond)


def form_counts(corpus: Corpus, grid: str) -> Counter[str]:
    """Occurrences of each lower-cased form in one grid of the corpus."""
    counts: Counter[str] = Counter()
    for item in corpus:
        counts.update(map(str.lower, item.grids[grid].words))
    return counts


def capital_flag(word: str) -> int:
    """2 where all letters (two at least) are capitals, 1 where the first character is a capital, else 0.

    >>> [capital_flag(word) for word in ("USA", "Bank", "I", "iPhone", "3D", "B2B")]
    [2, 1, 1, 0, 0, 2]
    """
    if word.isupper() and sum(character.isupper() for character in word) > 1:
        return 2
    return int(word[:1].isupper() or word[:1].istitle())


@dataclass(frozen=True, eq=False)
class SiteCovariates:
    """Numbers of each word of one text, [n_sites] each.

    `position` (int32) counts from 0; `length` (int32) is the text's number of words; `tenth` (int8, 0 to 9) is the
    position relative to the length, rounded down; `capitals` (int8) is `capital_flag`.
    """

    position: NDArray[np.int32]
    length: NDArray[np.int32]
    tenth: NDArray[np.int8]
    capitals: NDArray[np.int8]


def site_covariates(text: Text) -> SiteCovariates:
    """Position, length and capitals of each word, to be held fixed by the study.

    >>> site_covariates(Text.from_words(["The", "old", "UN", "met"])).tenth.tolist()
    [0, 2, 5, 7]
    """
    n = text.n_sites
    position = np.arange(n, dtype=np.int32)
    return SiteCovariates(
        position=position,
        length=np.full(n, n, dtype=np.int32),
        tenth=(position * N_TENTHS // max(n, 1)).astype(np.int8),
        capitals=np.fromiter(map(capital_flag, text.words), dtype=np.int8, count=n),
    )
