"""Intervals over repeats and groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from unitscope.errors import ProbeError
from unitscope.probes.repeats import jackknife, over_folds, over_repeats, over_seeds


def test_an_interval_over_repeats_is_students() -> None:
    figures = [0.91, 0.93, 0.9, 0.92, 0.95, 0.89]
    found = over_repeats(figures)
    low, high = stats.t.interval(0.95, 5, np.mean(figures), stats.sem(figures))
    assert (found.mean, found.low, found.high, found.n) == pytest.approx((np.mean(figures), low, high, 6))


def test_fewer_than_five_repeats_have_no_interval() -> None:
    found = over_repeats([0.9, 0.8])
    assert found.mean == pytest.approx(0.85)
    assert np.isnan(found.ends).all()
    for wrong in ([], [0.5, float("nan")]):
        with pytest.raises(ProbeError, match="Expected: a finite figure for each repeat"):
            over_repeats(wrong)


def test_a_jackknife_covers_the_truth_where_groups_differ() -> None:
    draw = np.random.default_rng(0)
    group, covered, naive = np.repeat(np.arange(40), 25), 0, 0
    for _ in range(200):
        right = draw.random(1000) < draw.beta(8, 2, 40)[group]
        found = jackknife(right, group)
        covered += found.low <= 0.8 <= found.high
        naive += abs(right.mean() - 0.8) <= 1.96 * np.sqrt(0.16 / 1000)
    assert covered >= 180
    assert naive < 160


def test_too_few_groups_and_perfect_scores_have_no_ends() -> None:
    right = np.arange(100) % 3 > 0
    assert np.isnan(jackknife(right, np.arange(100) // 12).ends).all()
    assert np.isnan(jackknife(np.ones(100, np.bool_), np.arange(100) // 4).ends).all()
    assert np.isfinite(jackknife(right, np.arange(100) // 4).ends).all()
    with pytest.raises(ProbeError, match="Expected: a group for each site"):
        jackknife(right, np.arange(3))


def test_seeds_and_folds_are_each_used_once() -> None:
    seen: list[int] = []
    assert over_seeds(lambda seed: seen.append(seed) or seed / 10).mean == pytest.approx(0.2)
    assert seen == [0, 1, 2, 3, 4]
    with pytest.raises(ProbeError, match="each seed once"):
        over_seeds(float, [1, 1])
    group, times = np.arange(60) // 4, np.zeros(60)

    def run(held: np.ndarray) -> float:
        times[held] += 1
        return float(held.mean())

    assert over_folds(run, group).mean == pytest.approx(0.2)
    assert (times == 1).all()
