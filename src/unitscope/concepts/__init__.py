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
``ngrams[:N[:MIN]]``      frequent runs of 2 to N words (default 2) that end at the word
``morphemes``             gold ones, else those that Morfessor finds in the corpus' vocabulary
``phrases[:edges]``       gold constituents, else dependency subtrees by relation and head
``labels[:NAME]``         labels of items, ``labels:class=World`` (on the grid ``item``)
``segments``              labels of an image's mask (images)
``place``                 top, middle, bottom; left, centre, right third of the image (images)
``colours``               the basic colour that is nearest to a cell's mean colour (images)
``combine:NAME=...``      and, or, not over other concepts
``concepts:FILE``         a set of concepts from a JSON or TOML file
``spacy:MODEL[:COLUMN]``  what a spaCy pipeline says of the corpus' words
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
from unitscope.concepts.combine import CombineSource, category_of, no_source
from unitscope.concepts.covariates import CovariateSource
from unitscope.concepts.expression import atoms, parse_expression
from unitscope.concepts.files import Pairs, read_concept_set
from unitscope.concepts.labels import LabelSource
from unitscope.concepts.lexicon import LexiconSource, read_lexicon
from unitscope.concepts.morphemes import MorphemeSource
from unitscope.concepts.ngrams import NgramSource
from unitscope.concepts.phrases import CONSTITUENTS, HEAD, PhraseSource
from unitscope.concepts.pictures import ColourSource, PlaceSource, SegmentSource
from unitscope.concepts.predicate import PredicateSource
from unitscope.concepts.regex import TextRegexSource, WordRegexSource
from unitscope.concepts.spacy import SpacySource
from unitscope.concepts.table import ConceptTable
from unitscope.concepts.tags import TagSource
from unitscope.concepts.words import PositionSource, WordSource
from unitscope.corpora.base import Corpus, label_names
from unitscope.errors import ConceptError, closest

__all__ = ["ConceptSource", "ConceptTable", "ConceptTableBuilder", "parse_sources"]

DEFAULT_MIN_SITES = 20
DEFAULT_MIN_FORMS = 40
SEPARATORS: Mapping[str, str] = MappingProxyType({"feats": "|", "morphemes": "+", "meaning": "|", "constituents": "|"})
"""How columns that hold several values are cut, unless the spec says otherwise."""

NGRAMS, MORPHEMES, COMBINE, CONCEPTS = "ngrams", "morphemes", "combine", "concepts"

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


def parse_sources(specs: Sequence[str], corpus: Corpus, others: Sequence[ConceptSource] = ()) -> list[ConceptSource]:
    """Sources for specs, in their order, combinations last.

    Several `lexicon`, `regex`, `regex-text` or `combine` specs become one source each. A combination may use concepts
    of the sources that are given, of `others`, and of any spec that needs no argument. Raises ConceptError for an
    unknown or malformed spec, a column that the corpus lacks, a category given twice, or a combination of unknown
    concepts.
    """
    gathered = _Gathered(corpus)
    for written in specs:
        gathered.add(written)
    return gathered.sources(others)


