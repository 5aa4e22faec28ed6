"""Concepts from lists of words: a word holds the concept when its form is on the list.

A listed form in lower case matches in any case; one with a capital matches exactly, so that `US` is not `us`. A form
is one word as the corpus cuts them: an entry of two words matches only a word with an inner blank.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from unitscope.concepts.base import Annotation
from unitscope.corpora.lines import read_lines
from unitscope.errors import ConceptError, CorpusError
from unitscope.sites import Item

Entries = tuple[tuple[str, tuple[str, ...]], ...]


class _Matches(dict[str, tuple[str, ...]]):
    def __init__(self, entries: Entries) -> None:
        super().__init__()
        self._names_of: dict[str, tuple[str, ...]] = {}
        for name, forms in entries:
            for form in dict.fromkeys(forms):
                self._names_of[form] = (*self._names_of.get(form, ()), name)

    def __missing__(self, word: str) -> tuple[str, ...]:
        found = self._names_of.get(word, ()) + self._names_of.get(word.lower(), ())
        names = self[word] = tuple(dict.fromkeys(found))
        return names


@dataclass(frozen=True)
class LexiconSource:
    """Named lists of forms, `entries` being (name, forms) pairs.

    Raises ConceptError when there is no list, a list is empty, or a name comes twice.
    """

    entries: Entries
    min_sites: int = 20

    def __post_init__(self) -> None:
        if not self.entries:
            raise ConceptError("A lexicon without lists.", expected="at least one name with its forms")
        for name, forms in self.entries:
            if not name or not any(forms):
                raise ConceptError(f"Lexicon '{name}' has no forms.", expected="a name with at least one form")
        if len(set(self.names)) < len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise ConceptError(f"Lexicon '{twice}' is given twice.", fix="Rename one of them.")

    @property
    def category(self) -> str:
        """Always 'lexicon'."""
        return "lexicon"

    @property
    def names(self) -> tuple[str, ...]:
        """Concepts that must have a site."""
        return tuple(name for name, _ in self.entries)

    @cached_property
    def _matches(self) -> _Matches:
        return _Matches(self.entries)

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The lists that each word of the grid is on."""
        return list(map(self._matches.__getitem__, item.grids[grid].words))

    def joined(self, other: LexiconSource) -> LexiconSource:
        """Both sources' lists in one source, with this one's `min_sites`."""
        return replace(self, entries=self.entries + other.entries)


def read_lexicon(path: Path, min_sites: int = 20) -> LexiconSource:
    """Lists from a file: `.json` maps names to lists of forms; else one form a line, named by the file's stem.

    Raises ConceptError when the file cannot be read or has another shape.
    """
    try:
        lines = list(read_lines(path))
    except CorpusError as error:
        raise ConceptError(error.got, expected=error.expected, fix=error.fix) from error
    if path.suffix.lower() == ".json":
        return LexiconSource(_from_json("\n".join(lines), path), min_sites)
    forms = tuple(form for line in lines if (form := line.strip()))
    return LexiconSource(((path.stem, forms),), min_sites)


def _from_json(content: str, path: Path) -> Entries:
    shape = 'an object of names with lists of forms, {"colour": ["red", "blue"]}'
    try:
        # Pairs, since a mapping would silently keep only the last of two equal names.
        pairs = json.loads(content, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        raise ConceptError(f"{path.name}, line {error.lineno}: {error.msg}.", expected=shape) from error
    if not isinstance(pairs, _Pairs):
        raise ConceptError(f"{path.name} holds {_kind(pairs)}.", expected=shape)
    return tuple((name, _forms(name, value, path, shape)) for name, value in pairs)


def _forms(name: str, value: object, path: Path, shape: str) -> tuple[str, ...]:
    if not isinstance(value, list) or isinstance(value, _Pairs):
        raise ConceptError(f"{path.name}: '{name}' holds {_kind(value)}.", expected=shape)
    for form in value:
        if not isinstance(form, str):
            raise ConceptError(f"{path.name}: the list '{name}' holds {_kind(form)}.", expected=shape)
    return tuple(value)


class _Pairs(list[tuple[str, object]]):
    """A JSON object as its pairs, told apart from a JSON list."""


def _kind(value: object) -> str:
    return "an object" if isinstance(value, _Pairs) else f"{json.dumps(value)[:40]}"
