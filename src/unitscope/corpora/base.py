"""What a corpus is: a named, repeatable stream of items with a fingerprint of its content.

One reader a file; `unitscope.corpora.load_corpus` picks it by the path's ending. A reader yields the same items in
the same order each time it is iterated, and never holds the whole corpus in memory.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from unitscope.errors import CorpusError
from unitscope.sites import Item


@runtime_checkable
class Corpus(Protocol):
    """A repeatable stream of items."""

    @property
    def name(self) -> str:
        """Short name for tables and manifests (no absolute path)."""

    @property
    def grids(self) -> tuple[str, ...]:
        """Names of the grids that every item carries, for instance ('source',)."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the word columns that items may carry, for instance ('upos', 'lemma')."""

    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of all that determines the items."""

    def __iter__(self) -> Iterator[Item]:
        """Items, streamed."""


@runtime_checkable
class CountingCorpus(Corpus, Protocol):
    """A corpus that passes over what is no item (a row without text) and counts it, by what it was."""

    def read(self, counts: Counter[str]) -> Iterator[Item]:
        """Items as on iterating; what is passed over on the way is added to `counts`."""


def read_items(corpus: Corpus, counts: Counter[str]) -> Iterator[Item]:
    """Items of any corpus, adding to `counts` what it passes over on the way."""
    return corpus.read(counts) if isinstance(corpus, CountingCorpus) else iter(corpus)


def label_names(corpus: Corpus) -> tuple[str, ...]:
    """Names of the labels that items may carry: the corpus' attribute `labels`, empty where it has none."""
    return _names(corpus, "labels")


def corpus_notes(corpus: Corpus) -> tuple[str, ...]:
    """What the user should hear of how a corpus is read: its attribute `notes`, empty where it has none."""
    return _names(corpus, "notes")


def _names(corpus: Corpus, attribute: str) -> tuple[str, ...]:
    """An optional attribute, where it is what is meant by it: somebody's corpus may use the name for something else."""
    found = getattr(corpus, attribute, ())
    return tuple(found) if isinstance(found, (tuple, list)) and all(isinstance(each, str) for each in found) else ()


def content_fingerprint(reader: str, corpus: Corpus) -> str:
    """SHA-256 over all items and the reader's name, where no file's bytes determine them. One pass."""
    digest = hashlib.sha256(reader.encode())
    for item in corpus:
        columns = {grid: {n: list(v) for n, v in text.columns.items()} for grid, text in item.grids.items()}
        content = {**item.to_json(), "columns": columns, "labels": dict(item.labels)}
        digest.update(json.dumps(content, sort_keys=True).encode())
    return digest.hexdigest()


def file_fingerprint(*paths: Path) -> str:
    """SHA-256 over the bytes of the files, in the order given. Raises CorpusError when one cannot be read."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
        except OSError as error:
            raise CorpusError(f"Cannot read '{path}': {error.strerror}.", fix="Check the path.") from error
    return digest.hexdigest()
