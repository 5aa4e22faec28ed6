"""Frequent n-grams: a word holds one where it is its last word, so that what it depends on is the words before.

Within one word form an n-gram holds at some places and not at others: unlike a list of words, it tells contextual units
from lexical ones. Na et al. 2019 (ICLR) align units with phrases of several words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from unitscope.concepts.base import Annotation
from unitscope.corpora.base import Corpus
from unitscope.errors import ConceptError
from unitscope.sites import Item

LONGEST = 5
Gram = tuple[str, ...]


@dataclass(frozen=True)
class NgramSource:
    """Runs of 2 to `n` lower-cased words that occur at least `min_sites` times; never across items.

    They are counted over the grid in all of `corpus` at first use, in `n` passes: a run can be frequent only if both
    shorter runs in it are (Agrawal and Srikant 1994), so memory holds few that are not. Raises ConceptError unless `n`
    is from 2 to 5.
    """

    n: int = 2
    min_sites: int = 20
    corpus: Corpus | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 2 <= self.n <= LONGEST:
            raise ConceptError(f"Got n-grams of {self.n} words.", expected=f"from 2 to {LONGEST}")

    @property
    def category(self) -> str:
        """Always 'ngrams'."""
        return "ngrams"

    @cached_property
    def _frequent(self) -> dict[str, tuple[frozenset[Gram], ...]]:
        return {}

    @cached_property
    def _names(self) -> dict[tuple[Gram, ...], tuple[str, ...]]:
        return {}

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The n-grams that end at each word of the grid, the shortest first."""
        if grid not in self._frequent:
            self._frequent[grid] = self._count(grid)
        frequent = self._frequent[grid]
        words = [word.lower() for word in item.grids[grid].words]
        return [self._ending(words, at, frequent) for at in range(len(words))]

    def _ending(self, words: Sequence[str], at: int, frequent: Sequence[frozenset[Gram]]) -> tuple[str, ...]:
        found: list[Gram] = []
        for size, grams in enumerate(frequent, 2):
            gram = tuple(words[at + 1 - size : at + 1]) if at + 1 >= size else ()
            if gram not in grams:
                break  # a longer one that ends here would hold this one
            found.append(gram)
        key = tuple(found)
        names = self._names.get(key)
        if names is None:
            names = self._names[key] = tuple(" ".join(gram) for gram in found)
        return names

    def _count(self, grid: str) -> tuple[frozenset[Gram], ...]:
        """Frequent n-grams of each size from 2."""
        if self.corpus is None:
            raise ConceptError("The source of n-grams was given no corpus.", fix="NgramSource(corpus=...)")
        frequent: list[frozenset[Gram]] = []
        for size in range(1, self.n + 1):
            counts: Counter[Gram] = Counter()
            shorter = frequent[-1] if frequent else None
            for item in self.corpus:
                words = [word.lower() for word in item.grids[grid].words]
                grams = zip(*(words[start:] for start in range(size)))
                if shorter is None:
                    counts.update(grams)
                else:
                    counts.update(gram for gram in grams if gram[1:] in shorter and gram[:-1] in shorter)
            frequent.append(frozenset(gram for gram, n in counts.items() if n >= self.min_sites))
        return tuple(frequent[1:])
