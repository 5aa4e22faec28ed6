"""Lines of a UTF-8 text file, streamed, with the line number in every complaint.

Only the line feed ends a line: forms may hold U+2028, U+0085 or NUL, at which `str.splitlines` would cut. A byte order
mark at the start and carriage returns before line feeds are tolerated and removed.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from pathlib import Path

from unitscope.corpora.base import file_fingerprint
from unitscope.errors import CorpusError


def read_lines(path: Path) -> Iterator[str]:
    """Lines of the file without their line ends. Raises CorpusError when it cannot be read or is not UTF-8."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise CorpusError(f"Cannot read '{path}': {error.strerror}.", fix="Check the path.") from error
    with file:
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


def broken(path: Path, number: int, got: str, *, expected: str = "", fix: str = "") -> CorpusError:
    """An error that starts with the file's name and the number of the line (from 1).

    >>> str(broken(Path("some/a.txt"), 3, "no words.", fix="Mend it."))
    'a.txt, line 3: no words. Mend it.'
    """
    return CorpusError(f"{path.name}, line {number}: {got}", expected=expected, fix=fix)


def reader_fingerprint(reader: str, path: Path) -> str:
    """SHA-256 over the reader's name and version and the file's bytes: to another reader they mean other items."""
    return hashlib.sha256(f"{reader}\n{file_fingerprint(path)}".encode()).hexdigest()
