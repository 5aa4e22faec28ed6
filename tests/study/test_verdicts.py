"""Verdicts over hand-made tables, beside naive re-implementations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.atlas import Atlas
from unitscope.measures import parse_measures
from unitscope.study.unitpass import N_REPORTED
from unitscope.study.verdicts import Table, discoveries, find_matches, summarise, table_name, with_verdicts

Unit = list[float]
MEASURES = parse_measures(["auroc", "iou:tail=upper", "iou:tail=lower", "correlation"])
P = st.one_of(st.sampled_from([0.001, 0.02, 0.049, 0.05, 1.0, float("nan")]), st.floats(0, 1))
UNITS = st.lists(st.lists(P, min_size=0, max_size=3), max_size=30)


def make(units: list[Unit]) -> Table:
    """Tests of units by the p-values of their slots; half of the units on layer b."""
    rows = [(u, slot, p) for u, unit in enumerate(units) for slot, p in enumerate(unit, 1)]
    n = len(rows)
    draw = np.random.default_rng(0)
    sign = np.where(draw.random(n) < 0.5, 1, -1).astype(np.int8)
    first = np.array([slot == 1 for _, slot, _ in rows], np.bool_)
    values = {name: draw.random(n) for name in ("auroc", "low", "high", "within_form", "within_form_position")}
    scores = {
        f"{kind}_{measure.key}": np.where(first, draw.random(n), np.nan)
        for measure in MEASURES
        for kind in ("score", "chance", "ceiling")
    }
    return {
        "layer": np.array(["a" if u < len(units) / 2 else "b" for u, _, _ in rows], object),
        "unit": np.array([u for u, _, _ in rows], np.int32),
        "slot": np.array([slot for _, slot, _ in rows], np.int32),
        "concept": np.array([f"upos:{slot}" for _, slot, _ in rows], object),
        "sign": sign,
        "n": np.arange(n),
        "prevalence": draw.random(n),
        "a_auroc": draw.random(n),
        "p": np.array([p for _, _, p in rows], np.float64),
        "within_form_p": draw.random(n) ** 4,
        "within_form_position_p": draw.random(n) ** 4,
        **values,
        **scores,
    }


def benjamini_hochberg(p: list[float]) -> list[float]:
    """q of each: the least over all thresholds at or above it of n times the threshold over the number below."""
    return [
        min(min(1.0, len(p) * other / sum(value <= other for value in p)) for other in p if other >= mine) for mine in p
    ]


def naive(units: list[Unit]) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    first = [(u, 1) for u, unit in enumerate(units) if unit and not np.isnan(unit[0])]
    found |= dict(zip(first, benjamini_hochberg([units[u][0] for u, _ in first]), strict=True))
    further = [
        (u, slot)
        for u, unit in enumerate(units)
        for slot in range(2, len(unit) + 1)
        if found.get((u, 1), 1.0) < 0.05 and not np.isnan(unit[slot - 1])
    ]
    return found | dict(zip(further, benjamini_hochberg([units[u][s - 1] for u, s in further]), strict=True))


@given(UNITS)
def test_further_concepts_are_opened_by_a_rejected_first(units: list[Unit]) -> None:
    tests = make(units)
    expected = naive(units)
    for unit, slot, q in zip(tests["unit"].tolist(), tests["slot"].tolist(), discoveries(tests).tolist(), strict=True):
        if (unit, slot) in expected:
            assert q == pytest.approx(expected[unit, slot])
        else:
            assert np.isnan(q)


@given(UNITS)
def test_matches_are_the_rejected_tests_with_a_row_a_measure(units: list[Unit]) -> None:
    tests = make(units)
    matches = find_matches(tests, MEASURES, {"a": np.nan, "b": 0.6})
    expected: list[tuple[int, int, str]] = []
    q = naive(units)
    signs = dict(zip(zip(tests["unit"].tolist(), tests["slot"].tolist()), tests["sign"].tolist()))
    for unit, slot in sorted(key for key, value in q.items() if value < 0.05):
        expected.append((unit, slot, "auroc"))
        if slot == 1:
            expected.append((unit, slot, "iou" if signs[unit, slot] > 0 else "iou_lower"))
            expected.append((unit, slot, "correlation"))
    found = list(zip(matches["unit"].tolist(), matches["slot"].tolist(), matches["measure"].tolist(), strict=True))
    assert found == expected
    assert np.isnan(matches["untrained_p99"][matches["layer"] == "a"]).all()
    assert (matches["untrained_p99"][matches["layer"] == "b"] == 0.6).all()


def strong() -> tuple[Table, Table]:
    tests = make([[0.001, 0.5, 0.002], [0.9], [0.001], []])
    tests["sign"][:] = [-1, 1, 1, 1, 1]
    return tests, find_matches(tests, MEASURES, {"a": np.nan, "b": np.nan})


def test_a_two_ended_measure_is_mirrored_for_a_falling_unit() -> None:
    tests, matches = strong()
    rows = {(u, m): s for u, m, s in zip(matches["unit"], matches["measure"], matches["score"], strict=True)}
    assert rows[0, "correlation"] == -tests["score_correlation"][0]
    assert rows[2, "correlation"] == tests["score_correlation"][4]
    assert rows[0, "iou_lower"] == tests["score_iou_lower"][0]
    assert (matches["q"][matches["measure"] != "auroc"] != matches["q"][matches["measure"] != "auroc"]).all()


def test_units_get_their_first_reported_concept() -> None:
    _, matches = strong()
    names = {"layer": np.array(["a", "a", "b", "b"], object), "unit": np.arange(4, dtype=np.int32)}
    units = with_verdicts(names, matches)
    assert units["concept"].tolist() == ["upos:1", None, "upos:1", None]
    assert units["n_matches"].tolist() == [2, 0, 1, 0]
    assert np.isnan(units["score"]).tolist() == [False, True, False, True]
    assert units["kind"].tolist()[1] is None
    assert "concept" not in names


def test_no_tests_make_no_matches() -> None:
    tests = make([])
    assert all(len(column) == 0 for column in find_matches(tests, MEASURES, {}).values())


def test_summary_counts_by_layer() -> None:
    tests, matches = strong()
    shares = {f"share_{part}": np.full(4, 0.25) for part in ("form", "position", "length", "context", "document")}
    units: dict[str, Any] = {
        "layer": np.array(["a", "a", "b", "b"], object),
        "unit": np.arange(4, dtype=np.int32),
        "status": np.array(["live", "dead", "live", "nan"], object),
        **shares,
        "share_rest": np.array([0.1, 0.2, 0.4, np.nan]),
    }
    found = summarise(["a", "b"], with_verdicts(units, matches), tests, 1e-4)
    assert {name: found["a"][name] for name in ("units", "live", "dead", "nan", "tested", "reported")} == {
        "units": 2,
        "live": 1,
        "dead": 1,
        "nan": 0,
        "tested": 2,
        "reported": 1,
    }
    assert found["a"]["median_shares"]["rest"] == 0.15
    assert found["b"]["median_shares"]["rest"] == 0.4
    assert found["b"]["nan"] == 1
    effects = [max(tests["within_form_position"][:3]), tests["within_form_position"][3]]  # the strongest of each unit
    assert found["a"]["within_form_position_p99"] == round(float(np.quantile(effects, 0.99)), 6)
    assert found["all"] == {"tested": 3, "smallest_q": 1e-4, "reported_slots": N_REPORTED}


def test_the_atlas_holds_the_tests_that_its_matches_come_from(tiny_atlas: Path) -> None:
    atlas = Atlas.open(tiny_atlas)
    rows = atlas.sql(
        "select t.p as tp, m.p as mp, t.auroc, m.score, t.n as tn, m.n as mn from matches m join tests t "
        "using (layer, unit, slot, concept, sign) where m.measure = 'auroc'"
    )
    assert len(rows) == len(atlas.matches())
    assert all((row["tp"], row["auroc"], row["tn"]) == (row["mp"], row["score"], row["mn"]) for row in rows)
    tested = sum(atlas.summary["trained"][layer]["tested"] for layer in atlas.layers)
    assert atlas.sql("select count(*) as n from tests where slot = 1")[0]["n"] == tested
    for variant in ("untrained", "rotation"):
        assert atlas.table(table_name(variant, "tests")).num_rows > 0
