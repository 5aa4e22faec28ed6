"""The Python surface: defaults, what a run is made of, and what determines its key."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

import unitscope
from unitscope.api import DEFAULT_ROLES, Settings, count, default_concepts, dry_run, make_run
from unitscope.concepts.predicate import PredicateSource
from unitscope.concepts.words import WordSource
from unitscope.corpora import load_corpus
from unitscope.errors import PlanError
from unitscope.study.run import Run


def prepare(tiny_model: Path, tiny_corpus: Path, out: Path = Path("atlas"), **settings: Any) -> Run:
    return make_run(str(tiny_model), str(tiny_corpus), out, Settings(**settings))


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, unitscope; unitscope.__version__; print({'torch', 'transformers', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_surface() -> None:
    for name in unitscope.__all__:
        assert getattr(unitscope, name) is not None
    with pytest.raises(AttributeError, match="module 'unitscope' has no attribute 'maps'"):
        _ = unitscope.maps


def test_the_defaults_are_hidden_states_and_neurons(tiny_model: Path, tiny_corpus: Path) -> None:
    run = prepare(tiny_model, tiny_corpus)
    assert {layer.role for layer in run.study.layers} <= set(DEFAULT_ROLES)
    addresses = [layer.address for layer in run.study.layers]
    assert {"encoder.layer.0", "encoder.layer.1", "encoder.layer.0.intermediate"} <= set(addresses)
    assert [layer.order for layer in run.study.layers] == sorted(layer.order for layer in run.study.layers)
    assert len(run.study.measures) == 9
    assert run.study.baselines == ()
    assert run.work == run.out.with_name("atlas.partial")


def test_the_default_concepts_follow_the_corpus(tiny_corpus: Path, tmp_path: Path) -> None:
    assert default_concepts(load_corpus(str(tiny_corpus))) == [
        "upos",
        "feats",
        "deprel",
        "words:40",
        "position",
        "covariates",
    ]
    (tmp_path / "x.jsonl").write_text('{"tokens": ["a"], "ner_tags": ["O"], "lemma": ["a"]}\n')
    tagged = default_concepts(load_corpus(str(tmp_path / "x.jsonl")))
    assert tagged == ["column:ner_tags", "words:40", "position", "covariates"]
    (tmp_path / "x.txt").write_text("one two\n")
    assert default_concepts(load_corpus(str(tmp_path / "x.txt"))) == ["words:40", "position", "covariates"]


def test_own_sources_come_after_specs_and_alone_instead_of_the_defaults(tiny_model: Path, tiny_corpus: Path) -> None:
    own = WordSource(min_sites=3)
    assert prepare(tiny_model, tiny_corpus, sources=[own]).sources == [own]
    assert prepare(tiny_model, tiny_corpus, concepts=["upos"], sources=[own]).sources[1:] == [own]


def test_baselines_are_in_one_order_however_given(tiny_model: Path, tiny_corpus: Path) -> None:
    runs = [prepare(tiny_model, tiny_corpus, baselines=names) for names in (["rotation", "untrained"],) * 2]
    assert runs[0].study.baselines == ("untrained", "rotation")
    assert runs[0].study.variants == ("trained", "untrained", "rotation")
    twice = prepare(tiny_model, tiny_corpus, baselines=["rotation", "rotation"])
    assert twice.study.baselines == ("rotation",)


@pytest.mark.parametrize(
    "changed",
    [
        {"layers": ["encoder.layer.0"]},
        {"concepts": ["upos@19"]},
        {"measures": ["auroc"]},
        {"measures": ["iou:quantile=0.995"]},
        {"baselines": ["rotation"]},
        {"resample": "mean"},
        {"long_items": "truncate"},
        {"batch_size": 31},
        {"seed": 1},
        {"threads": 2},
        {"max_items": 100},
        {"per_group": 2},
    ],
    ids=str,
)
def test_what_determines_the_result_enters_the_key(
    changed: dict[str, Any], tiny_model: Path, tiny_corpus: Path
) -> None:
    assert prepare(tiny_model, tiny_corpus, **changed).study.key != prepare(tiny_model, tiny_corpus).study.key


@pytest.mark.parametrize("changed", [{"workers": 3}, {"memory": 1 << 32}, {"disk": 1 << 30}], ids=str)
def test_how_it_is_worked_does_not_enter_the_key(changed: dict[str, Any], tiny_model: Path, tiny_corpus: Path) -> None:
    assert prepare(tiny_model, tiny_corpus, **changed).study.key == prepare(tiny_model, tiny_corpus).study.key


def test_every_field_of_a_study_enters_its_key(tiny_model: Path, tiny_corpus: Path) -> None:
    study = prepare(tiny_model, tiny_corpus).study
    others: dict[str, Any] = {
        "layers": study.layers[:1],
        "versions": {**study.versions, "torch": "0"},
        "threads": 7,
        "seed": 7,
        "batch_size": 7,
    }
    for each in fields(study):
        value = others.get(each.name, "another" if isinstance(getattr(study, each.name), str) else ("another",))
        assert replace(study, **{each.name: value}).key != study.key, each.name


def test_the_key_knows_weights_and_content_not_places(tiny_model: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    import shutil

    run = prepare(tiny_model, tiny_corpus)
    shutil.copytree(tiny_model, tmp_path / tiny_model.name)
    shutil.copy(tiny_corpus, tmp_path / tiny_corpus.name)
    moved = prepare(tmp_path / tiny_model.name, tmp_path / tiny_corpus.name, tmp_path / "elsewhere")
    assert moved.study.key == run.study.key
    with (tmp_path / tiny_corpus.name).open("a") as file:
        file.write("# a comment\n")
    assert prepare(tiny_model, tmp_path / tiny_corpus.name).study.corpus_hash != run.study.corpus_hash


def test_which_column_is_what_enters_the_key(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("title,body,class\n" + "the dog,a red house,x\n" * 3)
    settings: list[dict[str, Any]] = [
        {},
        {"columns": ["text=title"]},
        {"columns": {"text": "title", "label": "none"}},
        {"columns": {"text": "title", "group": "class"}},
    ]
    runs = [prepare(tiny_model, path, concepts=["words:1"], **each) for each in settings]
    assert len({run.study.key for run in runs}) == 4
    with pytest.raises(PlanError, match="beside a corpus object"):
        make_run(str(tiny_model), load_corpus(str(path)), Path("atlas"), Settings(columns={"text": "title"}))


def test_a_live_model_is_worked_in_this_process(tiny_model: Path, tiny_corpus: Path) -> None:
    model = unitscope.load_model(str(tiny_model))
    run = make_run(model, str(tiny_corpus), Path("atlas"), Settings(workers=4))
    assert (run.workers, run.model_spec, run.model) == (1, None, model)
    assert run.study.key == prepare(tiny_model, tiny_corpus).study.key
    run = prepare(tiny_model, tiny_corpus, workers=4)
    assert (run.workers, run.model_spec) == (4, str(tiny_model))


def test_counting_and_the_dry_run_need_no_model(tiny_model: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    run = prepare(tiny_model, tiny_corpus, tmp_path / "atlas", baselines=["untrained"], workers=1)
    items = list(load_corpus(str(tiny_corpus)))
    n_sites = sum(item.grids["source"].n_sites for item in items)
    assert count(run) == (180, n_sites)
    plan = dry_run(run).to_json()
    n_units = sum(layer.width for layer in run.study.layers)
    assert plan["items"] == 180
    assert plan["passes"] == 2
    assert plan["forwards"] == 360
    assert plan["rounds"] == 1
    assert plan["spool_bytes"] == 2 * n_units * n_sites
    assert list(tmp_path.iterdir()) == []


def test_the_plan_of_a_run_is_that_of_the_dry_run(tiny_model: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "layers": ["encoder.layer.0"],
        "concepts": ["upos"],
        "measures": ["auroc"],
        "workers": 1,
    }
    run = prepare(tiny_model, tiny_corpus, tmp_path / "atlas", **settings)
    plan = dry_run(run).to_json()
    run.finish()
    import json

    found = json.loads((tmp_path / "atlas" / "run.json").read_text())
    assert found["plan"] == plan
    assert found["seconds"] > 0


def test_progress_is_told_for_every_step(tiny_model: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    unitscope.map(
        str(tiny_model),
        str(tiny_corpus),
        out=tmp_path / "atlas",
        layers=["encoder.layer.0", "encoder.layer.1"],
        concepts=["upos"],
        measures=["auroc"],
        baselines=["rotation"],
        workers=1,
        progress=lambda *each: told.append(each),
    )
    labels = list(dict.fromkeys(label for label, _, _ in told))
    assert labels[0] == "reading the corpus"
    assert told[0][1] <= 180
    assert labels[1:] == [
        "running the model (trained)",
        "scoring units (trained)",
        "checking resampling (trained)",
        "running the model (rotation)",
        "scoring units (rotation)",
        "writing the atlas",
    ]
    for label in labels[1:]:
        steps = [(done, total) for each, done, total in told if each == label]
        assert steps == [(done, steps[0][1]) for done in range(steps[0][1] + 1)]


def test_the_defaults_make_an_atlas(tiny_model: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    atlas = unitscope.map(str(tiny_model), str(tiny_corpus), out=tmp_path / "atlas", max_items=120, workers=1)
    atlas.verify()
    study = atlas.manifest["study"]
    assert study["model"] == "tinybert"
    assert study["corpus"] == "tiny.conllu[:120]"
    assert set(atlas.manifest["measures"]) == {path.stem for path in (atlas.path / "scores").iterdir()}
    categories = {row["category"] for row in atlas.concepts()}
    assert {"upos", "deprel", "position"} <= categories


@pytest.mark.parametrize("name", ["layers", "concepts", "measures", "baselines"])
def test_a_single_text_is_no_list(name: str) -> None:
    with pytest.raises(PlanError, match=rf"Got {name}='x'. Expected: a list, as {name}=\['...'\]"):
        Settings(**{name: "x"})


def test_a_predicate_is_described_by_its_name() -> None:
    assert " at 0x" not in repr(PredicateSource("m:f", 1))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"formulas": 6}, "Got formulas=6"),
        ({"formulas": -1}, "Got formulas=-1"),
        ({"pairs": True}, "Got pairs without the ladder"),
    ],
)
def test_refuses_what_no_formula_or_ladder_can_be(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(PlanError, match=told):
        Settings(**settings)


def test_items_are_mapped_where_a_concept_is_of_items_alone(tiny_model: Path, tmp_path: Path) -> None:
    def grids(*concepts: str) -> set[str]:
        run = make_run(str(tiny_model), "demo", tmp_path / "atlas", Settings(max_items=50, concepts=concepts))
        return {layer.grid for layer in run.study.layers}

    assert grids() == {"source"}  # though the covariates have the length of an item
    assert grids("covariates", "upos") == {"source"}
    assert grids("labels", "upos") == {"source", "item"}
    assert grids("labels", "covariates") == {"source", "item"}
