"""Laws of whole runs: what changes no bit of an atlas, what changes only rounding, and what makes another atlas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch

import unitscope
from unitscope.atlas import Atlas
from unitscope.store import read_arrays
from unitscope.study import plan, unitpass

SETTINGS: dict[str, Any] = {
    "layers": ("embed", "mix", "out"),
    "concepts": ("upos", "words:20"),
    "measures": ("auroc", "iou", "correlation"),
    "baselines": ("untrained", "rotation"),
    "formulas": 2,
    "ladder": True,
    "pairs": True,
    "workers": 1,
}
Map = Callable[..., Atlas]


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of every file but run.json."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def make(small_model: str, small_corpus: str) -> Map:
    def make(out: Path, **settings: Any) -> Atlas:
        return unitscope.map(small_model, small_corpus, out=out, **{**SETTINGS, **settings})

    return make


@pytest.fixture(scope="module")
def whole(make: Map, tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    return make(tmp_path_factory.mktemp("whole") / "atlas")


@pytest.fixture(scope="module")
def n_sites(whole: Atlas) -> int:
    return int(whole.manifest["grids"]["source"]["sites"])


def test_the_same_seed_gives_the_same_bytes(make: Map, whole: Atlas, tmp_path: Path) -> None:
    assert contents(make(tmp_path / "another-name").path) == contents(whole.path)


def test_another_seed_gives_another_key_and_other_halves(make: Map, whole: Atlas, tmp_path: Path) -> None:
    other = make(tmp_path / "atlas", seed=1)
    assert other.manifest["key"] != whole.manifest["key"]
    halves = [[(row["concept"], row["n_a"]) for row in atlas.concepts()] for atlas in (whole, other)]
    assert halves[0] != halves[1]
    # Scores over all sites know no halves; those of the rotation and the untrained copy do.
    for layer in whole.layers:
        np.testing.assert_array_equal(whole.scores("auroc", layer), other.scores("auroc", layer))
    rotated = [atlas.table("baselines/rotation.units")["mean"].to_pylist() for atlas in (whole, other)]
    assert rotated[0] != rotated[1]


@pytest.fixture(scope="module")
def wide(make_wide: Map, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return contents(make_wide(tmp_path_factory.mktemp("wide") / "atlas").path)


@pytest.fixture(scope="module")
def make_wide(small_model: str, small_corpus: str) -> Map:
    """Runs over layers of 8, 40 and 24 units."""

    def make(out: Path, **settings: Any) -> Atlas:
        return unitscope.map("python:small_model:make_wide", small_corpus, out=out, **{**SETTINGS, **settings})

    return make


@pytest.mark.parametrize(("n_at_once", "n_rounds"), [(16, 6), (33, 3), (48, 2), (71, 2)])
def test_the_disk_budget_changes_no_bit(
    n_at_once: int,
    n_rounds: int,
    make_wide: Map,
    wide: dict[str, bytes],
    n_sites: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With small blocks, so that rounds begin and end in the middle of layers."""
    monkeypatch.setattr(plan, "UNITS_PER_BLOCK", 16)
    labels = set()
    atlas = make_wide(tmp_path / "atlas", disk=2 * n_sites * n_at_once, progress=lambda what, *_: labels.add(what))
    assert contents(atlas.path) == wide
    assert sum(what.startswith("running the model (trained") for what in labels) == n_rounds


def test_the_memory_budget_changes_no_bit(
    make_wide: Map, wide: dict[str, bytes], n_sites: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "UNITS_PER_BLOCK", 16)
    labels: set[str] = set()
    # The least memory with which it runs at all, found by halving.
    least, most = 0, 1 << 34
    from unitscope.api import Settings, make_run

    run = make_run("python:small_model:make_wide", wide_corpus(tmp_path), tmp_path / "plan", Settings(layers=["*"]))
    while most - least > 1:
        half = (least + most) // 2
        run.budget = plan.Budget(memory=half)
        run.workers = 1
        try:
            run.plan(300, n_sites)
            most = half
        except plan.PlanError:
            least = half
    atlas = make_wide(tmp_path / "atlas", memory=most, progress=lambda what, *_: labels.add(what))
    assert contents(atlas.path) == wide
    assert "running the model (trained, round 2 of 6)" in labels


