"""`unitscope ablate` from its options to its text, JSON and tables, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unitscope.annex import read_annex
from unitscope.atlas import Atlas
from unitscope.cli import app

FFN = "encoder.layer.1.intermediate"
SIZE = "def size(output, batch):\n    return output.last_hidden_state[:, 1].abs().max(dim=1).values\n"


def call(verb: str, *arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "150"}).invoke(app, [verb, *map(str, arguments)], prog_name="unitscope")


@pytest.fixture(scope="module")
def ranked(tiny_atlas: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ablated") / "atlas"
    shutil.copytree(tiny_atlas, out)
    assert call("rank", out, "--by", "f", "--concepts", "upos", "--layers", FFN, "--name", "f").exit_code == 0
    return out


def test_curve_and_single_units(ranked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_task.py").write_text(SIZE)
    monkeypatch.syspath_prepend(tmp_path)
    line = (ranked, "--task", "python:own_task:size", "--ranking", "f", "--units", "1,8", "--draws", 2)
    shown = call("ablate", *line, "--single", FFN, "--top", 3, "--max-items", 40, "--name", "own")
    assert shown.exit_code == 0, shown.stderr
    assert "Unedited: value " in shown.stdout
    assert "on 40 held-out items" in shown.stdout
    assert "32 units by 'f' for all" in shown.stdout
    assert "Without the top 8 units the value changes by" in shown.stdout
    assert "of 32 units have an effect" in shown.stdout
    annex = read_annex(Atlas.open(ranked), "effects", "own")
    rows = annex.rows("curve")
    assert {(row["selection"], row["n_units"]) for row in rows} == {
        (kind, n) for kind in ("top", "bottom", "random", "random mean", "beyond") for n in (1, 8)
    }
    items = annex.rows("items")
    plain = [row["sum"] for row in items if row["selection"] == "none"]
    assert sum(plain) / 40 == pytest.approx(annex.about["unedited"])
    top = [row["sum"] for row in items if (row["selection"], row["n_units"]) == ("top", 8)]
    effect = next(row["effect"] for row in rows if (row["selection"], row["n_units"]) == ("top", 8))
    assert (sum(top) - sum(plain)) / 40 == pytest.approx(effect)
    assert len(annex.rows("units")) == 32
    mean = json.loads(call("ablate", *line, "--edit", "mean", "--json").stdout)
    assert mean["edit"] == "mean"
    zero = json.loads(call("ablate", *line, "--json").stdout)
    assert zero["name"] == "f.python_own_task_size.zero"
    assert zero["unedited"] == mean["unedited"]
    assert zero["curve"][0]["value"] != mean["curve"][0]["value"]


def test_units_together_and_set_to_their_quantiles(
    ranked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other_task.py").write_text(SIZE)
    monkeypatch.syspath_prepend(tmp_path)
    line = ("ablate", ranked, "--task", "python:other_task:size", "--max-items", 30, "--draws", 2)
    sets = ("--single", FFN, "--keep-ranking", "own", "--pairs", 3, "--greedy", 2, "--candidates", 4, "--top", 3)
    shown = call(*line, *sets, "--dose", f"{FFN}:5", "--name", "sets")
    assert shown.exit_code == 0, shown.stderr
    for told in (
        "by what its removal costs on half A; effects on half B",
        "Rank correlation of the halves over all units",
        "Pairs among the first 3 units",
        "A set chosen greedily on half A, from the first 4 of 32 units",
        f"{FFN}:5 set",
        "order kept as: ",
    ):
        assert told in shown.stdout
    atlas = Atlas.open(ranked)
    annex = read_annex(atlas, "effects", "sets")
    assert set(annex.tables) == {"units", "pairs", "greedy", "doses", "trends"}
    units = annex.rows("units")
    assert [row["chosen_effect"] for row in units] == sorted(row["chosen_effect"] for row in units)
    kept = read_annex(atlas, "rankings", "own").rows("units")
    assert [row["unit"] for row in kept] == [row["unit"] for row in units]
    assert [-row["score"] for row in kept] == [row["chosen_effect"] for row in units]
    pairs = annex.rows("pairs")
    alone = {row["unit"]: row["effect"] for row in units}
    assert len(pairs) == 3
    for row in pairs:
        assert row["expected"] == pytest.approx(alone[row["unit"]] + alone[row["other_unit"]], abs=1e-6)
        assert row["beyond"] == pytest.approx(row["effect"] - row["expected"], abs=1e-6)
    greedy = annex.rows("greedy")
    assert greedy[0]["unit"] == units[0]["unit"], "the first step takes the worst single unit"
    assert greedy[0]["effect"] == pytest.approx(units[0]["effect"], abs=1e-6)
    assert len(annex.rows("doses")) == 10
    assert not list((ranked / "effects").glob(".partial*"))
    shown = call("show", ranked, "--unit", f"{FFN}:{units[0]['unit']}")
    assert "sets: without it" in " ".join(shown.stdout.split())
    data = json.loads(call("show", ranked, "--unit", f"{FFN}:5", "--json").stdout)
    assert {row["table"] for row in data["effects"] if row["name"] == "sets"} >= {"units", "trends"}


def test_all_but_some_units_are_taken_out(ranked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "third_task.py").write_text(SIZE)
    monkeypatch.syspath_prepend(tmp_path)
    line = ("ablate", ranked, "--task", "python:third_task:size", "--max-items", 30, "--draws", 2, "--ranking", "f")
    data = json.loads(call(*line, "--retain", "--units", "4,32", "--json").stdout)
    assert (data["edit"], data["name"]) == ("mean", "f.python_third_task_size.mean.retain.items-30")
    curve = {(row["selection"], row["n_units"]): row["effect"] for row in data["curve"]}
    assert {kind for kind, _ in curve} == {f"keep {k}" for k in ("top", "bottom", "random", "random mean", "beyond")}
    assert curve["keep top", 32] == 0, "with all units nothing is taken out"
    plain = json.loads(call(*line, "--edit", "mean", "--units", "32", "--json").stdout)
    assert data["without_all"]["effect"] == pytest.approx(plain["curve"][0]["effect"], abs=1e-6)
    shown = call(*line, "--retain", "--units", "4", "--edit", "zero")
    assert "32 units by 'f' for all: all taken out but some" in shown.stdout
    assert "With only the top 4 units the value changes by" in shown.stdout


def test_what_units_read_write_and_do(language_model: Callable[[str], Path], tiny_corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "decoder"
    line = ("--corpus", tiny_corpus, "--layers", "h.1.mlp.act", "--concepts", "upos", "--measures", "auroc")
    mapped = call("map", language_model("gpt2"), *line, "--workers", 1, "--out", out)
    assert mapped.exit_code == 0, mapped.stderr
    shown = call("ablate", out, "--causes", 4, "--name", "why", "--max-items", 40)
    assert shown.exit_code == 0, shown.stderr
    assert "Read, write, cause" in shown.stdout
    rows = read_annex(Atlas.open(out), "effects", "why").rows("causes")
    assert len(rows) == 4
    told = {"reads", "within", "writes", "written", "written_low", "inside", "outside", "difference", "q", "verdict"}
    assert told <= set(rows[0])
    assert all((row["written"] is not None) == bool(row["writes"]) for row in rows)
    again = json.loads(call("ablate", out, "--causes", 4, "--edit", "mean", "--max-items", 40, "--json").stdout)
    by = {row["unit"]: row for row in again["cause_effects"]}
    for row in rows:
        assert row["other"] == pytest.approx(by[row["unit"]]["inside"], abs=1e-6), "either edit beside the other"
    dosed = f"h.1.mlp.act:{rows[0]['unit']}"
    shown = call("ablate", out, "--dose", dosed, "--at-concept", "--quantiles", ".5,1", "--max-items", 40)
    assert f"{dosed} set at sites with {rows[0]['concept']}" in shown.stdout


def test_dry_run(ranked: Path) -> None:
    told = call("ablate", ranked, "--ranking", "f", "--units", "1,2,999", "--dry-run").stdout
    assert "32 units of 1 layer (encoder.layer.1.intermediate); 32 units ranked: 21 edits" in told
    plan = json.loads(call("ablate", ranked, "--single", "encoder.layer.?", "--dry-run", "--json").stdout)
    assert (plan["n_edits"], plan["n_edits_chosen"]) == (32, 32)
    line = (ranked, "--ranking", "f", "--units", 4, "--draws", 2, "--pairs", 4, "--greedy", 3, "--candidates", 8)
    plan = json.loads(call("ablate", *line, "--dry-run", "--json").stdout)
    assert (plan["n_edits"], plan["n_edits_chosen"]) == (4 + 10 + 3 * 4, 8 + 7 + 6)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Got nothing to take out"),
        (("--ranking", "g"), "no 'g' among its rankings"),
        (("--ranking", "f", "--edit", "zreo"), "Unknown edit 'zreo'"),
        (("--ranking", "f", "--task", "bleu"), "Unknown task 'bleu'"),
        (("--ranking", "f", "--units", "1,-2"), "Got '1,-2' as numbers of units"),
        (("--ranking", "f", "--task", "lm"), "no output embedding"),
        (("--ranking", "f", "--task", "label:topic"), "This corpus has no labels"),
        (("--ranking", "f", "--task", "python:no:such"), "Cannot import 'no:such'"),
        (("--match", f"{FFN}:99=upos:NOUN", "--task", "similarity"), "99' is out of range"),
        (("--match", f"{FFN}:1=upos:NUON", "--task", "similarity"), "no concept 'upos:NUON'"),
        (("--match", "encoder", "--task", "similarity"), "encoder"),
        (("--ranking", "f", "--concept", "upos:NUON"), "No ranking for 'upos:NUON'"),
        (("--single", "nowhere"), "not in this atlas"),
        (("--retain", "--single", FFN), "Got --retain with no units"),
        (("--ranking", "f", "--keep-ranking", "own"), "Got --keep-ranking with no units"),
        (("--single", FFN, "--keep-ranking", "a/b"), "Got the name 'a/b'"),
        (("--ranking", "f", "--at-concept"), "Got --at-concept with no units"),
        (("--pairs", "3"), "Got nothing to take out"),
        (("--pairs", "3", "--dose", f"{FFN}:1"), "Got --pairs with no units"),
        (("--ranking", "f", "--pairs", "1"), "Got --pairs 1"),
        (("--ranking", "f", "--greedy", "9", "--candidates", "3"), "Got --greedy 9 of 3 candidates"),
        (("--dose", f"{FFN}:99"), "99' is out of range"),
        (("--dose", f"{FFN}"), "as a unit"),
        (("--dose", "nowhere:1"), "not in this atlas"),
        (("--dose", f"{FFN}:1", "--quantiles", "0,2"), "as quantiles"),
        (("--dose", f"{FFN}:1", "--quantiles", "half"), "Got 'half' as quantiles"),
        (("--causes", "3", "--task", "python:os:getpid"), "nor classes"),
        (("--single", FFN, "--concept", "upos:NOUN"), "Got the concept 'upos:NOUN' with no ranking"),
        (("--ranking", "f", "--seed", "-1"), "--seed"),
        (("--ranking", "f", "--task", "python:os:system"), "The task 'python:os:system' failed: TypeError"),
    ],
)
def test_bad_input_is_one_line(ranked: Path, arguments: tuple[str, ...], told: str) -> None:
    shown = call("ablate", ranked, *arguments)
    assert shown.exit_code == 2, shown.output
    assert told in " ".join(shown.stderr.split())
    assert "Traceback" not in shown.output


def test_the_accuracy_of_a_trained_head(tmp_path: Path, tiny_model: Path) -> None:
    said = {"cat": ("dog", "cat"), "house": ("house", "garden")}
    rows = [
        f"the {('old', 'young', 'big')[n % 3]} {word} saw a {words[n % 2]}\t{label}"
        for n in range(30)
        for label, words in said.items()
        for word in words
    ]
    corpus = tmp_path / "told.tsv"
    corpus.write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
    atlas = tmp_path / "told"
    line = ("--corpus", corpus, "--layers", FFN, "--concepts", "position", "--measures", "auroc", "--workers", 1)
    mapped = call("map", tiny_model, *line, "--out", atlas)
    assert mapped.exit_code == 0, mapped.stderr
    assert call("rank", atlas, "--by", "variance", "--name", "v").exit_code == 0
    found = call("ablate", atlas, "--task", "label:label", "--ranking", "v", "--units", "1,32", "--draws", 2, "--json")
    assert found.exit_code == 0, found.stderr
    data = json.loads(found.stdout)
    assert 0.5 < data["unedited"] <= 1, "words of one class alone give the label away"
    curve = {(row["selection"], row["n_units"]): row["effect"] for row in data["curve"]}
    assert curve["top", 32] == pytest.approx(curve["bottom", 32]), "all units of the layer, in either order"
    unknown = call("ablate", atlas, "--task", "label:lable", "--ranking", "v", "--units", 1)
    assert unknown.exit_code == 2
    assert "Labels here: label." in " ".join(unknown.stderr.split())


@pytest.mark.parametrize("task", ["token:upos", "probe:encoder.layer.1:upos:balanced", "label:upos:PRON", "similarity"])
def test_other_tasks(ranked: Path, task: str) -> None:
    line = ("--ranking", "f", "--units", "1,32", "--draws", 1, "--max-items", 20, "--json")
    found = call("ablate", ranked, "--task", task, *line)
    assert found.exit_code == 0, found.stderr
    data = json.loads(found.stdout)
    assert data["n_items"] == 20
    effects = {(row["selection"], row["n_units"]): row["effect"] for row in data["curve"]}
    assert effects["top", 32] == pytest.approx(effects["bottom", 32]), "all units of the layer, in either order"
    assert effects["top", 32] <= 0


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("token:upso", "No concept of category 'upso'"),
        ("probe:encoder.layer.0:upos", "does not lie above 'encoder.layer.1.intermediate', which is edited"),
        ("translation:bleu", "does not translate"),
        ("translation:blue", "Unknown task 'translation:blue'"),
        ("own:top", "no classes of its own"),
        ("similarity:pairs", "no 'target' text to compare with"),
        ("similarity:topic", "no label 'topic'"),
    ],
)
def test_tasks_that_cannot_be(ranked: Path, task: str, told: str) -> None:
    shown = call("ablate", ranked, "--task", task, "--ranking", "f")
    assert shown.exit_code == 2, shown.output
    assert told in " ".join(shown.stderr.split())


def test_matches_of_ones_choice_by_items(ranked: Path) -> None:
    line = ("ablate", ranked, "--task", "similarity", "--max-items", 40, "--match", f"{FFN}:1=upos:VERB")
    found = json.loads(call(*line, "--match", f"{FFN}:2=upos:DET", "--name", "chosen", "--json").stdout)
    rows = found["match_effects"]
    assert [(row["unit"], row["concept"]) for row in rows] == [(1, "upos:VERB"), (2, "upos:DET")]
    assert all(row["n_inside"] + row["n_outside"] == 40 for row in rows)
    assert rows[0]["inside"] < 0
    shown = call(*line, "--name", "chosen")
    assert "Matches: cosine in items with the concept and without" in shown.stdout


def test_contextual_matches_come_first(ranked: Path) -> None:
    from unitscope.causal.asking import asked_of
    from unitscope.causal.question import Question
    from unitscope.report.findings import best_supported

    atlas = Atlas.open(ranked)
    asked = asked_of(atlas, Question("similarity", matches=10**6)).matches
    kinds = {(f"{row['layer']}:{row['unit']}", row["concept"]): row["kind"] for row in best_supported(atlas, top=10**6)}
    contextual = [kinds[match] == "contextual" for match in asked]
    assert len(asked) == len(kinds)
    assert contextual == sorted(contextual, reverse=True)


def test_so_few_documents_that_nothing_has_an_interval(
    ranked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "few_task.py").write_text(SIZE)
    monkeypatch.syspath_prepend(tmp_path)
    line = ("ablate", ranked, "--task", "python:few_task:size", "--max-items", 1, "--draws", 1, "--name", "few")
    for more in (("--single", FFN), ("--ranking", "f", "--retain", "--units", "4"), ("--dose", f"{FFN}:1")):
        shown = call(*line, *more, "--json")
        assert shown.exit_code == 0, shown.output
        assert "NaN" not in shown.stdout
        assert Atlas.open(ranked).path.joinpath("effects", "few.json").exists()
        told = call(*line, *more)
        assert "nan" not in told.stdout.lower().split()
    about = read_annex(Atlas.open(ranked), "effects", "few").about
    assert about["n_items"] == 1
