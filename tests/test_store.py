"""Files on disk: whole or told, readable by the official library, checked by rows."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from unitscope.errors import StoreError
from unitscope.store import (
    ArrayFile,
    cannot_write,
    fingerprint,
    read_arrays,
    read_json,
    read_sealed,
    sha256_of,
    write_arrays,
    write_bytes,
    write_json,
    write_sealed,
    writing,
)

KINDS = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "bool"]


# Atomic writing


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    with writing(path) as file:
        file.write(b"12")
        file.flush()
        assert not path.exists()
        (temporary,) = path.parent.iterdir()
        assert temporary.name == f".file.{os.getpid()}.tmp"
    assert path.read_bytes() == b"12"
    assert list(path.parent.iterdir()) == [path]


def interrupted(path: Path, kind: type[BaseException]) -> None:
    with writing(path) as file:
        file.write(b"new")
        raise kind


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_file_leaves_nothing_and_spares_the_old_one(kind: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(kind):
        interrupted(path, kind)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, "No space left to write 'f' in 'd'. Free some space or lower --disk, and run the same command"),
        (errno.EDQUOT, "No space left to write 'f' in 'd'."),
        (errno.EFBIG, "No space left to write 'f' in 'd'."),
        (errno.EACCES, "Cannot write 'f' in 'd': Permission denied. Check the folder's permissions."),
        (errno.EROFS, "Cannot write 'f' in 'd': Read-only file system. Check the folder's permissions."),
        (errno.ENOTDIR, "Cannot write 'f' in 'd': Not a directory. Check the path, or give another."),
    ],
)
def test_what_is_said_of_a_file_that_cannot_be_written(number: int, expected: str, tmp_path: Path) -> None:
    error = OSError(number, os.strerror(number))
    assert str(cannot_write(Path("d") / "f", error)).startswith(expected)
    with pytest.raises(StoreError) as caught, writing(tmp_path / "f"):
        raise error
    assert caught.value.__cause__ is error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file" / "inside").mkdir(parents=True)
    with pytest.raises(StoreError, match="Cannot write 'file'"):
        write_bytes(tmp_path / "file", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# JSON


VALUES: list[Any] = [{}, [], None, 3, -0.5, "ü\ud800\n", {"b": [1, {"a": None}], "a": "\u2028"}, [True, 1, 1.0]]


@pytest.mark.parametrize("value", VALUES, ids=ascii)
def test_json_is_read_back(value: Any, tmp_path: Path) -> None:
    write_json(tmp_path / "plain", value)
    assert read_json(tmp_path / "plain") == value
    write_sealed(tmp_path / "sealed", value)
    assert read_sealed(tmp_path / "sealed") == value


def test_json_does_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    for name, write in (("plain", write_json), ("sealed", write_sealed)):
        write(tmp_path / f"{name}1", {"a": 1, "b": {"c": 2, "d": 3}})
        write(tmp_path / f"{name}2", {"b": {"d": 3, "c": 2}, "a": 1})
        assert (tmp_path / f"{name}1").read_bytes() == (tmp_path / f"{name}2").read_bytes()


@pytest.mark.parametrize("write", [write_json, write_sealed])
def test_json_holds_no_nan(write: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path / "x", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_json_that_is_missing_or_no_json(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"'x.json' is missing from '.*'. Is this an atlas\?"):
        read_json(tmp_path / "x.json")
    with pytest.raises(StoreError, match=r"'x.json' is missing from"):
        read_sealed(tmp_path / "x.json")
    for content in (b"", b"{", b"\xff\xff", b"{}{}", b"[1,]"):
        (tmp_path / "x.json").write_bytes(content)
        with pytest.raises(StoreError, match=r"'x.json' in '.*' is corrupted"):
            read_json(tmp_path / "x.json")
        with pytest.raises(StoreError, match=r"'x.json' in '.*' is corrupted .*Delete it and run the same command"):
            read_sealed(tmp_path / "x.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError):
        read_json(tmp_path / "folder")


def test_no_change_of_a_sealed_value_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_sealed(path, {"rounds": [[1, 2], [3]], "model": "a"})
    whole = path.read_bytes()
    for at in range(len(whole) - 1):
        for bit in (0, 3, 6):
            content = bytearray(whole)
            content[at] ^= 1 << bit
            path.write_bytes(content)
            try:
                found = read_sealed(path)
            except StoreError:
                continue
            assert found == {"rounds": [[1, 2], [3]], "model": "a"}


# Arrays


@st.composite
def arrays(draw: st.DrawFn) -> dict[str, NDArray[Any]]:
    names = draw(
        st.lists(st.text(min_size=1, max_size=8).filter(lambda n: n != "__metadata__"), unique=True, max_size=4)
    )
    found = {}
    for name in names:
        kind = np.dtype(draw(st.sampled_from(KINDS)))
        shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=40))
        found[name] = np.frombuffer(
            np.random.default_rng(draw(st.integers(0, 99))).bytes(int(np.prod(shape)) * kind.itemsize), kind
        ).reshape(shape)
        if kind == np.bool_:
            found[name] = found[name].view(np.uint8) % 2 == 1
    return found


@given(found=arrays(), meta=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3))
def test_arrays_are_read_back(
    found: dict[str, NDArray[Any]], meta: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("arrays") / "x.safetensors"
    write_arrays(path, found, meta)
    mine, mine_meta = read_arrays(path)
    theirs = safetensors.numpy.load_file(path)
    assert mine_meta == meta
    assert list(mine) == list(found)
    for name, array in found.items():
        for read in (mine[name], theirs[name]):
            assert read.dtype == array.dtype
            assert read.shape == array.shape
            assert read.tobytes() == array.tobytes()


def example() -> dict[str, NDArray[Any]]:
    draw = np.random.default_rng(0)
    return {
        "mask": np.array([True, False, True]),  # an odd number of bytes before the rest
        "values": draw.normal(size=(50, 7)).astype(np.float16),
        "scale": np.arange(50, dtype=np.float32),
        "none": np.zeros((5, 0), np.float16),
    }


def test_an_array_is_stored_row_by_row_whatever_its_layout(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.int32).reshape(4, 6)
    for number, view in enumerate((array, array.T, array[::2], array[:, ::-1], np.asfortranarray(array))):
        write_arrays(tmp_path / str(number), {"a": view})
        np.testing.assert_array_equal(read_arrays(tmp_path / str(number))[0]["a"], view)
        np.testing.assert_array_equal(safetensors.numpy.load_file(tmp_path / str(number))["a"], view)


def test_torch_reads_arrays_that_are_not_aligned(tmp_path: Path) -> None:
    write_arrays(tmp_path / "x.safetensors", example())
    found = safetensors.torch.load_file(tmp_path / "x.safetensors")
    for name, array in example().items():
        np.testing.assert_array_equal(found[name].numpy(), array)


def test_files_of_the_official_library_are_refused(tmp_path: Path) -> None:
    """They have no checksums."""
    safetensors.numpy.save_file({"a": np.zeros(3)}, tmp_path / "x.safetensors")
    with pytest.raises(StoreError, match="is corrupted"):
        ArrayFile(tmp_path / "x.safetensors")


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a", example(), {"x": 1, "y": [2]})
    write_arrays(tmp_path / "b", example(), {"y": [2], "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


WIDE = (np.arange(50 * 2_100) % 997).reshape(50, 2_100).astype(np.float16)
"""Sixteen rows of it are more than 64 kB."""


def test_the_checksums_are_those_of_sixteen_rows_or_about_64_kilobytes(tmp_path: Path) -> None:
    thin = np.arange(40_000, dtype=np.float32).reshape(10_000, 4)
    write_arrays(tmp_path / "x", {**example(), "values": WIDE, "thin": thin})
    raw = (tmp_path / "x").read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    sums = json.loads(json.loads(raw[8 : 8 + size])["__metadata__"]["checksums"])
    assert sums["values"] == [zlib.crc32(WIDE[i : i + 16].tobytes()) for i in (0, 16, 32, 48)]
    assert sums["thin"] == [zlib.crc32(thin[i : i + 4_096].tobytes()) for i in (0, 4_096, 8_192)]
    assert sums["scale"] == [zlib.crc32(example()["scale"].tobytes())]


def test_files_with_a_checksum_for_sixteen_rows_each_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thin = np.arange(40_000, dtype=np.float32).reshape(10_000, 4)
    with monkeypatch.context() as before:
        before.setattr("unitscope.store.CRC_BYTES", 1)
        write_arrays(tmp_path / "x", {"thin": thin})
    np.testing.assert_array_equal(ArrayFile(tmp_path / "x").read("thin"), thin)
    np.testing.assert_array_equal(ArrayFile(tmp_path / "x").rows("thin", 100, 5_000), thin[100:5_000])
    content = bytearray((tmp_path / "x").read_bytes())
    content[-16 * 6_000] ^= 1
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(StoreError, match="is corrupted"):
        ArrayFile(tmp_path / "x").rows("thin", 3_990, 4_010)


@given(start=st.integers(0, 50), stop=st.integers(0, 50), name=st.sampled_from(["values", "wide"]))
def test_rows_are_read_alone(start: int, stop: int, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("rows") / "x"
    arrays = {"values": example()["values"], "wide": WIDE}
    write_arrays(path, arrays)
    stop = max(start, stop)
    np.testing.assert_array_equal(ArrayFile(path).rows(name, start, stop), arrays[name][start:stop])


@pytest.mark.parametrize("row", [0, 15, 16, 33, 49])
def test_a_change_in_one_row_bars_only_the_rows_that_share_its_checksum(row: int, tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_arrays(path, {"values": WIDE})
    content = bytearray(path.read_bytes())
    content[len(content) - (50 - row) * 4_200] ^= 1
    path.write_bytes(content)
    file = ArrayFile(path)
    for start in range(0, 50, 16):
        stop = min(start + 16, 50)
        if start <= row < stop:
            with pytest.raises(StoreError, match="is corrupted"):
                file.rows("values", start, stop)
        else:
            np.testing.assert_array_equal(file.rows("values", start, stop), WIDE[start:stop])
    with pytest.raises(StoreError, match="is corrupted"):
        file.read("values")


def test_what_a_file_holds(tmp_path: Path) -> None:
    write_arrays(tmp_path / "x", example(), {"counts": {"a": 1}})
    file = ArrayFile(tmp_path / "x")
    assert file.names == ["mask", "values", "scale", "none"]
    assert file.shape("values") == (50, 7)
    assert file.meta == {"counts": {"a": 1}}
    for ask in (file.read, file.shape, lambda name: file.rows(name, 0, 1)):
        with pytest.raises(StoreError, match=r"'x' holds no array 'nothing'. Make it again."):
            ask("nothing")


def test_a_file_that_is_missing_short_or_gone(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with pytest.raises(StoreError, match=r"'x' is missing from '.*'. Make it again."):
        ArrayFile(path)
    write_arrays(path, example())
    whole = path.read_bytes()
    for size in (0, 4, 8, 60, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(StoreError, match="is corrupted"):
            read_arrays(path)
    path.write_bytes(whole)
    file = ArrayFile(path)
    path.unlink()
    with pytest.raises(StoreError, match="Cannot read 'x'"):
        file.read("values")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"F16"', b'"F32"'),
        (b'"F16"', b'"I16"'),
        (b'"F16"', b'"X16"'),
        (b"[50,7]", b"[7,50]"),
        (b"[50,7]", b"[70,5]"),
        (b"[50,7]", b"[99,9]"),
        (b'"data_offsets":[3,703]', b'"data_offsets":[5,703]'),
        (b'"values":{', b'"valves":{'),
        (b'\\"a\\": 1', b'\\"a\\": 7'),
        (b'"meta"', b'"beta"'),
        (b'"header"', b'"leader"'),
        (b'"__metadata__"', b'"__betadata__"'),
    ],
)
def test_a_changed_header_is_told(old: bytes, new: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_arrays(path, example(), {"counts": {"a": 1}})
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    with pytest.raises(StoreError, match="is corrupted"):
        ArrayFile(path)


# Hashes


def test_hashes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(StoreError, match=r"'y' is missing from '.*'. Restore it."):
        sha256_of(tmp_path / "y")


def test_fingerprints_are_of_values() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) == hashlib.sha256(b'{"a": 1}').hexdigest()
    assert fingerprint({"a": "\ud800"}) != fingerprint({"a": "?"})
