"""Parallel files: two files of one sentence a line, `train.en.gz,train.de.gz`, for translation models.

Line n of one is line n of the other. A line that is blank in both starts a new group, as in plain text; one that is
blank on one side only is no pair: it is passed over and counted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType

from unitscope.corpora.lines import read_lines, reader_fingerprint
from unitscope.corpora.txt import split_words
from unitscope.errors import CorpusError
from unitscope.sites import Item, Text

ONE_SIDED = "pairs with an empty side"


@dataclass(frozen=True)
class ParallelCorpus:
    """Lines of two files side by side.

    Grids `source` and `target`, no columns. An item's id is its line number. Iterating raises CorpusError when one file
    has more lines than the other, or none has text.
    """

    source: Path
    target: Path

    @property
    def name(self) -> str:
        """Both files' names."""
        return f"{self.source.name},{self.target.name}"

    @property
    def grids(self) -> tuple[str, ...]:
        """Always ('source', 'target')."""
        return ("source", "target")

    @property
    def columns(self) -> tuple[str, ...]:
        """None: sentences have no annotation."""
        return ()

    def fingerprint(self) -> str:
        """SHA-256 of both files and this reader's version."""
        parts = [reader_fingerprint("parallel 1", path) for path in (self.source, self.target)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def __iter__(self) -> Iterator[Item]:
        """Pairs in file order."""
        return self.read(Counter())

    def read(self, counts: Counter[str]) -> Iterator[Item]:
        """The same, adding to `counts` lines that only one side has."""
        n_groups, inside, n_items = 0, False, 0
        both = zip_longest(read_lines(self.source), read_lines(self.target))
        for number, (source, target) in enumerate(both, 1):
            if source is None or target is None:
                short = self.source if source is None else self.target
                raise CorpusError(
                    f"{short.name} ends after line {number - 1}, the other file goes on.",
                    expected="as many lines in both",
                    fix="Are they two sides of one corpus?",
                )
            sides = {"source": source.strip(), "target": target.strip()}
            if not any(sides.values()):
                inside = False
                continue
            spans = {grid: split_words(text) for grid, text in sides.items()}
            if not all(spans.values()):
                counts[ONE_SIDED] += 1
                continue
            if not inside:
                n_groups, inside = n_groups + 1, True
            n_items += 1
            grids = {grid: Text(text, spans[grid]) for grid, text in sides.items()}
            yield Item(str(number), f"doc#{n_groups}", MappingProxyType(grids))
        if not n_items:
            raise CorpusError(f"{self.name} hold no pair.", expected="a sentence a line in both")
