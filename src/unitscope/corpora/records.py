"""JSON records: `.jsonl`, one object a line, and `.json`, one list of objects; both streamed.

An object's keys are the columns. A nested object becomes columns of its own, named with a point between
(`translation.en`). A word-annotated record lists its words beside lists of the same length, or one object a word.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from unitscope.corpora.base import Corpus
from unitscope.corpora.columns import Columns
from unitscope.corpora.layout import N_SAMPLED
from unitscope.corpora.lines import broken, open_bytes, read_lines, reader_fingerprint
from unitscope.corpora.table import opened
from unitscope.errors import CorpusError

_CHUNK = 1 << 16
_SHAPE = 'an object such as {"text": "A dog.", "label": "animal"}'


@dataclass(frozen=True)
class JsonRows:
    """Objects of a file: one a line, or with `whole` the elements of one list. Raises CorpusError with the line."""

    path: Path
    whole: bool = False

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def counted(self) -> str:
        """Lines of a `.jsonl`, elements of a `.json`."""
        return "row" if self.whole else "line"

    @property
    def value_names(self) -> Mapping[str, tuple[str, ...]]:
        """None: values are as written."""
        return MappingProxyType({})

    @cached_property
    def header(self) -> tuple[str, ...]:
        """Keys of the first objects, in order of appearance."""
        return tuple(dict.fromkeys(key for _, row in islice(iter(self), N_SAMPLED) for key in row))

    def fingerprint(self) -> str:
        """SHA-256 of the file and this reader's version."""
        return reader_fingerprint("json 1", self.path)

    def __iter__(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Objects in file order; blank lines are passed over."""
        records = _elements(self.path) if self.whole else _lines(self.path)
        for number, (line, record) in enumerate(records, 1):
            if not isinstance(record, dict):
                raise broken(self.path, line, f"{json.dumps(record)[:40]} is no object.", expected=_SHAPE)
            yield (number if self.whole else line), flat(record)


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with nested objects cut into columns.

    >>> flat({"id": 1, "translation": {"en": "dog", "de": "Hund"}})
    {'id': 1, 'translation.en': 'dog', 'translation.de': 'Hund'}
    """
    found: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            found.update((f"{key}.{inner}", each) for inner, each in flat(value).items())
        else:
            found[key] = value
    return found


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            raise _broken_json(path, number, error) from error
        except RecursionError as error:
            raise broken(path, number, "objects nested too deep.", expected=_SHAPE) from error


def _broken_json(path: Path, number: int, error: json.JSONDecodeError) -> CorpusError:
    return broken(path, number, f"broken JSON at character {error.colno}: {error.msg}.", expected=_SHAPE)


def _elements(path: Path) -> Iterator[tuple[int, Any]]:
    """Elements of the one list of a file with the line each begins on, decoded as they arrive."""
    decoder, buffer, line, begun = json.JSONDecoder(), "", 1, False
    wanted = _CHUNK
    with open_bytes(path) as file:
        decode = codecs.getincrementaldecoder("utf-8-sig")()
        while True:
            raw = file.read(wanted)
            try:
                buffer += decode.decode(raw, final=not raw)
            except UnicodeDecodeError as error:
                raise broken(path, line, "bytes that are not UTF-8 in or after it.", expected="UTF-8 text") from error
            while True:
                rest = buffer.lstrip(" \t\r\n," if begun else " \t\r\n")
                line += buffer[: len(buffer) - len(rest)].count("\n")
                buffer = rest
                if not buffer:
                    break
                if not begun:
                    if buffer[0] != "[":
                        raise broken(path, line, f"'{buffer[:20]}' begins no list.", expected=f"[ and {_SHAPE}")
                    buffer, begun = buffer[1:], True
                    continue
                if buffer[0] == "]":
                    return
                try:
                    element, end = decoder.raw_decode(buffer)
                except json.JSONDecodeError as error:
                    if raw:
                        wanted = max(_CHUNK, len(buffer))  # so that a long element is not tried over and over
                        break
                    raise broken(path, line, f"an element that is broken: {error.msg}.", expected=_SHAPE) from error
                except RecursionError as error:
                    raise broken(path, line, "objects nested too deep.", expected=_SHAPE) from error
                yield line, element
                line += buffer[:end].count("\n")
                buffer, wanted = buffer[end:], _CHUNK
            if not raw:
                got = "the list does not end." if begun else "nothing."
                raise broken(path, line, got, expected=f"a list of objects, [{_SHAPE}]")


def open_jsonl(path: Path, said: Columns) -> Corpus:
    """A `.jsonl` file. Raises CorpusError for an empty file, a missing column, or when no column holds text."""
    return opened(JsonRows(path), said)


def open_json(path: Path, said: Columns) -> Corpus:
    """A `.json` file that holds one list of objects. Raises CorpusError as `open_jsonl`."""
    return opened(JsonRows(path, whole=True), said)
