"""Corpora: where items come from. One reader a file; `load_corpus` picks it by the path's ending.

Another package adds a reader by an entry point of the group `unitscope.corpora`, named by the ending (`.jsonl`), that
loads a callable taking the path and returning a `Corpus`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from unitscope.corpora.base import Corpus
from unitscope.corpora.conllu import ConlluCorpus
from unitscope.corpora.limit import CopiedTarget, FirstItems, FirstPerGroup
from unitscope.corpora.pairs import PairsCorpus
from unitscope.corpora.txt import TxtCorpus
from unitscope.errors import CorpusError, closest

__all__ = ["READERS", "Corpus", "Reader", "load_corpus"]

Reader = Callable[[Path], Corpus]

READERS: Mapping[str, Reader] = MappingProxyType({".conllu": ConlluCorpus, ".tsv": PairsCorpus, ".txt": TxtCorpus})
"""Built-in readers by ending."""


def load_corpus(
    spec: str,
    *,
    max_items: int | None = None,
    per_group: int | None = None,
    target: Literal["copy"] | None = None,
) -> Corpus:
    """A corpus by its path (`.conllu`, `.txt`, `.tsv` of sentence pairs, a folder of images) or `demo`.

    `per_group` keeps the first items of each group, then `max_items` the first of all; `target='copy'` adds a grid
    `target` equal to `source`. Raises CorpusError when the ending is unknown, the file is missing, or a limit is
    below 1; broken content is told on iterating.
    """
    if target not in (None, "copy"):
        raise CorpusError(f"Got target='{target}'.", expected="'copy' or None")
    corpus = _open(spec)
    if per_group is not None:
        corpus = FirstPerGroup(corpus, per_group)
    if max_items is not None:
        corpus = FirstItems(corpus, max_items)
    return CopiedTarget(corpus) if target == "copy" else corpus


def _open(spec: str) -> Corpus:
    if spec == "demo":
        from unitscope.corpora.demo import DemoCorpus  # its tables are needed only here

        return DemoCorpus()
    if folder := _folder(spec):
        from unitscope.corpora.images import ImageFolder

        images = ImageFolder(*folder)
        _ = images.name  # a folder without images, or a split that it lacks, is told now
        return images
    path = Path(spec)
    ending = path.suffix.lower()
    others = {point.name.lower(): point for point in entry_points(group="unitscope.corpora")}
    if ending in READERS:
        reader = READERS[ending]
    elif ending in others:
        reader = _load(others[ending])
    else:
        known = sorted({*READERS, *others})
        raise CorpusError(
            f"Unknown ending '{ending}' of corpus '{spec}'." if ending else f"Unknown corpus '{spec}'.",
            expected=f"'demo' or a file ending in {', '.join(known)}",
            fix=closest(ending, known) if ending else closest(spec, ["demo"]),
        )
    _check_file(path)
    return reader(path)


def _folder(spec: str) -> tuple[Path, str] | None:
    """A folder and a split of it, where the spec is `FOLDER` or `FOLDER:SPLIT`."""
    before, _, split = spec.rpartition(":")
    if Path(spec).is_dir():
        return Path(spec), ""
    return (Path(before), split) if before and split and Path(before).is_dir() else None


def _load(point: EntryPoint) -> Reader:
    try:
        reader: Reader = point.load()
    except Exception as error:  # whatever a foreign package raises on import
        raise CorpusError(
            f"The reader of '{point.name}' files ({point.value}) cannot be imported: {error}",
            fix="Reinstall or remove the package that brings it.",
        ) from error
    return reader


def _check_file(path: Path) -> None:
    if path.is_file():
        return
    folder = path.parent
    near = closest(path.name, sorted(entry.name for entry in folder.iterdir())) if folder.is_dir() else ""
    raise CorpusError(f"No file '{path}'.", fix=near or "Check the path.")
