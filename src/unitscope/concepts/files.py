"""Concept sets from files: `concepts:FILE`, JSON or TOML that holds lists of words, patterns, combinations and specs.

A set that several people or runs share is one file: `lexicon`, `regex`, `regex-text` and `combine` are tables of names,
`specs` a list of what `--concepts` takes, `min_sites` the least number of sites of the tables' concepts.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unitscope.concepts.base import ConceptSource
from unitscope.concepts.lexicon import LexiconSource
from unitscope.concepts.regex import TextRegexSource, WordRegexSource
from unitscope.corpora.lines import read_lines
from unitscope.errors import ConceptError, CorpusError, closest

LEXICON, REGEX, TEXT_REGEX, COMBINE, SPECS, MIN_SITES = (
    "lexicon",
    "regex",
    "regex-text",
    "combine",
    "specs",
    "min_sites",
)
KEYS = (LEXICON, REGEX, TEXT_REGEX, COMBINE, SPECS, MIN_SITES)
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ConceptSet:
    """What a file holds: sources, combinations by name, and specs still to be read."""

    sources: tuple[ConceptSource, ...]
    combinations: Pairs
    specs: tuple[str, ...]
    min_sites: int


def read_concept_set(path: Path, min_sites: int) -> ConceptSet:
    """The concept set of a `.json` or `.toml` file; `min_sites` where the file has none.

    Raises ConceptError when the file cannot be read, has an unknown key, or a value of another shape.
    """
    content = _content(path)
    for key in content:
        if key not in KEYS:
            raise ConceptError(
                f"{path.name} holds '{key}'.", expected=f"keys among {', '.join(KEYS)}", fix=closest(key, KEYS)
            )
    least = content.get(MIN_SITES, min_sites)
    if isinstance(least, bool) or not isinstance(least, int) or least < 1:
        raise ConceptError(f"{path.name}: '{MIN_SITES}' is {least!r}.", expected="a whole number from 1")
    sources: list[ConceptSource] = []
    if lists := _table(content, LEXICON, path):
        sources.append(
            LexiconSource(tuple((name, _strings(value, name, path)) for name, value in lists.items()), least)
        )
    if patterns := _pairs(content, REGEX, path):
        sources.append(WordRegexSource(patterns, least))
    if patterns := _pairs(content, TEXT_REGEX, path):
        sources.append(TextRegexSource(patterns, least))
    specs = _strings(content.get(SPECS, []), SPECS, path)
    found = ConceptSet(tuple(sources), _pairs(content, COMBINE, path), specs, least)
    if not (found.sources or found.combinations or found.specs):
        raise ConceptError(f"{path.name} holds no concept.", expected=f"one of {', '.join(KEYS[:-1])}")
    return found


def _content(path: Path) -> Mapping[str, Any]:
    try:
        text = "\n".join(read_lines(path))
    except CorpusError as error:
        raise ConceptError(error.got, expected=error.expected, fix=error.fix) from error
    try:
        if path.suffix.lower() == ".toml":
            return tomllib.loads(text)
        content = json.loads(text, object_pairs_hook=_distinct)
    except _Repeated as error:
        raise ConceptError(f"{path.name} gives '{error}' twice.", fix="Rename one of them.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConceptError(f"{path.name} is broken: {error}.", expected="TOML") from error
    except json.JSONDecodeError as error:
        expected = "JSON, or a name that ends in .toml"
        raise ConceptError(f"{path.name}, line {error.lineno}: {error.msg}.", expected=expected) from error
    if not isinstance(content, dict):
        raise ConceptError(f"{path.name} is no object.", expected=f"an object of {', '.join(KEYS)}")
    return content


class _Repeated(Exception):  # noqa: N818 - never leaves this module
    """A key that an object holds twice."""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Repeated(key)
        found[key] = value
    return found


def _table(content: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    table = content.get(key, {})
    if not isinstance(table, dict):
        raise ConceptError(f"{path.name}: '{key}' is {table!r:.40}.", expected="names with their values")
    return table


def _pairs(content: Mapping[str, Any], key: str, path: Path) -> Pairs:
    table = _table(content, key, path)
    for name, value in table.items():
        if not isinstance(value, str) or not name:
            raise ConceptError(f"{path.name}: '{key}' holds '{name}' = {value!r:.40}.", expected="a name with a text")
    return tuple(table.items())


def _strings(value: Any, name: str, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ConceptError(f"{path.name}: '{name}' is {value!r:.40}.", expected="a list of texts")
    return tuple(value)
