"""Whole probes of a small atlas: figures, tables, rankings, resuming, and what cannot be probed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unitscope
from unitscope.annex import read_annex
from unitscope.atlas import Atlas
from unitscope.errors import ConceptError, ProbeError, StoreError, UnknownLayerError
from unitscope.extraction import activations_of
from unitscope.probes import linear, study
from unitscope.probes.result import COLUMNS, ProbeResult, load
from unitscope.rankings import kept

QUICK: dict[str, Any] = {"l1": 1e-4, "l2": 1e-3, "seeds": 2, "draws": 2, "shares": (0.1, 0.5)}
BARE: dict[str, Any] = {**QUICK, "curves": False, "control": False, "untrained": False}


@pytest.fixture(autouse=True, scope="module")
def few_steps() -> Iterator[None]:
    """Fits of a tenth of the usual steps: what is tested is what is done with them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "MIN_STEPS", 60)
        yield


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory, tiny_atlas: Path) -> Atlas:
    folder = tmp_path_factory.mktemp("probed") / "atlas"
    shutil.copytree(tiny_atlas, folder)
    return Atlas.open(folder)


@pytest.fixture(scope="module")
def upos(atlas: Atlas) -> ProbeResult:
    return study.probe(atlas, "upos", **QUICK)


def test_the_probe_stands_beside_everything(upos: ProbeResult) -> None:
    names = [(row["probe"], row["variant"]) for row in upos.scores if row["metric"] == "accuracy"]
    assert names == [
        ("linear", "trained"),
        ("form", "none"),
        ("majority", "none"),
        ("above form", "trained"),
        ("control", "trained"),
        ("selectivity", "trained"),
        ("linear", "untrained"),
        ("above untrained", "trained"),
    ]
    for row in upos.scores:
        assert row["low"] <= row["value"] <= row["high"]
        assert (row["n_sites"], row["n_blocks"]) == (upos.about["n_held"], upos.about["blocks_held"])
    own, most, form = (upos.score(name) for name in ("linear", "majority", "form"))
    assert own is not None
    assert most is not None
    assert form is not None
    assert own["value"] == upos.value > 0.8 > most["value"]
    above = upos.score("above form")
    assert above is not None
    assert above["value"] == pytest.approx(own["value"] - form["value"])


def test_word_identity_and_majority_are_those_of_plain_counting(upos: ProbeResult, atlas: Atlas) -> None:
    found = activations_of(atlas)
    tags = np.full(found.n_sites, "", object)
    for name, category in zip(found.concepts.names, found.concepts.categories, strict=True):
        if category == "upos":
            tags[found.concepts.sites_of(found.concepts.names.index(name))] = name
    a, b = found.halves.a, found.halves.b
    words = np.array(found.words(), object)
    majority = max(sorted(set(tags[a])), key=lambda tag: (tags[a] == tag).sum())
    expected = []
    for word in words[b]:
        seen = tags[a][words[a] == word]
        expected.append(max(sorted(set(seen)), key=lambda tag: (seen == tag).sum()) if len(seen) else majority)
    row = upos.score("majority")
    assert row is not None
    assert row["value"] == pytest.approx((tags[b] == majority).mean())
    form = upos.score("form")
    assert form is not None
    assert form["value"] == pytest.approx((tags[b] == np.array(expected, object)).mean(), abs=0.01)


def test_tables_have_their_columns_and_are_read_as_they_were(upos: ProbeResult, atlas: Atlas) -> None:
    annex = read_annex(atlas, "probes", "upos")
    assert set(annex.tables) == set(COLUMNS)
    for table in annex.tables:
        assert annex.table(table).column_names == list(COLUMNS[table])
    again = load(atlas, "upos")
    assert again.scores == upos.scores
    assert [row["count"] for row in again.layers] == [row["count"] for row in upos.layers]
    assert again.about == annex.about
    assert again.about["parameters"]["seeds"] == 2


