"""What a spaCy pipeline says of the corpus' own words: `spacy:MODEL[:COLUMN]`, through the optional package `spacy`.

The pipeline is given the words as they are, so its tokens are the sites. Trained pipelines are programs that the user
installed; the pipeline's version and its files' hash are in the study's key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from unitscope.concepts.base import Annotation
from unitscope.errors import ConceptError, closest
from unitscope.sites import Item, Text


def _value(text: str) -> tuple[str, ...] | None:
    return (text,) if text else None


COLUMNS: Mapping[str, tuple[str, Callable[[Any], tuple[str, ...] | None]]] = MappingProxyType(
    {
        "pos": ("POS", lambda token: _value(token.pos_)),
        "tag": ("TAG", lambda token: _value(token.tag_)),
        "dep": ("DEP", lambda token: _value(token.dep_)),
        "lemma": ("LEMMA", lambda token: _value(token.lemma_)),
        "morph": ("MORPH", lambda token: tuple(feature for feature in str(token.morph).split("|") if feature)),
        "ent": ("ENT_IOB", lambda token: (token.ent_type_,) if token.ent_type_ else ()),
    }
)
"""Columns by name: spaCy's attribute that says whether a text was annotated, and a token's concepts."""


@dataclass(frozen=True)
class SpacySource:
    """`column` of the pipeline `model` over each word; category `spacy.COLUMN`.

    `version` says which pipeline it is. A text that the pipeline leaves without annotation is not known.
    """

    model: str
    column: str = "pos"
    min_sites: int = 20
    version: str = ""

    @classmethod
    def load(cls, model: str, column: str | None, min_sites: int = 20) -> SpacySource:
        """The source of an installed pipeline or a folder.

        Raises ConceptError when spaCy or the pipeline is not installed, or the column is unknown.
        """
        if not model:
            raise ConceptError("'spacy:' names no pipeline.", expected="spacy:MODEL or spacy:MODEL:COLUMN")
        if column is not None and column not in COLUMNS:
            raise ConceptError(
                f"Unknown column '{column}' of 'spacy:{model}'.",
                expected=f"one of {', '.join(COLUMNS)}",
                fix=closest(column, COLUMNS),
            )
        pipeline = _pipeline(model)
        version = f"spacy {_library().__version__}, {pipeline.meta.get('name')} {pipeline.meta.get('version')}"
        files = _files_hash(getattr(pipeline, "path", None))
        return cls(Path(model).name, column or "pos", min_sites, f"{version}{files}")._with(pipeline)

    def _with(self, pipeline: Any) -> SpacySource:
        self.__dict__["_nlp"] = pipeline  # as cached_property keeps it
        return self

    @property
    def category(self) -> str:
        """`spacy.` and the column."""
        return f"spacy.{self.column}"

    @cached_property
    def _nlp(self) -> Any:
        return _pipeline(self.model)

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The pipeline's answer for each word of the grid. Raises ConceptError when it fails."""
        text = item.grids[grid]
        if not text.n_sites:
            return []
        attribute, concepts = COLUMNS[self.column]
        try:
            document = self._annotated(text)
            if not document.has_annotation(attribute):
                return [None] * text.n_sites
            return [concepts(token) for token in document]
        except Exception as error:  # whatever a pipeline raises; named so that it can be mended
            raise ConceptError(
                f"Pipeline '{self.model}' failed on item '{item.id}': {type(error).__name__}: {error}"
            ) from error

    def _annotated(self, text: Text) -> Any:
        from spacy.tokens import Doc

        starts = [start for start, _ in text.spans[1:]]
        spaces = [start > end for (_, end), start in zip(text.spans, starts)]
        document = Doc(self._nlp.vocab, words=list(text.words), spaces=[*spaces, False])
        for _, component in self._nlp.pipeline:
            document = component(document)
        if len(document) != text.n_sites:
            raise ConceptError(
                f"it made {len(document)} tokens of {text.n_sites} words.", expected="a pipeline that keeps the words"
            )
        return document


def _pipeline(model: str) -> Any:
    library = _library()
    try:
        return library.load(model)
    except Exception as error:  # OSError for what is missing, others for what is broken
        installed = list(library.util.get_installed_models())
        told = str(error).split("\n")[0]
        raise ConceptError(
            f"The pipeline '{model}' cannot be loaded: {told}",
            expected=f"a folder, or one of those installed: {', '.join(installed) or 'none is'}",
            fix=closest(model, installed) or f"python -m spacy download {model}",
        ) from error


def _files_hash(path: Any) -> str:
    """Hash of a pipeline's files, from their names and bytes; empty where it has none."""
    if path is None or not Path(path).is_dir():
        return ""
    digest = hashlib.sha256()
    for file in sorted(each for each in Path(path).rglob("*") if each.is_file()):
        digest.update(file.relative_to(path).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return f", {digest.hexdigest()[:16]}"


def _library() -> Any:
    try:
        import spacy
    except ImportError as error:
        absent = error.name in (None, "spacy")
        raise ConceptError(
            "'spacy:' needs the package spacy, which "
            + ("is not installed." if absent else f"cannot be imported: {error}."),
            fix="pip install 'unitscope[spacy]'",
        ) from error
    return spacy
