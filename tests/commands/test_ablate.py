"""`unitscope ablate` from its options to its text, JSON and tables, and what it refuses."""

from __future__ import annotations

import json
import shutil
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


def test_dry_run(ranked: Path) -> None:
    told = call("ablate", ranked, "--ranking", "f", "--units", "1,2,999", "--dry-run").stdout
    assert "32 units of 1 layer (encoder.layer.1.intermediate); 32 units ranked: 21 edits" in told
    plan = json.loads(call("ablate", ranked, "--single", "encoder.layer.?", "--dry-run", "--json").stdout)
    assert plan["n_edits"] == 32


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
        (("--matches", "2", "--task", "label:x"), "has no number for each token"),
        (("--ranking", "f", "--concept", "upos:NUON"), "No ranking for 'upos:NUON'"),
        (("--single", "nowhere"), "not in this atlas"),
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
