"""Tables of text: `.csv` (RFC 4180, commas or semicolons, quotes) and `.tsv` (a tab between values, no quotes).

The first line names the columns when the user says so, when it holds a column that the user named, or when all of it
reads like names and one is a name that `unitscope.corpora.columns` knows; otherwise columns are `column1`, `column2`.
A `.tsv` of two columns without such a line is a file of sentence pairs, unless the second holds whole numbers.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from unitscope.corpora import columns as known
from unitscope.corpora.base import Corpus
from unitscope.corpora.columns import NONE, Columns
from unitscope.corpora.lines import broken, read_lines, reader_fingerprint
from unitscope.corpora.pairs import PairsCorpus
from unitscope.corpora.table import opened
from unitscope.errors import CorpusError, closest

FIRST = "first"
_NAME = re.compile(r"[^\W\d][\w .:/-]{0,39}")
_IDENTIFIER = re.compile(r"[^\W\d][\w-]*")
_KNOWN = frozenset(known.TEXTS + known.LABELS + known.GROUPS + known.IDS + known.SOURCES + known.TARGETS + known.WORDS)
_N_PEEKED = 50


@dataclass(frozen=True)
class DelimitedRows:
    """Rows of a delimited file, by column. Raises CorpusError, with the line, where a row has too many or few values.

    `said` decides whether the first line is a header and names the columns.
    """

    path: Path
    said: Columns
    tabs: bool = False

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def counted(self) -> str:
        """Rows are told by the line they end on."""
        return "line"

    @property
    def value_names(self) -> Mapping[str, tuple[str, ...]]:
        """None: values are as written."""
        return MappingProxyType({})

    @cached_property
    def _delimiter(self) -> str:
        if self.tabs:
            return "\t"
        first = next(read_lines(self.path), "")
        return ";" if ";" in first and "," not in first else ","

    @cached_property
    def _head(self) -> tuple[tuple[str, ...], bool]:
        """Names of the columns, and whether the first row says them."""
        first = next(self._cells(), None)
        if first is None:
            raise CorpusError(f"{self.name} is empty.", expected="rows with text")
        number, cells = first
        header = self.said.header
        if header and header not in ((FIRST,), (NONE,)):
            if len(header) != len(cells):
                raise CorpusError(
                    f"header= names {len(header)} columns, {self.name} has {len(cells)}.", expected="one name a column"
                )
            return header, False
        if header == (FIRST,) or (header != (NONE,) and self._is_header(cells)):
            names = tuple(cell.strip() for cell in cells)
            if len(set(names)) < len(names) or not all(names):
                raise broken(
                    self.path, number, f"the header is {', '.join(map(repr, names))}.", expected="distinct names"
                )
            return names, True
        return tuple(f"column{i}" for i in range(1, len(cells) + 1)), False

    def _is_header(self, cells: list[str]) -> bool:
        names = [cell.strip() for cell in cells]
        if len(set(names)) < len(names):
            return False
        by_name = [name for name in self.said.named if not name.isdigit()]
        if any(name in names for name in by_name):
            return True
        if all(map(_IDENTIFIER.fullmatch, names)) and any(closest(name, names) for name in by_name):
            return True  # so that a misspelt name is told with its near misses
        return looks_like_header(names)

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self._head[0]

    def fingerprint(self) -> str:
        """SHA-256 of the file, the names of its columns, and this reader's version."""
        content = f"{self._head}\n{self._delimiter!r}\n{reader_fingerprint('delimited 1', self.path)}"
        return hashlib.sha256(content.encode()).hexdigest()

    def __iter__(self) -> Iterator[tuple[int, Mapping[str, str]]]:
        """Rows in file order, without the header."""
        header, skip = self._head
        for number, cells in self._cells():
            if skip:
                skip = False
                continue
            if len(cells) != len(header):
                count = f"{len(cells)} value{'s' * (len(cells) != 1)}"
                raise broken(
                    self.path,
                    number,
                    f"{count}.",
                    expected=f"{len(header)}: {', '.join(header)}",
                    fix="" if self.tabs else "Put quotes around a value that holds the delimiter.",
                )
            yield number, dict(zip(header, cells))

    def _cells(self) -> Iterator[tuple[int, list[str]]]:
        """Rows that are not blank, with the number of their last line."""
        lines = read_lines(self.path)
        if self.tabs:
            yield from ((number, line.split("\t")) for number, line in enumerate(lines, 1) if line.strip())
            return
        reader = csv.reader((f"{line}\n" for line in lines), delimiter=self._delimiter, strict=True)
        try:
            for cells in reader:
                if cells and cells != [""]:
                    yield reader.line_num, cells
        except csv.Error as error:
            raise broken(
                self.path,
                reader.line_num,
                f"{error}.",
                expected='values in double quotes, with "" for a quote inside',
            ) from error


def looks_like_header(cells: list[str]) -> bool:
    """Whether all cells read like names, and one is known.

    >>> looks_like_header(["sentence", "label"]), looks_like_header(["A dog.", "Ein Hund."])
    (True, False)
    """
    names = [cell.strip() for cell in cells]
    distinct = len(set(names)) == len(names)
    return distinct and all(map(_NAME.fullmatch, names)) and any(name.lower() in _KNOWN for name in names)


def open_csv(path: Path, said: Columns) -> Corpus:
    """A `.csv` file. Raises CorpusError for an empty file, a missing column, or when no column holds text."""
    return opened(DelimitedRows(path, said), said)


def open_tsv(path: Path, said: Columns) -> Corpus:
    """A `.tsv` file: a table, or sentence pairs. Raises CorpusError as `open_csv`."""
    if not said.given and _holds_pairs(path):
        return PairsCorpus(path)
    return opened(DelimitedRows(path, said, tabs=True), said)


def _holds_pairs(path: Path) -> bool:
    """Two columns (or one, which the pairs' reader tells) without a header, the second not of whole numbers."""
    rows = list(islice((line.split("\t") for line in read_lines(path) if line.strip()), _N_PEEKED))
    if not rows:
        return True
    if len(rows[0]) > 2 or looks_like_header(rows[0]):
        return False
    return len(rows[0]) < 2 or not all(row[-1].strip().isdigit() for row in rows)
