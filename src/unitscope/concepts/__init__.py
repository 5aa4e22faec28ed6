"""Concepts: what is at each site. One kind of source a file; `parse_sources` reads the command line's specs.

========================  =============================================================================
spec                      concepts
========================  =============================================================================
``upos xpos deprel``      values of that word column
``feats``                 each feature with its value, ``feats:Number=Plur``
``NAME``                  values of any other column of the corpus (``morphemes`` cut at ``+``, ``meaning`` at ``|``)
``column:NAME[:SEP]``     values of a column, cut at SEP
``words[:MIN]``           lower-cased forms with at least MIN sites (default 40)
``lemmas[:MIN]``          lemmas with at least MIN sites (default 40)
``position``              first, second, third, 4-7, 8-15, 16+, last
``covariates``            length, frequency, capitals, digits
``lexicon:FILE``          forms on a list: text, one a line; or JSON, names with lists
``regex:NAME=PATTERN``    words that the pattern matches from end to end
``regex-text:NAME=...``   words that overlap a match in the raw text
``predicate:MODULE:F``    what a Python function returns
``labels``                labels of whole items, ``labels:class=World`` (on the grid ``item``)
``segments``              labels of an image's mask (images)
``place``                 top, middle, bottom; left, centre, right third of the image (images)
``colours``               the basic colour that is nearest to a cell's mean colour (images)
========================  =============================================================================

A suffix ``@MIN`` sets the least number of sites of any of them (default 20). A pattern that ends so writes ``[@]20``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from unitscope.concepts.base import ConceptSource
from unitscope.concepts.build import ConceptTableBuilder
from unitscope.concepts.covariates import CovariateSource
from unitscope.concepts.labels import LabelSource
from unitscope.concepts.lexicon import LexiconSource, read_lexicon
from unitscope.concepts.pictures import ColourSource, PlaceSource, SegmentSource
from unitscope.concepts.predicate import PredicateSource
from unitscope.concepts.regex import TextRegexSource, WordRegexSource
from unitscope.concepts.table import ConceptTable
from unitscope.concepts.tags import TagSource
from unitscope.concepts.words import PositionSource, WordSource
from unitscope.corpora.base import Corpus
from unitscope.errors import ConceptError, closest

__all__ = ["ConceptSource", "ConceptTable", "ConceptTableBuilder", "parse_sources"]

DEFAULT_MIN_SITES = 20
DEFAULT_MIN_FORMS = 40
SEPARATORS: Mapping[str, str] = MappingProxyType({"feats": "|", "morphemes": "+", "meaning": "|", "constituents": "|"})
"""How columns that hold several values are cut, unless the spec says otherwise."""

_SUFFIX = re.compile(r"(.*)@([0-9]+)", re.DOTALL)


@dataclass(frozen=True)
class _Spec:
    """A spec taken apart: `kind:argument@min_sites`."""

    written: str
    kind: str
    argument: str
    min_sites: int | None
    corpus: Corpus

    @property
    def least(self) -> int:
        return DEFAULT_MIN_SITES if self.min_sites is None else self.min_sites


def parse_sources(specs: Sequence[str], corpus: Corpus) -> list[ConceptSource]:
    """Sources for specs, in their order; several `lexicon`, `regex` or `regex-text` specs become one source each.

    Raises ConceptError for an unknown or malformed spec, a column that the corpus lacks, or a category given twice.
    """
    sources: dict[str, ConceptSource] = {}
    for written in specs:
        spec = _taken_apart(written, corpus)
        source = _source(spec)
        previous = sources.get(source.category)
        sources[source.category] = source if previous is None else _joined(previous, source, written)
    return list(sources.values())


def _taken_apart(written: str, corpus: Corpus) -> _Spec:
    body, min_sites = written, None
    if match := _SUFFIX.fullmatch(written):
        body, min_sites = match[1], _minimum(match[2], written)
    kind, _, argument = body.partition(":")
    return _Spec(written, kind, argument, min_sites, corpus)


def _minimum(digits: str, written: str) -> int:
    if not (digits.isascii() and digits.isdigit()) or int(digits) < 1:
        raise ConceptError(f"Minimum '{digits}' in '{written}'.", expected="a whole number from 1")
    return int(digits)


def _source(spec: _Spec) -> ConceptSource:
    if spec.kind in _KINDS:
        return _KINDS[spec.kind](spec)
    if spec.kind in spec.corpus.columns:
        return _tag(spec)
    known = (*_KINDS, *spec.corpus.columns)
    raise ConceptError(
        f"Unknown concept source '{spec.written}'.",
        expected=f"one of {', '.join(dict.fromkeys(known))}",
        fix=closest(spec.kind, dict.fromkeys(known)),
    )


def _joined(previous: ConceptSource, source: ConceptSource, written: str) -> ConceptSource:
    if previous.min_sites == source.min_sites:
        if isinstance(previous, LexiconSource) and isinstance(source, LexiconSource):
            return previous.joined(source)
        if isinstance(previous, WordRegexSource) and isinstance(source, WordRegexSource):
            return previous.joined(source)
        if isinstance(previous, TextRegexSource) and isinstance(source, TextRegexSource):
            return previous.joined(source)
    elif isinstance(source, (LexiconSource, WordRegexSource, TextRegexSource)):
        raise ConceptError(
            f"'{written}' asks for {source.min_sites} sites, '{source.category}' before it for {previous.min_sites}.",
            fix=f"Give all '{source.category}' specs the same '@MIN'.",
        )
    raise ConceptError(f"Category '{source.category}' is given twice, again by '{written}'.", fix="Leave one out.")


def _bare(spec: _Spec) -> None:
    if spec.argument:
        raise ConceptError(f"'{spec.written}' has an argument.", expected=f"'{spec.kind}' or '{spec.kind}@MIN'")


def _column(name: str, spec: _Spec) -> str:
    columns = spec.corpus.columns
    if name not in columns:
        has = f"it has {', '.join(columns)}" if columns else "it has none"
        raise ConceptError(
            f"'{spec.written}' needs the column '{name}' of '{spec.corpus.name}': {has}.", fix=closest(name, columns)
        )
    return name


def _tag(spec: _Spec) -> ConceptSource:
    _bare(spec)
    return TagSource(_column(spec.kind, spec), spec.kind, SEPARATORS.get(spec.kind, ""), spec.least)


def _any_column(spec: _Spec) -> ConceptSource:
    name, given, separator = spec.argument.partition(":")
    if not name:
        raise ConceptError(f"'{spec.written}' names no column.", expected="column:NAME or column:NAME:SEP")
    return TagSource(_column(name, spec), name, separator if given else SEPARATORS.get(name, ""), spec.least)


def _least_forms(spec: _Spec) -> int:
    if spec.argument and spec.min_sites is not None:
        raise ConceptError(f"'{spec.written}' gives two minimums.", expected=f"{spec.kind}:MIN or {spec.kind}@MIN")
    if spec.argument:
        return _minimum(spec.argument, spec.written)
    return DEFAULT_MIN_FORMS if spec.min_sites is None else spec.min_sites


def _words(spec: _Spec) -> ConceptSource:
    return WordSource(_least_forms(spec))


def _lemmas(spec: _Spec) -> ConceptSource:
    return TagSource(_column("lemma", spec), "lemmas", "", _least_forms(spec))


def _position(spec: _Spec) -> ConceptSource:
    _bare(spec)
    return PositionSource(spec.least)


def _covariates(spec: _Spec) -> ConceptSource:
    _bare(spec)
    return CovariateSource(spec.least, spec.corpus)


def _lexicon(spec: _Spec) -> ConceptSource:
    if not spec.argument:
        raise ConceptError(f"'{spec.written}' names no file.", expected="lexicon:FILE")
    return read_lexicon(Path(spec.argument), spec.least)


def _pattern(spec: _Spec) -> tuple[tuple[str, str], ...]:
    name, given, pattern = spec.argument.partition("=")
    if not (name and given and pattern):
        raise ConceptError(f"'{spec.written}' has no pattern.", expected=f"{spec.kind}:NAME=PATTERN")
    return ((name, pattern),)


def _regex(spec: _Spec) -> ConceptSource:
    return WordRegexSource(_pattern(spec), spec.least)


def _regex_text(spec: _Spec) -> ConceptSource:
    return TextRegexSource(_pattern(spec), spec.least)


def _predicate(spec: _Spec) -> ConceptSource:
    source = PredicateSource(spec.argument, spec.least)
    _ = source.function  # a wrong name is told now, not after the first pass
    return source


def _labels(spec: _Spec) -> ConceptSource:
    _bare(spec)
    return LabelSource(spec.least)


def _segments(spec: _Spec) -> ConceptSource:
    _bare(spec)
    return SegmentSource(spec.least)


def _place(spec: _Spec) -> ConceptSource:
    _bare(spec)
    return PlaceSource(spec.least)


def _colours(spec: _Spec) -> ConceptSource:
    _bare(spec)
    return ColourSource(spec.least)


_KINDS: Mapping[str, Callable[[_Spec], ConceptSource]] = MappingProxyType(
    {
        "upos": _tag,
        "xpos": _tag,
        "feats": _tag,
        "deprel": _tag,
        "column": _any_column,
        "words": _words,
        "lemmas": _lemmas,
        "position": _position,
        "covariates": _covariates,
        "lexicon": _lexicon,
        "regex": _regex,
        "regex-text": _regex_text,
        "predicate": _predicate,
        "labels": _labels,
        "segments": _segments,
        "place": _place,
        "colours": _colours,
    }
)
