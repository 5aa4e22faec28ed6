"""CoNLL-U treebanks: one item a sentence, one site a syntactic word, one group a document.

Format: https://universaldependencies.org/format.html. The raw text is rebuilt from FORM and SpaceAfter=No, since
`# text` need not agree with the words. The syntactic words of a multiword token share its surface where they
concatenate to it (do + n't); where they do not (des = de + les) they are written apart, so that spans stay disjoint.
Empty nodes (8.1) are no words and are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from unitscope.corpora.lines import broken, read_lines, reader_fingerprint
from unitscope.errors import CorpusError
from unitscope.sites import Column, Item, Text

COLUMNS = ("lemma", "upos", "xpos", "feats", "head", "deprel")
_N_FIELDS = 10
_NEWDOC = re.compile(r"#\s*newdoc(?:\s+id\s*=\s*(.*?))?\s*")
_SENT_ID = re.compile(r"#\s*sent_id\s*=\s*(.*?)\s*")
_RANGE = re.compile(r"([0-9]+)-([0-9]+)")
_EMPTY_NODE = re.compile(r"[0-9]+\.[0-9]+")

Row = list[str]


@dataclass(frozen=True)
class ConlluCorpus:
    """Sentences of a CoNLL-U file.

    Grid `source`; columns `lemma upos xpos feats head deprel`, where `_` reads as not annotated (None). In `feats` a
    `_` says that the word has no features (an empty string), unless its sentence is not annotated at all. A group is
    a `# newdoc` (its id, or `doc#n`); sentences before the first one are `doc#0`. The item's id is `sent_id` or the
    running number of the sentence; a repeated one gets `#2`, `#3` appended. Iterating raises CorpusError with the
    line number.
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
        """The annotated fields of the format."""
        return COLUMNS

    def fingerprint(self) -> str:
        """SHA-256 of the file and this reader's version."""
        return reader_fingerprint("conllu 1", self.path)

    def __iter__(self) -> Iterator[Item]:
        """Sentences in file order. Raises CorpusError on a malformed line or a file without sentences."""
        names = UniqueIds()
        group, n_docs, n_items = "doc#0", 0, 0
        for sentence in _sentences(self.path):
            item_id = ""
            for comment in sentence.comments:
                if match := _NEWDOC.fullmatch(comment):
                    n_docs += 1
                    group = match[1] or f"doc#{n_docs}"
                elif match := _SENT_ID.fullmatch(comment):
                    item_id = match[1]
            if not sentence.lines:
                continue
            n_items += 1
            grids = {"source": _text(sentence, self.path)}
            yield Item(names.take(item_id or str(n_items)), group, MappingProxyType(grids))
        if not n_items:
            raise CorpusError(
                f"{self.path.name} holds no sentence.",
                expected="CoNLL-U: one word a line in 10 columns, a blank line after each sentence",
            )


@dataclass
class UniqueIds:
    """Makes repeated ids unique, the same way for the same stream.

    >>> ids = UniqueIds()
    >>> [ids.take("a"), ids.take("a"), ids.take("a#2")]
    ['a', 'a#2', 'a#2#2']
    """

    _seen: dict[str, int] = field(default_factory=dict)

    def take(self, wanted: str) -> str:
        """The id itself when new, else with the first free `#n`."""
        if wanted not in self._seen:
            self._seen[wanted] = 1
            return wanted
        number = self._seen[wanted] + 1
        while f"{wanted}#{number}" in self._seen:
            number += 1
        self._seen[wanted] = number
        self._seen[f"{wanted}#{number}"] = 1
        return f"{wanted}#{number}"


@dataclass
class _Sentence:
    """Lines of one block; `first` is the number of its first word line."""

    comments: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    first: int = 0


def _sentences(path: Path) -> Iterator[_Sentence]:
    """Blocks between blank lines; comments alone make a block without word lines."""
    block = _Sentence()
    for number, line in enumerate(read_lines(path), 1):
        if not line:
            yield block
            block = _Sentence()
        elif not line.startswith("#"):
            if not block.lines:
                block.first = number
            block.lines.append(line)
        elif block.lines:
            raise broken(
                path,
                number,
                "a comment inside a sentence.",
                expected="comments before a sentence's first word",
                fix="Put a blank line after the sentence above.",
            )
        else:
            block.comments.append(line)
    yield block


