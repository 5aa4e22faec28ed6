import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unitscope import demo
from unitscope.atlas import Atlas
from unitscope.cli import app
from unitscope.errors import ModelError

ROW: dict[str, Any] = {
    "layer": "encoder.layer.3.intermediate",
    "unit": 1203,
    "concept": "meaning:month",
    "sign": 1,
    "kind": "contextual",
    "score": 0.981,
    "low": 0.96,
    "high": 0.99,
    "within_form": 0.9,
    "within_form_position": 0.88,
    "untrained_p99": 0.61,
    "q": 0.0001,
    "n": 1062,
    "share_form": 0.61,
    "words": ["May", "July"],
}


def test_a_finding_in_words() -> None:
    assert demo.sentence(ROW) == (
        "encoder.layer.3.intermediate:1203 fires on month names: AUROC .98 [.96, .99], within word form .90, within "
        "form and position .88 (of an untrained copy's units one in a hundred exceeds .61), q < .001, n = 1,062; mere "
        "word form explains 61 % of its variance. It is highest at May, July."
    )


def test_a_falling_unit_without_interval_or_baseline_in_words() -> None:
    changed = {"sign": -1, "low": None, "high": None, "untrained_p99": None, "q": 0.03, "concept": "x\x1b:[bold]"}
    assert demo.sentence({**ROW, **changed}) == (
        "encoder.layer.3.intermediate:1203 falls on words tagged '[bold]' (x\ufffd): AUROC .98 (no interval: too few "
        "effective groups), within word form .90, within form and position .88, q = .030, n = 1,062; mere word form "
        "explains 61 % of its variance. It is lowest at May, July."
    )


def test_a_lexical_finding_says_so() -> None:
    changed = {"kind": "lexical", "concept": "words:bank", "within_form": None, "within_form_position": None}
    told = demo.sentence({**ROW, **changed})
    assert "fires on the word 'bank': AUROC .98 [.96, .99]; a lexical match" in told
    assert "within word form" not in told


MOVED: dict[str, Any] = {
    "inside": -0.0148,
    "inside_low": -0.016,
    "inside_high": -0.0123,
    "outside": -0.00151,
    "n_inside": 90,
    "n_outside": 700,
}


def test_what_becomes_of_vectors_without_the_unit() -> None:
    assert demo.loss(ROW, MOVED) == (
        " Without it the vectors of sentences with month names move by .015 [.012, .016] (1 - cosine), of others by "
        ".0015."
    )
    few = {**MOVED, "inside_low": None, "inside_high": None, "n_outside": 0}
    assert demo.loss(ROW, few) == " Without it the vectors of sentences with month names move by .015 (1 - cosine)."
    assert demo.loss(ROW, None) == demo.loss(ROW, {**MOVED, "n_inside": 0}) == ""


def test_every_concept_has_a_name_in_words() -> None:
    assert demo.plain_name("feats:Number=Plur") == "words with Number=Plur"
    assert demo.plain_name("position:first") == "words tagged 'first' (position)"
    assert demo.plain_name("upos:SCONJ") == "subordinating conjunctions"
    assert demo.plain_name("odd") == "odd"


def test_findings_are_one_a_concept(tiny_atlas: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unitscope.report import findings

    rows = [{**ROW, "unit": unit, "concept": f"words:{unit % 3}"} for unit in range(9)]

    def best(atlas: Atlas, *, kind: str, top: int) -> list[dict[str, Any]]:
        return rows[:top] if kind == "contextual" else [{**ROW, "kind": "lexical"}]

    monkeypatch.setattr(findings, "best_supported", best)
    told = demo.tell(Atlas.open(tiny_atlas), 2)
    assert [sentence.split(":")[1].split()[0] for sentence in told] == ["0", "1", "1203"]


def test_an_atlas_without_contextual_units_is_told_plainly(tiny_atlas: Path) -> None:
    told = demo.tell(Atlas.open(tiny_atlas))
    assert told[0] == "No unit is contextual: word form or position explains every match."
    assert " fires on " in told[1] or " falls on " in told[1]
    assert len(told) == 2


def test_without_its_package_the_demo_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "PACKAGE", "no_such_package")
    with pytest.raises(ModelError, match=r"pip install 'unitscope\[demo\]'"):
        demo.model_folder()
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "d")])
    assert result.exit_code == 2
    assert "The demo's model is not installed." in result.stderr


def test_settings_are_those_of_the_demo() -> None:
    settings = demo.settings(seed=3, workers=2)
    assert (settings.baselines, settings.seed, settings.workers) == (("untrained", "rotation"), 3, 2)


@pytest.mark.parametrize(("given", "run"), [([], ["untrained", "rotation"]), (["--baseline", "none"], [])])
def test_the_command_maps_and_tells(
    given: list[str],
    run: list[str],
    tiny_model: Path,
    tiny_corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(demo, "model_folder", lambda: str(tiny_model))
    monkeypatch.setattr(demo, "CORPUS", str(tiny_corpus))
    monkeypatch.setattr(demo, "LAYERS", ("encoder.layer.0",))
    monkeypatch.setattr(demo, "CONCEPTS", ("upos", "feats"))
    monkeypatch.setattr(demo, "MEASURES", ("auroc",))
    arguments = ["demo", "--out", str(tmp_path / "d"), "--workers", "1", *given]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    assert "No unit is contextual" in result.stdout
    index = tmp_path / "d-site" / "index.html"
    assert result.stdout.endswith(f"see: unitscope show {tmp_path / 'd'}\nopen: {index}\n")
    assert index.is_file()
    assert Atlas.open(tmp_path / "d").manifest["study"]["baselines"] == run
    assert "Without it the vectors of sentences with " in " ".join(result.stdout.split())
    told = json.loads(CliRunner().invoke(app, [*arguments, "--json", "--no-site"]).stdout)
    assert len(told["findings"]) == 2
    assert "(1 - cosine)" in told["findings"][1]
    assert told["site"] is None


def test_the_real_model_is_where_the_package_says() -> None:
    pytest.importorskip(demo.PACKAGE, reason="the extra 'demo' is not installed")
    assert (Path(demo.model_folder()) / "config.json").is_file()
