"""The layout of a table: each column's role, from what the user said and from the first rows.

A guess is by name, in the order of the lists in `unitscope.corpora.columns`; the text of a table without names is its
wordiest column. A layout says what was guessed, so that the user can be told, and is part of the corpus' fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unitscope.corpora import columns as known
from unitscope.corpora.columns import NONE, Columns
from unitscope.errors import CorpusError, closest

Row = Mapping[str, Any]
N_SAMPLED = 200
"""Rows that a guess looks at."""
_UNNAMED = re.compile(r"column([0-9]+)")
_UNNAMED_FIX = "It has no header: number its columns (text=2), or name them (header=class+title)."
_LANGUAGE = re.compile(r"(?:.*\.)?([a-z]{2,3})(?:[_-][A-Za-z]{2,4})?")
_MOST_VALUES, _LONGEST_VALUE = 50, 40
_WORDY = 2


@dataclass(frozen=True)
class Layout:
    """Roles of columns. Exactly one of `text`, `source` with `target`, and `words` is there.

    `word_columns` are annotations, one a word, and `spaces` says for each word whether a blank follows. `inner` is the
    key of the form where `words` holds objects. `guessed` names the roles that the user did not give, `others` the
    columns without a role.
    """

    text: tuple[str, ...] = ()
    source: str | None = None
    target: str | None = None
    words: str | None = None
    inner: str | None = None
    word_columns: tuple[str, ...] = ()
    spaces: str | None = None
    labels: tuple[str, ...] = ()
    group: str | None = None
    id: str | None = None
    guessed: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def used(self) -> tuple[str, ...]:
        """All columns that have a role, each once."""
        singles = (self.source, self.target, self.words, self.spaces, self.group, self.id)
        annotation = () if self.inner else self.word_columns
        named = [*self.text, *(name for name in singles if name), *annotation, *self.labels]
        return tuple(dict.fromkeys(named))

    def told(self, name: str) -> tuple[str, ...]:
        """What the user should hear: which column is what, and that it was guessed."""
        roles = {
            "text": self.text,
            "source": (self.source,) if self.source else (),
            "target": (self.target,) if self.target else (),
            "words": (self.words,) if self.words else (),
            "label": self.labels,
            "group": (self.group,) if self.group else (),
        }
        told = ", ".join(f"{role}={'+'.join(names)}" for role, names in roles.items() if names)
        group = "" if self.group else "; each row is its own group"
        others = f"; not used: {', '.join(self.others)}" if self.others else ""
        guess = f" (guessed: {', '.join(self.guessed)}; --columns says otherwise)" if self.guessed else ""
        return (f"{name} is read as {told}{group}{others}{guess}",)


def find_layout(name: str, header: Sequence[str], sample: Sequence[Row], said: Columns) -> Layout:
    """The layout of a table with these columns. Raises CorpusError for a missing column, or when none holds text."""
    said = _by_number(said, header)
    for wanted in said.named:
        if wanted not in header:
            raise CorpusError(
                f"{name} has no column '{wanted}'.",
                expected=f"one of {', '.join(header)}",
                fix=closest(wanted, header) or _UNNAMED_FIX * all(map(_UNNAMED.fullmatch, header)),
            )
    content = _said_content(said)
    guessed: tuple[str, ...] = ()
    if not said.says_content:
        content = _guessed_content(name, header, sample)
        guessed = tuple(role for role in ("text", "source", "target", "words") if getattr(content, role))
    found = _with_annotation(name, content, [each for each in header if each not in said.named], sample)
    taken = set(found.used)
    if said.label is not None:
        labels = said.label
    else:
        labels = tuple(each for each in header if each not in taken and _is_label(each, sample))
        guessed += ("label",) * bool(labels)
    group, id_ = said.group, said.id
    if group is None and (group := _by_name(header, known.GROUPS, taken)):
        guessed += ("group",)
    if id_ is None:
        id_ = _by_name(header, known.IDS, taken | {group or "", *labels})
    found = replace(found, labels=labels, group=_unless_none(group), id=_unless_none(id_), guessed=guessed)
    return replace(found, others=tuple(each for each in header if each not in found.used))


def _unless_none(name: str | None) -> str | None:
    return None if name == NONE else name


def _by_number(said: Columns, header: Sequence[str]) -> Columns:
    """Numbers of columns, from 1, in place of their made-up names."""
    if not all(_UNNAMED.fullmatch(name) for name in header):
        return said

    def full(name: str) -> str:
        return f"column{name}" if name.isascii() and name.isdigit() else name

    def one(name: str | None) -> str | None:
        return None if name is None else full(name)

    return replace(
        said,
        text=tuple(map(full, said.text)),
        label=None if said.label is None else tuple(map(full, said.label)),
        source=one(said.source),
        target=one(said.target),
        words=one(said.words),
        group=one(said.group),
        id=one(said.id),
    )


def _said_content(said: Columns) -> Layout:
    return Layout(text=said.text, source=said.source, target=said.target, words=said.words)


def _guessed_content(name: str, header: Sequence[str], sample: Sequence[Row]) -> Layout:
    for words in (*_in_order(header, known.WORDS), *header):
        if _holds_words(words, sample, surely=words.lower() in known.WORDS):
            return Layout(words=words)
    source, target = _by_name(header, known.SOURCES), _by_name(header, known.TARGETS)
    if not (source and target):
        languages = [each for each in header if _LANGUAGE.fullmatch(each) and _holds_text(each, sample)]
        nested = [each for each in languages if each.startswith("translation.")]
        pair = nested or (languages if len(languages) == len(header) else [])
        source, target = (pair[0], pair[1]) if len(pair) == 2 else (None, None)
    if source and target:
        return Layout(source=source, target=target)
    for text in _in_order(header, known.TEXTS):
        if _holds_text(text, sample):
            return Layout(text=(text,))
    wordy = [(_mean_words(each, sample), each) for each in header if _holds_text(each, sample)]
    if max(wordy, default=(0.0, ""))[0] < _WORDY and (
        empty := [each for each in _in_order(header, known.TEXTS) if not _values(each, sample)]
    ):
        return Layout(text=(empty[0],))
    if not wordy or (best := max(wordy, key=lambda each: each[0]))[0] < 1:
        raise CorpusError(
            f"No column of {name} looks like text.",
            expected=f"one of {', '.join(header)} named by --columns text=NAME",
        )
    return Layout(text=(best[1],))


def _by_name(header: Sequence[str], names: Sequence[str], without: set[str] | None = None) -> str | None:
    return next((each for each in _in_order(header, names) if each not in (without or ())), None)


def _in_order(header: Sequence[str], names: Sequence[str]) -> list[str]:
    """Columns that have one of the names, in the names' order, whatever their capitals."""
    return [each for name in names for each in header if each.lower() == name]


