"""A full disk is told with its mend, loses nothing, and the same command goes on when there is room."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

import unitscope
from unitscope import store
from unitscope.errors import StoreError
from unitscope.study import plan

SETTINGS: dict[str, Any] = {"concepts": ("upos", "words:20"), "measures": ("auroc",), "workers": 1}
LAYERS = ("embed", "mix", "out")
Map = Callable[..., unitscope.Atlas]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def make(small_model: str, small_corpus: str) -> Map:
    def make(out: Path, **settings: Any) -> unitscope.Atlas:
        return unitscope.map(small_model, small_corpus, out=out, **{"layers": LAYERS, **SETTINGS, **settings})

    return make


@pytest.fixture(scope="module")
def unbroken(make: Map, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return contents(make(tmp_path_factory.mktemp("unbroken") / "atlas").path)


class Full:
    """Wraps `Path.open` so that files of one name cannot be written beyond some bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, room: int) -> None:
        plain = Path.open

        def opened(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            file = plain(path, mode, *args, **kwargs)
            return _Limited(file, room) if "w" in mode and f".{name}." in path.name else file

        monkeypatch.setattr(Path, "open", opened)


class _Limited:
    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def write(self, content: Any) -> int:
        self.room -= len(content)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written: int = self.file.write(content)
        return written

    def __enter__(self) -> _Limited:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@pytest.mark.parametrize(
    "name",
    [
        "study.json",
        "items-00001.json",
        "work.json",
        "00001.safetensors",
        "valid-source.safetensors",
        "001-0000000.safetensors",
        "matches.parquet",
        "auroc.safetensors",
        "manifest.json",
        "run.json",
    ],
)
def test_no_room_for_a_file(
    name: str, make: Map, unbroken: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        Full(patch, name, 40)
        with pytest.raises(StoreError) as caught:
            make(tmp_path / "atlas")
    assert str(caught.value).startswith(f"No space left to write '{name}' in '")
    assert "Free some space or lower --disk, and run the same command again" in str(caught.value)
    assert not (tmp_path / "atlas").exists()
    assert not list(tmp_path.rglob(f".{name}.*")), "a half-written file is left"
    assert contents(make(tmp_path / "atlas").path) == unbroken
    assert [path.name for path in tmp_path.iterdir()] == ["atlas"]


def test_finished_work_is_not_done_again(make: Map, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        Full(patch, "001-0000000.safetensors", 40)
        with pytest.raises(StoreError):
            make(tmp_path / "atlas")

    def never(*_: object) -> NoReturn:
        raise AssertionError("a finished step is done again")

    monkeypatch.setattr("unitscope.study.sitepass.run_shard", never)
    make(tmp_path / "atlas")


def test_no_room_for_the_last_renaming(
    make: Map, unbroken: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if Path(target).name == "atlas":
            raise OSError(errno.ENOSPC, "No space left on device")
        return plain(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(StoreError, match="No space left to write 'atlas'"):
            make(tmp_path / "atlas")
    assert contents(make(tmp_path / "atlas").path) == unbroken


def test_a_smaller_disk_budget_is_heeded_by_the_work_that_goes_on(
    make: Map, unbroken: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "UNITS_PER_BLOCK", 12)
    with monkeypatch.context() as patch:
        Full(patch, "002-0000000.safetensors", 40)
        with pytest.raises(StoreError):
            make(tmp_path / "atlas")
    n_units = []
    plain = store.write_arrays

    def write(path: Path, arrays: Any, meta: Any = None) -> None:
        n_units.append(sum(len(array) for name, array in arrays.items() if name.replace(".", "").isdigit()))
        plain(path, arrays, meta)

    monkeypatch.setattr("unitscope.study.sitepass.write_arrays", write)
    n_sites = store.read_sealed(tmp_path / "atlas.partial" / "prepared" / "summary.json")["n_sites"]["source"]
    assert contents(make(tmp_path / "atlas", disk=2 * n_sites * 12).path) == unbroken
    assert set(n_units) == {12, 8}, "the spool held more units than the budget allows"


@pytest.fixture
def little(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with 96 kB."""
    if not sys.platform.startswith("linux"):
        pytest.skip("small disks are made of Linux' tmpfs")
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_really_full(make: Map, unbroken: dict[str, bytes], little: Path) -> None:
    told = []
    for size in (96, 128, 160, 200, 4000):
        subprocess.run(["mount", "-o", f"remount,size={size}k", little], check=True)
        try:
            make(little / "atlas", disk=10**9)
        except StoreError as error:
            told.append(str(error))
    assert told
    assert all(text.startswith("No space left to write '") for text in told)
    assert contents(little / "atlas") == unbroken
    assert [path.name for path in little.iterdir()] == ["atlas"]
