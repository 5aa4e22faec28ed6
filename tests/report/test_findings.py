from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unitscope.atlas import Atlas
from unitscope.errors import StoreError
from unitscope.report import findings

LAYER = "encoder.layer.1.intermediate"


@pytest.fixture(scope="module")
def atlas(tiny_atlas: Path) -> Atlas:
    return Atlas.open(tiny_atlas)


@pytest.fixture(scope="module")
def judged(hostile_atlas: Path) -> Atlas:
    return Atlas.open(hostile_atlas)


def worth(row: dict[str, Any]) -> tuple[bool, float, float]:
    low = row["score"] if row["low"] is None else row["low"]
    if row["kind"] == "contextual":
        low = min(low, row["within_form_position"])
    return (row["low"] is None, -low, -row["score"])


@pytest.mark.parametrize("kind", [None, "contextual", "lexical", "positional"])
def test_matches_come_by_what_is_left_of_them_at_worst(judged: Atlas, kind: str | None) -> None:
    found = findings.best_supported(judged, kind=kind, top=10_000)
    everything = judged.matches(kind=kind)
    assert len(found) == len(everything)
    assert [worth(row) for row in found] == sorted(map(worth, everything))
    if kind in (None, "contextual"):
        assert {row["low"] is None for row in found} == {False, True}
    assert findings.best_supported(judged, kind=kind, top=3) == found[:3]


def test_matches_can_be_limited_to_a_layer_and_a_concept(atlas: Atlas) -> None:
    concept = atlas.matches(layer=LAYER)[0]["concept"]
    found = findings.best_supported(atlas, layer=LAYER, concept=concept, top=1000)
    assert found
    assert {(row["layer"], row["concept"]) for row in found} == {(LAYER, concept)}
    assert len(found) == len(atlas.matches(layer=LAYER, concept=concept))


def test_example_words_are_the_first_different_ones(atlas: Atlas) -> None:
    found = findings.best_supported(atlas, top=40)
    assert {row["sign"] for row in found} == {1, -1}
    for row in found:
        record = atlas.unit(f"{row['layer']}:{row['unit']}")
        clips = record.of_kind("top" if row["sign"] > 0 else "low")
        words: list[str] = []
        for clip in clips:
            if clip["word"].lower() not in [word.lower() for word in words]:
                words.append(clip["word"])
        assert row["words"] == words[: findings.N_EXAMPLES]
        assert words
        share = atlas.sql("select share_form from units where layer = ? and unit = ?", [row["layer"], row["unit"]])
        assert row["share_form"] == share[0]["share_form"]


def test_unknown_names_are_told_with_near_ones(atlas: Atlas) -> None:
    with pytest.raises(
        StoreError, match=r"Got kind 'lexicl'\. Expected: one of contextual, lexical, positional, appearance\."
    ):
        findings.best_supported(atlas, kind="lexicl")
    with pytest.raises(StoreError, match=r"Layer 'encoder\.layer\.7' is not in this atlas\. Closest: 'encoder\.layer"):
        findings.best_supported(atlas, layer="encoder.layer.7")
    with pytest.raises(StoreError, match=r"Layer 'x' is not in this atlas\. Its layers: embeddings"):
        findings.layer_view(atlas, "x")
    with pytest.raises(StoreError, match=r"Concept 'noun' is not in this atlas\. Closest: 'upos:NOUN'"):
        findings.concept_view(atlas, "noun")


def test_overview_falls_back_where_nothing_is_contextual(atlas: Atlas, judged: Atlas) -> None:
    kinds = {row["kind"] for row in findings.overview(judged, top=500)["findings"]}
    assert kinds == {"contextual"}
    assert atlas.matches(kind="contextual") == []
    assert {row["kind"] for row in findings.overview(atlas, top=500)["findings"]} == {"lexical", "positional"}
    assert findings.overview(atlas, kind="contextual")["findings"] == []
    assert findings.overview(atlas)["summary"] == atlas.summary


def test_baselines_hold_each_layer_beside_its_variants(atlas: Atlas) -> None:
    rows = findings.baselines(atlas)
    assert [row["variant"] for row in rows[:3]] == ["trained", "untrained", "rotation"]
    assert [row["layer"] for row in rows[::3]] == atlas.layers
    assert rows[4]["tested"] == atlas.summary["untrained"][atlas.layers[1]]["tested"]


def test_an_atlas_without_baselines_says_how_to_get_them(atlas: Atlas) -> None:
    study = {**atlas.manifest["study"], "baselines": []}
    alone = Atlas(atlas.path, {**atlas.manifest, "study": study}, {})
    with pytest.raises(StoreError, match=r"No baseline was run for this atlas\. Map with --baseline"):
        findings.baselines(alone)


def test_passports_are_quantiles_over_units(atlas: Atlas) -> None:
    rows = findings.passports(atlas)
    assert [row["layer"] for row in rows] == [layer for layer in atlas.layers for _ in range(3)]
    shares = [row["share_form"] for row in atlas.units(LAYER) if row["share_form"] is not None]
    here = next(row for row in rows if row["layer"] == LAYER and row["variant"] == "trained")
    np.testing.assert_allclose(here["form"], np.quantile(shares, [0.1, 0.5, 0.9]))
    constant = next(row for row in rows if row["layer"] == "embeddings.token_type_embeddings")
    assert constant["form"] is None
    assert set(findings.parts(atlas)) <= set(here)


def test_layer_view_counts_first_concepts(atlas: Atlas) -> None:
    view = findings.layer_view(atlas, LAYER, top=1000)
    assert view["width"] == 32
    assert sum(row["units"] for row in view["concepts"]) == atlas.summary["trained"][LAYER]["reported"]
    for row in view["concepts"]:
        assert row["units"] == row["contextual"] + row["lexical"] + row["positional"]
    only = findings.layer_view(atlas, LAYER, kind="positional", top=1000)
    assert sum(row["units"] for row in only["concepts"]) == atlas.summary["trained"][LAYER]["positional"]


def test_concept_view_counts_all_matches_by_layer(atlas: Atlas) -> None:
    view = findings.concept_view(atlas, "upos:PUNCT", top=1000)
    assert sum(row["units"] for row in view["profile"]) == len(atlas.matches(concept="upos:PUNCT"))
    assert sum(row["falling"] for row in view["profile"]) == sum(
        row["sign"] < 0 for row in atlas.matches(concept="upos:PUNCT")
    )
    assert [row["layer"] for row in view["profile"]] == [
        layer for layer in atlas.layers if atlas.matches(concept="upos:PUNCT", layer=layer)
    ]
    assert view["eligible"] is True


def test_unit_view_has_all_tested_pairs(atlas: Atlas) -> None:
    view = findings.unit_view(atlas, f"{LAYER}:3")
    assert (view["layer"], view["unit"], view["role"]) == (LAYER, 3, "feed-forward neurons")
    assert [row["slot"] for row in view["tests"]] == list(range(1, len(view["tests"]) + 1))
    assert view["tested"] == view["tests"][0]["concept"]
    assert sorted(sum(clip["kind"] == kind for clip in view["clips"]) for kind in ("top", "low")) == [6, 12]
