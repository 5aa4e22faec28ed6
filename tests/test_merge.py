import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import unitscope
from unitscope.atlas import Atlas
from unitscope.errors import StoreError
from unitscope.merge import _Merge, merge
from unitscope.store import sha256_of, write_json

LAYERS = ("encoder.layer.0.intermediate", "encoder.layer.0", "encoder.layer.1.intermediate", "encoder.layer.1")


@pytest.fixture(scope="module")
def atlases(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, tiny_corpus: Path) -> dict[str, Path]:
    """Atlases of single layers, of two that are not neighbours, and of all together."""
    folder = tmp_path_factory.mktemp("merge")
    asked = {"first": LAYERS[0:3:2], "second": LAYERS[1:2], "third": LAYERS[3:4], "whole": LAYERS}
    for name, layers in asked.items():
        unitscope.map(str(tiny_model), str(tiny_corpus), out=folder / name, layers=layers, **settings())
    return {name: folder / name for name in asked}


def settings(**changed: Any) -> dict[str, Any]:
    return {
        "concepts": ["upos", "feats", "deprel", "position"],
        "measures": ["auroc", "iou", "iou:tail=lower", "correlation"],
        "baselines": ["untrained", "rotation"],
        "formulas": 2,
        "ladder": True,
        "pairs": True,
        "workers": 1,
        **changed,
    }


def content(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


def test_merged_atlas_has_the_bytes_of_one_run_over_all_layers(atlases: dict[str, Path], tmp_path: Path) -> None:
    merged = merge([atlases["third"], atlases["first"], atlases["second"]], tmp_path / "m")
    assert content(tmp_path / "m") == content(atlases["whole"])
    merged.verify()
    assert merged.layers == list(LAYERS)


def test_merging_in_steps_is_the_same(atlases: dict[str, Path], tmp_path: Path) -> None:
    left = merge([atlases["first"], atlases["second"]], tmp_path / "left")
    merge([left.path, atlases["third"]], tmp_path / "a")
    right = merge([atlases["second"], atlases["third"]], tmp_path / "right")
    merge([atlases["first"], right.path], tmp_path / "b")
    assert content(tmp_path / "a") == content(tmp_path / "b") == content(atlases["whole"])


def test_one_atlas_merges_into_itself(atlases: dict[str, Path], tmp_path: Path) -> None:
    merge([atlases["second"]], tmp_path / "m")
    assert content(tmp_path / "m") == content(atlases["second"])


def test_q_values_are_worked_out_over_the_union(atlases: dict[str, Path], tmp_path: Path) -> None:
    merged = merge([atlases["first"], atlases["second"]], tmp_path / "m")
    tests = merged.sql("select layer, unit, p from tests where slot = 1 order by p")
    naive = {}
    least = 1.0
    for rank in range(len(tests), 0, -1):
        row = tests[rank - 1]
        least = min(least, row["p"] * len(tests) / rank)
        naive[row["layer"], row["unit"]] = least
    found = merged.sql("select layer, unit, q from matches where slot = 1 and measure = 'auroc'")
    assert {(row["layer"], row["unit"]) for row in found} == {key for key, q in naive.items() if q < 0.05}
    np.testing.assert_allclose([row["q"] for row in found], [naive[row["layer"], row["unit"]] for row in found])
    n_alone = Atlas.open(atlases["first"]).sql("select count(*) as n from tests where slot = 1")[0]["n"]
    assert 0 < n_alone < len(tests)


def test_sources_are_left_alone_and_merging_again_changes_nothing(atlases: dict[str, Path], tmp_path: Path) -> None:
    before = content(atlases["first"])
    merge([atlases["first"], atlases["second"]], tmp_path / "m")
    stamp = (tmp_path / "m" / "run.json").read_bytes()
    merge([atlases["second"], atlases["first"]], tmp_path / "m")
    assert (tmp_path / "m" / "run.json").read_bytes() == stamp
    assert content(atlases["first"]) == before
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_refuses_a_layer_that_two_have(atlases: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"Layer 'encoder\.layer\.0' is in 'second' and in 'whole'") as caught:
        merge([atlases["second"], atlases["whole"]], tmp_path / "m")
    assert "different layers" in str(caught.value)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"seed": 1}, "seed is '0' in one and '1' in the other"),
        ({"measures": ["auroc"]}, "measures is 'auroc; iou"),
        ({"max_items": 150}, r"corpus is 'tiny\.conllu' in one and 'tiny\.conllu\[:150\]'"),
    ],
)
def test_refuses_other_studies_and_names_the_field(
    atlases: dict[str, Path], tiny_model: Path, tiny_corpus: Path, tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    options = settings(**{"baselines": [], **changed})
    base = settings(baselines=[])
    for name, layers, chosen in (("a", LAYERS[:1], base), ("b", LAYERS[1:2], options)):
        unitscope.map(str(tiny_model), str(tiny_corpus), out=tmp_path / name, layers=layers, **chosen)
    with pytest.raises(StoreError, match=told) as caught:
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "m")
    assert "Map both with the same options." in str(caught.value)


