"""What a corpus is: a named, repeatable stream of items with a fingerprint of its content.

One reader a file; `unitscope.corpora.load_corpus` picks it by the path's ending. A reader yields the same items in
the same order each time it is iterated, and never holds the whole corpus in memory.
"""

from __future__ import annotations

import hashlib
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
