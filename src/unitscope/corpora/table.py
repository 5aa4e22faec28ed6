"""Items from the rows of a table, whatever file the rows come from.

One item a row. Its sites are the words of a text, of both sides of a pair, or the words that the row lists. What
counts as a bad row goes on and is counted: a row without text, an empty word, characters that no text can hold. A row
that shows that the file is damaged or was misunderstood (a text that is a number, lists of unequal length) is an error.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from types import MappingProxyType
from typing import Any, Protocol

from unitscope.corpora.columns import NONE, Columns
from unitscope.corpora.conllu import UniqueIds
from unitscope.corpora.layout import N_SAMPLED, Layout, Row, find_layout
from unitscope.corpora.txt import split_words
from unitscope.errors import CorpusError
from unitscope.sites import Column, Item, Text

BETWEEN = "\x1f"
"""Stands between the values of a label that has several (U+001F, unit separator)."""
NO_TEXT, EMPTY_WORD, BROKEN = "rows without text", "rows with an empty word", "rows with broken characters"
_NO_LABEL = "-1"
"""What data sets of the hub write where the label is kept back."""


class Rows(Protocol):
    """Rows of a table with their numbers, streamed; repeatable."""

    @property
    def name(self) -> str:
        """Short name for tables and manifests."""

    @property
    def counted(self) -> str:
        """What rows are counted in: 'line' or 'row'."""

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns."""

    @property
    def value_names(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the whole numbers from 0 that a column holds, by column; usually empty."""

    def fingerprint(self) -> str:
        """SHA-256 of all that determines the rows."""

    def __iter__(self) -> Iterator[tuple[int, Row]]:
        """Number, from 1, and values by column."""


@dataclass(frozen=True)
class TableCorpus:
    """Items of a table; `said` is what the user said of its columns.

    Grid `source`, and `target` where the table holds pairs; columns are annotations of words; `labels` are the columns
    that become labels of items. An item's id is that of its `id` column, else the row's number; its group that of its
    `group` column, else it is a group of its own. Raises CorpusError when a column is missing or no column holds text.
    """

    rows: Rows
    said: Columns = field(default_factory=Columns)

    @cached_property
    def layout(self) -> Layout:
        """Which column is what, from the first rows."""
        sample = [row for _, row in islice(iter(self.rows), N_SAMPLED)]
        if not sample:
            raise CorpusError(f"{self.rows.name} holds no rows.", expected="at least one row with text")
        return find_layout(self.rows.name, self.rows.header, sample, self.said)

    @property
    def name(self) -> str:
        """The table's name."""
        return self.rows.name

    @property
    def grids(self) -> tuple[str, ...]:
        """('source',), or ('source', 'target') for pairs."""
        return ("source", "target") if self.layout.source else ("source",)

    @property
    def columns(self) -> tuple[str, ...]:
        """Annotations that words may carry."""
        return self.layout.word_columns

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that items may carry."""
        return self.layout.labels

    @property
    def notes(self) -> tuple[str, ...]:
        """Which column is read as what."""
        return self.layout.told(self.name)

    @cached_property
    def _value_names(self) -> Mapping[str, Mapping[str, str]]:
        """Names by number as written, by column: of the labels from the user's file, else from the table itself."""
        given = self.said.value_names()
        named = {
            column: {str(i): name for i, name in enumerate(names)} for column, names in self.rows.value_names.items()
        }
        if given:
            first = self.said.names_from
            named |= {label: {str(i): name for i, name in enumerate(given, first)} for label in self.layout.labels}
        return named

    def fingerprint(self) -> str:
        """SHA-256 of the rows, the layout, the names of values, and this reader's version."""
        names = json.dumps(self._value_names, sort_keys=True)
        return hashlib.sha256(f"table 1\n{self.rows.fingerprint()}\n{self.layout}\n{names}".encode()).hexdigest()

    def __iter__(self) -> Iterator[Item]:
        """Rows in file order."""
        return self.read(Counter())

    def read(self, counts: Counter[str]) -> Iterator[Item]:
        """The same; rows that are passed over are added to `counts`. Raises CorpusError when none is left."""
        layout, names, n_items = self.layout, UniqueIds(), 0
        for number, row in self.rows:
            grids = self._grids(number, row, counts)
            if grids is None:
                continue
            labels = {label: value for label in layout.labels if (value := self._label(number, label, row.get(label)))}
            group = None if layout.group is None else _scalar(row.get(layout.group))
            id_ = None if layout.id is None else _scalar(row.get(layout.id))
            n_items += 1
            yield Item(
                str(number) if layout.id is None else names.take(id_ or str(number)),
                group or f"{self.rows.counted}#{number}",
                MappingProxyType(grids),
                MappingProxyType(labels),
            )
        if not n_items:
            told = ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
            raise CorpusError(f"{self.name} holds no text{': ' if told else ''}{told}.", expected="a row with text")

    def _grids(self, number: int, row: Row, counts: Counter[str]) -> dict[str, Text] | None:
        """Grids of a row, or None where it is no item."""
        layout = self.layout
        if layout.words is not None:
            listed = self._words(number, row, counts)
            return None if listed is None else {"source": listed}
        if layout.source is not None and layout.target is not None:
            sides: dict[str, tuple[str, ...]] = {"source": (layout.source,), "target": (layout.target,)}
        else:
            sides = {"source": layout.text}
        grids: dict[str, Text] = {}
        for grid, columns in sides.items():
            parts = [part for column in columns if (part := self._string(number, column, row.get(column)))]
            text = _whole("\n".join(parts), counts)
            spans = split_words(text)
            if not spans:
                counts[NO_TEXT] += 1
                return None
            grids[grid] = Text(text, spans)
        return grids

    def _string(self, number: int, column: str, value: Any) -> str:
        if value is None or value != value:
            return ""
        if not isinstance(value, str):
            raise self._broken(number, f"'{column}' holds {_kind(value)}.", "text")
        return value.strip()

    def _words(self, number: int, row: Row, counts: Counter[str]) -> Text | None:
        layout, words = self.layout, row.get(self.layout.words or "")
        if words is None or words == []:
            counts[NO_TEXT] += 1
            return None
        if not isinstance(words, list):
            raise self._broken(number, f"'{layout.words}' holds {_kind(words)}.", "a list of words")
        if layout.inner is not None:
            for word in words:
                if not isinstance(word, dict):
                    raise self._broken(number, f"'{layout.words}' holds {_kind(word)}.", "objects, one a word")
            beside = {
                name: [word.get(name) for word in words] for name in (*layout.word_columns, layout.spaces) if name
            }
            words = [word.get(layout.inner) for word in words]
        else:
            names = (name for name in (*layout.word_columns, layout.spaces) if name)
            beside = {name: value for name in names if (value := row.get(name)) is not None and value == value}
        forms = []
        for word in words:
            if word is not None and not isinstance(word, str):
                raise self._broken(number, f"a word of '{layout.words}' is {_kind(word)}.", "text")
            forms.append(_whole(word or "", counts))
        if not all(form.strip() for form in forms):
            counts[EMPTY_WORD] += 1
            return None
        for name, values in beside.items():
            if not isinstance(values, list) or len(values) != len(forms):
                got = f"{len(values)} values" if isinstance(values, list) else _kind(values)
                raise self._broken(number, f"'{name}' holds {got} for {len(forms)} words.", "a list, one value a word")
        spaces = beside.pop(layout.spaces, None) if layout.spaces else None
        annotation = {name: self._annotation(number, name, values) for name, values in beside.items()}
        return Text.from_words(forms, annotation, None if spaces is None else [value is not False for value in spaces])

    def _annotation(self, number: int, column: str, values: list[Any]) -> Column:
        named = self._value_names.get(column)
        written = [None if value is None else _scalar(value) for value in values]
        if any(value is None and given is not None for value, given in zip(written, values)):
            raise self._broken(number, f"'{column}' holds {_kind(values[0])}.", "text or numbers, one a word")
        return tuple(written if named is None else (named.get(value or "", value) for value in written))

    def _label(self, number: int, label: str, value: Any) -> str:
        """The label as text, several joined by `BETWEEN`; empty where there is none."""
        values = value if isinstance(value, list) else [value]
        named, found = self._value_names.get(label), []
        for each in values:
            written = _scalar(each)
            if written is None:
                if each is not None and each == each:
                    raise self._broken(number, f"the label '{label}' holds {_kind(each)}.", "text or a number")
                continue
            if named is not None and written and written not in named.values():
                if written == _NO_LABEL:
                    continue
                if written not in named:
                    raise self._unnamed(number, label, written, named)
                written = named[written]
            if written:
                found.append(_whole(written, Counter()))
        return BETWEEN.join(dict.fromkeys(found))

    def _unnamed(self, number: int, label: str, value: str, named: Mapping[str, str]) -> CorpusError:
        first, last = next(iter(named)), list(named)[-1]
        fix = f"Names of labels that count from 1: names={self.said.names}@1." if self.said.names else ""
        return self._broken(number, f"the label '{label}' is '{value}'.", f"a number from {first} to {last}", fix)

    def _broken(self, number: int, got: str, expected: str, fix: str = "") -> CorpusError:
        return CorpusError(f"{self.name}, {self.rows.counted} {number}: {got}", expected=expected, fix=fix)


def _whole(text: str, counts: Counter[str]) -> str:
    """The text with halves of surrogate pairs, which no encoding can write, replaced and counted."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        counts[BROKEN] += 1
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _scalar(value: Any) -> str | None:
    """A value as text: whole numbers without a point, truth as `true` and `false`; None for missing or no value.

    >>> _scalar(3.0), _scalar(True), _scalar(" World "), _scalar(float("nan"))
    ('3', 'true', 'World', None)
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return repr(value) if isinstance(value, float) and value == value else None


def _kind(value: Any) -> str:
    """A value in the words of an error."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    named: dict[type, str] = {list: "a list", dict: "an object"}
    return named.get(type(value), f"a {type(value).__name__}")


def opened(rows: Rows, said: Columns) -> TableCorpus:
    """The corpus, with its layout found, so that a wrong column is told now and not after the model is loaded."""
    corpus = TableCorpus(rows, said)
    _ = corpus.layout
    return corpus


__all__ = ["BETWEEN", "NONE", "Rows", "TableCorpus", "opened"]
