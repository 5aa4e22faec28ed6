"""Lines about kept effects beside a unit's label."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from unitscope.annex import write_annex
from unitscope.atlas import Atlas
from unitscope.report.kept_effects import effects_of, lines

LAYER = "encoder.layer.1.intermediate"
ABOUT = {"task": "lm", "edit": "zero", "metric": "loss"}


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


@pytest.fixture
def atlas(tiny_atlas: Path, tmp_path: Path) -> Atlas:
    shutil.copytree(tiny_atlas, tmp_path / "atlas")
    made = Atlas.open(tmp_path / "atlas")
    layers = np.array([LAYER, LAYER], object)
    nan = float("nan")
    effect = {"effect": column(0.5, 0.25), "low": column(0.25, nan), "high": column(0.75, nan), "p": column(0.01, nan)}
    units = {"layer": layers, "unit": np.array([3, 4]), **effect, "q": column(0.02, nan)}
    classes = {**units, "class": np.array(["World", "Sports"], object)}
    trends = {
        "layer": layers, "unit": np.array([3, 4]), "concept": np.array(["", "upos:NOUN"], object),
        "monotone": column(1.0, nan), "monotone_p": column(0.004, nan), "slope": column(0.5, nan),
        "slope_low": column(0.25, nan), "slope_high": column(0.75, nan),
    }  # fmt: skip
    write_annex(made, "effects", "one", {"units": units, "classes": classes, "trends": trends}, ABOUT)
    return made


def test_a_line_a_row_of_the_unit(atlas: Atlas) -> None:
    assert lines(effects_of(atlas, LAYER, 3)) == [
        "one: without it (zero) loss +0.5 [+0.25, +0.75], q .020",
        "one: without it, on World: +0.5 [+0.25, +0.75], q .020",
        "one: set to values of its range: rank correlation with loss +1.00 (p .004), slope +0.5 [+0.25, +0.75]",
    ]
    assert lines(effects_of(atlas, LAYER, 4)) == [
        "one: without it (zero) loss +0.25, q –",
        "one: set to values of its range at upos:NOUN: nothing changes",
    ]
    assert effects_of(atlas, LAYER, 5) == []


def test_a_corrupted_result_is_named_and_hides_no_other(atlas: Atlas) -> None:
    write_annex(atlas, "effects", "two", {"units": {"layer": np.array([LAYER], object), "unit": np.array([3])}}, ABOUT)
    (atlas.path / "effects" / "two.units.parquet").write_bytes(b"")
    told = lines(effects_of(atlas, LAYER, 3))
    assert told[0].startswith("one: ")
    assert told[-1].startswith("two: 'two.units.parquet' in 'effects' is corrupted")
