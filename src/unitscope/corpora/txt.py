"""Plain text: one item a line, one group a run of lines between blank lines.

A file without blank lines is one group: lines next to each other are likely from one document, and inventing
boundaries would make intervals too narrow. Words are found by one regular expression, described at `split_words`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from unitscope.corpora.lines import read_lines, reader_fingerprint
from unitscope.errors import CorpusError
from unitscope.sites import Item, Text

_WORD = re.compile(
    r"""
    \w+ (?: (?: ['’‐‑-] | (?<=\d)[.,:](?=\d) ) \w+ )*   # letters and digits, joined by apostrophes, hyphens, 1,000.5
    | ([^\w\s]) \1*                                     # or a run of one other character: ( ... --
    """,
    re.VERBOSE,
)
_JOINERS = "\u200c\u200d"


def split_words(text: str) -> tuple[tuple[int, int], ...]:
    """Character spans of the words of a text, increasing and disjoint; all that is between them is white space.

    A word is a run of letters, digits and underscores, which apostrophes and hyphens may join (don't, well-known) and
    points, commas and colons where digits stand on both sides (1,000.50, 10:30). Every other character is a word of its
    own, runs of the same one together (`...`). Combining marks and joiners belong to the character before them.

    >>> text = 'She said: "Don\\'t pay $1,000..."'
    >>> [text[start:end] for start, end in split_words(text)]
    ['She', 'said', ':', '"', "Don't", 'pay', '$', '1,000', '...', '"']
    """
    return tuple(match.span() for match in _WORD.finditer(text if text.isascii() else _without_marks(text)))


def _without_marks(text: str) -> str:
    """The text at equal length with each combining mark replaced by the character it modifies.

    Vowel signs and accents are no word characters to `re`, which would cut Hindi words and decomposed letters apart.
    """
    shadow: list[str] = []
    for character in text:
        mark = character in _JOINERS or unicodedata.category(character).startswith("M")
        shadow.append(shadow[-1] if mark and shadow and not shadow[-1].isspace() else character)
    return "".join(shadow)


@dataclass(frozen=True)
class TxtCorpus:
    """Lines of a text file.

    Grid `source`, no columns. An item's id is its line number; groups are `doc#1`, `doc#2` ... Lines are stripped of
    white space at their ends. Iterating raises CorpusError for bytes that are not UTF-8, with the line number, and for
    a file without text.
    """

    path: Path

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def grids(self) -> tuple[str, ...]:
        """Always ('source',)."""
        return ("source",)

    @property
    def columns(self) -> tuple[str, ...]:
        """None: plain text has no annotation."""
        return ()

    def fingerprint(self) -> str:
        """SHA-256 of the file and this reader's version."""
        return reader_fingerprint("txt 1", self.path)

    def __iter__(self) -> Iterator[Item]:
        """Lines with text, in file order."""
        line = None
        for number, group, line in grouped_lines(self.path):
            line = line.strip()
            grids = {"source": Text(line, split_words(line))}
            yield Item(str(number), group, MappingProxyType(grids))
        if line is None:
            raise CorpusError(f"{self.path.name} holds no text.", expected="one sentence a line")


def grouped_lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Lines that hold more than white space as (line number, group, line); blank lines start a new group."""
    n_groups, inside = 0, False
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            inside = False
            continue
        if not inside:
            n_groups, inside = n_groups + 1, True
        yield number, f"doc#{n_groups}", line
