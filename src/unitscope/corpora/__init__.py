"""Corpora: where items come from. One reader a file; `load_corpus` picks it by the path's ending.

Tables (`TABLES`) take a mapping of columns besides. Any file may be packed as `.gz`.

Another package adds a reader by an entry point of the group `unitscope.corpora`, named by the ending (`.jsonl`), that
loads a callable taking the path and returning a `Corpus`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from unitscope.corpora.base import Corpus
from unitscope.corpora.columns import Columns, parse_columns
from unitscope.corpora.conllu import ConlluCorpus
from unitscope.corpora.delimited import open_csv, open_tsv
from unitscope.corpora.hub import PREFIX, open_hub
from unitscope.corpora.limit import CopiedTarget, FirstItems, FirstPerGroup
from unitscope.corpora.parallel import ParallelCorpus
from unitscope.corpora.parquet import open_parquet
from unitscope.corpora.records import open_json, open_jsonl
from unitscope.corpora.txt import TxtCorpus
from unitscope.errors import CorpusError, closest

__all__ = ["READERS", "TABLES", "Corpus", "Reader", "TableReader", "load_corpus"]

Reader = Callable[[Path], Corpus]
TableReader = Callable[[Path, Columns], Corpus]

READERS: Mapping[str, Reader] = MappingProxyType({".conllu": ConlluCorpus, ".txt": TxtCorpus})
"""Built-in readers by ending."""
TABLES: Mapping[str, TableReader] = MappingProxyType(
    {".csv": open_csv, ".json": open_json, ".jsonl": open_jsonl, ".parquet": open_parquet, ".tsv": open_tsv}
)
"""Built-in readers of tables by ending."""
PACKED = ".gz"


def load_corpus(
    spec: str,
    *,
    max_items: int | None = None,
    per_group: int | None = None,
    target: Literal["copy"] | None = None,
    columns: Sequence[str] | Mapping[str, str] = (),
) -> Corpus:
    """A corpus by its path (its ending one of `READERS` and `TABLES`, or a folder of images), `SOURCE,TARGET`,
    `hf:NAME`, or `demo`.

    `columns` says which column of a table is what, as `{"text": "title", "label": "class"}`. `per_group` keeps the
    first items of each group, then `max_items` the first of all; `target='copy'` adds a grid `target` equal to
    `source`. Raises CorpusError when the ending is unknown, the file is missing, a column is, or a limit is
    below 1; broken content is told on iterating.
    """
    if target not in (None, "copy"):
        raise CorpusError(f"Got target='{target}'.", expected="'copy' or None")
    corpus = _open(spec, parse_columns(columns))
    if per_group is not None:
        corpus = FirstPerGroup(corpus, per_group)
    if max_items is not None:
        corpus = FirstItems(corpus, max_items)
    return CopiedTarget(corpus) if target == "copy" else corpus


def _open(spec: str, columns: Columns) -> Corpus:
    if spec == "demo":
        from unitscope.corpora.demo import DemoCorpus  # its tables are needed only here

        _no_columns(spec, columns)
        return DemoCorpus()
    if spec.startswith(PREFIX):
        return open_hub(spec, columns)
    if folder := _folder(spec):
        from unitscope.corpora.images import ImageFolder

        _no_columns(spec, columns)
        images = ImageFolder.of(*folder)
        _ = images.name  # a folder without images, or a split that it lacks, is told now
        return images
    if "," in spec and not Path(spec).exists():
        _no_columns(spec, columns)
        return _parallel(spec)
    path = Path(spec)
    ending = _ending(path)
    others = {point.name.lower(): point for point in entry_points(group="unitscope.corpora")}
    if ending in TABLES:
        _check_file(path)
        return TABLES[ending](path, columns)
    if ending in READERS:
        reader = READERS[ending]
    elif ending in others:
        reader = _load(others[ending])
    else:
        known = sorted({*READERS, *TABLES, *others})
        raise CorpusError(
            f"Unknown ending '{ending}' of corpus '{spec}'." if ending else f"Unknown corpus '{spec}'.",
            expected=f"'demo', 'hf:NAME' or a file ending in {', '.join(known)}",
            fix=closest(ending, known) if ending else closest(spec, ["demo"]),
        )
    _check_file(path)
    _no_columns(spec, columns)
    return reader(path)


def _folder(spec: str) -> tuple[Path, str] | None:
    """A folder and a split of it, where the spec is `FOLDER` or `FOLDER:SPLIT`."""
    before, _, split = spec.rpartition(":")
    if Path(spec).is_dir():
        return Path(spec), ""
    return (Path(before), split) if before and split and Path(before).is_dir() else None


def _ending(path: Path) -> str:
    """The ending in lower case, without that of a packed file."""
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix == PACKED else suffix


def _no_columns(spec: str, columns: Columns) -> None:
    if columns.given:
        raise CorpusError(
            f"'{Path(spec).name}' has no columns to choose from.",
            expected=f"--columns with a file ending in {', '.join(TABLES)}, or with hf:NAME",
            fix="Leave --columns out.",
        )


def _parallel(spec: str) -> Corpus:
    sides = [Path(side.strip()) for side in spec.split(",")]
    if len(sides) != 2:
        raise CorpusError(f"Got {len(sides)} files in '{spec}'.", expected="two, SOURCE,TARGET")
    for side in sides:
        _check_file(side)
        if _ending(side) in {*TABLES, ".conllu"}:
            raise CorpusError(
                f"'{side.name}' is no side of a pair.",
                expected="a text file of one sentence a line",
                fix="A table holds pairs in two columns: --columns source=NAME,target=NAME.",
            )
    return ParallelCorpus(*sides)


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
