"""Corrupted files are told by name, never read as if they were whole; doing as the error says mends them."""

from __future__ import annotations

import json
import random
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import unitscope
from unitscope.atlas import Atlas
from unitscope.errors import StoreError

SETTINGS: dict[str, Any] = {
    "layers": ("embed", "mix", "out"),
    "concepts": ("upos", "words:20"),
    "measures": ("auroc",),
    "baselines": ("untrained",),
    "workers": 1,
}
Map = Callable[..., Atlas]
STAGES = {
    "the corpus is read": "running the model (trained)",
    "the model has run": "scoring units (trained)",
    "units are scored": "writing the atlas",
}


class Stop(Exception):  # noqa: N818 - a signal
    """Ends a run at a stage."""


def flip(path: Path, at: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(bytes(content))


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def make(small_model: str, small_corpus: str) -> Map:
    def make(out: Path, stop: str = "", **settings: Any) -> Atlas:
        def progress(what: str, done: int, total: int) -> None:
            if what == stop:
                raise Stop

        return unitscope.map(small_model, small_corpus, out=out, progress=progress, **{**SETTINGS, **settings})

    return make


@pytest.fixture(scope="module")
def atlas(make: Map, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("whole") / "atlas").path


@pytest.fixture(scope="module")
def stages(make: Map, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Unfinished work at each stage."""
    folder = tmp_path_factory.mktemp("stages")
    found = {}
    for number, (stage, label) in enumerate(STAGES.items()):
        with pytest.raises(Stop):
            make(folder / str(number) / "atlas", stop=label)
        found[stage] = folder / str(number)
    return found


PREPARED = "items-00000.json items-00001.json groups.json summary.json sites-source.safetensors work.json"
FILES = {
    "the corpus is read": [*PREPARED.split(), "concepts-source.safetensors"],
    "the model has run": [
        "trained-0/00000.safetensors",
        "trained-0/00001.safetensors",
        "valid-source.safetensors",
        "counts.json",
    ],
    "units are scored": [
        "trained/000-0000000.safetensors",
        "trained/002-0000000.safetensors",
        "untrained/001-0000000.safetensors",
        "check/001.safetensors",
    ],
}


@pytest.mark.parametrize(("stage", "name"), [(stage, name) for stage, names in FILES.items() for name in names])
def test_a_flipped_byte_in_unfinished_work(
    stage: str, name: str, stages: dict[str, Path], make: Map, atlas: Path, tmp_path: Path
) -> None:
    shutil.copytree(stages[stage], tmp_path, dirs_exist_ok=True)
    (path,) = (path for path in tmp_path.rglob(Path(name).name) if str(path).endswith(f"/{name}"))
    draw = random.Random(name)
    whole = path.read_bytes()
    # The header's length, the header, and the arrays of a safetensors file; anywhere in JSON.
    header = int.from_bytes(whole[:8], "little") if name.endswith("safetensors") else 0
    spots = [2, 8 + draw.randrange(header // 2), len(whole) - 1] if header else [len(whole) // 2, len(whole) - 4]
    for at in spots:
        path.write_bytes(whole)
        flip(path, at, draw.randrange(7))
        with pytest.raises(StoreError, match=path.name) as caught:
            make(tmp_path / "atlas")
        assert "corrupted" in str(caught.value)
        assert "Delete it and run the same command again" in str(caught.value)
    path.unlink()
    make(tmp_path / "atlas")
    assert contents(tmp_path / "atlas") == contents(atlas)


@pytest.mark.parametrize("stage", STAGES)
def test_a_missing_or_short_file_in_unfinished_work(
    stage: str, stages: dict[str, Path], make: Map, atlas: Path, tmp_path: Path
) -> None:
    shutil.copytree(stages[stage], tmp_path, dirs_exist_ok=True)
    path = next(path for path in sorted(tmp_path.rglob("*.safetensors")) if path.name[0] != "v")
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(StoreError, match=f"'{path.name}' in '{path.parent.name}' is corrupted"):
        make(tmp_path / "atlas")
    path.write_bytes(b"")
    with pytest.raises(StoreError, match=f"'{path.name}' in '{path.parent.name}' is corrupted"):
        make(tmp_path / "atlas")
    path.unlink()
    make(tmp_path / "atlas")
    assert contents(tmp_path / "atlas") == contents(atlas)


def test_no_flipped_bit_of_an_array_file_is_read(stages: dict[str, Path], tmp_path: Path) -> None:
    from unitscope.store import read_arrays

    path = tmp_path / "valid.safetensors"
    shutil.copy(next(stages["units are scored"].rglob("002.safetensors")), path)
    whole, (arrays, meta) = path.read_bytes(), read_arrays(path)
    padding = whole[: 8 + int.from_bytes(whole[:8], "little")].rstrip(b" ")
    for at in range(len(whole)):
        if len(padding) <= at < 8 + int.from_bytes(whole[:8], "little"):
            continue  # blanks that fill the header say nothing
        path.write_bytes(whole)
        flip(path, at, at % 8)
        with pytest.raises(StoreError, match="corrupted"):
            read_arrays(path)
    path.write_bytes(whole)
    again = read_arrays(path)
    assert again[1] == meta
    assert {name: array.tolist() for name, array in again[0].items()} == {n: a.tolist() for n, a in arrays.items()}


def test_a_flipped_byte_in_every_file_of_an_atlas(atlas: Path, tmp_path: Path) -> None:
    names = [path.relative_to(atlas) for path in atlas.rglob("*") if path.is_file() and path.name != "run.json"]
    assert len(names) > 8
    draw = random.Random(1)
    for name in names:
        copy = tmp_path / "atlas"
        shutil.copytree(atlas, copy)
        content = (copy / name).read_bytes()
        meant = [at for at, byte in enumerate(content) if byte not in b" \n"]
        for at in draw.sample(meant, 5):
            (copy / name).write_bytes(content)
            flip(copy / name, at, draw.randrange(7))
            with pytest.raises(StoreError):
                Atlas.open(copy).verify()
        (copy / name).write_bytes(content[:-3])
        with pytest.raises(StoreError):
            Atlas.open(copy).verify()
        (copy / name).unlink()
        with pytest.raises(StoreError):
            Atlas.open(copy).verify()
        shutil.rmtree(copy)


def test_every_way_to_read_an_atlas_is_checked(atlas: Path, tmp_path: Path) -> None:
    reads: dict[str, list[Callable[[Atlas], Any]]] = {
        "units.parquet": [lambda a: a.units(), lambda a: a.unit("mix:0"), lambda a: a.table("units")],
        "matches.parquet": [lambda a: a.matches(), lambda a: a.sql("select 1")],
        "clips.parquet": [lambda a: a.unit("mix:0")],
        "concepts.parquet": [lambda a: a.concepts(), lambda a: a.concept_names("mix")],
        "scores/auroc.safetensors": [lambda a: a.scores("auroc", "mix")],
        "baselines/untrained.units.parquet": [lambda a: a.table("baselines/untrained.units")],
    }
    for name, ways in reads.items():
        copy = tmp_path / Path(name).stem
        shutil.copytree(atlas, copy)
        flip(copy / name, (copy / name).stat().st_size // 2)
        for read in ways:
            with pytest.raises(StoreError) as caught:
                read(Atlas.open(copy))
            assert f"'{name}' of the atlas '{copy.name}' is corrupted" in str(caught.value)
            assert "Restore it from a copy, or delete the atlas and map again." in str(caught.value)


def test_another_schema_version(atlas: Path, tmp_path: Path) -> None:
    shutil.copytree(atlas, tmp_path / "atlas")
    manifest = json.loads((atlas / "manifest.json").read_text())
    manifest["study"]["schema"] = 99
    (tmp_path / "atlas" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError) as caught:
        Atlas.open(tmp_path / "atlas")
    assert "has schema version 99. Expected: version 2. Open it with the version of unitscope" in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "null", '{"study": 3}', '{"study": {}}', "\x00"])
def test_a_manifest_of_something_else(content: str, atlas: Path, make: Map, tmp_path: Path) -> None:
    shutil.copytree(atlas, tmp_path / "atlas")
    (tmp_path / "atlas" / "manifest.json").write_text(content)
    with pytest.raises(StoreError):
        Atlas.open(tmp_path / "atlas")
    with pytest.raises(StoreError):
        make(tmp_path / "atlas")
    assert (tmp_path / "atlas" / "manifest.json").read_text() == content


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "{}"])
def test_checksums_of_something_else(content: str, atlas: Path, tmp_path: Path) -> None:
    shutil.copytree(atlas, tmp_path / "atlas")
    (tmp_path / "atlas" / "checksums.json").write_text(content)
    with pytest.raises(StoreError):
        Atlas.open(tmp_path / "atlas")


def test_a_mark_of_something_else(stages: dict[str, Path], make: Map, tmp_path: Path) -> None:
    shutil.copytree(stages["the model has run"], tmp_path, dirs_exist_ok=True)
    for content in ("", "[]", "{"):
        (tmp_path / "atlas.partial" / "study.json").write_text(content)
        with pytest.raises(StoreError, match=r"'study.json' in 'atlas.partial' is corrupted. Delete that folder"):
            make(tmp_path / "atlas")


def test_sealed_json_with_a_wrong_checksum(tmp_path: Path) -> None:
    from unitscope.store import read_sealed

    path = tmp_path / "x.json"
    for text in ('{"value": 3}', '{"checksum": 1, "value": 3}', '{"checksum": 1}', "3", "[3]"):
        path.write_text(text)
        with pytest.raises(StoreError, match=r"'x.json' in .* is corrupted"):
            read_sealed(path)
    path.write_text(f'{{"checksum": {zlib.crc32(b"3")}, "value": 3}}')
    assert read_sealed(path) == 3
