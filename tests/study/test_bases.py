"""Bases in a study: fitted on half A alone, kept for resuming and in the atlas; budgets and workers change no bit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import unitscope
from unitscope.api import Settings, make_run
from unitscope.atlas import Atlas
from unitscope.bases.base import Basis
from unitscope.bases.pca import Covariance
from unitscope.bases.saelens import write_saelens
from unitscope.errors import BasisError, StoreError, UnknownLayerError
from unitscope.merge import merge
from unitscope.models import load_model
from unitscope.study import plan
from unitscope.study.bases import basis_path, load_basis
from unitscope.study.prepare import Prepared

FAULTS = Path(__file__).parents[1] / "faults"
SETTINGS: dict[str, Any] = {"concepts": ("upos", "words:20"), "measures": ("auroc", "iou"), "workers": 1}
SPEC = "python:small_model:make"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    sys.path.insert(0, str(FAULTS))
    import small_model

    yield str(small_model.write_corpus(tmp_path_factory.mktemp("corpus") / "small.conllu"))
    sys.path.remove(str(FAULTS))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    made = torch.Generator().manual_seed(1)
    save_file({"weight": torch.randn(5, 12, generator=made)}, folder / "m.safetensors")
    draw = np.random.default_rng(2)
    encoder = draw.normal(size=(12, 40)).astype(np.float32)
    write_saelens(
        folder / "sae",
        Basis(encoder, bias=np.full(40, -3, np.float32), decoder=encoder.T.copy(), nonlinearity="relu"),
    )
    return folder


def all_bases(files: Path) -> list[str]:
    return ["mix=pca:6", "mix=rotation", "mix=rotation:2", f"mix=matrix:{files}/m.safetensors", f"mix=sae:{files}/sae"]


LAYERS = ["mix", "mix~matrix", "mix~pca", "mix~rotation", "mix~rotation2", "mix~sae"]


@pytest.fixture(scope="module")
def atlas(corpus: str, files: Path, tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    out = tmp_path_factory.mktemp("atlas") / "atlas"
    baselines = ["untrained", "rotation"]
    return unitscope.map(SPEC, corpus, out=out, bases=all_bases(files), baselines=baselines, **SETTINGS)


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_layers_of_bases_stand_beside_their_own(atlas: Atlas) -> None:
    assert atlas.layers == LAYERS
    widths = [layer["width"] for layer in atlas.manifest["study"]["layers"]]
    assert widths == [12, 5, 6, 12, 12, 40]
    roles = {layer["address"]: layer["role"] for layer in atlas.manifest["study"]["layers"]}
    assert roles["mix~sae"] == "latents of an autoencoder"
    assert [row["status"] for row in atlas.units("mix~sae")].count("live") > 5
    assert set(atlas.summary) == {"trained", "untrained", "rotation"}
    assert str(atlas.path.parent) not in (atlas.path / "manifest.json").read_text()


def test_values_are_the_bases_of_the_layers_values(atlas: Atlas, corpus: str, files: Path) -> None:
    model, items = load_model(SPEC), list(unitscope.load_corpus(corpus))
    values = model.run(items, model.resolve(["mix"])).values["mix"]
    sae = np.maximum(values.numpy() @ np.random.default_rng(2).normal(size=(12, 40)).astype(np.float32) - 3, 0)
    np.testing.assert_allclose([row["mean"] for row in atlas.units("mix~sae")], sae.mean(axis=0), rtol=2e-3, atol=1e-4)
    turned = atlas.basis("mix~rotation2").encode(values).numpy()
    rows = atlas.units("mix~rotation2")
    np.testing.assert_allclose([row["mean"] for row in rows], turned.mean(axis=0), rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose([row["sd"] for row in rows], turned.std(axis=0), rtol=2e-3, atol=1e-3)


def halves(corpus: str, folder: Path) -> np.ndarray[Any, Any]:
    """Which sites are on half A, from a run that is prepared and no more."""
    from unitscope.stats.halves import split

    prepared = Prepared(folder / "prepared")
    sites, groups = prepared.sites("source"), prepared.groups()
    return split(sites.item, groups, 0).a


def test_components_are_fitted_on_half_a_alone(
    atlas: Atlas, corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unitscope.study import claim, run

    monkeypatch.setattr(run, "clear", lambda work: None)
    monkeypatch.setattr(claim, "clear", lambda work: None)
    unitscope.map(SPEC, corpus, out=tmp_path / "atlas", bases=["mix=pca:6"], **SETTINGS)
    on_a = halves(corpus, tmp_path / "atlas.partial")
    assert 0.4 < on_a.mean() < 0.6
    model, items = load_model(SPEC), list(unitscope.load_corpus(corpus))
    values = model.run(items, model.resolve(["mix"])).values["mix"].numpy()
    for keep, same in ((on_a, True), (~on_a, False), (on_a | True, False)):
        seen = Covariance.blank(12)
        seen.add(values[keep])
        expected = seen.components(6, "mix").encoder
        assert np.allclose(atlas.basis("mix~pca").encoder, expected, atol=1e-4) == same


def test_the_untrained_copy_has_components_of_its_own(
    corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unitscope.study import run

    monkeypatch.setattr(run, "clear", lambda work: None)
    settings = {**SETTINGS, "bases": ["mix=pca:6"], "baselines": ["untrained"]}
    unitscope.map(SPEC, corpus, out=tmp_path / "atlas", **settings)
    work = tmp_path / "atlas.partial"
    trained, other = (load_basis(basis_path(work, variant, 1)) for variant in ("trained", "untrained"))
    assert basis_path(work, "rotation", 1) == basis_path(work, "trained", 1)
    assert not np.allclose(np.abs(trained.encoder), np.abs(other.encoder), atol=1e-2)


@pytest.mark.parametrize("settings", [{"workers": 2}, {"disk": True}], ids=str)
def test_workers_and_budgets_change_no_bit(
    settings: dict[str, Any], corpus: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = unitscope.map(SPEC, corpus, out=tmp_path / "whole", bases=all_bases(files), **SETTINGS)
    if "disk" in settings:
        monkeypatch.setattr(plan, "UNITS_PER_BLOCK", 16)
        n_sites = whole.manifest["grids"]["source"]["sites"]
        settings = {"disk": 2 * n_sites * 16}
    else:
        monkeypatch.setenv("PYTHONPATH", f"{FAULTS}:{Path(unitscope.__file__).parents[1]}")
    other = unitscope.map(SPEC, corpus, out=tmp_path / "other", **{**SETTINGS, **settings, "bases": all_bases(files)})
    assert contents(other.path) == contents(whole.path)


def test_a_killed_run_does_not_fit_again(corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unitscope.study import sitepass

    settings = Settings(bases=["mix=pca:4"], concepts=("upos",), measures=("auroc",), workers=1)
    run = make_run(load_model(SPEC), corpus, tmp_path / "atlas", settings)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sitepass, "run_shard", killed)
        with pytest.raises(KeyboardInterrupt):
            run.finish()
    assert (tmp_path / "atlas.partial" / "bases" / "trained-001.safetensors").exists()
    said: list[str] = []
    again = make_run(load_model(SPEC), corpus, tmp_path / "atlas", settings, lambda what, *_: said.append(what))
    atlas = again.finish()
    assert "fitting bases (trained)" not in said
    whole = unitscope.map(
        SPEC, corpus, out=tmp_path / "whole", bases=["mix=pca:4"], concepts=["upos"], measures=["auroc"]
    )
    assert contents(atlas.path) == contents(whole.path)


def test_which_layers_are_mapped(corpus: str, tmp_path: Path) -> None:
    def layers(**settings: Any) -> list[str]:
        run = make_run(load_model(SPEC), corpus, tmp_path / "x", Settings(**settings))
        return [layer.address for layer in run.study.layers]

    assert layers(bases=["mix=pca", "out=rotation"]) == ["mix", "mix~pca", "out", "out~rotation"]
    assert layers(bases=["mix=pca"], layers=["mix~*"]) == ["mix~pca"]
    assert layers(bases=["mix=pca"], layers=["embed"]) == ["embed", "mix~pca"]
    assert layers(bases=["[mo]*=pca:3", "mix=pca:4"]) == ["mix", "mix~pca", "mix~pca-2", "out", "out~pca"]
    with pytest.raises(UnknownLayerError, match=r"Layer 'mx' not in"):
        layers(bases=["mx=pca"])
    with pytest.raises(UnknownLayerError, match=r"Layer 'mix~rotation' not in"):
        layers(bases=["mix=pca"], layers=["mix~rotation"])


def test_keys_differ_with_the_basis(corpus: str, tmp_path: Path) -> None:
    def key(basis: Any) -> str:
        return make_run(load_model(SPEC), corpus, tmp_path / "x", Settings(bases=[basis], layers=["mix~*"])).study.key

    one = Basis(np.eye(12, dtype=np.float32))
    other = Basis(np.eye(12, dtype=np.float32), nonlinearity="relu")
    keys = [
        key(basis)
        for basis in ("mix=pca", "mix=pca:3", "mix=rotation:1", "mix=rotation:2", ("mix", one), ("mix", other))
    ]
    assert len(set(keys)) == len(keys)
    assert key(("mix", Basis(np.eye(12, dtype=np.float32)))) == keys[4]


def test_merging_gives_what_one_run_would(atlas: Atlas, corpus: str, files: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "baselines": ["untrained", "rotation"]}
    first = unitscope.map(SPEC, corpus, out=tmp_path / "a", bases=all_bases(files)[:1], **settings)
    second = unitscope.map(SPEC, corpus, out=tmp_path / "b", bases=all_bases(files)[1:], layers=["mix~*"], **settings)
    merged = merge([second.path, first.path], tmp_path / "both")
    assert merged.layers == atlas.layers
    assert contents(merged.path) == contents(atlas.path)


def test_bases_of_an_atlas(atlas: Atlas) -> None:
    assert atlas.basis("mix~pca").width == 6
    with pytest.raises(StoreError, match=r"does not hold the basis of layer 'mix~sae'"):
        atlas.basis("mix~sae")
    with pytest.raises(StoreError, match=r"does not hold the basis of layer 'mix'"):
        atlas.basis("mix")


def test_errors_come_before_anything_runs(corpus: str, files: Path, tmp_path: Path) -> None:
    for bases, message in (
        ([f"out=matrix:{files}/m.safetensors"], "'m.safetensors' reads 12 values, but layer 'out' has 8 units"),
        ([f"out=sae:{files}/sae"], "The autoencoder 'sae' reads 12 values, but layer 'out' has 8 units"),
        (["mix=pca:13"], "Got 13 principal components"),
    ):
        with pytest.raises(BasisError, match=message):
            unitscope.map(SPEC, corpus, out=tmp_path / "none", bases=bases, **SETTINGS)
    few = {**SETTINGS, "concepts": ["upos@2"]}
    with pytest.raises(BasisError, match=r"sites to fit 12 principal components of 'mix' on"):
        unitscope.map(SPEC, corpus, out=tmp_path / "few", bases=["mix=pca"], max_items=4, **few)