def changed_manifest(atlas: Path, copy: Path, change: Any) -> Path:
    """A copy whose manifest was changed, with checksums that fit."""
    shutil.copytree(atlas, copy)
    manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
    change(manifest)
    write_json(copy / "manifest.json", manifest)
    sums = json.loads((copy / "checksums.json").read_text("utf-8"))
    write_json(copy / "checksums.json", {**sums, "manifest.json": sha256_of(copy / "manifest.json")})
    return copy


def test_refuses_other_versions(atlases: dict[str, Path], tmp_path: Path) -> None:
    other = changed_manifest(
        atlases["second"], tmp_path / "other", lambda manifest: manifest["study"]["versions"].update(torch="1.0")
    )
    with pytest.raises(StoreError, match="the version of torch is"):
        merge([atlases["first"], other], tmp_path / "m")


def test_refuses_another_schema(atlases: dict[str, Path], tmp_path: Path) -> None:
    other = changed_manifest(
        atlases["second"], tmp_path / "other", lambda manifest: manifest["study"].update(schema=99)
    )
    with pytest.raises(StoreError, match="schema version 99"):
        merge([atlases["first"], other], tmp_path / "m")


def test_refuses_positions_for_different_words(atlases: dict[str, Path], tmp_path: Path) -> None:
    def fewer(manifest: dict[str, Any]) -> None:
        manifest["grids"]["source"]["sites"] -= 1

    other = changed_manifest(atlases["second"], tmp_path / "other", fewer)
    with pytest.raises(StoreError, match="positions for different words of the grid 'source'"):
        merge([atlases["first"], other], tmp_path / "m")


def test_refuses_corrupted_tables_and_leaves_nothing_behind(atlases: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(atlases["second"], tmp_path / "bad")
    path = tmp_path / "bad" / "tests.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(StoreError, match=r"'tests\.parquet' of the atlas 'bad' is corrupted"):
        merge([atlases["first"], tmp_path / "bad"], tmp_path / "m")
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]


def test_refuses_an_out_that_holds_something_else(atlases: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "note.txt").write_text("mine", "utf-8")
    with pytest.raises(StoreError, match="'m' exists and is not this merged atlas"):
        merge([atlases["first"], atlases["second"]], tmp_path / "m")
    assert (tmp_path / "m" / "note.txt").read_text("utf-8") == "mine"


def test_an_empty_out_is_used_and_no_atlas_is_an_error(atlases: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    assert merge([atlases["first"], atlases["second"]], tmp_path / "m").layers == list(LAYERS[:3])
    with pytest.raises(StoreError, match="Got no atlases to merge"):
        merge([], tmp_path / "n")


@pytest.mark.parametrize(
    ("grids", "expected"),
    [
        ([("source",), ("source",)], {"dropped_words": 3, "truncated_items": 2}),
        ([("source",), ("target",)], {"dropped_words": 7, "truncated_items": 5}),
        ([("source",), ("source", "target")], {"dropped_words": 4, "truncated_items": 5}),
    ],
)
def test_words_left_out_are_counted_once_a_grid(grids: list[tuple[str, ...]], expected: dict[str, int]) -> None:
    counts = [{"dropped_words": 3, "truncated_items": 2}, {"dropped_words": 4, "truncated_items": 5}]
    counts = [counts[0], counts[0] if grids[0] == grids[1] else counts[1]]
    atlases: list[Any] = [
        SimpleNamespace(manifest={"grids": {name: {} for name in names}, "notes": {"counts": found}})
        for names, found in zip(grids, counts, strict=True)
    ]
    layers = [SimpleNamespace(grid=grid) for names in grids for grid in names]
    study: Any = SimpleNamespace(layers=layers)
    assert _Merge(study, atlases, {}).counts() == expected
