"""The contest of bases: what it runs, what it says, and that what must come out does."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from unitscope.atlas import Atlas
from unitscope.bases.base import Basis
from unitscope.bases.rotation import rotation
from unitscope.cli import app
from unitscope.contest import (
    AGREEMENTS,
    ARMS,
    FIGURES,
    Contest,
    Standing,
    contest,
    greatest_correlation,
    standard_units,
    standing,
)
from unitscope.errors import BasisError, PlanError

FAULTS = Path(__file__).parent / "faults"
SPEC = "python:small_model:make"
SETTINGS = Contest(
    "mix", 6, 0.05, 2, 200, latents=24, k=4, steps=40, train_items=100, concepts=("upos", "words:20"), workers=1
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    sys.path.insert(0, str(FAULTS))
    import small_model

    yield str(small_model.write_corpus(tmp_path_factory.mktemp("corpus") / "small.conllu"))
    sys.path.remove(str(FAULTS))


@pytest.fixture(scope="module")
def run(corpus: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Standing]]:
    out = tmp_path_factory.mktemp("contest") / "out"
    return out, contest(SPEC, corpus, out, SETTINGS)


def test_all_arms_have_all_figures(run: tuple[Path, list[Standing]]) -> None:
    found = {(each.arm, each.form, each.figure): each for each in run[1]}
    assert {arm for arm, _, _ in found} == set(ARMS)
    assert {figure for _, _, figure in found} == {*FIGURES, *AGREEMENTS}
    assert len(found) == len(run[1]) == len(ARMS) * (2 * len(FIGURES) + 3)
    for each in run[1]:
        assert len(each.each) == 2
        if not math.isnan(each.low):
            assert each.low <= each.value <= each.high
    assert found["neurons", "dense", "correlation"].value == pytest.approx(1, abs=1e-4)
    assert found["rotation", "dense", "correlation"].value < 0.95


def test_the_arms_have_equal_number_and_density(run: tuple[Path, list[Standing]]) -> None:
    atlas = Atlas.open(run[0] / "seed-0")
    assert len(atlas.layers) == 8
    n_sites = atlas.manifest["grids"]["source"]["sites"]
    for arm in ARMS:
        assert len(atlas.units(f"mix~{arm}")) == 6
        for row in atlas.units(f"mix~{arm}-sparse"):
            assert row["least"] == 0
            assert row["n_on_upper"] <= 0.07 * n_sites


def test_a_second_call_finds_everything_done(run: tuple[Path, list[Standing]], corpus: str) -> None:
    said: list[str] = []
    again = contest(SPEC, corpus, run[0], SETTINGS, lambda what, *_: said.append(what))
    assert again == run[1] or repr(again) == repr(run[1])
    assert not any("running the model" in what or "training" in what for what in said)


def test_files_say_what_was_run(run: tuple[Path, list[Standing]]) -> None:
    written = json.loads((run[0] / "contest.json").read_text())
    assert written["contest"]["units"] == 6
    assert len(written["figures"]) == len(run[1])
    assert len(written["atlases"]) == 2
    from pyarrow import parquet

    assert parquet.read_table(run[0] / "contest.parquet").num_rows == len(run[1])
    config = json.loads(next((run[0] / "autoencoders").glob("*/cfg.json")).read_text())
    assert 0 < config["meta"]["unexplained"] < 1


def test_the_command_shows_a_table(run: tuple[Path, list[Standing]], corpus: str) -> None:
    line = ["contest", SPEC, "--corpus", corpus, "--layer", "mix", "--out", str(run[0]), "--units", "6"]
    line += ["--density", ".05", "--seeds", "2", "--max-items", "200", "--latents", "24", "--active", "4"]
    line += ["--steps", "40", "--train-items", "100", "--concepts", "upos,words:20", "--workers", "1"]
    shown = CliRunner().invoke(app, line)
    assert shown.exit_code == 0, shown.output
    assert "neurons   dense" in shown.stdout
    assert "found again" in shown.stdout
    as_json = json.loads(CliRunner().invoke(app, [*line, "--json"]).stdout)
    assert as_json["contest"]["layer"] == "mix"


def test_what_makes_no_sense_is_refused(corpus: str, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"Got 1 seed\(s\). Expected: 2 or more"):
        Contest("mix", seeds=1)
    with pytest.raises(PlanError, match=r"Got density 0.7"):
        Contest("mix", density=0.7)
    with pytest.raises(PlanError, match=r"Got 2 autoencoders for 3 seeds"):
        Contest("mix", sae=("a", "b"))
    with pytest.raises(PlanError, match=r"All groups of .* are mapped.*--max-items"):
        contest(SPEC, corpus, tmp_path / "all", Contest("mix", max_items=None))
    with pytest.raises(BasisError, match=r"Got 13 units of 12"):
        contest(
            SPEC, corpus, tmp_path / "x", Contest("mix", 13, steps=1, latents=24, k=2, max_items=200, train_items=50)
        )


def test_intervals_are_students() -> None:
    found = standing("a", "dense", "concepts", [1.0, 2.0, 4.0, math.nan])
    mean, sd = 7 / 3, np.std([1, 2, 4], ddof=1)
    assert found.value == pytest.approx(mean)
    assert found.high == pytest.approx(mean + 4.302653 * sd / 3**0.5)
    assert found.low == 0
    alone = standing("a", "dense", "contextual", [0.5])
    assert alone.value == 0.5
    assert math.isnan(alone.low)
    assert math.isnan(standing("a", "dense", "contextual", [math.nan]).value)


def test_greatest_correlation_is_that_of_numpy() -> None:
    values = np.random.default_rng(0).normal(size=(500, 6)).astype(np.float32)
    one, other = rotation(6, 1), rotation(6, 2)
    cut = Basis(one.encoder[:, [3, 1]])
    expected = np.abs(np.corrcoef((values @ cut.encoder).T, (values @ other.encoder).T)[:2, 2:]).max(axis=1).mean()
    found = greatest_correlation(standard_units(cut, values), standard_units(other, values))
    assert found == pytest.approx(expected, abs=1e-4)
    assert not standard_units(Basis(np.zeros((6, 1), np.float32)), values).any()
