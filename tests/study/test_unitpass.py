"""Scoring a block of units beside naive loops over sites."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from unitscope.arrays import from_keys, halves_scale, to_keys
from unitscope.measures import default_measures
from unitscope.measures.base import Measure
from unitscope.stats.passport import PARTS
from unitscope.store import read_arrays, write_arrays
from unitscope.study import unitpass
from unitscope.study.frame import Frame
from unitscope.study.plan import N_CANDIDATES, Slice
from unitscope.study.unitpass import N_REPORTED, ON_SHARE, STATUS, run_block, score

SOUND, HUGE, CONSTANT, DEAD, BROKEN = range(7), 7, 8, 9, 10
Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def measures() -> list[Measure]:
    return default_measures()


@pytest.fixture(scope="module")
def scored(grid: Any, frame: Frame, measures: list[Measure]) -> Any:
    """`arrays` of the scored units, their rounded `values` [U, S] at valid sites, `masks` [S, C]."""
    values = grid.values[grid.valid].T
    scale = halves_scale(np.abs(np.nan_to_num(values)).max(axis=1).astype(np.float32))
    keys = to_keys((values / scale[:, None]).astype(np.float16))
    before = keys.copy()
    arrays = score(frame, measures, keys, scale)
    np.testing.assert_array_equal(keys, before, "the keys were changed")
    return SimpleNamespace(
        arrays=arrays,
        values=from_keys(keys).astype(np.float64) * scale[:, None],
        masks=grid.masks[grid.valid],
        known=np.stack([np.ones(frame.n_sites, bool)] * 5 + [grid.known[grid.valid]] * 2, axis=1),
        half=frame.halves.half,
    )


def test_every_array_has_a_row_a_unit(scored: Any) -> None:
    assert {len(array) for array in scored.arrays.values()} == {12}


def test_status(scored: Any) -> None:
    status = [STATUS[code] for code in scored.arrays["status"]]
    assert status == ["live"] * 8 + ["constant", "dead", "nan", "live"]


def test_scores_are_those_of_the_measures_where_concepts_are_known(scored: Any, measures: list[Measure]) -> None:
    sound = [unit for unit in range(12) if unit != BROKEN]
    for measure in measures:
        found = scored.arrays[f"score.{measure.key}"]
        for concept in range(7):
            here = scored.known[:, concept]
            expected = measure.on(scored.values[sound][:, here].T, scored.masks[here][:, [concept]])[:, 0]
            np.testing.assert_allclose(found[sound, concept], expected, rtol=1e-4, atol=1e-6, err_msg=measure.key)
        assert np.isnan(found[BROKEN]).all()


def test_moments_thresholds_and_on_sites(scored: Any) -> None:
    for unit in (*SOUND, HUGE, CONSTANT, DEAD):
        values = scored.values[unit]
        mean, sd, least, greatest = scored.arrays["moments"][unit]
        assert mean == pytest.approx(values.mean(), rel=1e-5, abs=1e-9)
        assert sd == pytest.approx(values.std(), rel=1e-4, abs=1e-9)
        assert (least, greatest) == (values.min(), values.max())
        ordered = np.sort(values)
        at = math.floor(round((1 - ON_SHARE) * (len(values) - 1), 6))
        upper, lower = ordered[at], ordered[len(values) - 1 - at]
        np.testing.assert_allclose(scored.arrays["threshold"][unit], [upper, lower], rtol=1e-6)
        assert scored.arrays["n_on"][unit].tolist() == [(values > upper).sum(), (values < lower).sum()]
    assert np.isnan(scored.arrays["moments"][BROKEN]).all()


def test_units_that_follow_a_concept_are_matched_with_it_and_its_direction(scored: Any) -> None:
    first, sign = scored.arrays["concept"][:, 0].tolist(), scored.arrays["sign"][:, 0].tolist()
    assert first[:6] in ([0, 0, 1, 4, 5, 6], [3, 3, 1, 4, 5, 6])
    assert sign[:6] == [1, -1, 1, 1, 1, -1]
    assert set(scored.arrays["concept"][6, :2].tolist()) in ({0, 4}, {3, 4})
    assert (scored.arrays["pair.p"][:6, 0] < 0.01).all()
    assert (scored.arrays["pair.form"][[0, 1, 2, 4, 5], 0] > 0.7).all()


def test_concepts_that_are_alike_or_too_rare_are_passed_over(scored: Any) -> None:
    concepts = scored.arrays["concept"]
    assert 2 not in concepts, "too rare to be tested"
    for row in concepts.tolist():
        assert not {0, 3} <= set(row), "two concepts at nearly the same sites"
        chosen = [concept for concept in row if concept >= 0]
        assert len(chosen) == len(set(chosen))


def test_units_without_variance_or_numbers_have_no_candidates(scored: Any) -> None:
    for unit in (CONSTANT, BROKEN):
        assert (scored.arrays["concept"][unit] == -1).all()
        assert (scored.arrays["sign"][unit] == 0).all()
        for name, array in scored.arrays.items():
            if name.startswith(("pair.", "held_out.")) or name in ("auroc_a", "passport", "cover"):
                assert np.isnan(array[unit]).all(), name


def pairs(scored: Any, n_slots: int) -> list[tuple[int, int, int, int, NDArray[np.bool_]]]:
    """Unit, slot, concept, sign, and known sites of half B, of every tested pair."""
    found = []
    for unit, row in enumerate(scored.arrays["concept"][:, :n_slots].tolist()):
        for slot, concept in enumerate(row):
            if concept >= 0:
                at = scored.known[:, concept] & (scored.half == 1)
                found.append((unit, slot, concept, int(scored.arrays["sign"][unit, slot]), at))
    assert len(found) > 8
    return found


def test_what_is_chosen_is_measured_on_the_other_half(scored: Any, measures: list[Measure]) -> None:
    for unit, slot, concept, sign, b in pairs(scored, N_REPORTED):
        a = scored.known[:, concept] & (scored.half == 0)
        masks, values = scored.masks[:, concept], scored.values[unit]
        assert scored.arrays["auroc_a"][unit, slot] == pytest.approx(roc_auc_score(masks[a], values[a]))
        held_out = roc_auc_score(masks[b], sign * values[b])
        assert scored.arrays["pair.auroc"][unit, slot] == pytest.approx(held_out)
        low, high = scored.arrays["pair.low"][unit, slot], scored.arrays["pair.high"][unit, slot]
        assert np.isnan(low) == np.isnan(high)
        if not np.isnan(low):
            assert 0 <= low <= held_out + 1e-9 <= high + 2e-9 <= 1 + 3e-9
        if slot == 0:
            for measure in measures:
                if measure.name == "auroc":
                    continue  # it is the pair's own
                expected = measure.on(values[b][:, None], masks[b][:, None])[0, 0]
                found = scored.arrays[f"held_out.{measure.key}"][unit]
                if {"upper": -1, "lower": 1}.get(measure.ends) == sign:
                    assert np.isnan(found), measure.key  # it looks at the other end of the scale
                    continue
                np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6, err_msg=measure.key)


def test_limits_of_measures_are_those_of_the_first_concept(scored: Any, measures: list[Measure]) -> None:
    rare = next(pair for pair in pairs(scored, 1) if pair[2] == 1)
    prevalence = scored.masks[rare[4], 1].mean()
    by_key = {measure.key: measure for measure in measures}
    assert scored.arrays["held_out.average_precision.chance"][rare[0]] == pytest.approx(prevalence, rel=1e-5)
    assert scored.arrays["held_out.correlation.chance"][rare[0]] == pytest.approx(by_key["correlation"].null)
    on = ON_SHARE
    ceiling = scored.arrays["held_out.iou.ceiling"][rare[0]]
    assert ceiling == pytest.approx(min(on, prevalence) / max(on, prevalence), rel=0.2)


def within_form(values: NDArray[Any], mask: NDArray[Any], form: NDArray[Any]) -> float:
    """Mean AUROC over word forms that hold the concept at some sites and not at others, weights n1 n0 / (n1 + n0)."""
    total = weights = 0.0
    for stratum in np.unique(form):
        inside, outside = values[(form == stratum) & mask], values[(form == stratum) & ~mask]
        if len(inside) and len(outside):
            weight = len(inside) * len(outside) / (len(inside) + len(outside))
            wins = np.sign(inside[:, None] - outside[None, :]).mean() / 2 + 0.5
            total, weights = total + weight * wins, weights + weight
    return total / weights if weights else math.nan


def test_effects_within_word_forms(scored: Any, frame: Frame) -> None:
    seen = 0
    for unit, slot, concept, sign, b in pairs(scored, 1):
        found = scored.arrays["pair.form"][unit, slot]
        if np.isnan(found):
            assert scored.arrays["pair.form_p"][unit, slot] == 1
            continue
        expected = within_form(scored.values[unit][b], scored.masks[b, concept], frame.sites.form[b])
        assert found == pytest.approx(expected if sign > 0 else 1 - expected, abs=1e-9)
        seen += 1
    assert seen > 4


def test_a_concept_that_is_a_word_form_has_no_effect_within_forms(scored: Any) -> None:
    found = scored.arrays["pair.form"][3, 0]
    assert scored.arrays["concept"][3, 0] == 4
    assert np.isnan(found)


def test_probabilities_are_probabilities(scored: Any) -> None:
    for name in ("p", "form_p", "place_p"):
        values = scored.arrays[f"pair.{name}"]
        assert ((values >= 0) & (values <= 1) | np.isnan(values)).all(), name
    tested = scored.arrays["concept"][:, :N_REPORTED] >= 0
    np.testing.assert_array_equal(~np.isnan(scored.arrays["pair.p"]), tested)


def test_cover_is_what_the_first_concepts_hold_of_the_on_sites(scored: Any) -> None:
    """Concepts that point to the same end of the unit's scale as the first, at sites where they are known."""
    b = scored.half == 1
    for unit, row in enumerate(scored.arrays["concept"].tolist()):
        if row[0] < 0:
            continue
        sign = scored.arrays["sign"][unit]
        values = np.sort(scored.values[unit][b])
        at = math.floor((1 - ON_SHARE) * (len(values) - 1))
        high, low = values[at], values[len(values) - 1 - at]
        on = b & (scored.values[unit] > high if sign[0] > 0 else scored.values[unit] < low)
        covered = np.zeros(len(b), bool)
        for k in range(N_CANDIDATES):
            if row[k] < 0 or not on.any():
                assert np.isnan(scored.arrays["cover"][unit, k])
                continue
            if sign[k] == sign[0]:
                covered |= scored.masks[:, row[k]] & scored.known[:, row[k]]
            assert scored.arrays["cover"][unit, k] == pytest.approx(covered[on].mean(), abs=1e-6)