def test_curves_and_the_smallest_number(upos: ProbeResult) -> None:
    n = upos.about["n_units"]
    assert {row["n_units"] for row in upos.curve} == {round(0.1 * n), round(0.5 * n)}
    at = {(row["mode"], row["n_units"], row["selection"]): row["accuracy"] for row in upos.curve}
    assert len(at) == 2 * 2 * 3
    _, half = sorted({row["n_units"] for row in upos.curve})
    assert at["mask", half, "top"] > at["mask", half, "bottom"]
    assert at["retrain", half, "top"] >= at["mask", half, "top"] - 0.02
    smallest = upos.about["smallest"]
    assert 1 <= smallest["n_units"] <= smallest["of_units"] == n
    tried = {row["n_units"]: row["accuracy"] for row in upos.search}
    if smallest["reached"]:
        assert tried[smallest["n_units"]] >= smallest["wanted_on_selection"]


def test_repeats_leave_out_a_part_each(upos: ProbeResult) -> None:
    assert [row["repeat"] for row in upos.repeats] == [0, 1]
    assert sum(row["n_sites"] for row in upos.repeats) == upos.about["n_train"]  # halves of the training side
    values = np.array([row["value"] for row in upos.repeats])
    expected = np.sqrt(1 / 2 * ((values - values.mean()) ** 2).sum())
    assert upos.about["training_error"] == pytest.approx(expected)


def test_layers_classes_and_rankings_agree_with_the_weights(upos: ProbeResult, atlas: Atlas) -> None:
    names = upos.about["classes_asked"]
    assert [row["class"] for row in upos.classes] == names
    for name in names:
        rows = [row for row in upos.layers if row["class"] == name]
        assert sum(row["mass"] for row in rows) == pytest.approx(1)
        own = next(row for row in upos.classes if row["class"] == name)
        assert sum(row["count"] for row in rows) == own["n_units"] == own["n_exclusive"] + own["n_shared"]
    rankings = kept.load(atlas, "upos")
    assert [each.target for each in rankings] == ["all", *names]
    assert len(rankings[0]) == upos.about["n_units"]
    first = [row for row in upos.weights if row["class"] == names[0]]
    assert rankings[1].units[0] == f"{first[0]['layer']}:{first[0]['unit']}"
    assert rankings[0].origin.method == "probe"


def test_a_finished_probe_is_read_and_other_parameters_are_refused(
    upos: ProbeResult, atlas: Atlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "run", lambda *given: pytest.fail("ran again"))
    assert unitscope.probe(atlas.path, "upos", **QUICK).scores == upos.scores
    with pytest.raises(StoreError, match=r"has a probe 'upos' with other parameters \(seeds 2, now 3\).*--name"):
        unitscope.probe(atlas, "upos", **{**QUICK, "seeds": 3})


def test_the_same_seed_gives_the_same_bytes(atlas: Atlas) -> None:
    def files(name: str) -> dict[str, str]:
        study.probe(atlas, "Number", name=name, **{**BARE, "control": True})
        parts = [*(atlas.path / "probes").glob(f"{name}.*"), *(atlas.path / "rankings").glob(f"{name}.*")]
        return {f"{p.parent.name}{p.name[1:]}": hashlib.sha256(p.read_bytes()).hexdigest() for p in parts}

    assert files("x") == files("y")


def test_a_number_is_read(atlas: Atlas) -> None:
    found = study.probe(atlas, "covariate:position", **{**BARE, "control": True})
    assert found.metric == "r2"
    assert found.value > 0.5
    most = found.score("majority")
    assert most is not None
    assert most["value"] <= 0
    assert found.score("control") is None
    assert {row["class"] for row in found.layers} == {"covariate:position"}
    assert not found.classes


def test_one_concept_of_some_layers(atlas: Atlas) -> None:
    found = study.probe(atlas, "upos:NOUN", layers=["encoder.layer.0"], **BARE)
    assert found.about["classes_asked"] == ["not upos:NOUN", "upos:NOUN"]
    assert found.about["n_units"] == 16
    assert {row["layer"] for row in found.layers} == {"encoder.layer.0"}
    assert "The untrained copy was not run." in found.about["notes"]


def test_a_corpus_of_its_own_to_judge_on(atlas: Atlas, tiny_corpus: Path) -> None:
    other = atlas.path.parent / "other.conllu"
    text = tiny_corpus.read_text(encoding="utf-8")
    other.write_text(text.replace("doc", "new"), encoding="utf-8")
    found = study.probe(atlas, "upos", name="other", eval_corpus=str(other), **BARE)
    assert found.about["n_train"] == found.about["n_held"] == activations_of(atlas).n_sites
    own, form = found.score("linear"), found.score("form")
    assert own is not None
    assert form is not None
    assert own["value"] > 0.9
    assert form["value"] > 0.8  # every form is known: it is the same text


