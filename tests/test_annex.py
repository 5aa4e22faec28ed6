"""Results beside an atlas: written whole, read back, refused when damaged or another's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unitscope.annex import annexes, read_annex, write_annex
from unitscope.atlas import Atlas
from unitscope.errors import StoreError
from unitscope.store import read_sealed, write_sealed

TABLES = {"units": {"unit": np.array(["l:1", "l:0"], object), "score": np.array([2.0, np.nan])}}


@pytest.fixture
def atlas(tmp_path: Path, tiny_atlas: Path) -> Atlas:
    shutil.copytree(tiny_atlas, tmp_path / "atlas")
    return Atlas.open(tmp_path / "atlas")


def test_what_is_written_is_read(atlas: Atlas) -> None:
    write_annex(atlas, "rankings", "first.try", TABLES, {"seed": 3})
    write_annex(atlas, "rankings", "first", {"units": {"unit": np.array(["l:9"], object)}}, {})
    found = read_annex(atlas, "rankings", "first.try")
    assert found.rows("units") == [{"unit": "l:1", "score": 2.0}, {"unit": "l:0", "score": None}]
    assert found.about == {"seed": 3}
    assert found.parent == atlas.manifest["key"]
    assert found.tables == ("units",)
    assert annexes(atlas, "rankings") == ["first", "first.try"]
    assert annexes(atlas, "probes") == []
    Atlas.open(atlas.path).verify()


def test_the_last_of_a_name_stays(atlas: Atlas) -> None:
    write_annex(atlas, "probes", "upos", {**TABLES, "curve": {"n": np.array([1])}}, {})
    write_annex(atlas, "probes", "upos", {"curve": {"n": np.array([2])}}, {})
    assert read_annex(atlas, "probes", "upos").rows("curve") == [{"n": 2}]
    assert sorted(path.name for path in (atlas.path / "probes").iterdir()) == ["upos.curve.parquet", "upos.json"]


def test_refuses_damage_strangers_and_bad_names(atlas: Atlas) -> None:
    write_annex(atlas, "rankings", "r", TABLES, {})
    table = atlas.path / "rankings" / "r.units.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"!")
    with pytest.raises(StoreError, match=r"'r.units.parquet' in 'rankings' is corrupted or missing"):
        read_annex(atlas, "rankings", "r").table("units")
    with pytest.raises(StoreError, match=r"has no table 'unit'. Closest: 'units'"):
        read_annex(atlas, "rankings", "r").table("unit")
    record = atlas.path / "rankings" / "r.json"
    write_sealed(record, {**read_sealed(record), "parent": "0" * 64})
    with pytest.raises(StoreError, match="was made from another atlas"):
        read_annex(atlas, "rankings", "r")
    with pytest.raises(StoreError, match=r"no 's' among its rankings. There are: r"):
        read_annex(atlas, "rankings", "s")
    for name in ("../x", "", "a/b", "x" * 101):
        with pytest.raises(StoreError, match="Got the name"):
            write_annex(atlas, "rankings", name, TABLES, {})
    with pytest.raises(StoreError, match="Unknown kind of result 'ranking'"):
        annexes(atlas, "ranking")


def test_what_was_there_stays_where_the_new_cannot_be_written(atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    import unitscope.atlas

    write_annex(atlas, "rankings", "r", TABLES, {"seed": 3})
    write = unitscope.atlas.write_table

    def full(path: Path, columns: Any) -> None:
        if ".second." in path.name:
            raise StoreError("Cannot write: no space left on device.")
        write(path, columns)

    monkeypatch.setattr(unitscope.atlas, "write_table", full)
    with pytest.raises(StoreError, match="no space left"):
        write_annex(atlas, "rankings", "r", {"units": {"unit": np.array(["l:9"], object)}, "second": {}}, {"seed": 4})
    found = read_annex(atlas, "rankings", "r")
    assert found.about == {"seed": 3}
    assert found.rows("units")[0]["unit"] == "l:1"
    assert sorted(path.name for path in found.folder.iterdir()) == ["r.json", "r.units.parquet"]


def test_a_file_in_place_of_the_folder_and_names_that_are_none(atlas: Atlas) -> None:
    (atlas.path / "rankings").write_text("x", encoding="utf-8")
    with pytest.raises(StoreError, match="Cannot write"):
        write_annex(atlas, "rankings", "r", {}, {})
    write_annex(atlas, "probes", "p", TABLES, {})
    (atlas.path / "probes" / ".x y.json").write_text("{}", encoding="utf-8")
    assert annexes(atlas, "probes") == ["p"]