def test_passports_are_shares(scored: Any) -> None:
    shares = scored.arrays["passport"][[*SOUND, HUGE]]
    assert shares.shape[1] == len(PARTS)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert (shares >= 0).all()
    assert shares[3, PARTS.index("form")] > shares[2, PARTS.index("form")]


def test_units_do_not_depend_on_their_neighbours(grid: Any, frame: Frame, measures: list[Measure], scored: Any) -> None:
    values = grid.values[grid.valid].T
    for units in ([3], [9, 2, 11], [10, 0]):
        scale = halves_scale(np.abs(np.nan_to_num(values[units])).max(axis=1).astype(np.float32))
        alone = score(frame, measures, to_keys((values[units] / scale[:, None]).astype(np.float16)), scale)
        for name, array in alone.items():
            np.testing.assert_array_equal(array, scored.arrays[name][units], err_msg=name)


def test_a_block_is_the_scores_of_its_units(
    grid: Any, frame: Frame, measures: list[Measure], scored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a spool of two shards, where the units are the last of a layer of 44; worked 16 at a time."""
    values = np.concatenate([np.zeros((32, len(grid.valid)), np.float32), grid.values.T])
    cut = int(np.searchsorted(grid.sites.item, 150))
    paths = []
    for number, part in enumerate((values[:, :cut], values[:, cut:])):
        scale = halves_scale(np.abs(np.nan_to_num(part)).max(axis=1).astype(np.float32))
        path = tmp_path / f"{number}.safetensors"
        write_arrays(path, {"0.0": (part / scale[:, None]).astype(np.float16), "0.0.scale": scale})
        paths.append(path)
    monkeypatch.setattr(unitpass, "CHUNK", 1)
    run_block(frame, measures, Slice(0, 16, 44), [Slice(0, 0, 44)], paths, tmp_path / "block")
    arrays, meta = read_arrays(tmp_path / "block")
    assert meta == {"layer": 0, "start": 16, "stop": 44}
    assert [STATUS[code] for code in arrays["status"][:16]] == ["constant"] * 16
    for name, array in scored.arrays.items():
        np.testing.assert_array_equal(arrays[name][16:], array, err_msg=name)
