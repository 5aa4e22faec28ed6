"""Rankings by measures and effects beside what the atlas holds and plain computations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

import unitscope
from unitscope.activations import Activations
from unitscope.atlas import Atlas
from unitscope.errors import RankingError, UnknownLayerError
from unitscope.rankings.base import Ranking
from unitscope.rankings.measured import best_standardised

Make = Callable[..., Activations]
HIDDEN = ("encoder.layer.0", "encoder.layer.1")


def scores(ranking: Ranking) -> dict[str, float]:
    return dict(zip(ranking.units, ranking.scores.tolist()))


@given(st.integers(0, 300), st.sampled_from([None, 0.5]))
def test_the_best_concept_is_found_after_standardising(seed: int, null: float | None) -> None:
    random = np.random.default_rng(seed)
    matrix = np.round(random.random((6, 4)), 1)
    matrix[random.random((6, 4)) < 0.2] = np.nan
    expected = []
    for row in matrix:
        best = -np.inf
        for column, score in zip(matrix.T, row):
            numbers = [x for x in column if not np.isnan(x)]
            if np.isnan(score):
                continue
            middle = np.median(numbers) if null is None else null
            spread = np.sqrt(np.mean([(x - middle) ** 2 for x in numbers]))
            best = max(best, (score - middle) / spread if spread else 0.0)
        expected.append(np.nan if best == -np.inf else best)
    np.testing.assert_allclose(best_standardised(matrix, null), expected, atol=1e-12)


def test_stored_scores_count_at_either_end(tiny_atlas: object) -> None:
    atlas = Atlas.open(str(tiny_atlas))
    (found,) = unitscope.rank(atlas, by="auroc", concept="upos:NOUN", layers=HIDDEN)
    (low,) = unitscope.rank(atlas, by="auroc:end=lower", concept="upos:NOUN", layers=HIDDEN)
    (high,) = unitscope.rank(atlas, by="auroc:end=upper", concept="upos:NOUN", layers=HIDDEN)
    for layer in HIDDEN:
        column = atlas.scores("auroc", layer)[:, atlas.concept_names(layer).index("upos:NOUN")]
        for unit, score in enumerate(column.tolist()):
            at = f"{layer}:{unit}"
            assert scores(high)[at] == pytest.approx(score)
            assert scores(low)[at] == pytest.approx(1 - score)
            assert scores(found)[at] == pytest.approx(max(score, 1 - score))
    assert len(found) == 32
    assert list(found.scores) == sorted(found.scores, reverse=True)
    assert found.origin.parameters["half"] == "all"
    assert found.origin.parent == atlas.manifest["key"]


def test_measures_of_one_end_are_taken_at_both(tiny_atlas: object, made: Make) -> None:
    atlas = Atlas.open(str(tiny_atlas))
    at = atlas.concept_names(HIDDEN[0]).index("upos:DET")
    upper = atlas.scores("average_precision", HIDDEN[0])[:, at]
    (found,) = unitscope.rank(atlas, by="average_precision", concept="upos:DET", layers=HIDDEN[:1])
    assert [scores(found)[f"{HIDDEN[0]}:{u}"] for u in range(16)] == pytest.approx(upper.tolist())
    assert found.origin.parameters["ends"] == ["upper"]  # the atlas has no other
    with pytest.raises(RankingError, match="Measure 'average_precision' does not look at the lower end"):
        unitscope.rank(atlas, by="average_precision:end=lower", concept="upos:DET")
    by_end = {
        end: scores(unitscope.rank(made(), by=f"average_precision:end={end}", concept="tag:B", half="a")[0])
        for end in ("upper", "lower", "both")
    }
    mask, values = np.zeros(400, bool), made().values()
    mask[made().concepts.sites_of(1)] = True
    half = made().halves.a
    expected = average_precision_score(mask[half], -values[half, 1].astype(np.float16))
    assert by_end["lower"]["one:1"] == by_end["both"]["one:1"] == pytest.approx(expected, abs=1e-6)
    assert by_end["upper"]["one:1"] < 0.5


def test_for_all_only_concepts_that_may_be_chosen_count(tiny_atlas: object) -> None:
    atlas = Atlas.open(str(tiny_atlas))
    found = unitscope.rank(atlas, by="auroc", concepts="upos", layers=HIDDEN)
    eligible = [row["concept"] for row in atlas.concepts() if row["category"] == "upos" and row["eligible"]]
    columns = [atlas.concept_names(HIDDEN[0]).index(name) for name in eligible]
    matrix = np.concatenate([atlas.scores("auroc", layer)[:, columns] for layer in HIDDEN]).astype(np.float64)
    expected = best_standardised(0.5 + np.abs(matrix - 0.5), 0.5)
    assert [scores(found[0])[f"{HIDDEN[i // 16]}:{i % 16}"] for i in range(32)] == pytest.approx(expected.tolist())
    assert found[0].target == "all"
    assert {each.target for each in found[1:]} == {r["concept"] for r in atlas.concepts() if r["category"] == "upos"}
    (everything,) = unitscope.rank(atlas, by="auroc")
    assert everything.target == "all"
    # Units of the constant layer are not ranked.
    assert not any(unit.startswith("embeddings.token_type") for unit in everything.units)


def test_scores_of_half_a_are_computed_anew(made: Make) -> None:
    activations = made()
    found = unitscope.rank(activations, by="auroc", concepts="tag", half="a")
    half = activations.halves.a
    values = activations.values()[half]
    mask = np.zeros(400, bool)
    mask[activations.concepts.sites_of(1)] = True
    for unit in ("one:0", "one:1", "one:2", "two:3"):
        column = values[:, activations.addresses.index(unit)].astype(np.float16)
        area = roc_auc_score(mask[half], column)
        assert scores(found[2])[unit] == pytest.approx(max(area, 1 - area), abs=1e-6)
    assert found[2].top(1) == ("one:1",)
    assert set(found[0].top(2)) == {"one:0", "one:1"}
    assert "one:3" not in found[0].units
    (part,) = unitscope.rank(activations, by="auroc", concept="part:Z", half="all")
    known = activations.concepts.known["part"]
    mask = np.zeros(400, bool)
    mask[activations.concepts.sites_of(6)] = True
    area = roc_auc_score(mask[known], activations.values()[known, 0].astype(np.float16))
    assert scores(part)["one:0"] == pytest.approx(area, abs=1e-6)


@pytest.mark.parametrize(("of", "column"), [("auroc", "score"), ("low", "low"), ("within_form", "within_form")])
def test_effects_are_those_of_matches(tiny_atlas: object, of: str, column: str) -> None:
    atlas = Atlas.open(str(tiny_atlas))
    found = {each.target: each for each in unitscope.rank(atlas, by=f"effect:of={of}", concepts="upos")}
    rows = [row for row in atlas.matches() if row["concept"].startswith("upos:") and row[column] is not None]
    assert rows
    best: dict[str, float] = {}
    for row in rows:
        at = f"{row['layer']}:{row['unit']}"
        best[at] = max(best.get(at, -np.inf), row[column])
        assert scores(found[row["concept"]])[at] == row[column]
    assert scores(found["all"]) == best
    assert sum(len(each) for target, each in found.items() if target != "all") == len(rows)
    assert found["all"].origin.parameters["half"] == "b"


def test_what_is_not_in_the_atlas_is_told(tiny_atlas: object, made: Make) -> None:
    atlas = Atlas.open(str(tiny_atlas))

    def told(text: str, kind: type[Exception] = RankingError, **question: object) -> None:
        with pytest.raises(kind, match=text):
            unitscope.rank(atlas, **question)  # type: ignore[arg-type]

    told("No measure 'mean_gap' in this atlas. Expected: one of auroc", by="mean_gap")
    told("Concept 'NOUN' is not here. Closest: 'upos:NOUN'", by="auroc", concept="NOUN")
    told("No concept of category 'upso' here.*Closest: 'upos'", by="effect", concepts="upso")
    told(
        "Layer 'encoder.layer.7' is not in this atlas. Closest",
        UnknownLayerError,
        by="auroc",
        layers=["encoder.layer.7"],
    )
    told("Got half 'a' for rankings by effect. Expected: b", by="effect", half="a")
    told(r"Got of=auc\. Expected: one of auroc", by="effect:of=auc")
    told(r"Got end=top\. Expected: both, upper or lower", by="auroc:end=top")
    told("No unit has a score for 'all' by effect", by="effect", layers=["embeddings.token_type_embeddings"])
    with pytest.raises(RankingError, match="Got no atlas to take effects from"):
        unitscope.rank(made(), by="effect")
