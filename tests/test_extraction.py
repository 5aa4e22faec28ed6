"""Values taken from an atlas' model: the ones the model gives, kept, resumed, and refused where they are another's."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from unitscope.activations import Activations
from unitscope.atlas import Atlas
from unitscope.concepts.table import ConceptTable
from unitscope.corpora import load_corpus
from unitscope.errors import PlanError, ProbeError, StoreError, UnknownLayerError
from unitscope.extraction import activations_of
from unitscope.models import load_model
from unitscope.stats.halves import split
from unitscope.study.prepare import Sites

LAYERS = ["encoder.layer.0", "encoder.layer.1.intermediate"]


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory, tiny_atlas: Path) -> Atlas:
    folder = tmp_path_factory.mktemp("kept") / "atlas"
    shutil.copytree(tiny_atlas, folder)
    return Atlas.open(folder)


@pytest.fixture(scope="module")
def found(atlas: Atlas) -> Activations:
    return activations_of(atlas, layers=LAYERS, concepts=["upos"])


def test_values_are_the_models(found: Activations, tiny_model: Path, tiny_corpus: Path) -> None:
    model, items = load_model(str(tiny_model)), list(load_corpus(str(tiny_corpus)))
    layers = model.resolve(LAYERS)
    captured = model.run(items, layers)
    valid = captured.valid["source"]
    expected = np.concatenate([captured.values[layer.address].numpy()[valid] for layer in layers], axis=1)
    assert found.addresses[0] == "encoder.layer.0:0"
    assert len(found.addresses) == expected.shape[1] == found.n_units
    np.testing.assert_allclose(found.values(), expected, rtol=1e-3, atol=1e-5)


def test_sites_words_and_halves_are_the_corpus(found: Activations, atlas: Atlas, tiny_corpus: Path) -> None:
    items = list(load_corpus(str(tiny_corpus)))
    assert found.words() == [word for item in items for word in item.grids["source"].words]
    assert [found.item_ids[i] for i in found.sites.item] == [i.id for i in items for _ in i.grids["source"].words]
    halves = split(found.sites.item, [item.group for item in items], 0)
    assert np.array_equal(found.halves.half, halves.half)
    grid = atlas.manifest["grids"]["source"]
    assert int(found.halves.a.sum()) == grid["sites_a"]
    tags = [tag for item in items for tag in item.grids["source"].columns["upos"]]
    noun = found.concepts.sites_of(found.concepts.names.index("upos:NOUN"))
    assert noun.tolist() == [s for s, tag in enumerate(tags) if tag == "NOUN"]


def test_blocks_and_columns_agree_with_all_values(found: Activations) -> None:
    whole = found.values()
    chosen = found.columns(["*.intermediate"])
    assert {found.addresses[c].rpartition(":")[0] for c in chosen} == {LAYERS[1]}
    some = np.array([1, 5, *chosen[::7].tolist()])
    rows = found.sites.position == 0
    assert np.array_equal(found.values(some, rows), whole[rows][:, some])
    for at, block in found.blocks(some):
        assert np.array_equal(block, whole[at][:, some])


def test_kept_files_are_read_and_missing_ones_made(atlas: Atlas, found: Activations) -> None:
    files = sorted((atlas.path / "activations").rglob("0*.safetensors"))
    before = {path: path.stat().st_mtime_ns for path in files}
    bytes_of_first = files[0].read_bytes()
    files[0].unlink()
    again = activations_of(atlas, layers=LAYERS, concepts=["upos"])
    assert files[0].read_bytes() == bytes_of_first
    assert all(path.stat().st_mtime_ns == before[path] for path in files[1:])
    assert np.array_equal(again.values(), found.values())


def test_baselines_differ_and_are_the_same_each_time(atlas: Atlas, found: Activations) -> None:
    layers = [LAYERS[0]]
    for variant in ("untrained", "rotation"):
        other = activations_of(atlas, layers=layers, concepts=["upos"], variant=variant).values()
        assert np.abs(other - found.values(found.columns(layers))).max() > 0.1
    turned = activations_of(atlas, layers=layers, concepts=["upos"], variant="rotation").values()
    lengths = np.linalg.norm(turned, axis=1), np.linalg.norm(found.values(found.columns(layers)), axis=1)
    np.testing.assert_allclose(*lengths, rtol=2e-3)


def test_another_corpus_for_the_same_model(atlas: Atlas, tmp_path: Path) -> None:
    text = tmp_path / "other.txt"
    text.write_text("the dog saw a cat .\n\na cat saw the dog .\n", encoding="utf-8")
    other = activations_of(atlas, layers=[LAYERS[0]], concepts=["position@1"], other=str(text))
    assert other.words()[:3] == ["the", "dog", "saw"]


def test_what_cannot_be_asked_is_refused_before_the_model_runs(tiny_atlas: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_atlas, tmp_path / "atlas", ignore=shutil.ignore_patterns("activations"))

    def check(table: ConceptTable, sites: Sites) -> None:
        assert "upos:NOUN" in table.names
        assert len(sites.form) == table.n_sites
        raise ProbeError("two hold together")

    atlas, told = Atlas.open(tmp_path / "atlas"), []
    with pytest.raises(ProbeError, match="hold together"):
        activations_of(atlas, layers=LAYERS, concepts=["upos"], check=check, tick=lambda *what: told.append(what[0]))
    assert not any("model" in each for each in told)


def test_refuses_what_is_not_the_atlas_own(atlas: Atlas, tmp_path: Path, tiny_corpus: Path) -> None:
    shorter = tmp_path / "shorter.conllu"
    shorter.write_text("\n".join(tiny_corpus.read_text().split("\n\n")[:3]) + "\n\n", encoding="utf-8")
    with pytest.raises(StoreError, match="is not the one this atlas was made with"):
        activations_of(atlas, layers=[LAYERS[0]], corpus=str(shorter))
    with pytest.raises(UnknownLayerError, match=r"Closest: .*'encoder.layer.0'"):
        activations_of(atlas, layers=["encoder.layer.9"])
    with pytest.raises(PlanError, match="Unknown variant 'untraind'"):
        activations_of(atlas, variant="untraind")
    (atlas.path / "run.json").rename(tmp_path / "run.json")
    try:
        with pytest.raises(StoreError, match="does not say where its model is"):
            activations_of(atlas, layers=[LAYERS[0]])
    finally:
        (tmp_path / "run.json").rename(atlas.path / "run.json")