def test_sites_without_a_class_are_counted(atlas: Atlas) -> None:
    found = study.probe(atlas, "Tense", **BARE)
    n_sites = activations_of(atlas).n_sites
    left = n_sites - found.about["n_train"] - found.about["n_held"]
    assert found.about["notes"][0] == f"{left:,} of {n_sites:,} sites have none of these classes and are left out."


def test_what_cannot_be_probed_says_why(atlas: Atlas) -> None:
    with pytest.raises(ConceptError, match=r"Nothing is called 'upso' here.*Closest: 'upos'"):
        study.probe(atlas, "upso", **BARE)
    with pytest.raises(UnknownLayerError, match=r"Layer 'encodr' is not in this atlas"):
        study.probe(atlas, "upos", name="z", layers=["encodr"], **BARE)
    with pytest.raises(ProbeError, match=r"'upos' has 0 class\(es\) with 10000 sites or more in both"):
        study.probe(atlas, "upos", name="z", least=10_000, **BARE)
    assert not (atlas.path / "probes" / "z.json").exists()


def test_mistakes_are_found_before_the_model_runs(tiny_atlas: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unitscope.probes import case

    monkeypatch.setattr(case, "activations_of", lambda *given, **options: pytest.fail("ran"))
    for spec in ("upso", "upos:NOUM", "covariate:size"):
        with pytest.raises(ConceptError, match=spec):
            study.probe(tiny_atlas, spec, **BARE)


def test_concepts_that_the_atlas_was_not_made_with(atlas: Atlas) -> None:
    found = study.probe(atlas, "words:the", layers=["encoder.layer.0"], name="the", **BARE)
    assert found.value > 0.99
    (atlas.path / "probes" / "the.json").unlink()


def test_dead_and_broken_units_do_not_matter(atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    """Constant units get no weight, units with NaN are left out, and it is said."""
    from unitscope.activations import Activations

    whole = Activations.blocks

    def broken(self: Activations, columns: Any = None) -> Any:
        for rows, values in whole(self, columns):
            spoilt = values.copy()
            spoilt[:, 0], spoilt[3, 1] = 2.0, np.nan
            yield rows, spoilt

    monkeypatch.setattr(Activations, "blocks", broken)
    found = study.probe(atlas, "upos", name="broken", layers=["encoder.layer.0"], **BARE)
    assert found.about["n_units"] == 15
    assert any(note.startswith("1 unit(s) of the trained model have values") for note in found.about["notes"])
    assert 0 not in {row["unit"] for row in found.weights}


def test_a_gaussian_probe_says_which_units_it_chose(atlas: Atlas) -> None:
    options: dict[str, Any] = {"kind": "gaussian", "most": 3, "seeds": 2, "draws": 2, "untrained": False}
    found = study.probe(atlas, "upos", mdl=True, **options)
    units = found.about["chosen"]["units"]
    assert len(set(units)) == 3
    assert {row["n_units"] for row in found.curve} == {1, 2, 3}
    assert {row["selection"] for row in found.curve} == {"top", "random"}
    at = {(row["n_units"], row["selection"]): row["accuracy"] for row in found.curve}
    assert at[3, "top"] == pytest.approx(found.value)
    assert found.value > at[1, "random"]
    assert sum(row["count"] for row in found.layers) == 3
    assert kept.load(atlas, "upos-gaussian")[0].units == tuple(units)
    bits = found.score("description", metric="bits_per_site")
    control = found.score("control description", metric="bits_per_site")
    assert bits is not None
    assert control is not None
    assert bits["value"] < control["value"]
    with pytest.raises(ProbeError, match=r"Got the number 'covariate:length' for a Gaussian probe"):
        study.probe(atlas, "covariate:length", name="z", **options)


def test_more_units_than_sites(atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    from unitscope.probes import case

    def thinned(*given: Any) -> Any:
        train, held = (np.where(np.cumsum(mask) % 12 == 0, mask, False) for mask in whole(*given))
        return train, held

    whole = case.halves_of
    monkeypatch.setattr(case, "halves_of", thinned)
    found = study.probe(atlas, "upos", name="few", least=1, **{**BARE, "curves": True})
    assert found.about["n_train"] < found.about["n_units"]
    assert 0.3 < found.value <= 1
