"""Clips beside the items they come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import unitscope
from unitscope.atlas import Atlas
from unitscope.corpora import load_corpus
from unitscope.study import clips as module
from unitscope.study import prepare
from unitscope.study.clips import CONTEXT
from unitscope.study.unitpass import N_CLIPS

LAYERS = ["encoder.layer.1.intermediate", "embeddings.word_embeddings"]


@pytest.fixture(scope="module")
def atlas(tiny_model: Path, tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Atlas]:
    """With small shards, so that clips come from many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ITEMS_PER_SHARD", 7)
        patch.setattr(prepare, "ITEMS_PER_SHARD", 7)
        out = tmp_path_factory.mktemp("clips") / "atlas"
        settings: dict[str, Any] = {"concepts": ["upos"], "measures": ["auroc"], "workers": 1}
        yield unitscope.map(str(tiny_model), str(tiny_corpus), out=out, layers=LAYERS, **settings)


@pytest.mark.parametrize("table", ["clips", "clips_low"])
def test_a_clip_is_a_word_in_its_context(table: str, atlas: Atlas, tiny_corpus: Path) -> None:
    items = {item.id: item for item in load_corpus(str(tiny_corpus))}
    rows = atlas.table(table).to_pylist()
    assert len({row["item"] for row in rows}) > 7
    for row in rows:
        item = items[row["item"]]
        text = item.grids[row["grid"]]
        start, end = text.spans[row["position"]]
        assert row["group"] == item.group
        assert row["word"] == text.words[row["position"]]
        assert row["before"] == text.text[max(0, start - CONTEXT) : start]
        assert row["after"] == text.text[end : end + CONTEXT]


@pytest.mark.parametrize(("table", "sign"), [("clips", 1), ("clips_low", -1)])
def test_clips_are_activations_of_the_model(
    table: str, sign: int, atlas: Atlas, tiny_model: Path, tiny_corpus: Path
) -> None:
    model = unitscope.load_model(str(tiny_model))
    items = list(load_corpus(str(tiny_corpus)))
    layers = model.resolve([LAYERS[0]])
    values = model.run(items, layers).values[LAYERS[0]]
    start_of = {}
    at = 0
    for item in items:
        start_of[item.id] = at
        at += item.grids["source"].n_sites
    for row in atlas.sql(f"select * from {table} where layer = ?", [LAYERS[0]]):
        found = float(values[start_of[row["item"]] + row["position"], row["unit"]])
        assert row["value"] == pytest.approx(found, rel=2e-3, abs=1e-4)
        if row["rank"] == 1:
            extreme = float((sign * values[:, row["unit"]]).max()) * sign
            assert row["value"] == pytest.approx(extreme, rel=2e-3, abs=1e-4)


@pytest.mark.parametrize(("table", "sign"), [("clips", 1), ("clips_low", -1)])
def test_clips_are_ordered_by_layer_unit_and_rank(table: str, sign: int, atlas: Atlas) -> None:
    rows = atlas.table(table).to_pylist()
    units = {(row["layer"], row["unit"]): row["status"] for row in atlas.units()}
    found: dict[tuple[str, int], list[float]] = {}
    for row in rows:
        of_unit = found.setdefault((row["layer"], row["unit"]), [])
        of_unit.append(row["value"] * sign)
        assert row["rank"] == len(of_unit)
    for key, values in found.items():
        assert len(values) == N_CLIPS
        assert values == sorted(values, reverse=True)
        assert units[key] in ("live", "dead")
    assert set(found) <= set(units)
    order = [(atlas.layers.index(layer), unit) for layer, unit in found]
    assert order == sorted(order)
