"""`unitscope rank` from end to end: making, keeping, showing and comparing orders, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unitscope.cli import app

HIDDEN = "encoder.layer.?"


@pytest.fixture(scope="module")
def ranked(tiny_atlas: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny atlas, to be written beside."""
    out = tmp_path_factory.mktemp("ranked") / "atlas"
    shutil.copytree(tiny_atlas, out)
    return out


def rank(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, ["rank", *map(str, arguments)], prog_name="unitscope")


def test_from_methods_to_agreement(ranked: Path) -> None:
    empty = rank(ranked)
    assert empty.exit_code == 2
    assert "This atlas has no rankings yet. Expected: --by METHOD to make one. Methods: probeless, f," in empty.stderr
    first = rank(ranked, "--by", "probeless", "--concepts", "upos", "--layers", HIDDEN, "--name", "one", "--top", 4)
    assert first.exit_code == 0, first.stderr
    text = first.stdout
    assert "32 units ranked by probeless for all of upos" in text
    assert "sites of half A" in text
    assert "upos:NOUN" in text
    assert "Scores are of half A, where the order was chosen: judge it on half B." in text
    assert "kept as:" in text
    data = json.loads(rank(ranked, "--by", "f", "--concepts", "upos", "--layers", HIDDEN, "--json", "--top", 3).stdout)
    assert data["name"] == "f.upos.in-encoder.layer._"
    assert data["rankings"][0]["target"] == "all"
    assert [row["rank"] for row in data["rankings"][0]["units"]] == [1, 2, 3]
    assert sum(data["rankings"][0]["layers"].values()) == 3
    assert set(data["rankings"][0]["units"][0]) >= {
        "layer",
        "unit",
        "score",
        "concept",
        "sign",
        "auroc",
        "kind",
        "words",
    }
    assert rank(ranked, "--by", "random", "--layers", HIDDEN, "--seed", 3, "--name", "chance").exit_code == 0
    listed = rank(ranked).stdout
    assert all(name in listed for name in ("one", "f.upos", "chance", "seed 3"))
    shown = rank(ranked, "--name", "one", "--concept", "upos:VERB", "--top", 2).stdout
    assert "ranked by probeless for upos:VERB" in shown
    agree = rank(ranked, "--agree", "--top", 5)
    assert agree.exit_code == 0, agree.stderr
    assert "3 rankings for all compared over 32 units" in agree.stdout
    assert "Kendall's tau" in agree.stdout
    found = json.loads(rank(ranked, "--agree", "--concept", "upos:VERB", "--json", "--top", 5).stdout)
    assert [each["name"] for each in found["rankings"]] == ["f.upos.in-encoder.layer._", "one"]
    assert found["target"] == "upos:VERB"
    assert found["overlap"][0][1] == found["overlap"][1][0]


def test_another_model_and_groups(ranked: Path) -> None:
    other = rank(ranked, "--by", "maxcorr", "--layers", "encoder.layer.1", "--with", f"{ranked}:encoder.layer.0")
    assert other.exit_code == 0, other.stderr
    assert "against atlas: chance" in other.stdout
    groups = rank(ranked, "--by", "clusters", "--layers", HIDDEN)
    assert groups.exit_code == 0, groups.stderr
    assert "Redundancy by layer" in groups.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--by", "probless"], "Unknown method 'probless'. Expected: one of probeless, "),
        (["--by", "auroc", "--concept", "NOUN"], "Concept 'NOUN' is not here. Closest: 'upos:NOUN'."),
        (["--by", "auroc", "--layers", "encoder.layer.7"], "Layer 'encoder.layer.7' is not in this atlas."),
        (["--by", "random", "--seed", "-1"], "'--seed'"),
        (["--by", "f", "--agree"], "Got --agree and --by. Expected: one of them."),
        (["--by", "effect", "--half", "a"], "Got half 'a' for rankings by effect. Expected: b."),
        (["--by", "auroc", "--half", "c"], "Got half 'c'. Expected: one of a, b, all."),
        (["--by", "auroc", "--name", "a/b"], "Got the name 'a/b'."),
        (["--name", "nothing"], "This atlas has no 'nothing' among its rankings."),
        (["--by", "variance", "--layers", "embeddings.token_type_embeddings"], "No unit has a score for 'all'"),
        (["--by", "maxcorr", "--layers", "encoder.layer.0"], "Got no other model."),
        (["--agree", "--concept", "upos:X"], "Got 0 ranking(s) to compare. Expected: two or more."),
    ],
)
def test_mistakes_end_in_one_line(ranked: Path, arguments: list[str], told: str) -> None:
    result = rank(ranked, *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_probes_are_crossed_with_rankings(ranked: Path) -> None:
    for by in ("probeless", "variance"):
        arguments = ["--by", by, "--layers", "encoder.layer.0", "--name", f"cross-{by}"]
        assert rank(ranked, *arguments, *(["--concepts", "upos"] if by == "probeless" else [])).exit_code == 0
    arguments = ["--cross", "2,8", "--concepts", "upos", "--layers", "encoder.layer.0", "--name", "cross-probeless"]
    rows = json.loads(rank(ranked, *arguments, "--json").stdout)
    assert {(row["probe"], row["ranking"], row["k"]) for row in rows} == {
        (probe, "cross-probeless", k) for probe in ("linear", "gaussian") for k in (2, 8)
    }
    by_k = {row["k"]: row for row in rows if row["probe"] == "linear"}
    assert 0 <= by_k[2]["random_least"] <= by_k[2]["random"] <= by_k[2]["random_greatest"] <= 1
    assert by_k[2]["top"] < by_k[8]["top"], "more units tell more"
    shown = rank(ranked, *arguments)
    assert shown.exit_code == 0, shown.stderr
    assert "Probes of upos, fitted on half A: accuracy on half B" in shown.stdout
    assert "drawn at random" in shown.stdout


def test_layers_are_compared(ranked: Path) -> None:
    arguments = ["--alike", "--layers", "encoder.layer.[01]"]
    found = json.loads(rank(ranked, *arguments, "--json").stdout)
    figures = {(row["layer"], row["other_layer"]): row for row in found["layers"]}
    assert len(figures) == 4
    same = figures["encoder.layer.0", "encoder.layer.0"]
    assert same["cka"] == pytest.approx(1, abs=1e-4)
    other = figures["encoder.layer.0", "encoder.layer.1"]
    assert other["cka"] == pytest.approx(figures["encoder.layer.1", "encoder.layer.0"]["cka"], abs=1e-4)
    assert other["cka_chance"] < other["cka"] < 1
    shown = rank(ranked, *arguments, "--with", f"{ranked}@untrained:encoder.layer.0")
    assert shown.exit_code == 0, shown.stderr
    assert "Debiased CKA" in shown.stdout
    assert "1: encoder.layer.0" in shown.stdout


def test_what_cross_and_alike_refuse(ranked: Path) -> None:
    for arguments, said in (
        (["--cross", "2"], "Got --cross without --concepts."),
        (["--cross", "2,x", "--concepts", "upos"], "Got --cross 2,x. Expected: numbers of units"),
        (["--cross", "0", "--concepts", "upos"], "Got --cross 0."),
        (["--cross", "2", "--agree"], "Got --agree and --cross. Expected: one of them."),
        (["--alike", "--with", "a", "--with", "b"], "Got 2 other models. Expected: one, or none."),
    ):
        refused = rank(ranked, *arguments)
        assert refused.exit_code == 2
        assert said in " ".join(refused.stderr.split())
