"""Maps of a small random network over generated pictures with masks: whole, by workers, and merged."""

import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

import unitscope
from unitscope.atlas import RUN, Atlas
from unitscope.errors import ConceptError, CorpusError, PlanError
from unitscope.merge import merge

N_IMAGES = 40
SPEC = "python:small_convnet:network"
SIZE = 64
NETWORKS = str(Path(__file__).parent / "networks")
SETTINGS: dict[str, Any] = {"layers": ["0", "2"], "measures": ["auroc", "iou"], "seed": 3, "batch_size": 8}


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    """The network's module, for this process and for workers."""
    sys.path.insert(0, NETWORKS)
    yield
    sys.path.remove(NETWORKS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bright square on dark ground in each picture, its mask beside it; one picture has no mask."""
    home = tmp_path_factory.mktemp("pictures")
    draw = np.random.default_rng(0)
    for name in ("train", "trainannot"):
        (home / name).mkdir()
    for number in range(N_IMAGES + 1):
        pixels = draw.integers(0, 90, (SIZE, SIZE, 3)).astype(np.uint8)
        labels = np.zeros((SIZE, SIZE), np.uint8)
        y, x = draw.integers(0, SIZE - 24, 2).tolist()
        pixels[y : y + 24, x : x + 24] = draw.integers(150, 256, (24, 24, 3))
        labels[y : y + 24, x : x + 24] = 1
        PIL.Image.fromarray(pixels).save(home / "train" / f"v{number // 5}_{number:03d}.png")
        if number < N_IMAGES:
            PIL.Image.fromarray(labels).save(home / "trainannot" / f"v{number // 5}_{number:03d}.png")
    classes = [{"index": 0, "name": "ground"}, {"index": 1, "name": "square"}]
    (home / "classes.json").write_text(json.dumps({"ignore_index": 9, "classes": classes}))
    return home


def test_attribution_of_an_atlas_of_pictures(atlas: Atlas, tmp_path: Path) -> None:
    """Cells as sites, channels taken out by replay on the held-out half."""
    from unitscope.annex import read_annex
    from unitscope.causal.attributing import Question, attribute_atlas, save

    # Values and results are kept beside the atlas, which other tests compare with others byte by byte.
    atlas = Atlas.open(shutil.copytree(atlas.path, tmp_path / "atlas"))
    question = Question("unit:2:3", ("0",), "gradient-x-activation", judge=4, max_items=6)
    found = attribute_atlas(atlas, question)
    assert len(found.items) == found.n_judged == 6
    save(atlas, "pictures", found)
    annex = read_annex(atlas, "attributions", "pictures")
    width = len(found.found.mean("0"))
    assert [len(annex.rows(name)) for name in ("units", "items", "judged")] == [width, 6, 1]
    assert len(annex.rows("sites")) == len(found.found.by_site["0"])
    assert np.isfinite(annex.rows("judged")[0]["comprehensiveness"])


@pytest.fixture(scope="module")
def atlas(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    return unitscope.map(SPEC, str(folder), out=tmp_path_factory.mktemp("maps") / "atlas", workers=1, **SETTINGS)


def _files(atlas: Atlas) -> dict[str, bytes]:
    files = [path for path in atlas.path.rglob("*") if path.is_file() and path.name != RUN]
    return {str(path.relative_to(atlas.path)): path.read_bytes() for path in files if path.name != "checksums.json"}


def test_the_square_is_found(atlas: Atlas) -> None:
    assert {layer["grid"] for layer in atlas.manifest["study"]["layers"]} == {"image:16x16of31x31", "image:15x15"}
    best = atlas.sql("select concept, score from matches where measure = 'auroc' order by score desc limit 1")[0]
    assert best["concept"] in ("segments:square", "segments:ground", "colours:grey", "colours:black")
    assert best["score"] > 0.9


def test_what_was_left_out_is_told(atlas: Atlas) -> None:
    assert atlas.manifest["notes"]["counts"]["skipped_items"] == 1
    assert list(atlas.manifest["notes"]["skipped"]) == [f"v8_{N_IMAGES:03d}.png"]


def test_clips_show_pictures_with_the_values_of_all_cells(atlas: Atlas, folder: Path) -> None:
    items = {(row["grid"], row["item"]): row for row in atlas.table("items").to_pylist()}
    module, _ = importlib.import_module("small_convnet").network()
    shown = {name for row in items.values() if (name := row["image"])}
    assert {path.name for path in (atlas.path / "images").iterdir()} == shown
    for row in atlas.table("clips").to_pylist()[::97]:
        item = items[row["grid"], row["item"]]
        assert (row["first"], len(row["values"])) == (0, item["rows"] * item["columns"])
        assert row["values"][row["position"]] == row["value"]
        pixels = np.asarray(PIL.Image.open(folder / "train" / f"{item['id']}.png"), np.float32) / 255
        with torch.inference_mode():
            cells = module[: int(row["layer"]) + 1](torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None])
        step = 2 if row["layer"] == "0" else 1
        expected = cells[0, row["unit"], ::step, ::step].reshape(-1).numpy()
        assert np.array(row["values"]) == pytest.approx(expected, abs=2e-3, rel=2e-3)


def test_kinds_have_as_many_clips_as_are_told(atlas: Atlas) -> None:
    counts = atlas.sql("select kind, max(n) as n from (select layer, unit, kind, count(*) as n from clips group by all)"
                       " group by kind")  # fmt: skip
    most = {"top": 8, "low": 8, "band": 4, "random": 2, "missed": 2}
    assert all(row["n"] <= most[row["kind"]] for row in counts)
    assert {row["kind"] for row in counts} >= {"top", "low", "random"}


def test_workers_change_no_byte(atlas: Atlas, folder: Path, tmp_path: Path) -> None:
    both = unitscope.map(SPEC, str(folder), out=tmp_path / "atlas", workers=2, **SETTINGS)
    assert _files(both) == _files(atlas)


def test_merging_gives_the_same_bytes(atlas: Atlas, folder: Path, tmp_path: Path) -> None:
    parts = []
    for layer in ("2", "0"):
        settings = {**SETTINGS, "layers": [layer]}
        parts.append(unitscope.map(SPEC, str(folder), out=tmp_path / layer, workers=1, **settings).path)
    assert _files(merge(parts, tmp_path / "merged")) == _files(atlas)


def test_all_cells_and_whole_images(folder: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "layers": ["0"]}
    every = unitscope.map(SPEC, str(folder), out=tmp_path / "all", workers=1, **{**settings, "sites": "all"})
    assert every.manifest["grids"]["image:31x31"]["sites"] == N_IMAGES * 31 * 31
    with pytest.raises(ConceptError, match="labels"):
        unitscope.map(SPEC, str(folder), out=tmp_path / "items", **{**settings, "concepts": ["labels"]})


def test_a_model_of_images_needs_images(tiny_corpus: Path, folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="of texts"):
        unitscope.map(SPEC, str(tiny_corpus), out=tmp_path / "a", **SETTINGS)
    with pytest.raises(CorpusError, match="of images"):
        unitscope.map(str(tiny_model), str(folder), out=tmp_path / "b", workers=1)
    with pytest.raises(PlanError, match="texts"):
        unitscope.map(str(tiny_model), str(tiny_corpus), out=tmp_path / "c", sites="all")
