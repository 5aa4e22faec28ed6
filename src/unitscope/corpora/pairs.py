"""Sentence pairs: a two-column file, source and target separated by a tab, for translation models.

Groups and words are found as in plain text (`unitscope.corpora.txt`). Each item carries two grids: an encoder's layers
are compared with `source`, a decoder's with `target`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from unitscope.corpora.lines import broken, reader_fingerprint
from unitscope.corpora.txt import grouped_lines, split_words
from unitscope.errors import CorpusError
from unitscope.sites import Item, Text


@dataclass(frozen=True)
class PairsCorpus:
    """Lines `source<TAB>target` of a file.

    Grids `source` and `target`, no columns. An item's id is its line number; a blank line starts a new group (`doc#1`,
    `doc#2` ...). Iterating raises CorpusError with the line number where there are not two columns or one is empty.
    """

    path: Path

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def grids(self) -> tuple[str, ...]:
        """Always ('source', 'target')."""
        return ("source", "target")

    @property
    def columns(self) -> tuple[str, ...]:
        """None: sentence pairs have no annotation."""
        return ()

    def fingerprint(self) -> str:
        """SHA-256 of the file and this reader's version."""
        return reader_fingerprint("pairs 1", self.path)

    def __iter__(self) -> Iterator[Item]:
        """Pairs in file order."""
        n_items = 0
        for number, group, line in grouped_lines(self.path):
            sides = [side.strip() for side in line.split("\t")]
            if len(sides) != len(self.grids):
                count = f"{len(sides)} column{'s' * (len(sides) != 1)}"
                raise broken(self.path, number, f"{count}.", expected="2: source and target, separated by a tab")
            grids = {}
            for name, side in zip(self.grids, sides):
                if not side:
                    raise broken(self.path, number, f"the {name} is empty.", expected="a sentence on both sides")
                grids[name] = Text(side, split_words(side))
            n_items += 1
            yield Item(str(number), group, MappingProxyType(grids))
        if not n_items:
            raise CorpusError(f"{self.path.name} holds no text.", expected="source<TAB>target, one pair a line")