class _Gathered:
    """Sources by category, and combinations until all sources are known."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._by_category: dict[str, ConceptSource] = {}
        self._combinations: list[tuple[Pairs, int]] = []

    def add(self, written: str) -> None:
        spec = _taken_apart(written, self._corpus)
        if spec.kind == COMBINE:
            self._combinations.append((_named(spec, "upos:NOUN and feats:Number=Plur"), spec.least))
        elif spec.kind == CONCEPTS:
            self._add_set(spec)
        else:
            self._add_source(_source(spec), written)

    def _add_set(self, spec: _Spec) -> None:
        if not spec.argument:
            raise ConceptError(f"'{spec.written}' names no file.", expected="concepts:FILE")
        found = read_concept_set(Path(spec.argument), spec.least)
        for source in found.sources:
            self._add_source(source, spec.written)
        for each in found.specs:
            if each.startswith(f"{CONCEPTS}:"):
                raise ConceptError(f"'{spec.argument}' names another file, '{each}'.", fix="Give both by --concepts.")
            self.add(each)
        if found.combinations:
            self._combinations.append((found.combinations, found.min_sites))

    def _add_source(self, source: ConceptSource, written: str) -> None:
        previous = self._by_category.get(source.category)
        self._by_category[source.category] = source if previous is None else _joined(previous, source, written)

    def sources(self, others: Sequence[ConceptSource]) -> list[ConceptSource]:
        """All sources, the combinations as one source at the end."""
        given = {**self._by_category, **{source.category: source for source in others}}
        combined: CombineSource | None = None
        for pairs, min_sites in self._combinations:
            members: dict[str, ConceptSource] = {}
            for name, text in pairs:
                for atom in atoms(parse_expression(text)):
                    category = category_of(atom)
                    members[category] = given.get(category) or self._implied(atom, name)
            source = CombineSource(pairs, tuple(members.values()), min_sites)
            if combined is not None and combined.min_sites != min_sites:
                raise ConceptError(
                    f"Combinations ask for {combined.min_sites} and for {min_sites} sites.",
                    fix="Give all of them the same '@MIN'.",
                )
            combined = source if combined is None else combined.joined(source)
        return [*self._by_category.values(), *([combined] if combined else [])]

    def _implied(self, atom: str, name: str) -> ConceptSource:
        """The source of a concept whose spec needs no argument."""
        category = category_of(atom)
        kinds = (*(kind for kind in _KINDS if kind not in _NEEDS_ARGUMENT), *self._corpus.columns)
        if category not in kinds:
            raise no_source(atom, name, kinds)
        return _source(_Spec(category, category, "", 1 if category != NGRAMS else None, self._corpus))


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
    known = (*SPECS, *spec.corpus.columns)
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


def _pattern(spec: _Spec) -> Pairs:
    name, given, pattern = spec.argument.partition("=")
    if not (name and given and pattern):
        raise ConceptError(f"'{spec.written}' has no pattern.", expected=f"{spec.kind}:NAME=PATTERN")
    return ((name, pattern),)


def _named(spec: _Spec, like: str) -> Pairs:
    name, given, expression = (part.strip() for part in spec.argument.partition("="))
    if not (name and given and expression):
        raise ConceptError(f"'{spec.written}' has no expression.", expected=f"{spec.kind}:NAME={like}")
    return ((name, expression),)


def _ngrams(spec: _Spec) -> ConceptSource:
    size, _, least = spec.argument.partition(":")
    if least and spec.min_sites is not None:
        raise ConceptError(f"'{spec.written}' gives two minimums.", expected="ngrams:N:MIN or ngrams:N@MIN")
    min_sites = _minimum(least, spec.written) if least else spec.least
    return NgramSource(_minimum(size, spec.written) if size else 2, min_sites, spec.corpus)


def _morphemes(spec: _Spec) -> ConceptSource:
    _bare(spec)
    if MORPHEMES in spec.corpus.columns:
        return _tag(spec)
    return MorphemeSource(spec.least, corpus=spec.corpus)


def _phrases(spec: _Spec) -> ConceptSource:
    if spec.argument not in ("", "edges"):
        raise ConceptError(f"Got '{spec.written}'.", expected="phrases or phrases:edges")
    if CONSTITUENTS not in spec.corpus.columns:
        _column(HEAD, spec)
    return PhraseSource(bool(spec.argument), spec.least)


def _labels(spec: _Spec) -> ConceptSource:
    known = label_names(spec.corpus)
    if not known:
        raise ConceptError(
            f"'{spec.corpus.name}' has no labels.",
            expected="a table with a column that holds a class, or the demo",
            fix="Name it: --columns label=NAME.",
        )
    if spec.argument and spec.argument not in known:
        raise ConceptError(
            f"'{spec.corpus.name}' has no label '{spec.argument}'.",
            expected=f"one of {', '.join(known)}",
            fix=closest(spec.argument, known),
        )
    return LabelSource((spec.argument,) if spec.argument else known, spec.least)


def _spacy(spec: _Spec) -> ConceptSource:
    model, _, column = spec.argument.rpartition(":") if spec.argument.count(":") else (spec.argument, "", "")
    return SpacySource.load(model, column or None, spec.least)


def _regex(spec: _Spec) -> ConceptSource:
    return WordRegexSource(_pattern(spec), spec.least)


def _regex_text(spec: _Spec) -> ConceptSource:
    return TextRegexSource(_pattern(spec), spec.least)


def _predicate(spec: _Spec) -> ConceptSource:
    source = PredicateSource(spec.argument, spec.least)
    _ = source.function  # a wrong name is told now, not after the first pass
    return source


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
        NGRAMS: _ngrams,
        MORPHEMES: _morphemes,
        "phrases": _phrases,
        "labels": _labels,
        "segments": _segments,
        "place": _place,
        "colours": _colours,
        "spacy": _spacy,
    }
)
_NEEDS_ARGUMENT = ("column", "lexicon", "regex", "regex-text", "predicate", "spacy")
SPECS = (*_KINDS, COMBINE, CONCEPTS)
"""What a spec may begin with, besides a column's name."""
