"""`unitscope compare`: what it prints, where it keeps it, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unitscope.annex import annexes, read_annex
from unitscope.atlas import Atlas
from unitscope.cli import app
from unitscope.commands.compare import default_name


@pytest.fixture
def folder(tmp_path: Path, tiny_atlas: Path) -> Path:
    shutil.copytree(tiny_atlas, tmp_path / "atlas")
    return tmp_path / "atlas"


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_it_is_told_and_kept(folder: Path) -> None:
    code, out, err = run(folder, f"{folder}@untrained", "--top", 2)
    assert (code, err) == (0, "")
    assert "paired at random" in out
    assert "comparisons/vs-atlas-untrained" in out.replace("\n", "")
    kept = read_annex(Atlas.open(folder), "comparisons", "vs-atlas-untrained")
    assert set(kept.tables) == {"units", "layers", "concepts"}
    assert kept.about["b"]["variant"] == "untrained"


def test_json_holds_the_same(folder: Path) -> None:
    layers = Atlas.open(folder).layers
    arguments = (f"{folder}:{layers[0]}", f"{folder}@untrained:{layers[0]}", "--out", "mine", "--json", "--seed", 3)
    code, out, _ = run(*arguments)
    assert code == 0
    found = json.loads(out)
    assert found["name"] == "mine"
    assert found["seed"] == 3
    assert [row["layer"] for row in found["layers"]] == [layers[0]]
    assert (
        sum(found["counts"][name] for name in ("kept", "turned", "undecided", "moved", "lost", "gained", "none")) == 16
    )
    assert len(found["movers"]) <= 10
    assert json.loads(run(*arguments)[1]) == found


def test_a_glob_takes_layers_of_both(folder: Path) -> None:
    code, out, _ = run(folder, f"{folder}@rotation", "--layers", "*.1,*.0", "--match", "address", "--json")
    assert code == 0
    found = json.loads(out)
    assert all(layer.endswith((".0", ".1")) for layer in found["a"]["layers"])
    assert "A rotated basis has units of its own" in " ".join(found["notes"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("{0}", "{0}"), "Both sides are the same units."),
        (("{0}", "{0}@rotated"), "no baseline 'rotated'. Closest: 'rotation'"),
        (("{0}", "{0}@untrained", "--match", "profile"), "B keeps no scores of all concepts"),
        (("{0}", "{0}@untrained", "--seed", "-1"), "Got seed=-1."),
        (("{0}", "nowhere"), "'nowhere' is no atlas"),
        (("{0}", "{0}@untrained", "--layers", "no.such"), "Layer 'no.such' is not in the atlas"),
        (("{0}", "{0}@untrained", "--out", "a/b"), "Got the name 'a/b'."),
    ],
)
def test_mistakes_end_in_a_sentence(folder: Path, arguments: tuple[str, ...], told: str) -> None:
    code, out, err = run(*(each.format(folder) for each in arguments))
    assert (code, out) == (2, "")
    assert told in err
    assert "Traceback" not in err
    assert annexes(Atlas.open(folder), "comparisons") == []


def test_names_can_be_files() -> None:
    side = {"atlas": "..odd name/é", "variant": "trained", "layers": ["x", "y"]}
    assert default_name({"a": side, "b": side}) == "vs-..odd-name-é"
    long = {**side, "layers": ["l" * 300]}
    assert len(default_name({"a": long, "b": side})) <= 100