def wide_corpus(folder: Path) -> str:
    import small_model as module

    return str(module.write_corpus(folder / "corpus.conllu"))


@pytest.mark.parametrize("size", [16, 32])
def test_the_cut_into_blocks_changes_no_bit(
    size: int, make_wide: Map, wide: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "UNITS_PER_BLOCK", size)
    assert contents(make_wide(tmp_path / "atlas").path) == wide


def test_the_cut_into_chunks_changes_no_bit(
    make_wide: Map, wide: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Units are worked 16 at a time."""
    monkeypatch.setattr(unitpass, "CHUNK", 1)
    assert contents(make_wide(tmp_path / "atlas").path) == wide


def test_worker_processes_change_no_bit(make: Map, tmp_path: Path) -> None:
    """Processes started anew, as a user's; `tests/faults/test_kill.py` has forked ones for two and three."""
    settings = {"layers": ["mix"], "baselines": (), "measures": ["auroc"]}
    one = make(tmp_path / "one", **settings)
    two = make(tmp_path / "two", **settings, workers=2)
    assert contents(one.path) == contents(two.path)


@pytest.mark.parametrize("batch_size", [1, 7, 300])
def test_the_batch_size_changes_only_rounding(batch_size: int, make: Map, whole: Atlas, tmp_path: Path) -> None:
    atlas = make(tmp_path / "atlas", batch_size=batch_size)
    assert atlas.manifest["key"] != whole.manifest["key"]
    for mine, theirs in zip(atlas.units(), whole.units(), strict=True):
        for name in ("mean", "sd", "least", "greatest"):
            assert mine[name] == pytest.approx(theirs[name], rel=1e-3, abs=1e-4)
        assert mine["status"] == theirs["status"]
    for layer in whole.layers:
        for measure, most in (("auroc", 2e-3), ("correlation", 1e-3)):
            np.testing.assert_allclose(atlas.scores(measure, layer), whole.scores(measure, layer), atol=most)


def test_globs_and_addresses_of_the_same_layers_are_the_same_study(make: Map, whole: Atlas, tmp_path: Path) -> None:
    again = make(tmp_path / "atlas", layers=("out", "[em]*"))
    assert contents(again.path) == contents(whole.path)


def test_inputs_are_never_changed(make: Map, small_model: str, small_corpus: str, tmp_path: Path) -> None:
    before = Path(small_corpus).read_bytes()
    model = unitscope.load_model(small_model)
    weights = model.weight_hash
    unitscope.map(model, small_corpus, out=tmp_path / "atlas", **SETTINGS)
    assert Path(small_corpus).read_bytes() == before
    assert unitscope.load_model(small_model).weight_hash == weights
    assert model.weight_hash == weights
    module: Any = model
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.module.modules())


def test_an_atlas_can_be_moved(make: Map, whole: Atlas, tmp_path: Path) -> None:
    make(tmp_path / "atlas")
    (tmp_path / "atlas").rename(tmp_path / "elsewhere")
    Atlas.open(tmp_path / "elsewhere").verify()
    text = b"".join(contents(tmp_path / "elsewhere").values())
    assert str(tmp_path).encode() not in text, "an atlas must not say where it was made"


def test_spool_and_scores_open_in_the_official_library(make: Map, whole: Atlas, tmp_path: Path) -> None:
    class Stop(Exception):  # noqa: N818 - a signal
        pass

    def progress(what: str, done: int, total: int) -> None:
        if what == "scoring units (trained)":
            raise Stop

    with pytest.raises(Stop):
        make(tmp_path / "atlas", progress=progress)
    paths = [*tmp_path.rglob("*.safetensors"), *whole.path.rglob("*.safetensors")]
    assert sum("spool" in path.parts for path in paths) == 3
    for path in paths:
        mine, _ = read_arrays(path)
        theirs, tensors = safetensors.numpy.load_file(path), safetensors.torch.load_file(path)
        assert set(mine) == set(theirs) == set(tensors)
        for name, array in mine.items():
            assert array.dtype == theirs[name].dtype
            np.testing.assert_array_equal(array, theirs[name])
            np.testing.assert_array_equal(array, tensors[name].numpy())
