"""Clips and the items they show, beside the corpus and the model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unitscope
from unitscope.atlas import CLIPS, Atlas
from unitscope.corpora import load_corpus
from unitscope.sites import Text
from unitscope.study import clipsites, plan, prepare
from unitscope.study.clips import describe, rows_of_items

LAYERS = ["encoder.layer.1.intermediate", "embeddings.word_embeddings"]
WINDOW = 5


@pytest.fixture(scope="module")
def atlas(tiny_model: Path, tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Atlas]:
    """With small shards and a small window, so that clips come from many and show parts of items."""
    with pytest.MonkeyPatch.context() as patch:
        for each in (plan, prepare):
            patch.setattr(each, "ITEMS_PER_SHARD", 7)
        patch.setattr(clipsites, "WINDOW", WINDOW)
        out = tmp_path_factory.mktemp("clips") / "atlas"
        settings: dict[str, Any] = {"concepts": ["upos"], "measures": ["auroc"], "workers": 1}
        yield unitscope.map(str(tiny_model), str(tiny_corpus), out=out, layers=LAYERS, **settings)


@pytest.fixture(scope="module")
def rows(atlas: Atlas) -> list[dict[str, Any]]:
    return atlas.table("clips").to_pylist()


def test_items_have_the_words_of_the_corpus(atlas: Atlas, tiny_corpus: Path, rows: list[dict[str, Any]]) -> None:
    items = list(load_corpus(str(tiny_corpus)))
    shown = atlas.table("items").to_pylist()
    assert [row["item"] for row in shown] == sorted({row["item"] for row in rows})
    assert len(shown) > 7
    for row in shown:
        item = items[row["item"]]
        text = item.grids[row["grid"]]
        assert (row["id"], row["group"], tuple(row["words"])) == (item.id, item.group, text.words)
        joined = "".join(word + " " * space for word, space in zip(row["words"], row["spaces"], strict=True))
        assert joined == text.text
        assert row["image"] is row["rows"] is row["columns"] is None


def test_values_are_those_of_the_model_at_every_word_shown(
    rows: list[dict[str, Any]], tiny_model: Path, tiny_corpus: Path
) -> None:
    model = unitscope.load_model(str(tiny_model))
    items = list(load_corpus(str(tiny_corpus)))
    values = model.run(items, model.resolve([LAYERS[0]])).values[LAYERS[0]].numpy()
    starts = np.concatenate([[0], np.cumsum([item.grids["source"].n_sites for item in items])])
    lengths = set()
    for row in (row for row in rows if row["layer"] == LAYERS[0]):
        n_words = items[row["item"]].grids["source"].n_sites
        shown = row["values"]
        assert len(shown) == min(n_words, WINDOW)
        assert 0 <= row["first"] <= row["position"] < row["first"] + len(shown) <= n_words
        assert shown[row["position"] - row["first"]] == row["value"]
        at = starts[row["item"]] + row["first"]
        expected = values[at : at + len(shown), row["unit"]]
        np.testing.assert_allclose(shown, expected, rtol=2e-3, atol=1e-4)
        lengths.add(len(shown))
    assert WINDOW in lengths


def test_clips_are_ordered_by_layer_unit_kind_and_rank(rows: list[dict[str, Any]], atlas: Atlas) -> None:
    order = [(atlas.layers.index(r["layer"]), r["unit"], CLIPS.index(r["kind"]), r["rank"]) for r in rows]
    assert order == sorted(order)
    found: dict[tuple[str, int, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["layer"], row["unit"], row["kind"]].append(row)
    status = {(row["layer"], row["unit"]): row["status"] for row in atlas.units()}
    signs = {(row["layer"], row["unit"]): row["sign"] for row in atlas.sql("select * from tests where slot = 1")}
    for (layer, unit, kind), of_kind in found.items():
        assert [row["rank"] for row in of_kind] == list(range(1, len(of_kind) + 1))
        assert status[layer, unit] in ("live", "dead")
        assert len({row["item"] for row in of_kind}) == len(of_kind)
        if kind in ("top", "low"):
            values = [row["value"] * (1 if kind == "low" else -1) for row in of_kind]
            sign = signs.get((layer, unit), 0)
            assert len(values) == (12 if (sign < 0) == (kind == "low") else 6)
            assert values == sorted(values)


def test_kinds_say_what_they_are(rows: list[dict[str, Any]], atlas: Atlas) -> None:
    tests = {(t["layer"], t["unit"]): t for t in atlas.sql("select * from tests where slot = 1")}
    counts = dict.fromkeys(CLIPS, 0)
    for row in rows:
        counts[row["kind"]] += 1
        limits = (row["low_quantile"], row["high_quantile"])
        test = tests[row["layer"], row["unit"]]
        if row["kind"] == "band":
            rising = ((0.99, 1.0), (0.9, 0.99), (0.5, 0.9), (0.0, 0.5))
            assert limits in (rising if test["sign"] > 0 else [(0.0, 0.01), (0.01, 0.1), (0.1, 0.5), (0.5, 1.0)])
        else:
            assert limits == (None, None)
        assert row["concept"] == (test["concept"] if row["kind"] == "missed" else None)
    assert all(counts.values())


def test_a_records_clips_come_with_their_items(atlas: Atlas) -> None:
    record = atlas.unit(f"{LAYERS[0]}:3")
    assert [clip["kind"] for clip in record.clips] == sorted((clip["kind"] for clip in record.clips), key=CLIPS.index)
    for clip in record.clips:
        assert clip["word"] == clip["words"][clip["position"]]
        assert clip["id"].startswith(clip["group"])
    assert [clip for kind in CLIPS for clip in record.of_kind(kind)] == list(record.clips)


def test_any_text_can_be_kept() -> None:
    text = Text("a\x00\ud800 \u202e", ((0, 2), (2, 3), (4, 5)))
    row = {"item": 0, "id": "\udfff", "group": "g", "grid": "source", **describe(text)}
    assert rows_of_items([row]).to_pylist()[0] | {"item": 0} == {
        "item": 0,
        "id": "?",
        "group": "g",
        "grid": "source",
        "words": ["a\x00", "?", "\u202e"],
        "spaces": [False, True, False],
        "image": None,
        "rows": None,
        "columns": None,
    }
    assert describe(Text("", ())) == {"words": [], "spaces": []}


def test_a_grid_that_nobody_can_show_is_told() -> None:
    with pytest.raises(TypeError, match="No way is known to show a int"):
        describe(3)
