"""`unitscope attribute` from its options to its text, JSON and files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from unitscope.annex import read_annex
from unitscope.atlas import Atlas
from unitscope.cli import app
from unitscope.rankings import kept
from unitscope.store import read_sealed, write_sealed

FFN = "encoder.layer.1.intermediate"
TEXTS = ("--text", "the old dog saw a house .", "--text", "she walks")


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["attribute", *(str(each) for each in arguments)], prog_name="unitscope")


def test_units_as_text_json_and_files(tiny_model: Path, tmp_path: Path) -> None:
    line = (tiny_model, *TEXTS, "--layers", f"{FFN},encoder.layer.0", "--target", "output:0", "--steps", 8)
    shown = call(*line, "--judge", 6, "--out", tmp_path / "out")
    assert shown.exit_code == 0, shown.output
    assert "output:0 by conductance" in shown.stdout
    assert "reverse mode" in shown.stdout.lower()
    assert "rank correlation" in shown.stdout
    assert "words of text-1" in shown.stdout
    data = json.loads(call(*line, "--json", "--top", 3).stdout)
    assert [len(data["units"]), len(data["layers"]), data["items"]] == [3, 2, 2]
    units = pyarrow.parquet.read_table(tmp_path / "out" / "units.parquet").to_pylist()
    assert len(units) == 32 + 16
    best = max(units, key=lambda row: abs(row["mean"]))
    assert (best["layer"], best["unit"]) == (data["units"][0]["layer"], data["units"][0]["unit"])
    sites = pyarrow.parquet.read_table(tmp_path / "out" / "sites.parquet").to_pylist()
    assert [row["word"] for row in sites[:3]] == ["the", "old", "dog"]
    assert len(sites) == 2 * 9
    rows = pyarrow.parquet.read_table(tmp_path / "out" / "items.parquet").to_pylist()
    ours = sum(row["mean"] for row in units if row["layer"] == "encoder.layer.0")
    explained = np.mean([row["explained"] - row["gap"] for row in rows if row["layer"] == "encoder.layer.0"])
    assert ours == pytest.approx(explained, rel=1e-4)
    assert json.loads((tmp_path / "out" / "attribution.json").read_text())["target"] == "output:0"


def test_a_unit_to_words(tiny_model: Path, tmp_path: Path) -> None:
    line = (tiny_model, *TEXTS, "--unit", f"{FFN}:5", "--steps", 6)
    shown = call(*line, "--out", tmp_path)
    assert shown.exit_code == 0, shown.output
    assert "(special tokens)" in shown.stdout
    maps = json.loads(call(*line, "--json").stdout)["maps"]
    assert [len(each["words"]) for each in maps if each["item"] == "text-1"] == [7]
    assert maps[0]["value"] >= maps[1]["value"]
    assert len(json.loads((tmp_path / "words.json").read_text())["maps"]) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--layers", FFN), "Got no corpus"),
        ((*TEXTS,), "Got no layers"),
        ((*TEXTS, "--layers", FFN), "has no classes"),
        ((*TEXTS, "--layers", FFN, "--target", "output:99"), "Coordinate 99 of an output of 16"),
        ((*TEXTS, "--layers", FFN, "--target", "outptu:9"), "Cannot read the target 'outptu:9'"),
        ((*TEXTS, "--layers", FFN, "--target", "output:0", "--method", "magic"), "Unknown method 'magic'"),
        ((*TEXTS, "--layers", "encoder.layer.7", "--target", "output:0"), "not in"),
        ((*TEXTS, "--layers", FFN, "--target", "unit:encoder.layer.0:0"), "does not depend on"),
        ((*TEXTS, "--layers", FFN, "--target", "loss"), "no output embedding"),
        ((*TEXTS, "--unit", f"{FFN}:32"), "Got unit 32"),
        ((*TEXTS, "--unit", f"{FFN}:5", "--judge", "3"), "Got --judge beside --unit"),
        ((*TEXTS, "--unit", f"{FFN}:5", "--target", "output:0"), "Got --target beside --unit"),
        (("--text", "  ", "--unit", f"{FFN}:5"), "None of the items has a word"),
        ((*TEXTS, "--unit", "5"), "Cannot read the unit '5'"),
        ((*TEXTS, "--unit", f"{FFN}:5", "--method", "conductance"), "Unknown method 'conductance' to words"),
        ((*TEXTS, "--layers", FFN, "--target", "python:no.such:thing"), "Cannot import"),
        ((*TEXTS, "--layers", FFN, "--target", "output:²"), "Cannot read the target 'output:²'"),
        ((*TEXTS, "--unit", f"{FFN}:²"), f"Cannot read the unit '{FFN}:²'"),
        ((*TEXTS, "--layers", FFN, "--target", "python:operator:getitem"), "'python:operator:getitem' failed: "),
    ],
)
def test_bad_input_is_one_line(tiny_model: Path, arguments: tuple[str, ...], told: str) -> None:
    shown = call(tiny_model, *arguments)
    assert shown.exit_code == 2
    assert told in " ".join(shown.stderr.split())
    assert "Traceback" not in shown.output


@pytest.fixture(scope="module")
def atlas(tiny_atlas: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("attributed") / "atlas"
    shutil.copytree(tiny_atlas, out)
    return out


def test_an_atlas_keeps_attributions_and_their_ranking(atlas: Path) -> None:
    line = (atlas, "--layers", FFN, "--target", "output:0", "--steps", 4, "--max-items", 30, "--seed", 3)
    shown = call(*line, "--judge", 12, "--name", "own", "--keep-ranking", "flow")
    assert shown.exit_code == 0, shown.output
    assert "Attributed on 30 items of half A; judged on 30 items of half B." in shown.stdout
    opened = Atlas.open(atlas)
    annex = read_annex(opened, "attributions", "own")
    assert set(annex.tables) == {"units", "items", "sites", "judged"}
    assert [annex.about[name] for name in ("target", "method", "n_items", "n_judged")] == [
        "output:0", "conductance", 30, 30,
    ]  # fmt: skip
    (judged,) = annex.rows("judged")
    assert (judged["layer"], judged["n_units"]) == (FFN, 12)
    assert -1 <= judged["low"] <= judged["correlation"] <= judged["high"] <= 1
    units, items = annex.rows("units"), annex.rows("items")
    ids = {row["item"] for row in items}
    assert len(ids) == 30
    sums = dict.fromkeys(ids, 0.0)
    for row in items:
        sums[row["item"]] += row["explained"] - row["gap"]
    assert sum(row["mean"] for row in units) == pytest.approx(np.mean(list(sums.values())), rel=1e-4)
    (ranking,) = kept.load(opened, "flow")
    best = sorted(units, key=lambda row: -row["size"])
    assert ranking.units[:3] == tuple(f"{row['layer']}:{row['unit']}" for row in best[:3])
    assert (ranking.target, ranking.origin.method, ranking.origin.parameters["by"]) == (
        "output:0",
        "conductance",
        "size",
    )
    again = json.loads(call(*line, "--json", "--keep-ranking", "mean", "--by", "mean").stdout)
    assert again["name"] == f"output_0.conductance.{FFN}"
    assert again["judged"] == []
    (by_mean,) = kept.load(opened, "mean")
    assert by_mean.scores[0] == max(row["mean"] for row in units)


def test_the_ranking_of_an_attribution_is_ablated(atlas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_size.py").write_text("def size(output, batch):\n    return output.last_hidden_state[:, 1, 0]\n")
    monkeypatch.syspath_prepend(tmp_path)
    line = (atlas, "--layers", FFN, "--target", "output:0", "--method", "gradient-x-activation", "--max-items", 10)
    assert call(*line, "--keep-ranking", "g").exit_code == 0
    command = ["ablate", str(atlas), "--task", "python:own_size:size", "--ranking", "g", "--units", "4", "--json"]
    shown = CliRunner().invoke(app, [*command, "--max-items", "10", "--draws", "1"], prog_name="unitscope")
    assert shown.exit_code == 0, shown.output
    other = tmp_path / "other"
    shutil.copytree(atlas, other)
    record = other / "rankings" / "g.json"
    write_sealed(record, {**read_sealed(record), "parent": "0" * 64})
    shown = CliRunner().invoke(app, ["ablate", str(other), *command[2:]], prog_name="unitscope")
    assert shown.exit_code == 2
    assert "'rankings/g' was made from another atlas." in " ".join(shown.stderr.split())


def test_an_atlas_gives_a_units_words(atlas: Path) -> None:
    own = json.loads(call(atlas, "--unit", f"{FFN}:5", "--steps", 4, "--max-items", 3, "--json").stdout)["maps"]
    assert len(own) == 3
    given = call(atlas, *TEXTS, "--unit", f"{FFN}:5", "--steps", 4, "--json")
    assert {row["item"] for row in json.loads(given.stdout)["maps"]} == {"text-1", "text-2"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--text", "a dog"), "Got texts, and an atlas has its own"),
        (("--layers", "encoder.layer.9"), "Layer 'encoder.layer.9' is not in this atlas"),
        (("--out", "x"), "Got --out; what is found is kept beside the atlas"),
        (("--keep-ranking", "a/b"), "Got the name 'a/b'"),
        (("--by", "weight"), "Cannot rank by 'weight'"),
        (("--target", "class:0"), "has no classes"),
        (("--model", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_with_an_atlas_is_one_line(atlas: Path, arguments: tuple[str, ...], told: str) -> None:
    shown = call(atlas, "--layers", FFN, "--max-items", 2, *arguments)
    assert shown.exit_code == 2, shown.output
    assert told in " ".join(shown.stderr.split())
    assert "Traceback" not in shown.output


def test_a_target_that_is_not_scalar(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = "def wide(output, batch):\n    return output.last_hidden_state[:, 0]\n"
    functions += "def none(output, batch):\n    return output.last_hidden_state[:, 0, 0] * float('nan')\n"
    (tmp_path / "own_target.py").write_text(functions)
    monkeypatch.syspath_prepend(tmp_path)
    for name, told in (("wide", "is not scalar: it gave shape (2, 16) for 2 items"), ("none", "is nan for item")):
        for method in ("conductance", "ablation"):
            target = ("--target", f"python:own_target:{name}", "--method", method)
            shown = call(tiny_model, *TEXTS, "--layers", FFN, *target, "--steps", 2)
            assert shown.exit_code == 2
            assert told in " ".join(shown.stderr.split())


def test_what_an_atlas_is_needed_for(tiny_model: Path) -> None:
    shown = call(tiny_model, *TEXTS, "--layers", FFN, "--target", "output:0", "--keep-ranking", "x")
    assert shown.exit_code == 2
    assert "Got --keep-ranking, and" in " ".join(shown.stderr.split())