def _text(sentence: _Sentence, path: Path) -> Text:
    """The sentence as a text grid."""
    rows = [line.split("\t") for line in sentence.lines]
    if any(len(row) != _N_FIELDS for row in rows):
        index, row = next((index, row) for index, row in enumerate(rows) if len(row) != _N_FIELDS)
        count = f"{len(row)} column{'s' * (len(row) != 1)}"
        raise broken(path, sentence.first + index, f"{count}.", expected=f"{_N_FIELDS} columns separated by tabs")
    fields = tuple(zip(*rows))
    numbers: Sequence[int] = range(sentence.first, sentence.first + len(rows))
    ranges: list[tuple[int, int, Row]] = []
    if fields[0] != _plain_ids(len(rows)):
        kept, ranges = _words_and_ranges(rows, sentence.first, path)
        rows, numbers = [rows[index] for index in kept], [sentence.first + index for index in kept]
        fields = tuple(zip(*rows))
    forms, misc = fields[1], fields[9]
    _check_forms(forms, numbers, path)
    _check_heads(fields[6], numbers, path)
    space_after = [_space_after(value) for value in misc]
    for start, end, row in ranges:
        glued = "".join(forms[start:end]) == row[1]
        space_after[start : end - 1] = [not glued] * (end - start - 1)
        space_after[end - 1] = _space_after(row[9])
    return Text.from_words(forms, _columns(fields[2:8]), space_after)


@lru_cache(maxsize=1024)
def _plain_ids(n: int) -> tuple[str, ...]:
    """Ids of a sentence of n words without multiword tokens and empty nodes."""
    return tuple(map(str, range(1, n + 1)))


def _words_and_ranges(rows: list[Row], first: int, path: Path) -> tuple[list[int], list[tuple[int, int, Row]]]:
    """Indices of the rows that are syntactic words, and multiword tokens as (start, end, row), half-open from 0."""
    kept: list[int] = []
    ranges: list[tuple[int, int, Row]] = []
    last = 0
    for index, row in enumerate(rows):
        number, written, expected = first + index, row[0], str(len(kept) + 1)
        if written == expected:
            kept.append(index)
        elif match := _RANGE.fullmatch(written):
            start, end = int(match[1]), int(match[2])
            if start != len(kept) + 1 or end <= start or start <= last:
                like = f"a range such as '{expected}-{len(kept) + 2}'"
                raise broken(path, number, f"multiword token '{written}'.", expected=like)
            if not row[1].strip(" "):
                raise broken(path, number, f"multiword token '{written}' has an empty form.", expected="its surface")
            last = end
            ranges.append((start - 1, end, row))
        elif not _EMPTY_NODE.fullmatch(written):
            kind = "" if written.isascii() and written.isdigit() else " is not a whole number"
            raise broken(path, number, f"word id '{written}'{kind}.", expected=f"'{expected}'", fix=_id_fix(written))
    number = first + len(rows) - 1
    if last > len(kept):
        raise broken(path, number, f"a multiword token ends at word {last} of {len(kept)}.", expected="all its words")
    if not kept:
        raise broken(path, number, "a sentence without words.", expected="at least one word line")
    return kept, ranges


def _id_fix(written: str) -> str:
    return "Is a blank line missing before this sentence?" if written == "1" else "Number the words from 1."


def _check_forms(forms: Sequence[str], numbers: Sequence[int], path: Path) -> None:
    for form, number in zip(forms, numbers):
        if not form.strip(" "):
            kind = "holds only blanks" if form else "is empty"
            raise broken(path, number, f"the form (column 2) {kind}.", expected="a word, or '_' for an underscore")


@lru_cache(maxsize=1024)
def _heads(n: int) -> frozenset[str]:
    return frozenset(("_", "0", *_plain_ids(n)))


def _check_heads(heads: Sequence[str], numbers: Sequence[int], path: Path) -> None:
    allowed = _heads(len(heads))
    if allowed.issuperset(heads):
        return
    for head, number in zip(heads, numbers):
        if head not in allowed:
            raise broken(path, number, f"head '{head}' (column 7).", expected=f"'_' or a number from 0 to {len(heads)}")


def _space_after(misc: str) -> bool:
    return "SpaceAfter=No" not in misc or "SpaceAfter=No" not in misc.split("|")


def _columns(fields: Sequence[tuple[str, ...]]) -> dict[str, Column]:
    """Columns by name from the fields lemma to deprel; `_` becomes None, in feats an empty string."""
    annotated = any(set(values) != {"_"} for values in fields)
    columns: dict[str, Column] = {}
    for name, values in zip(COLUMNS, fields):
        column: Column = values
        if "_" in values:
            absent = "" if name == "feats" and annotated else None
            column = tuple(absent if value == "_" else value for value in values)
        columns[name] = column
    return columns
