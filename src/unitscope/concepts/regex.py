"""Concepts from regular expressions, over single words or over the raw text. Syntax: Python's `re`."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cached_property

from unitscope.concepts.base import Annotation
from unitscope.errors import ConceptError
from unitscope.sites import Item

Patterns = tuple[tuple[str, str], ...]


def _compiled(patterns: Patterns) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Patterns checked. Raises ConceptError for a broken one, a missing or a repeated name."""
    names = [name for name, _ in patterns]
    for name, pattern in patterns:
        if not name or names.count(name) > 1:
            raise ConceptError(f"Pattern '{pattern}' has the name '{name}'.", expected="one name for each pattern")
    compiled = []
    for name, pattern in patterns:
        try:
            compiled.append((name, re.compile(pattern)))
        except re.error as error:
            at = "" if error.pos is None else f" at character {error.pos + 1}"
            raise ConceptError(
                f"Pattern '{name}' = '{pattern}' is broken: {error.msg}{at}.", expected="a regular expression of Python"
            ) from error
    return tuple(compiled)


class _Matches(dict[str, tuple[str, ...]]):
    def __init__(self, patterns: tuple[tuple[str, re.Pattern[str]], ...]) -> None:
        super().__init__()
        self._patterns = patterns

    def __missing__(self, word: str) -> tuple[str, ...]:
        names = self[word] = tuple(name for name, pattern in self._patterns if pattern.fullmatch(word))
        return names


@dataclass(frozen=True)
class WordRegexSource:
    """Words that a pattern matches from end to end; `patterns` are (name, pattern) pairs.

    Raises ConceptError for a broken pattern or a name given twice.
    """

    patterns: Patterns
    min_sites: int = 20

    def __post_init__(self) -> None:
        _compiled(self.patterns)

    @property
    def category(self) -> str:
        """Always 'regex'."""
        return "regex"

    @property
    def names(self) -> tuple[str, ...]:
        """Concepts that must have a site."""
        return tuple(name for name, _ in self.patterns)

    @cached_property
    def _matches(self) -> _Matches:
        return _Matches(_compiled(self.patterns))

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The patterns that match each word of the grid."""
        return list(map(self._matches.__getitem__, item.grids[grid].words))

    def joined(self, other: WordRegexSource) -> WordRegexSource:
        """Both sources' patterns in one source, with this one's `min_sites`."""
        return replace(self, patterns=self.patterns + other.patterns)


@dataclass(frozen=True)
class TextRegexSource:
    """Words that share a character with a match of a pattern in the raw text; matches of no characters are passed over.

    Raises ConceptError for a broken pattern or a name given twice.
    """

    patterns: Patterns
    min_sites: int = 20

    def __post_init__(self) -> None:
        _compiled(self.patterns)

    @property
    def category(self) -> str:
        """Always 'regex-text'."""
        return "regex-text"

    @property
    def names(self) -> tuple[str, ...]:
        """Concepts that must have a site."""
        return tuple(name for name, _ in self.patterns)

    @cached_property
    def _searches(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        return _compiled(self.patterns)

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The patterns whose matches overlap each word of the grid."""
        text = item.grids[grid]
        holding: list[tuple[str, ...]] = [()] * text.n_sites
        ends = [end for _, end in text.spans]
        for name, pattern in self._searches:
            for match in pattern.finditer(text.text):
                start, stop = match.span()
                index = bisect_right(ends, start) if stop > start else text.n_sites
                while index < text.n_sites and text.spans[index][0] < stop:
                    if name not in holding[index]:
                        holding[index] = (*holding[index], name)
                    index += 1
        return holding

    def joined(self, other: TextRegexSource) -> TextRegexSource:
        """Both sources' patterns in one source, with this one's `min_sites`."""
        return replace(self, patterns=self.patterns + other.patterns)
