"""`unitscope steer` from its options to its text, JSON and tables, and what it refuses."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unitscope.annex import read_annex
from unitscope.atlas import Atlas
from unitscope.cli import app

LAYER = "h.0.mlp.act"


def call(verb: str, *arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "150"}).invoke(app, [verb, *map(str, arguments)], prog_name="unitscope")


@pytest.fixture(scope="module")
def written(language_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An atlas of a decoder over labelled texts, and a ranking of its units."""
    folder = tmp_path_factory.mktemp("steered")
    draw = random.Random(1)
    rows = []
    for n in range(120):
        good = n % 2
        words = [draw.choice(["the", "a"]), draw.choice(["old", "red"]), ["river", "dog"][good]]
        words += [draw.choice(["saw", "see", "walk"]), draw.choice(["the", "a"]), draw.choice(["house", "river"])]
        rows.append(f"{' '.join(words)}\t{['bad', 'good'][good]}")
    (folder / "texts.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
    line = ("--corpus", folder / "texts.tsv", "--layers", LAYER, "--measures", "auroc", "--workers", 1)
    made = call("map", language_model("gpt2"), *line, "--concepts", "words:20", "--out", folder / "atlas")
    assert made.exit_code == 0, made.stderr
    ranked = call("rank", folder / "atlas", "--by", "f", "--concepts", "words", "--name", "f")
    assert ranked.exit_code == 0, ranked.stderr
    return folder / "atlas"


SMALL = ("--ranking", "f", "--concept", "words:dog", "--units", "2,8", "--strengths", "1,4", "--draws", 2)


def test_a_label(written: Path) -> None:
    line = (written, *SMALL, "--property", "label:label=good", "--limit", 0.5)
    shown = call("steer", *line, "--name", "own", "--examples", 2)
    assert shown.exit_code == 0, shown.stderr
    text = " ".join(shown.stdout.split())
    assert "steer to label:label=good by the ranking 'f' for words:dog" in text
    assert "Chosen on" in text
    assert "share of items of other classes that the head calls 'good'" in text
    assert "The first 2 held-out items" in text
    assert "The ranked units steer" in text
    annex = read_annex(Atlas.open(written), "steering", "own")
    kinds = [row["selection"] for row in annex.rows("sets")]
    assert kinds[:4] == ["none", "steered", "random", "random"]
    assert {"random mean", "beyond", "beyond best"} <= set(kinds)
    tried = annex.rows("strengths")
    steered = [row for row in tried if row["selection"] == "steered"]
    assert [(row["n_units"], row["strength"]) for row in steered] == [(2, 1), (2, 4), (8, 1), (8, 4)]
    best = next(row for row in steered if row["chosen"])
    assert (best["n_units"], best["strength"]) == (len(annex.about["chosen_units"]), annex.about["chosen_strength"])
    fits = [row for row in steered if row["collateral"] <= 0.5]
    assert best["success"] == max(row["success"] for row in fits)
    sets = {row["selection"]: row for row in annex.rows("sets") if row["selection"] != "random"}
    assert sets["steered"]["success"] - sets["none"]["success"] == pytest.approx(sets["steered"]["effect"])
    beyond = sets["steered"]["success"] - sets["random mean"]["success"]
    assert sets["beyond"]["effect"] == pytest.approx(beyond)
    assert len(annex.rows("examples")) == 2
    first, second = (call("steer", *line, "--json").stdout for _ in range(2))
    assert first == second
    data = json.loads(first)
    assert data["name"] == "f.words_dog.label_label=good.add"
    assert [row["success"] for row in data["sets"]] == [row["success"] for row in annex.rows("sets")]


def test_a_label_taken_away(written: Path) -> None:
    found = call("steer", written, *SMALL, "--property", "label:label", "--remove", "--strengths", "1", "--json")
    assert found.exit_code == 0, found.stderr
    data = json.loads(found.stdout)
    assert data["how"] == "mean"
    assert "the_head_as_it_was" in data["sets"][0]


def test_tokens_and_texts(written: Path) -> None:
    found = call("steer", written, *SMALL, "--property", "choice:river|dog", "--direction", "concept", "--json")
    assert found.exit_code == 0, found.stderr
    assert json.loads(found.stdout)["sets"][1]["n_units"] in (2, 8)
    line = (written, *SMALL, "--property", "words:dog", "--prompt-words", 2, "--tokens", 3, "--max-items", 10)
    shown = call("steer", *line, "--temperature", 1)
    assert shown.exit_code == 0, shown.stderr
    assert "distinct-2" in shown.stdout
    assert "what the model writes on" in shown.stdout


def test_dry_run(written: Path) -> None:
    told = call("steer", written, *SMALL, "--property", "words:dog", "--dry-run").stdout
    assert "64 units ranked in 1 layer (h.0.mlp.act); 2, 8 units at strengths 1, 4: 10 edits" in told
    assert "each writes texts" in told
    plan = json.loads(call("steer", written, *SMALL, "--property", "words:dog", "--dry-run", "--json").stdout)
    assert (plan["dev_edits"], plan["held_out_edits"]) == (10, 6)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--property", "tense"), "Cannot read the property 'tense'"),
        (("--property", "label:label=god"), "Closest: 'good'"),
        (("--property", "label:topic=x"), "Labels here: label."),
        (("--property", "words:dog", "--ranking", "g"), "no 'g' among its rankings"),
        (("--property", "words:dog", "--concept", "words:dgo"), "Closest: 'words:dog'"),
        (("--property", "words:dog", "--how", "mean"), "Cannot steer by 'mean'"),
        (("--property", "words:dog", "--how", "add", "--remove"), "to take a property away"),
        (("--property", "words:dog", "--units", "0"), "Got '0' as numbers of units"),
        (("--property", "words:dog", "--strengths", "1,x"), "Got '1,x' as strengths"),
        (("--property", "words:dog", "--direction", "up"), "Unknown direction 'up'"),
        (("--property", "words:dog", "--against", "words:river"), "--direction concept"),
        (("--property", "words:dog", "--direction", "concept", "--against", "words:x"), "no concept 'words:x'"),
        (("--property", "words:dog", "--tokens", "90"), "at most 64"),
        (("--property", "words:dog", "--prompt-words", "9"), "No item has more than 9 words"),
        (("--property", "words:zebra"), "The property holds at 0"),
        (("--property", "choice:zebra|dog"), "'zebra' is no single token"),
        (("--property", "words:dog", "--name", "../x"), "Got the name '../x'"),
        (("--property", "words:dog", "--seed", "-1"), "--seed"),
    ],
)
def test_bad_input_is_one_line(written: Path, arguments: tuple[str, ...], told: str) -> None:
    shown = call("steer", written, *SMALL, *arguments)
    assert shown.exit_code == 2, shown.output
    assert told in " ".join(shown.stderr.split())
    assert "Traceback" not in shown.output
