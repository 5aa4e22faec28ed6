"""Parquet tables, read in batches of rows; names of labels are taken from the data sets library's own metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from unitscope.corpora.base import Corpus
from unitscope.corpora.columns import Columns
from unitscope.corpora.layout import N_SAMPLED
from unitscope.corpora.lines import reader_fingerprint
from unitscope.corpora.records import flat
from unitscope.corpora.table import opened
from unitscope.errors import CorpusError

_BATCH = 1024


@dataclass(frozen=True)
class ParquetRows:
    """Rows of a Parquet file. Raises CorpusError when it is damaged or no Parquet."""

    path: Path

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def counted(self) -> str:
        """Rows."""
        return "row"

    @cached_property
    def header(self) -> tuple[str, ...]:
        """Names of the columns; those of nested values are found in the first rows."""
        found = dict.fromkeys(key for _, row in islice(iter(self), N_SAMPLED) for key in row)
        return tuple(found)

    @cached_property
    def value_names(self) -> Mapping[str, tuple[str, ...]]:
        """Names of classes, where the file was written by the data sets library."""
        with self._file() as file:
            metadata = file.schema_arrow.metadata or {}
        try:
            features = json.loads(metadata[b"huggingface"])["info"]["features"]
            return {name: names for name, feature in features.items() if (names := class_names(feature))}
        except (KeyError, TypeError, ValueError, AttributeError):  # absent, or of a version that writes it otherwise
            return {}

    def fingerprint(self) -> str:
        """SHA-256 of the file and this reader's version."""
        return reader_fingerprint("parquet 1", self.path)

    def __iter__(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Rows in file order."""
        import pyarrow as pa

        number = 0
        with self._file() as file:
            kept = [each.name for each in file.schema_arrow if "binary" not in str(each.type)]  # pictures, sounds
            try:
                for batch in file.iter_batches(_BATCH, columns=kept):
                    for row in batch.to_pylist():
                        number += 1
                        yield number, flat(row)
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                raise CorpusError(
                    f"{self.name} is damaged after row {number}: {error}", fix="Write it again."
                ) from error

    def _file(self) -> Any:
        import pyarrow as pa
        from pyarrow import parquet

        try:
            return parquet.ParquetFile(self.path)
        except pa.ArrowException as error:
            raise CorpusError(f"{self.name} is no Parquet file: {error}", fix="Is the ending right?") from error
        except OSError as error:
            raise CorpusError(f"Cannot read '{self.path}': {error}", fix="Check the path.") from error


def class_names(feature: Any) -> tuple[str, ...]:
    """Names of the classes of a feature as the data sets library writes it, also inside a list; else empty."""
    while isinstance(feature, (list, dict)):
        if isinstance(feature, list):
            feature = feature[0] if feature else None
        elif feature.get("_type") == "ClassLabel":
            return tuple(map(str, feature.get("names") or ()))
        else:
            feature = feature.get("feature")
    return ()


def open_parquet(path: Path, said: Columns) -> Corpus:
    """A `.parquet` file. Raises CorpusError for a damaged file, a missing column, or when no column holds text."""
    return opened(ParquetRows(path), said)
