"""The programs behind the page on finding units: its tables, its picture, and the benchmark's figures."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import unitscope
from unitscope import planted
from unitscope.atlas import Atlas
from unitscope.probes import linear

ROOT = Path(__file__).resolve().parent.parent.parent
CURVES = {
    "auroc": [
        {"separation": 0.5, "recall": 0.25, "low": 0.125, "high": 0.375, "decoys": 0.75},
        {"separation": 2.0, "recall": 0.75, "low": 0.5, "high": 1.0, "decoys": 0.25},
    ],
    "probeless:standardise=true": [
        {"separation": 0.5, "recall": 0.0, "low": 0.0, "high": 0.0, "decoys": 1.0},
        {"separation": 2.0, "recall": 0.5, "low": 0.25, "high": 0.75, "decoys": 0.5},
    ],
}
FIGURES = {
    "area": {"auroc": 0.5, "probeless:standardise=true": 0.25},
    "curves": CURVES,
    "chance": {"recall": 0.0317, "decoys": 0.3},
}


def module(folder: str, name: str):
    spec = importlib.util.spec_from_file_location(f"{folder.replace('/', '_')}_{name}", ROOT / folder / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def figures():
    return module("docs/figures", "finding")


@pytest.fixture(scope="module")
def bench():
    return module("benchmarks", "finding")


@pytest.fixture(scope="module")
def atlas(tmp_path_factory, tiny_atlas):
    folder = tmp_path_factory.mktemp("finding") / "atlas"
    shutil.copytree(tiny_atlas, folder)
    asked = {"layers": ["encoder.layer.[01]"], "seeds": 2, "draws": 2, "control": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "MIN_STEPS", 60)
        unitscope.probe(folder, "upos", l1=1e-4, l2=1e-3, **asked)
        unitscope.probe(folder, "upos", kind="gaussian", most=2, untrained=False, name="upos-gaussian", **asked)
    for by in ("f", "auroc"):
        unitscope.rank(folder, by=by, concepts="upos", layers=["encoder.layer.[01]"], name=by)
    for by in ("maxcorr", "linreg"):
        other = f"{folder}@untrained:encoder.layer.[01]"
        unitscope.rank(folder, by=by, layers=["encoder.layer.[01]"], others=[other], name=f"{by}-untrained")
    unitscope.compare(folder, f"{folder}@untrained", out="untrained")
    return folder


def test_every_table_of_the_page_is_filled_and_nothing_else_changes(figures, atlas):
    page = (ROOT / "docs" / "finding-units.md").read_text(encoding="utf-8")
    opened = Atlas.open(atlas)
    made = {name: table(opened) for name, table in figures.TABLES.items()} | {"recovery": figures.recovery(FIGURES)}
    assert {match["name"] for match in figures.TABLE.finditer(page)} == set(made)
    done = figures.filled(page, made)
    assert figures.filled(done, made) == done
    assert figures.TABLE.sub("", done) == figures.TABLE.sub("", page)
    assert all(text in done for text in made.values())
    with pytest.raises(KeyError, match="recovery"):
        figures.filled("nothing", {"recovery": ""})


def test_tables_tell_what_the_atlas_holds(figures, atlas):
    opened = Atlas.open(atlas)
    found = unitscope.probe(
        atlas, "upos", l1=1e-4, l2=1e-3, layers=["encoder.layer.[01]"], seeds=2, draws=2, control=False
    )
    first = figures.scores(opened).splitlines()[2].split(" | ")
    assert float(first[1]) == pytest.approx(found.value, abs=5e-4)
    rows = [line.strip("| ").split(" | ") for line in figures.classes(opened).splitlines()[2:]]
    assert {row[0].strip("`") for row in rows} == set(found.about["classes_asked"])
    assert [int(row[5]) for row in rows] == sorted(row["n_units"] for row in found.classes)
    names = [line.split(" | ")[0].strip("| `") for line in figures.agree(opened).splitlines()[2:]]
    assert sorted(names[:-1]) == ["auroc", "f", "linreg-untrained", "maxcorr-untrained", "upos"]
    assert names[-1] == "by chance"


def test_the_picture_shows_every_point(figures):
    spec = figures.drawn(FIGURES)
    values = spec["data"]["values"] if "values" in spec["data"] else next(iter(spec["datasets"].values()))
    assert [value["panel"] for value in values[::2]] == ["AUROC  .50", "probeless, standardised  .25"]
    assert [value["recall"] for value in values] == [0.25, 0.75, 0.0, 0.5]
    assert values[1]["recalled"] == "recall"


def test_an_atlas_that_lacks_a_part_is_refused(figures, tiny_atlas, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["finding.py", str(tiny_atlas), "--page", str(tmp_path / "page.md")])
    assert figures.main() == 2
    assert "probes/upos, probes/upos-gaussian" in capsys.readouterr().err


def test_page_and_picture_from_the_benchmark_alone(figures, tmp_path, monkeypatch):
    page, image, file = tmp_path / "page.md", tmp_path / "a.svg", tmp_path / "recovery.txt"
    page.write_text("before\n<!-- begin table: recovery -->\n<!-- end table -->\nafter\n")
    file.write_text(f"a table\n{json.dumps(FIGURES)}\n")
    argv = ["finding.py", "--recovery", str(file), "--page", str(page), "--image", str(image)]
    monkeypatch.setattr(sys, "argv", argv)
    assert figures.main() == 0
    assert "| `auroc` | .50 | .25 [.12, .38] | .75 [.50, 1.00] |" in page.read_text()
    assert image.read_text().startswith("<svg")


def test_recall_and_decoys_among_the_first_units(bench):
    language = planted.Language.draw(0)
    units = bench.plant(language, 1.0, 0)
    kinds = [unit.kind for unit in units]
    assert kinds.count("detector") == 7 * bench.N_DETECTORS
    own = [i for i, unit in enumerate(units) if unit.kind == "detector" and unit.concept == "tag:1"]
    others = [i for i, unit in enumerate(units) if unit.kind == "detector" and unit.concept == "tag:2"]
    word, null = kinds.index("word"), kinds.index("null")
    assert bench.found_in(own, units, "tag:1") == (1.0, 0.0)
    assert bench.found_in([own[0], word, null, others[0], own[1]], units, "tag:1") == (0.25, 0.25)
    assert bench.found_in([], units, "tag:1") == (0.0, 0.0)


def test_figures_over_corpora(bench):
    shares = {
        "a": {1.0: [np.array([0.25, 0.5]), np.array([0.75, 0.0])], 2.0: [np.array([1.0, 0.0])] * 2},
        "b": {1.0: [np.array([1.0, 0.0])] * 2, 2.0: [np.array([1.0, 0.0])] * 2},
    }
    found = bench.summed(shares)
    assert found["area"] == {"b": 1.0, "a": 0.75}
    first = found["curves"]["a"][0]
    assert (first["recall"], first["decoys"]) == (0.5, 0.25)
    assert (first["low"], first["high"]) == (0.0, 1.0)
