"""`unitscope probe` from the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unitscope.cli import app
from unitscope.probes import linear

QUICK = ["--seeds", "2", "--no-curves", "--no-control", "--no-untrained", "--l1", "1e-4", "--l2", "1e-3"]


@pytest.fixture(autouse=True, scope="module")
def few_steps() -> Iterator[None]:
    """Fits of a tenth of the usual steps: what is tested is what is done with them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "MIN_STEPS", 60)
        yield


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory, tiny_atlas: Path) -> Path:
    folder = tmp_path_factory.mktemp("probed") / "atlas"
    shutil.copytree(tiny_atlas, folder)
    return folder


def call(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["probe", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_json_and_the_summary_tell_the_same_and_it_runs_once(atlas: Path) -> None:
    code, out, err = call(str(atlas), "--concepts", "upos", *QUICK, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["name"] == "upos"
    assert found["metric"] == "accuracy"
    assert "fitting the probe (trained) ..." in err
    assert "2 probes" not in err
    assert (atlas / "probes" / "upos.scores.parquet").exists()
    assert (atlas / "rankings" / "upos.json").exists()
    code, out, err = call(str(atlas), "--concepts", "upos", *QUICK)
    assert code == 0
    assert "'upos' is finished already: it is read." in err
    assert f"Accuracy is {found['scores'][0]['value']:.3f}".replace("0.", ".") in out


def test_a_dry_run_runs_nothing(atlas: Path) -> None:
    code, out, _ = call(str(atlas), "--concepts", "Number", "--layers", "encoder.layer.0", "--dry-run", "--json")
    assert code == 0
    cost = json.loads(out)
    assert (cost["layers"], cost["units"], cost["passes"]) == (1, 16, 2)
    assert cost["disk_bytes"] == 2 * 16 * cost["sites"] * 2
    assert not (atlas / "probes" / "Number.json").exists()
    code, out, _ = call(str(atlas), "--concepts", "Number", "--dry-run")
    assert "passes of the model" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--concepts", "upso"], "Error: Nothing is called 'upso' here."),
        (["--concepts", "upos", "--kind", "linar"], "Error: Unknown kind of probe 'linar'."),
        (["--concepts", "upos", "--layers", "encodr.*"], "Error: Layer 'encodr.*' is not in this atlas."),
        (["--concepts", "upos", "--memory", "much"], "Error: Got 'much' for --memory."),
        (["--concepts", "covariate:size"], "Error: Unknown number 'covariate:size'."),
        (["--concepts", "upos:VREB"], "Closest: 'upos:VERB'"),
    ],
)
def test_mistakes_end_in_one_line(atlas: Path, arguments: list[str], told: str) -> None:
    code, out, err = call(str(atlas), *arguments, "--name", "wrong", "--no-curves")
    assert code == 2
    assert not out
    assert told in err
    assert "Traceback" not in err


def test_another_probe_of_the_name_is_refused(atlas: Path) -> None:
    arguments = [str(atlas), "--concepts", "Tense", "--name", "mine", *QUICK]
    assert call(*arguments)[0] == 0
    code, _, err = call(*arguments, "--delta", "0.02")
    assert code == 2
    assert "has a probe 'mine' with other parameters (delta 0.01, now 0.02)" in err


def test_no_atlas(tmp_path: Path) -> None:
    code, _, err = call(str(tmp_path), "--concepts", "upos")
    assert code == 2
    assert "is no atlas" in err
