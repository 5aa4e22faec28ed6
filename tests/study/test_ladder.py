"""Planted truth: a unit that knows single words climbs the first rung only; one that knows the concept, all of them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from unitscope.arrays import halves_scale, to_keys
from unitscope.concepts.table import ConceptTable
from unitscope.measures import parse_measures
from unitscope.models.base import Layer
from unitscope.study.assemble import test_table as make_tests
from unitscope.study.frame import make_frame
from unitscope.study.ladder import NO_PAIRS, RUNGS, TOO_FEW_FORMS, TOO_FEW_PAIRS, TOO_FEW_TYPES, ladder_table, new_types
from unitscope.study.minimal_pairs import PairResults
from unitscope.study.plan import Study
from unitscope.study.prepare import Sites
from unitscope.study.unitpass import N_REPORTED, Extras, score

CONCEPT, OTHER = "tag:yes", "tag:other"


@pytest.fixture(scope="module")
def world() -> Any:
    """Documents with common words (some ambiguous) and rare ones that hardly two documents share.

    Units: 0 fires on the concept, 1 falls on it, 2 has a value for each word form that is high for forms that mostly
    have the concept, 3 is noise, 4 fires on the other concept. Concept `other` holds by word
    form alone, never in rare forms.
    """
    draw = np.random.default_rng(2)
    n_items, length = 600, 10
    n = n_items * length
    common = draw.random(n) < 0.7
    form = np.where(common, draw.integers(0, 60, n), 60 + draw.integers(0, 3000, n)).astype(np.int32)
    # Forms 0-19 mostly have the concept, 20-39 seldom, 40-59 never; a rare form has it or not, always alike.
    likely = np.concatenate([np.full(20, 0.85), np.full(20, 0.15), np.zeros(20), draw.random(3000) < 0.4])
    has = draw.random(n) < likely[form]
    other = form % 7 == 3
    other &= form < 60
    masks = np.stack([has, other], axis=1)
    table = ConceptTable(
        (CONCEPT, OTHER),
        ("tag", "tag"),
        np.concatenate([[0], np.cumsum(masks.sum(axis=0))]).astype(np.int64),
        np.nonzero(masks.T)[1].astype(np.int32),
        n,
    )
    sites = Sites(
        np.repeat(np.arange(n_items), length).astype(np.int32),
        np.tile(np.arange(length), n_items).astype(np.int32),
        np.full(n, length, np.int32),
        form,
    )
    known = np.where(np.arange(3060) < 60, likely, 0.4)  # what a memory of words knows: nothing of rare ones
    noise = draw.normal(size=(5, n))
    values = np.stack([2.0 * has, -2.0 * has, 4.0 * known[form], 0 * has, 3.0 * other]) + noise
    groups = [f"g{item // 6}" for item in range(n_items)]
    frame = make_frame(sites, groups, table, np.ones(n, np.bool_), 0)
    scale = halves_scale(np.abs(values).max(axis=1).astype(np.float32))
    arrays = score(frame, (), to_keys((values / scale[:, None]).astype(np.float16)), scale, Extras(ladder=True))
    arrays["layer"], arrays["unit"] = np.zeros(5, np.int32), np.arange(5, dtype=np.int32)
    study = Study("m", "0", "c", "0", (Layer("a", 5, "source"),), (), ())
    tests = make_tests(study, {"source": frame}, parse_measures(["auroc"]), arrays)
    return SimpleNamespace(frame=frame, arrays=arrays, tests=tests, values=values, masks=masks, form=form)


def rows_of(world: Any, unit: int, concept: str = CONCEPT, pairs: PairResults | None = None) -> dict[str, Any]:
    table = ladder_table(world.tests, world.arrays, pairs, N_REPORTED)
    return {
        table["rung"][i]: {name: table[name][i] for name in table}
        for i in range(len(table["unit"]))
        if table["unit"][i] == unit and table["concept"][i] == concept
    }


def made_pairs(signs: list[list[int]]) -> PairResults:
    """Results of 30 pairs for 4 units that vary the concept, in turn in the first and in the second sentence."""
    way = np.tile(np.array([1, -1], np.int8), 15)
    return PairResults(
        {"a": np.array(signs, np.int8)}, {CONCEPT: (np.arange(30, dtype=np.int32), way), OTHER: (np.arange(3), way[:3])}
    )


WAY = [1, -1] * 15
PAIRS = made_pairs([WAY, [-each for each in WAY], [1] * 30, [0] * 29 + [-2], [1] * 30])


@pytest.mark.parametrize("unit", [0, 1])
def test_a_unit_that_knows_the_concept_climbs_every_rung(world: Any, unit: int) -> None:
    rows = rows_of(world, unit, pairs=PAIRS)
    assert tuple(rows) == RUNGS
    for rung, row in rows.items():
        assert row["effect"] > 0.85, rung
        assert row["low"] <= row["effect"] <= row["high"], rung
        assert row["low"] > 0.8, rung
        assert row["p"] < 1e-3, rung
        assert row["n"] >= 20, rung
        assert row["why"] is None, rung


def test_a_unit_that_knows_single_words_climbs_the_first_rung_only(world: Any) -> None:
    rows = rows_of(world, 2, pairs=PAIRS)
    assert rows["documents"]["effect"] > 0.7
    assert rows["documents"]["p"] < 0.01
    for rung in RUNGS[1:]:
        assert abs(rows[rung]["effect"] - 0.5) < 0.06, rung
        assert rows[rung]["p"] > 0.05, rung


def test_rungs_that_are_impossible_say_why(world: Any) -> None:
    rows = rows_of(world, 4, OTHER, PAIRS)
    reasons = [rows[rung]["why"] for rung in RUNGS]
    assert reasons == [None, TOO_FEW_TYPES, TOO_FEW_FORMS, TOO_FEW_PAIRS]
    for rung in RUNGS[1:]:
        assert all(np.isnan(rows[rung][name]) for name in ("effect", "low", "high", "p"))
    assert [rows[rung]["n"] for rung in RUNGS[1:]] == [0, 0, 3]
    assert rows_of(world, 0)["minimal pairs"]["why"] == NO_PAIRS


def test_new_types_by_hand(world: Any) -> None:
    universe = world.frame.universes[0]
    mask, new = new_types(universe, 0)
    half = world.frame.halves.half
    forms_a = set(world.form[half == 0].tolist())
    positive_a = set(world.form[(half == 0) & world.masks[:, 0]].tolist())
    expected = [
        (form not in positive_a) if has else (form not in forms_a)
        for form, has in zip(world.form[half == 1].tolist(), world.masks[half == 1, 0].tolist(), strict=True)
    ]
    np.testing.assert_array_equal(new, expected)
    np.testing.assert_array_equal(mask, world.masks[half == 1, 0])
    assert 20 < (new & mask).sum() < mask.sum()


def test_the_word_types_rung_is_the_auroc_over_new_types(world: Any) -> None:
    from sklearn.metrics import roc_auc_score

    mask, new = new_types(world.frame.universes[0], 0)
    for unit, sign in ((0, 1), (1, -1), (2, 1)):
        values = world.values[unit][world.frame.halves.b][new] * sign
        row = rows_of(world, unit)["word types"]
        assert row["effect"] == pytest.approx(roc_auc_score(mask[new], values), abs=1e-3)
        assert row["n"] == (mask & new).sum()


def test_the_first_rung_is_the_tests_own(world: Any) -> None:
    table = ladder_table(world.tests, world.arrays, None, N_REPORTED)
    first = table["rung"] == "documents"
    for name, key in (("effect", "auroc"), ("low", "low"), ("high", "high"), ("p", "p"), ("n", "n")):
        np.testing.assert_array_equal(table[name][first], world.tests[key])
    third = table["rung"] == "ambiguous words"
    np.testing.assert_array_equal(table["effect"][third], world.tests["within_form"])


def test_nothing_tested_gives_an_empty_table(world: Any) -> None:
    tests = {name: column[:0] for name, column in world.tests.items()}
    arrays = {**world.arrays, "concept": np.full((5, 5), -1, np.int32)}
    table = ladder_table(tests, arrays, PAIRS, N_REPORTED)
    assert {len(column) for column in table.values()} == {0}
