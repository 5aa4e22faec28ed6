"""Comparisons of made-up atlases, whose answer is known, and of real runs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import unitscope
from unitscope.annex import annexes, read_annex
from unitscope.atlas import Atlas
from unitscope.comparison import DRAWS, compare
from unitscope.errors import PlanError, StoreError

CONCEPTS = NOUN, VERB, DET, NSUBJ, THE, OLD = (
    "upos:NOUN", "upos:VERB", "upos:DET", "deprel:nsubj", "words:the", "words:old",
)  # fmt: skip
LAYER = "encoder.layer.0"


@dataclass(frozen=True)
class Told:
    """A tested concept of a unit: by high (1) or low (-1) values, held-out effect, half the width of its interval."""

    concept: str
    effect: float = 0.8
    sign: int = 1
    half: float | None = 0.03
    reported: bool = True
    contextual: bool = False


@pytest.fixture
def write(compared_atlas):
    """Write a made-up atlas."""
    return compared_atlas.write


def one(told: Told) -> list[Told]:
    return [told]


def statuses(found) -> list[str]:
    return list(found.tables["units"]["status"])


@pytest.fixture
def pairs(tmp_path: Path, write):
    """Write two atlases of one layer from the tests of their units."""

    def made(a, b, **settings):
        of_a = {name.removesuffix("_a"): value for name, value in settings.items() if name.endswith("_a")}
        of_b = {name.removesuffix("_b"): value for name, value in settings.items() if name.endswith("_b")}
        return (
            write(tmp_path / "a", {LAYER: a}, **of_a),
            write(tmp_path / "b", {LAYER: b}, **{"weights": "bb", **of_b}),
        )

    return made


CASES = [
    ("the same concept", one(Told(NOUN)), one(Told(NOUN)), "kept"),
    ("the same by the other end", one(Told(NOUN)), one(Told(NOUN, sign=-1)), "turned"),
    ("another, and the old one is gone", one(Told(NOUN, 0.9)), one(Told(VERB, 0.9)), "moved"),
    (
        "another first, yet the old one is as strong",
        [Told(NOUN, 0.8), Told(VERB, 0.79)],
        [Told(VERB, 0.8), Told(NOUN, 0.79)],
        "undecided",
    ),
    (
        "another first, the old one weaker than the error of one side but not of both",
        [Told(NOUN, 0.8, half=0.05), Told(VERB, 0.8)],
        [Told(VERB, 0.8), Told(NOUN, 0.74)],
        "undecided",
    ),
    (
        "another first, the old one weaker than the errors of both sides",
        [Told(NOUN, 0.8, half=0.05), Told(VERB, 0.8)],
        [Told(VERB, 0.8), Told(NOUN, 0.72)],
        "moved",
    ),
    ("no intervals, so it cannot be told", one(Told(NOUN, half=None)), one(Told(VERB, half=None)), "undecided"),
    ("none in B", one(Told(NOUN)), one(Told(NOUN, 0.55, reported=False)), "lost"),
    ("none in A", [], one(Told(NOUN)), "gained"),
    ("none at all", [], [], "none"),
    ("a concept that B has not", one(Told("words:blue")), one(Told(NOUN)), "unshared"),
    ("a concept that is too rare in B", one(Told(OLD)), one(Told(NOUN)), "unshared"),
    ("a second concept stands for one that is not shared", [Told("words:blue"), Told(NOUN)], one(Told(NOUN)), "kept"),
]


@pytest.mark.parametrize(("what", "a", "b", "status"), CASES, ids=[case[0] for case in CASES])
def test_what_became_of_a_unit(pairs, what, a, b, status):
    filler = [one(Told(DET)), one(Told(NSUBJ))]
    atlases = pairs([a, *filler], [b, *filler], concepts_a=(*CONCEPTS, "words:blue"), rare_b=(OLD,))
    found = compare(*atlases, match="address")
    assert statuses(found) == [status, "kept", "kept"]
    counts = found.about["counts"]
    assert counts[status] == 1 + 2 * (status == "kept")
    assert (
        sum(counts[each] for each in ("kept", "turned", "undecided", "moved", "lost", "gained", "none", "unshared"))
        == 3
    )
    assert found.about["concepts"] == {"shared": 5, "only_a": 1, "only_b": 0, "too_rare": 1}


def test_a_difference_is_of_one_concept_tested_on_both_sides(pairs):
    a = [one(Told(NOUN, 0.9)), one(Told(NOUN, 0.8)), [Told(NOUN, 0.9), Told(VERB, 0.6)], one(Told(DET)), []]
    b = [one(Told(NOUN, 0.7)), one(Told(NOUN, 0.81)), one(Told(VERB, 0.9)), one(Told(DET, sign=-1)), one(Told(DET))]
    found = compare(*pairs(a, b), match="address").rows("units")
    assert [row["compared"] for row in found] == [NOUN, NOUN, None, DET, None]
    assert [row["change"] for row in found] == ["weaker", "same", None, "weaker", None]
    first, _, moved, turned, _ = found
    assert first["difference"] == pytest.approx(-0.2)
    assert first["difference_low"] == pytest.approx(-0.2 - np.hypot(0.03, 0.03))
    assert (first["low_a"], first["high_b"]) == (pytest.approx(0.87), pytest.approx(0.73))
    # Not tested on the other side: the unsplit score stands beside it, without a difference.
    assert moved["b_on_concept_a"] == pytest.approx(0.5)
    assert moved["a_on_concept_b"] == pytest.approx(0.6)
    assert moved["difference"] is None
    assert turned["difference"] == pytest.approx(-0.6)
    assert turned["b_on_concept_a"] == pytest.approx(0.2)


def test_a_change_must_hold_among_all_that_were_tested(pairs):
    """One of 40 units differs by just over its 95 % interval: alone it would be told, among many it is not."""
    n, gap = 40, 0.045
    a = [one(Told(NOUN, 0.8)) for _ in range(n)]
    b = [one(Told(NOUN, 0.8 - gap * (at == 0))) for at in range(n)]
    found = compare(*pairs(a, b), match="address").rows("units")
    assert found[0]["p"] < 0.05 < found[0]["q"]
    assert {row["change"] for row in found} == {"same"}


def test_counts_stand_beside_units_paired_at_random(pairs):
    rng = np.random.default_rng(0)
    names = rng.choice([NOUN, VERB, DET], 60, p=[0.6, 0.3, 0.1]).tolist()
    a = [one(Told(name)) for name in names]
    b = [one(Told(name if at % 2 else VERB)) for at, name in enumerate(names)]
    found = compare(*pairs(a, b), match="address")
    (row,) = found.rows("layers")
    other = [told[0].concept for told in b]
    assert row["kept"] == sum(x == y for x, y in zip(names, other))
    expected = sum(names.count(each) * other.count(each) for each in set(names)) / 60
    assert row["random_kept"] == pytest.approx(expected, abs=1.2)
    assert row["random_low"] <= row["random_kept"] <= row["random_high"] < row["kept"]
    assert row["p"] == pytest.approx(1 / (1 + DRAWS))
    concepts = {each["concept"]: each for each in found.rows("concepts")}
    assert concepts[NOUN]["units_a"] == names.count(NOUN)
    assert concepts[NOUN]["left"] == names.count(NOUN) - concepts[NOUN]["kept"]
    assert concepts[VERB]["joined"] == sum(x != VERB and y == VERB for x, y in zip(names, other))


def random_scores(n, seed):
    return np.random.default_rng(seed).uniform(0.1, 0.9, (n, len(CONCEPTS)))


def test_units_of_another_order_are_found_by_their_profile(pairs):
    n = 30
    scores = random_scores(n, 1)
    order = np.random.default_rng(2).permutation(n)
    told = [one(Told(CONCEPTS[row.argmax()], float(row.max()))) for row in scores]
    atlases = pairs(told, [told[at] for at in order], scores_a={LAYER: scores}, scores_b={LAYER: scores[order]})
    found = compare(*atlases)
    assert found.match == "profile"
    assert "no more alike than units paired at random" in " ".join(found.about["notes"])
    rows = found.rows("units")
    assert [order[row["unit_b"]] for row in rows] == list(range(n))
    assert all(row["status"] == "kept" and row["mutual"] and row["likeness"] > 0.999 for row in rows)
    (layer,) = found.rows("layers")
    assert layer["layer_b"] is None
    assert layer["unseen"] > 0.9 > layer["random_unseen"] + 0.3
    assert found.rows("partners") == [{"layer": LAYER, "layer_b": LAYER, "units": n}]
    by_address = compare(*atlases, match="address")
    assert by_address.about["chance"]["p"] > 0.01
    assert "share indices, not units" in " ".join(by_address.about["notes"])


def test_mirror_images_keep_their_concept_by_the_other_end(pairs):
    scores = random_scores(12, 5)
    told = [one(Told(CONCEPTS[row.argmax()], 0.9)) for row in scores]
    turned = [one(Told(CONCEPTS[row.argmax()], 0.9, sign=-1)) for row in scores]
    found = compare(*pairs(told, turned, scores_a={LAYER: scores}, scores_b={LAYER: 1 - scores}), match="profile")
    assert statuses(found) == ["kept"] * 12
    assert found.tables["units"]["mirrored"].all()
    assert found.rows("units")[0]["difference"] == pytest.approx(0)


def test_the_same_units_are_paired_by_address(pairs):
    scores = random_scores(20, 7)
    told = [one(Told(CONCEPTS[row.argmax()], 0.9)) for row in scores]
    noisy = scores + np.random.default_rng(8).normal(0, 0.03, scores.shape)
    found = compare(*pairs(told, told, scores_a={LAYER: scores}, scores_b={LAYER: noisy}))
    assert found.match == "address"
    (layer,) = found.rows("layers")
    assert layer["likeness"] > 0.95
    assert abs(layer["random_likeness"]) < 0.3


def test_other_widths_are_another_architecture(tmp_path, write):
    a = write(tmp_path / "a", {LAYER: [one(Told(NOUN)), one(Told(VERB))]})
    b = write(tmp_path / "b", {LAYER: [one(Told(VERB)), one(Told(DET)), one(Told(NOUN))]}, weights="bb")
    found = compare(a, b)
    assert found.match == "profile"
    assert [row["unit_b"] for row in found.rows("units")] == [2, 0]
    with pytest.raises(PlanError, match=r"2 units in A and 3 in B.*--match profile"):
        compare(a, b, match="address")


def test_layers_and_baselines_are_named_behind_the_folder(tmp_path, write):
    layers = {"x": [one(Told(NOUN)), one(Told(VERB))], "y": [one(Told(NOUN)), one(Told(DET))]}
    untrained = {name: [one(Told(DET, 0.6)), one(Told(DET, 0.7))] for name in layers}
    write(tmp_path / "odd@name:1", layers, untrained=untrained)
    home = str(tmp_path / "odd@name:1")
    found = compare(f"{home}:x", f"{home}:y", match="address")
    assert statuses(found) == ["kept", "moved"]
    assert found.a.layers == ("x",)
    assert found.b.layers == ("y",)
    found = compare(home, f"{home}@untrained")
    assert statuses(found) == ["moved", "moved", "moved", "kept"]
    assert found.rows("layers")[0]["likeness"] is None
    assert compare(f"{home}@untrained:y", f"{home}:y").a.variant == "untrained"
    assert compare(home, f"{home}@untrained", layers=["y"]).a.layers == ("y",)


def test_a_concept_that_a_baseline_did_not_test_is_bounded_by_its_best(tmp_path, write):
    """The untrained unit's best concept is told at .6, so the trained unit's concept is weaker there still."""
    layers = {LAYER: [one(Told(NOUN, 0.9)), one(Told(NOUN, 0.6))]}
    atlas = write(tmp_path / "a", layers, untrained={LAYER: [one(Told(DET, 0.6)), one(Told(DET, 0.62))]})
    assert statuses(compare(atlas, f"{atlas.path}@untrained")) == ["moved", "undecided"]


def test_what_is_different_about_the_sides_is_told(pairs):
    a, b = pairs([one(Told(NOUN))], [one(Told(NOUN))], corpus_b="other", weights_b="aa")
    notes = " ".join(compare(a, b, match="address").about["notes"])
    assert "The corpora differ (made-up, other)" in notes
    assert "same weights" in notes


def refused(error, told, *args, **settings):
    with pytest.raises(error, match=told):
        compare(*args, **settings)


def test_what_cannot_be_compared(tmp_path, pairs, write):
    a, b = pairs([one(Told(NOUN))], [one(Told(NOUN))], concepts_b=("other:x",))
    refused(PlanError, r"share no concept.*--concepts", a, b)
    refused(PlanError, "the same units", a, str(a.path))
    refused(PlanError, "Unknown pairing 'index'", a, b, match="index")
    refused(PlanError, "Got seed=-1", a, b, seed=-1)
    refused(PlanError, r"layers=\['...'\]", a, b, layers="x")
    refused(StoreError, "is no atlas", a, tmp_path / "nothing")
    refused(StoreError, r"no baseline 'untrained'.*--baseline", a, f"{b.path}@untrained")
    refused(StoreError, rf"Layer 'encoder.layer.1' is not.*Closest: '{LAYER}'", f"{a.path}:encoder.layer.1", b)
    images = write(tmp_path / "images", {LAYER: [one(Told(NOUN))]}, grid="image:4x4", weights="cc")
    refused(PlanError, "same kind of sites", a, images)
    units = {"z": [one(Told(NOUN)), one(Told(VERB))]}
    wide = write(tmp_path / "wide", units, untrained=units, weights="dd")
    refused(PlanError, r"B keeps no scores.*--measures auroc", a, f"{wide.path}@untrained")


def test_another_schema_is_refused(pairs):
    a, b = pairs([one(Told(NOUN))], [one(Told(NOUN))])
    manifest = json.loads((b.path / "manifest.json").read_text())
    manifest["study"]["schema"] = 1
    (b.path / "manifest.json").write_text(json.dumps(manifest))
    refused(StoreError, "has schema version 1", a, b.path)


def test_the_result_lies_beside_atlas_a(pairs):
    a, b = pairs([one(Told(NOUN)), []], [one(Told(VERB)), []])
    found = compare(a, b, match="address", out="trial")
    assert annexes(a, "comparisons") == ["trial"]
    assert annexes(b, "comparisons") == []
    kept = read_annex(a, "comparisons", "trial")
    assert kept.about == found.about
    for table in found.tables:
        assert kept.rows(table) == [
            {name: pytest.approx(value) if isinstance(value, float) else value for name, value in row.items()}
            for row in found.rows(table)
        ]
    again = compare(a, b, match="address", out="again")
    assert again.about == found.about
    folder = a.path / "comparisons"
    for table in found.tables:
        assert (folder / f"trial.{table}.parquet").read_bytes() == (folder / f"again.{table}.parquet").read_bytes()
    with pytest.raises(StoreError, match="Got the name"):
        found.save("../elsewhere")


def test_a_network_beside_its_untrained_copy(tiny_atlas: Path):
    atlas = Atlas.open(tiny_atlas)
    found = unitscope.compare(atlas, f"{tiny_atlas}@untrained")
    units, tests = found.rows("units"), atlas.sql("select * from tests where slot = 1")
    assert len(units) == len(atlas.units())
    first = {(row["layer"], row["unit"]): row for row in tests}
    reported = {(row["layer"], row["unit"]): row for row in atlas.matches() if row["slot"] == 1}
    for row in units:
        match = reported.get((row["layer"], row["unit"]))
        if row["concept_a"] is not None and match and match["concept"] == row["concept_a"]:
            assert row["effect_a"] == match["score"]
            assert row["low_a"] == match["low"]
            assert row["kind_a"] == match["kind"]
            assert row["effect_a"] == first[row["layer"], row["unit"]]["auroc"]
    assert {row["layer"] for row in found.rows("layers")} == set(atlas.layers)
    assert not re.search("nan", json.dumps(found.about), re.IGNORECASE)
