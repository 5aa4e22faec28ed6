"""`unitscope attribute` from its options to its text, JSON and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from unitscope.cli import app

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
