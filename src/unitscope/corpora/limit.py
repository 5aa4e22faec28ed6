"""Smaller or widened views of a corpus: the first items, the first of each group, the source copied to the target.

Each view streams, is a corpus again, and shows in the name and the fingerprint.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from unitscope.corpora.base import Corpus, corpus_notes, label_names, read_items
from unitscope.errors import CorpusError
from unitscope.sites import Item


def _fingerprint(view: str, corpus: Corpus) -> str:
    return hashlib.sha256(f"{view}\n{corpus.fingerprint()}".encode()).hexdigest()


def _at_least_one(name: str, n: int) -> None:
    if n < 1:
        raise CorpusError(f"Got {name}={n}.", expected="at least 1")


@dataclass(frozen=True)
class FirstItems:
    """The first `n` items. Raises CorpusError when `n` is below 1."""

    corpus: Corpus
    n: int

    def __post_init__(self) -> None:
        _at_least_one("max_items", self.n)

    @property
    def name(self) -> str:
        """The corpus's name with the number of items, for instance `train.conllu[:100]`."""
        return f"{self.corpus.name}[:{self.n}]"

    @property
    def grids(self) -> tuple[str, ...]:
        """The corpus's grids."""
        return self.corpus.grids

    @property
    def columns(self) -> tuple[str, ...]:
        """The corpus's columns."""
        return self.corpus.columns

    @property
    def labels(self) -> tuple[str, ...]:
        """The corpus's labels."""
        return label_names(self.corpus)

    @property
    def notes(self) -> tuple[str, ...]:
        """The corpus's notes."""
        return corpus_notes(self.corpus)

    def fingerprint(self) -> str:
        """SHA-256 of `n` and the corpus's fingerprint."""
        return _fingerprint(f"first {self.n}", self.corpus)

    def __iter__(self) -> Iterator[Item]:
        """The first items; the corpus is read no further."""
        return self.read(Counter())

    def read(self, counts: Counter[str]) -> Iterator[Item]:
        """The same, adding to `counts` what is passed over before the last of them."""
        return itertools.islice(read_items(self.corpus, counts), self.n)


@dataclass(frozen=True)
class FirstPerGroup:
    """The first `n` items of each group, in the corpus's order. Raises CorpusError when `n` is below 1."""

    corpus: Corpus
    n: int

    def __post_init__(self) -> None:
        _at_least_one("per_group", self.n)

    @property
    def name(self) -> str:
        """The corpus's name with the number of items, for instance `train.conllu[5 per group]`."""
        return f"{self.corpus.name}[{self.n} per group]"

    @property
    def grids(self) -> tuple[str, ...]:
        """The corpus's grids."""
        return self.corpus.grids

    @property
    def columns(self) -> tuple[str, ...]:
        """The corpus's columns."""
        return self.corpus.columns

    @property
    def labels(self) -> tuple[str, ...]:
        """The corpus's labels."""
        return label_names(self.corpus)

    @property
    def notes(self) -> tuple[str, ...]:
        """The corpus's notes."""
        return corpus_notes(self.corpus)

    def fingerprint(self) -> str:
        """SHA-256 of `n` and the corpus's fingerprint."""
        return _fingerprint(f"per group {self.n}", self.corpus)

    def __iter__(self) -> Iterator[Item]:
        """Items whose group has had fewer than `n` so far; groups need not be contiguous."""
        return self.read(Counter())

    def read(self, counts: Counter[str]) -> Iterator[Item]:
        """The same, adding to `counts` what the corpus passes over."""
        seen: Counter[str] = Counter()
        for item in read_items(self.corpus, counts):
            if seen[item.group] < self.n:
                seen[item.group] += 1
                yield item


@dataclass(frozen=True)
class CopiedTarget:
    """Items whose `target` grid is their `source` grid: teacher forcing of a model that ought to copy.

    Raises CorpusError when the corpus has no grid `source` or has a `target` already.
    """

    corpus: Corpus

    def __post_init__(self) -> None:
        if "source" not in self.corpus.grids or "target" in self.corpus.grids:
            raise CorpusError(
                f"Cannot copy the source of '{self.corpus.name}': its grids are {', '.join(self.corpus.grids)}.",
                expected="a grid 'source' and no 'target'",
                fix="Leave target='copy' out.",
            )

    @property
    def name(self) -> str:
        """The corpus's name, marked."""
        return f"{self.corpus.name}[target=copy]"

    @property
    def grids(self) -> tuple[str, ...]:
        """The corpus's grids and 'target'."""
        return (*self.corpus.grids, "target")

    @property
    def columns(self) -> tuple[str, ...]:
        """The corpus's columns."""
        return self.corpus.columns

    @property
    def labels(self) -> tuple[str, ...]:
        """The corpus's labels."""
        return label_names(self.corpus)

    @property
    def notes(self) -> tuple[str, ...]:
        """The corpus's notes."""
        return corpus_notes(self.corpus)

    def fingerprint(self) -> str:
        """SHA-256 of the copy and the corpus's fingerprint."""
        return _fingerprint("copy target", self.corpus)

    def __iter__(self) -> Iterator[Item]:
        """Items with both grids."""
        return self.read(Counter())

    def read(self, counts: Counter[str]) -> Iterator[Item]:
        """The same, adding to `counts` what the corpus passes over."""
        for item in read_items(self.corpus, counts):
            grids = MappingProxyType({**item.grids, "target": item.grids["source"]})
            yield Item(item.id, item.group, grids, item.labels)