def _values(column: str, sample: Sequence[Row]) -> list[Any]:
    return [value for row in sample if (value := row.get(column)) not in (None, "") and value == value]


def _holds_text(column: str, sample: Sequence[Row]) -> bool:
    values = _values(column, sample)
    return bool(values) and all(isinstance(value, str) for value in values)


def _mean_words(column: str, sample: Sequence[Row]) -> float:
    values = [value for value in _values(column, sample) if not _is_number(value)]
    return sum(len(value.split()) for value in values) / max(len(sample), 1)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _holds_words(column: str, sample: Sequence[Row], *, surely: bool) -> bool:
    """Whether the column holds lists of words, or of objects with a form."""
    lists = [value for value in _values(column, sample) if value != []]
    if surely and any(isinstance(value, list) for value in lists):
        return True  # what is wrong with single rows is told where they are read
    if not lists or not all(isinstance(value, list) for value in lists):
        return False
    objects = all(isinstance(word, dict) for value in lists for word in value)
    return objects and _form_key(column, sample) is not None


def _form_key(column: str, sample: Sequence[Row]) -> str | None:
    keys = {key for row in sample for word in row.get(column) or () if isinstance(word, dict) for key in word}
    return next((name for name in known.FORMS if name in keys), None)


def _is_label(column: str, sample: Sequence[Row]) -> bool:
    """By its name; a column without a name, where it repeats few short values."""
    values = _values(column, sample)
    if column.lower() in known.LABELS:
        return not values or any(isinstance(value, (str, int, float)) or _flat(value) for value in values)
    if not _UNNAMED.fullmatch(column):
        return False
    distinct = set(map(str, values))
    few = 1 < len(distinct) <= min(_MOST_VALUES, max(2, len(values) // 4))
    return few and all(len(value) <= _LONGEST_VALUE for value in distinct)


def _flat(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, (str, int, float)) for each in value)


def _with_annotation(name: str, content: Layout, header: Sequence[str], sample: Sequence[Row]) -> Layout:
    """The layout with the word columns that go with its words."""
    if content.words is None:
        return content
    rows = [row for row in sample if row.get(content.words)]
    lists = [row[content.words] for row in rows if isinstance(row[content.words], list)]
    if any(isinstance(word, dict) for words in lists for word in words):
        inner = _form_key(content.words, sample)
        if inner is None:
            raise CorpusError(
                f"The objects in '{content.words}' of {name} have no form.", expected=f"one of {', '.join(known.FORMS)}"
            )
        keys = dict.fromkeys(key for words in lists for word in words if isinstance(word, dict) for key in word)
        spaces = next((key for key in known.SPACES if key in keys), None)
        scalar = [key for key in keys if key not in (inner, spaces) and _scalar_key(key, lists)]
        return replace(content, inner=inner, word_columns=tuple(scalar), spaces=spaces)
    spaces = next((each for each in header if each in known.SPACES), None)
    beside = [each for each in header if each not in (content.words, spaces) and _goes_with(each, content.words, rows)]
    return replace(content, word_columns=tuple(beside), spaces=spaces)


def _scalar_key(key: str, lists: Sequence[list[Any]]) -> bool:
    values = (word.get(key) for words in lists for word in words if isinstance(word, dict))
    return all(value is None or isinstance(value, (str, int, float)) for value in values)


def _goes_with(column: str, words: str, rows: Sequence[Row]) -> bool:
    """Whether a column holds lists as long as the words' in most rows where it holds anything."""
    both = [(row[column], row[words]) for row in rows if isinstance(row.get(column), list)]
    if not both or not all(_flat([v for v in values if v is not None]) for values, _ in both):
        return False
    return sum(len(values) == len(forms) for values, forms in both) * 2 >= len(both)
