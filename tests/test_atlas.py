"""The atlas: what is asked of it, wherever it lies, and what is said of what it has not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

import unitscope
from unitscope.atlas import Atlas, write_table
from unitscope.errors import StoreError
from unitscope.store import read_arrays, sha256_of

LAYERS = ("encoder.layer.0", "encoder.layer.1.intermediate")


@pytest.fixture(scope="module")
def atlas(tiny_model: Path, tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    return unitscope.map(
        str(tiny_model),
        str(tiny_corpus),
        out=tmp_path_factory.mktemp("atlas") / "atlas",
        layers=LAYERS,
        concepts=["upos", "deprel", "position"],
        measures=["auroc", "iou", "iou:tail=lower"],
        baselines=["untrained"],
        workers=1,
    )


def test_it_shows_what_it_is(atlas: Atlas) -> None:
    assert repr(atlas) == "Atlas(tinybert over tiny.conllu: 2 layers)"
    assert atlas.layers == list(LAYERS)
    assert set(atlas.summary) == {"trained", "untrained"}
    assert set(atlas.summary["trained"]) == {*LAYERS, "all"}


def test_opening_reads_the_same_atlas(atlas: Atlas) -> None:
    again = Atlas.open(str(atlas.path))
    assert again.manifest == atlas.manifest
    assert again.units() == atlas.units()


def test_every_file_is_vouched_for(atlas: Atlas) -> None:
    checksums = json.loads((atlas.path / "checksums.json").read_text())
    files = {path.relative_to(atlas.path).as_posix() for path in atlas.path.rglob("*") if path.is_file()}
    assert set(checksums) == files - {"checksums.json", "run.json"}
    assert checksums == {name: sha256_of(atlas.path / name) for name in checksums}
    atlas.verify()


def test_reading_changes_nothing(atlas: Atlas) -> None:
    before = {path: path.stat().st_mtime_ns for path in atlas.path.rglob("*")}
    opened = Atlas.open(atlas.path)
    opened.units()
    opened.unit("encoder.layer.0:1")
    opened.verify()
    assert {path: path.stat().st_mtime_ns for path in atlas.path.rglob("*")} == before


def test_units_are_all_units_of_each_layer_in_order(atlas: Atlas) -> None:
    rows = atlas.units()
    assert [(row["layer"], row["unit"]) for row in rows] == [(LAYERS[0], u) for u in range(16)] + [
        (LAYERS[1], u) for u in range(32)
    ]
    assert atlas.units(LAYERS[1]) == rows[16:]
    table = atlas.table("units")
    assert table.to_pylist() == rows


def test_matches_are_filtered_and_ordered(atlas: Atlas) -> None:
    everything = atlas.sql("select * from matches")
    assert everything
    for measure in ("auroc", "iou", "iou_lower"):
        rows = atlas.matches(measure=measure)
        assert sorted(map(str, rows)) == sorted(str(row) for row in everything if row["measure"] == measure)
        scores = [row["score"] for row in rows if row["score"] is not None]
        assert scores == sorted(scores, reverse=True)
    row = atlas.matches()[0]
    for name in ("layer", "concept", "kind"):
        found = atlas.matches(**{name: row[name]})
        assert found == [each for each in atlas.matches() if each[name] == row[name]]
        assert row in found


def test_a_unit_with_all_that_is_known_of_it(atlas: Atlas) -> None:
    match = next(row for row in atlas.matches() if row["slot"] == 1)
    record = atlas.unit(f"{match['layer']}:{match['unit']}")
    assert record.row == atlas.units(match["layer"])[match["unit"]]
    assert record.matches[0] == match
    assert [row["slot"] for row in record.matches] == sorted(row["slot"] for row in record.matches)
    assert {(row["layer"], row["unit"]) for row in (*record.matches, *record.clips)} == {
        (match["layer"], match["unit"])
    }
    assert [clip["rank"] for clip in record.of_kind("top")] == list(range(1, 13))
    values = [clip["value"] for clip in record.of_kind("top")]
    assert values == sorted(values, reverse=True)
    assert values[0] == record.row["greatest"]


def test_scores_have_a_column_a_concept(atlas: Atlas) -> None:
    names = atlas.concept_names(LAYERS[1])
    assert names == [row["concept"] for row in atlas.concepts()]
    for measure in atlas.manifest["measures"]:
        scores = atlas.scores(measure, LAYERS[1])
        assert scores.shape == (32, len(names))
        assert scores.dtype == np.float32
        assert read_arrays(atlas.path / "scores" / f"{measure}.safetensors")[1]["concepts"] == {"source": names}


def test_tables_by_name(atlas: Atlas) -> None:
    assert atlas.table("baselines/untrained.units").num_rows == 48
    with pytest.raises(StoreError, match=r"This atlas has no 'unit.parquet'. Closest: 'units.parquet'"):
        atlas.table("unit")


# Questions that have no answer


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            lambda a: a.units("encoder.layer.o"),
            "Layer 'encoder.layer.o' is not in this atlas. Closest: 'encoder.layer.0'",
        ),
        (lambda a: a.units("x"), "Layer 'x' is not in this atlas. Its layers: encoder.layer.0, encoder.layer.1.inter"),
        (lambda a: a.matches(layer="x"), "Layer 'x' is not in this atlas."),
        (lambda a: a.concept_names("x"), "Layer 'x' is not in this atlas."),
        (lambda a: a.scores("auroc", "x"), "Layer 'x' is not in this atlas."),
        (lambda a: a.matches(concept="upos:NUON"), "Concept 'upos:NUON' is not in this atlas. Closest: 'upos:NOUN'"),
        (lambda a: a.matches(measure="f1"), "No measure 'f1' in this atlas. Expected: one of auroc, iou, iou_lower."),
        (lambda a: a.scores("f1", LAYERS[0]), "No measure 'f1' in this atlas."),
        (lambda a: a.matches(kind="contextal"), "Unknown kind 'contextal'. Expected: one of contextual, lexical, pos"),
        (
            lambda a: a.unit("encoder.layer.0:16"),
            "Got unit '16' of layer 'encoder.layer.0'. Expected: an index from 0 to 15",
        ),
        (lambda a: a.unit("encoder.layer.0:-1"), "Got unit '-1' of layer"),
        (lambda a: a.unit("encoder.layer.0:²"), "Got unit '²' of layer"),
        (lambda a: a.unit("encoder.layer.0:"), "Got unit '' of layer"),
        (lambda a: a.unit("encoder.layer.0"), "Unit 'encoder.layer.0' is not in this atlas."),
        (lambda a: a.unit("encoder.layer.0:" + "9" * 30), "Got unit '9999"),
        (lambda a: a.sql("selct 1"), "The query failed:"),
        (lambda a: a.sql("select * from nothing"), "The query failed:"),
        (lambda a: a.sql("select ?"), "The query failed:"),
        (lambda a: a.sql("select 1", ["too", "many"]), "The query failed:"),
        (lambda a: a.sql(""), "Got an empty query. Expected: one SQL query"),
        (lambda a: a.sql(" -- nothing"), "Got an empty query."),
    ],
)
def test_what_is_said_of_what_is_not_there(ask: Any, said: str, atlas: Atlas) -> None:
    with pytest.raises(StoreError) as caught:
        ask(atlas)
    assert str(caught.value).startswith(said)


def test_sql_with_parameters_and_without_rows(atlas: Atlas) -> None:
    assert atlas.sql("select count(*) as n from units where layer = ?", [LAYERS[0]]) == [{"n": 16}]
    assert atlas.sql("select * from units where unit < 0") == []


def test_sql_cannot_change_the_atlas(atlas: Atlas) -> None:
    before = atlas.table("units")
    with pytest.raises(StoreError):
        atlas.sql("delete from units")
    assert Atlas.open(atlas.path).table("units") == before


@pytest.mark.parametrize("name", ["a[1]", "a*", "a?b", "seed=1/lr=0.1", "it's", 'say "x"', "ünï 😀", "-- x; drop"])
def test_an_atlas_may_lie_anywhere(name: str, atlas: Atlas, tmp_path: Path) -> None:
    decoys = (tmp_path / "a1", tmp_path / "axb")
    for decoy in decoys:
        decoy.mkdir()
        write_table(decoy / "units.parquet", {"wrong": [1]})
    shutil.copytree(atlas.path, tmp_path / name)
    moved = Atlas.open(tmp_path / name)
    assert moved.units() == atlas.units()
    assert moved.table("units") == atlas.table("units")
    assert moved.unit("encoder.layer.0:1") == atlas.unit("encoder.layer.0:1")


@pytest.mark.parametrize("what", ["missing", "empty", "file"])
def test_what_is_no_atlas(what: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    if what == "empty":
        path.mkdir()
    if what == "file":
        path.write_text("x")
    with pytest.raises(StoreError) as caught:
        Atlas.open(path)
    assert str(caught.value) == (
        f"'{path}' is no atlas: it has no manifest.json. Expected: a folder made by `unitscope map`. "
        "A run that was stopped is finished by running the same command again."
    )


# Tables


def test_tables_keep_their_values(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "x.parquet"
    columns = {
        "word": np.array(["a", None, "ü😀", "\ud800x"], object),
        "score": np.array([0.5, np.nan, np.inf, -0.0], np.float32),
        "unit": np.array([1, 2, 3, 4], np.int32),
        "known": np.array([True, False, True, False]),
        "nothing": np.array([None] * 4, object),
    }
    write_table(path, columns)
    table = pyarrow.parquet.read_table(path)
    assert {field.name: str(field.type) for field in table.schema} == {
        "word": "string",
        "score": "double",
        "unit": "int32",
        "known": "bool",
        "nothing": "string",
    }
    assert table.to_pydict() == {
        "word": ["a", None, "ü😀", "?x"],
        "score": [0.5, None, np.inf, 0.0],
        "unit": [1, 2, 3, 4],
        "known": [True, False, True, False],
        "nothing": [None] * 4,
    }


def test_a_table_without_rows_keeps_its_types(tmp_path: Path) -> None:
    write_table(tmp_path / "x.parquet", {"word": np.zeros(0, object), "score": np.zeros(0), "n": np.zeros(0, np.int64)})
    table = pyarrow.parquet.read_table(tmp_path / "x.parquet")
    assert [str(field.type) for field in table.schema] == ["string", "double", "int64"]


def test_tables_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in "ab":
        write_table(tmp_path / name, {"x": np.arange(1000), "y": np.array(["ab"] * 1000, object)})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
