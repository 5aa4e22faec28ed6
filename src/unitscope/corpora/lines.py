"""Lines of a UTF-8 text file, streamed, with the line number in every complaint.

Only the line feed ends a line: forms may hold U+2028, U+0085 or NUL, at which `str.splitlines` would cut. A byte order
mark at the start and carriage returns before line feeds are tolerated and removed. A file whose name ends in `.gz` is
unpacked on the way.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from unitscope.corpora.base import file_fingerprint
from unitscope.errors import CorpusError


def read_lines(path: Path) -> Iterator[str]:
    """Lines of the file without their line ends. Raises CorpusError when it cannot be read or is not UTF-8."""
    with open_bytes(path) as file:
        for number, raw in enumerate(file, 1):
            if number == 1:
                raw = raw.removeprefix(codecs.BOM_UTF8)
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise broken(
                    path,
                    number,
                    f"byte {error.start + 1} (0x{raw[error.start]:02x}) is not UTF-8.",
                    expected="UTF-8 text",
                    fix="Convert the file, for instance with iconv.",
                ) from error
            yield line.removesuffix("\n").removesuffix("\r")


@contextmanager
def open_bytes(path: Path) -> Iterator[gzip.GzipFile | BufferedReader]:
    """The file's bytes, unpacked where it is a `.gz`. Raises CorpusError when it cannot be read, or unpacked."""
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as file:
            yield file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CorpusError(f"'{path.name}' is no whole gzip file: {error}.", fix="Fetch it again.") from error
    except OSError as error:
        raise CorpusError(f"Cannot read '{path}': {error.strerror}.", fix="Check the path.") from error


def broken(path: Path, number: int, got: str, *, expected: str = "", fix: str = "") -> CorpusError:
    """An error that starts with the file's name and the number of the line (from 1).

    >>> str(broken(Path("some/a.txt"), 3, "no words.", fix="Mend it."))
    'a.txt, line 3: no words. Mend it.'
    """
    return CorpusError(f"{path.name}, line {number}: {got}", expected=expected, fix=fix)


def reader_fingerprint(reader: str, path: Path) -> str:
    """SHA-256 over the reader's name and version and the file's bytes: to another reader they mean other items."""
    return hashlib.sha256(f"{reader}\n{file_fingerprint(path)}".encode()).hexdigest()
