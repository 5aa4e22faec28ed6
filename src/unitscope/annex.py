"""Results that stand beside an atlas' own tables: rankings, probes, comparisons, effects, steering, attributions.

An atlas never changes once it is made. What is computed from it later is added as an *annex*: Parquet tables
`ATLAS/KIND/NAME.TABLE.parquet` and a record `ATLAS/KIND/NAME.json` with the type and version of what it is, its
parameters and seed, the key of the atlas it was made from (`parent`), and the SHA-256 of each table. The record is
written last, so an annex is there as a whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unitscope.errors import StoreError, closest
from unitscope.store import cannot_write, read_sealed, sha256_of, write_sealed

if TYPE_CHECKING:
    import pyarrow

    from unitscope.atlas import Atlas

VERSION = 1
KINDS = ("rankings", "probes", "comparisons", "effects", "steering", "attributions")
_NAME = re.compile(r"[\w][\w.+=-]{0,99}")


@dataclass(frozen=True)
class Annex:
    """A result beside an atlas, as found on disk. `about` is what its maker wrote: parameters, seed, figures."""

    folder: Path
    kind: str
    name: str
    parent: str
    about: Mapping[str, Any]
    checksums: Mapping[str, str] = field(repr=False)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of its tables."""
        return tuple(self.checksums)

    def table(self, name: str) -> pyarrow.Table:
        """A table as pyarrow. Raises StoreError when there is none of this name, or it is corrupted."""
        from pyarrow import parquet

        if name not in self.checksums:
            raise StoreError(f"'{self.kind}/{self.name}' has no table '{name}'.", fix=closest(name, self.checksums))
        return parquet.read_table(self._checked(name))

    def check(self) -> None:
        """Raise StoreError where one of its tables is corrupted or missing."""
        for name in self.checksums:
            self._checked(name)

    def _checked(self, name: str) -> Path:
        path = _table(self.folder, self.name, name)
        if not path.exists() or sha256_of(path) != self.checksums[name]:
            raise StoreError(
                f"'{path.name}' in '{self.kind}' is corrupted or missing.", fix="Delete the result and make it again."
            )
        return path

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Rows of a table."""
        found: list[dict[str, Any]] = self.table(name).to_pylist()
        return found


def write_annex(
    atlas: Atlas, kind: str, name: str, tables: Mapping[str, Mapping[str, Any]], about: Mapping[str, Any]
) -> Annex:
    """Write a result beside an atlas, in place of one of the same kind and name. `tables` are columns by table.

    Raises StoreError for a name that cannot be a file's, or where the folder cannot be written.
    """
    from unitscope.atlas import write_table

    folder = atlas.path / _known(kind)
    check_name(name)
    record = folder / f"{name}.json"
    # What was there stays until all that replaces it is on the disk.
    fresh = {_table(folder, name, table): folder / f"{name}.{table}.new" for table in tables}
    try:
        for columns, path in zip(tables.values(), fresh.values()):
            write_table(path, columns)
        record.unlink(missing_ok=True)
        for old in folder.glob(f"{name}.*.parquet"):
            if old.name.removeprefix(f"{name}.").count(".") == 1:
                old.unlink()
        for path, new in fresh.items():
            new.replace(path)
    except OSError as error:
        raise cannot_write(record, error) from error
    finally:
        with suppress(OSError):
            for new in fresh.values():
                new.unlink(missing_ok=True)
    checksums = {table: sha256_of(_table(folder, name, table)) for table in tables}
    parent = str(atlas.manifest["key"])
    write_sealed(
        record, {"version": VERSION, "kind": kind, "parent": parent, "about": dict(about), "tables": checksums}
    )
    return Annex(folder, kind, name, parent, dict(about), checksums)


def check_name(name: str) -> None:
    """Raise StoreError for a name that cannot be a file's: what takes long asks before it begins."""
    if not _NAME.fullmatch(name):
        raise StoreError(f"Got the name '{name}'.", expected="letters, digits and . _ + = - , at most 100")


def read_annex(atlas: Atlas, kind: str, name: str) -> Annex:
    """A result beside an atlas. Raises StoreError when it is missing, corrupted, or of another atlas."""
    folder = atlas.path / _known(kind)
    path = folder / f"{name}.json"
    if not _NAME.fullmatch(name) or not path.exists():
        known = annexes(atlas, kind)
        there = f"There are: {', '.join(known)}." if known else "There are none yet."
        raise StoreError(f"This atlas has no '{name}' among its {kind}.", fix=closest(name, known) or there)
    found = read_sealed(path)
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise StoreError(f"'{kind}/{name}' has another version.", fix="Make it again with this version of unitscope.")
    if found["parent"] != atlas.manifest["key"]:
        raise StoreError(
            f"'{kind}/{name}' was made from another atlas.", fix="Make it again from this one, or delete it."
        )
    return Annex(folder, kind, name, found["parent"], found["about"], found["tables"])


def annexes(atlas: Atlas, kind: str) -> Sequence[str]:
    """Names of the results of a kind beside an atlas, in order."""
    folder = atlas.path / _known(kind)
    found = (path.stem for path in folder.glob("*.json")) if folder.is_dir() else ()
    return sorted(name for name in found if _NAME.fullmatch(name))


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise StoreError(f"Unknown kind of result '{kind}'.", expected=", ".join(KINDS), fix=closest(kind, KINDS))
    return kind


def _table(folder: Path, name: str, table: str) -> Path:
    return folder / f"{name}.{table}.parquet"
