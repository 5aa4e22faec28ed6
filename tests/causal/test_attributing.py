"""Attributions of an atlas: which half does what, what is kept, and its bases."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import unitscope
from unitscope.annex import read_annex
from unitscope.atlas import Atlas
from unitscope.causal.ablation import Ablation
from unitscope.causal.attributing import Question, attribute_atlas, default_name, save, save_ranking
from unitscope.causal.halves import halves_of
from unitscope.causal.targets import Coordinate
from unitscope.causal.to_units import attribute_units
from unitscope.extraction import activations_of
from unitscope.models import load_model
from unitscope.rankings import kept

LAYER = "encoder.layer.0"


@pytest.fixture(scope="module")
def atlas(tiny_model: Path, tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    """An atlas with a basis of one layer."""
    out = tmp_path_factory.mktemp("attributing") / "atlas"
    options = {"layers": [LAYER], "bases": [f"{LAYER}=pca:4"], "concepts": ["upos"], "measures": ["auroc"]}
    unitscope.map(str(tiny_model), str(tiny_corpus), out=out, workers=1, lens=False, **options)  # type: ignore[arg-type]
    return Atlas.open(out)


def test_half_a_is_ranked_and_half_b_judges(atlas: Atlas, tiny_model: Path) -> None:
    question = Question("output:0", (LAYER,), "gradient-x-activation", judge=16, max_items=12)
    found = attribute_atlas(atlas, question)
    first, second = halves_of(activations_of(atlas, layers=[LAYER]))
    assert not {item.group for item in first} & {item.group for item in second}
    assert {item.id for item in found.items} <= {item.id for item in first}
    assert len({item.group for item in found.items}) > 3, "not the first items alone"
    (judged,) = found.judged
    np.testing.assert_array_equal(judged.attribution, found.found.mean(LAYER)[judged.units])
    held = [second[at] for at in np.linspace(0, len(second) - 1, 12).round().astype(int)]
    effects = attribute_units(
        load_model(str(tiny_model)), held, layers=[LAYER], target=Coordinate(0), method=Ablation()
    )
    np.testing.assert_allclose(judged.effect, effects.mean(LAYER)[judged.units], rtol=1e-4, atol=1e-6)


def test_units_of_the_atlas_bases(atlas: Atlas) -> None:
    question = Question("output:0", ("*~pca",), "gradient-x-activation", max_items=5)
    found = attribute_atlas(atlas, question)
    assert found.found.rest[f"{LAYER}~pca"].shape == (5,)
    save(atlas, default_name(question), found)
    save_ranking(atlas, "by-pca", found, "mean")
    (ranking,) = kept.load(atlas, "by-pca")
    assert sorted(ranking.units) == [f"{LAYER}~pca:{unit}" for unit in range(4)]
    rows = read_annex(atlas, "attributions", "output_0.gradient-x-activation.__pca").rows("items")
    assert [row["rest"] for row in rows] == pytest.approx(found.found.rest[f"{LAYER}~pca"])


def test_ablation_keeps_no_sites(atlas: Atlas, tmp_path: Path) -> None:
    shutil.copytree(atlas.path, tmp_path / "copy")
    copy = Atlas.open(tmp_path / "copy")
    save(copy, "taken", attribute_atlas(copy, Question("output:0", ("*~pca",), "ablation", max_items=3)))
    assert set(read_annex(copy, "attributions", "taken").tables) == {"units", "items"}
