"""Files of ours on disk: written under a temporary name, checksummed, renamed; never a pickle.

Arrays are stored in the safetensors format with a checksum of their bytes in the header's metadata, so that a file is
whole or it is told. The large temporary *spool* is read by rows, without memory mapping: pages of a map would count
as the process' memory.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import StoreError

_NAMES = {
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
    "I8": np.int8,
    "I16": np.int16,
    "I32": np.int32,
    "I64": np.int64,
    "U8": np.uint8,
    "U16": np.uint16,
    "BOOL": np.bool_,
}
_CODES = {np.dtype(kind): code for code, kind in _NAMES.items()}
CRC_ROWS, CRC_BYTES = 16, 65_536
"""Rows of an array that share a checksum: 16, or a multiple of it where 16 rows are few bytes, so that some rows of a
large array can be read and checked on their own."""


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` and rename it there when all went well; leave nothing behind otherwise.

    Raises StoreError on a full disk or a folder that cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise cannot_write(path, error) from error
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def cannot_write(path: Path, error: OSError) -> StoreError:
    """The error for a file that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        fix = "Free some space or lower --disk, and run the same command again: it goes on where it stopped."
        return StoreError(f"No space left to write '{path.name}' in '{path.parent.name}'.", fix=fix)
    barred = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    return StoreError(
        f"Cannot write '{path.name}' in '{path.parent.name}': {error.strerror}.",
        fix="Check the folder's permissions." if barred else "Check the path, or give another.",
    )


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file at once, atomically."""
    with writing(path) as file:
        file.write(content)


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, atomically."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_bytes(path, f"{text}\n".encode("utf-8", "surrogatepass"))


def write_sealed(path: Path, value: Any) -> None:
    """Write JSON with a checksum of its own, atomically: for files that no other file vouches for."""
    text = _compact(value)
    write_bytes(path, f'{{"checksum":{zlib.crc32(text.encode())},"value":{text}}}\n'.encode())


def read_sealed(path: Path) -> Any:
    """Read what `write_sealed` wrote. Raises StoreError when the file is missing or its checksum does not fit."""
    try:
        found = read_json(path)
    except StoreError as error:
        if path.exists():
            raise _corrupted(path) from error
        raise
    if not isinstance(found, dict) or "value" not in found or found.get("checksum") != _seal(found["value"]):
        raise _corrupted(path)
    return found["value"]


def _seal(value: Any) -> int:
    return zlib.crc32(_compact(value).encode())


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _corrupted(path: Path) -> StoreError:
    return StoreError(
        f"'{path.name}' in '{path.parent.name}' is corrupted (its checksum or header does not fit).",
        fix="Delete it and run the same command again, or restore it from a copy.",
    )


def read_json(path: Path) -> Any:
    """Read JSON. Raises StoreError when the file is missing or is no JSON."""
    try:
        return json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
    except FileNotFoundError as error:
        raise StoreError(f"'{path.name}' is missing from '{path.parent.name}'.", fix="Is this an atlas?") from error
    except (OSError, ValueError) as error:
        raise StoreError(
            f"'{path.name}' in '{path.parent.name}' is corrupted.", fix="Restore the file or make it again."
        ) from error


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any] | None = None) -> None:
    """Write arrays as safetensors with a checksum for some rows each; `meta` is kept as JSON in the header."""
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    header: dict[str, Any] = {}
    sums: dict[str, list[int]] = {}
    at = 0
    for name, array in plain.items():
        header[name] = {
            "dtype": _CODES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        sums[name] = _checksums(array)
        at += array.nbytes
    metadata = {
        "checksums": json.dumps(sums, separators=(",", ":")),
        "meta": json.dumps(dict(meta or {}), sort_keys=True, ensure_ascii=False),
    }
    header["__metadata__"] = {**metadata, "header": str(_seal([header, metadata]))}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    text += b" " * (-len(text) % 8)
    with writing(path) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for array in plain.values():
            file.write(array.reshape(-1).view(np.uint8).data)


def _checksums(array: NDArray[Any], group: int = 0) -> list[int]:
    """Checksums of an array of one axis as a whole, of others by so many rows; by default as many as are written."""
    n_rows = len(array) if array.ndim else 1
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    row = array.nbytes // max(n_rows, 1)
    group = (group or _rows_in_group(row)) if array.ndim > 1 else max(n_rows, 1)
    if not row:
        return [0] * -(-n_rows // group)
    return [zlib.crc32(data[at : at + row * group]) for at in range(0, array.nbytes, row * group)]


def _rows_in_group(row: int) -> int:
    """Rows of so many bytes that share a checksum."""
    return CRC_ROWS * max(1, CRC_BYTES // max(CRC_ROWS * row, 1))


class ArrayFile:
    """A safetensors file of ours opened for reading whole arrays or rows of them, checked as they are read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                size = int.from_bytes(file.read(8), "little")
                if not 0 < size < 1 << 30:
                    raise ValueError
                self._header: dict[str, Any] = json.loads(file.read(size).decode("utf-8", "surrogatepass"))
            self._start = 8 + size
            metadata = self._header.pop("__metadata__")
            if metadata.pop("header") != str(_seal([self._header, metadata])):
                raise ValueError
            self._sums: dict[str, list[int]] = json.loads(metadata["checksums"])
            self.meta: dict[str, Any] = json.loads(metadata["meta"])
        except FileNotFoundError as error:
            raise StoreError(f"'{path.name}' is missing from '{path.parent.name}'.", fix="Make it again.") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _corrupted(path) from error

    @property
    def names(self) -> list[str]:
        """Names of the arrays."""
        return list(self._header)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of one array."""
        return tuple(self._entry(name)["shape"])

    def read(self, name: str) -> NDArray[Any]:
        """One whole array. Raises StoreError when its checksum does not fit."""
        entry = self._entry(name)
        array = self._load(entry, 0, None)
        if _checksums(array, self._group(name)) != self._sums.get(name):
            raise _corrupted(self.path)
        return array

    def rows(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Rows [start, stop) of an array of two axes. Raises StoreError when their checksums do not fit."""
        entry = self._entry(name)
        group = self._group(name)
        first, last = start // group, -(-stop // group)
        array = self._load(entry, first * group, min(last * group, entry["shape"][0]))
        if _checksums(array, group) != self._sums[name][first:last]:
            raise _corrupted(self.path)
        return array[start - first * group : stop - first * group]

    def _group(self, name: str) -> int:
        """Rows that share a checksum: 16 in files of before, as the number of checksums shows."""
        shape = self._entry(name)["shape"]
        n_rows = shape[0] if shape else 1
        if len(self._sums.get(name, ())) == -(-n_rows // CRC_ROWS):
            return CRC_ROWS
        kind = np.dtype(_NAMES[self._entry(name)["dtype"]])
        return _rows_in_group(int(np.prod(shape[1:], dtype=np.int64)) * kind.itemsize)

    def _entry(self, name: str) -> dict[str, Any]:
        if name not in self._header:
            raise StoreError(f"'{self.path.name}' holds no array '{name}'.", fix="Make it again.")
        entry: dict[str, Any] = self._header[name]
        return entry

    def _load(self, entry: Mapping[str, Any], start: int, stop: int | None) -> NDArray[Any]:
        kind = np.dtype(_NAMES[entry["dtype"]])
        shape = list(entry["shape"])
        offset = self._start + entry["data_offsets"][0]
        if stop is not None:
            offset += start * int(np.prod(shape[1:], dtype=np.int64)) * kind.itemsize
            shape[0] = stop - start
        array = np.empty(shape, kind)
        view = memoryview(array.reshape(-1).view(np.uint8).data) if array.size else memoryview(b"")
        at = 0
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(offset)
                while at < len(view):
                    n = file.readinto(view[at:])
                    if not n:
                        raise _corrupted(self.path)
                    at += n
        except OSError as error:
            raise StoreError(
                f"Cannot read '{self.path.name}' in '{self.path.parent.name}': {error.strerror}.",
                fix="Run the same command again: it goes on where it stopped.",
            ) from error
        return array


def read_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """All arrays of a file, checked, and its meta."""
    file = ArrayFile(path)
    return {name: file.read(name) for name in file.names}, file.meta


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal. Raises StoreError when it is missing."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StoreError(f"'{path.name}' is missing from '{path.parent.name}'.", fix="Restore it.") from error


def fingerprint(value: Any) -> str:
    """SHA-256 of a JSON value with sorted keys, hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
