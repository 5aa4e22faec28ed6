"""Paired effects and their jackknife, beside a loop over blocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from unitscope.causal.effects import Sums, contrast, effect_of


def test_effect_is_the_jackknife_of_a_ratio() -> None:
    draw = np.random.default_rng(0)
    difference, counts = draw.normal(size=40), draw.integers(1, 9, 40).astype(float)
    block = np.repeat(np.arange(20), 2)
    found = effect_of(difference, counts, block)
    whole = difference.sum() / counts.sum()
    without = [difference[block != b].sum() / counts[block != b].sum() for b in range(20)]
    error = np.sqrt(19 / 20 * sum((each - np.mean(without)) ** 2 for each in without))
    assert found.effect == pytest.approx(whole)
    assert found.high - found.effect == pytest.approx(student.ppf(0.975, 19) * error)
    assert found.p == pytest.approx(2 * student.sf(abs(whole) / error, 19))


def test_no_change_has_p_1_and_few_blocks_have_no_interval() -> None:
    ones = np.ones(30)
    still = effect_of(np.zeros(30), ones, np.arange(30))
    assert (still.effect, still.low, still.high, still.p) == (0.0, 0.0, 0.0, 1.0)
    few = effect_of(ones, ones, np.arange(30) % 9)
    assert few.effect == 1.0
    assert np.isnan([few.low, few.high, few.p]).all()
    assert np.isnan(effect_of(np.zeros(3), np.zeros(3), np.arange(3)).effect)


def test_contrast_covers_a_true_difference() -> None:
    draw = np.random.default_rng(1)
    ones, covered = np.ones(60), 0
    for _ in range(200):
        shared = draw.normal(size=60)
        inside = shared + 0.5 + draw.normal(0, 0.3, 60)
        found = contrast((inside, ones), (shared, ones), np.arange(60))
        covered += found.low <= 0.5 <= found.high
    assert 0.9 <= covered / 200 <= 0.99


def test_contrast_of_a_concept_in_few_blocks_has_no_interval() -> None:
    carrying = (np.arange(40) < 5).astype(float)
    found = contrast((carrying, carrying), (np.zeros(40), np.ones(40)), np.arange(40))
    assert found.effect == 1.0
    assert np.isnan(found.low)


def test_rounding_is_no_effect() -> None:
    rng = np.random.default_rng(0)
    counts = np.full((2, 40), 5.0)
    whole = rng.normal(3, 1, 40)
    for change, sure in ((1e-8, False), (1e-4, True)):
        sums = np.stack([whole, whole + change * rng.normal(1, 0.2, 40)])
        found = Sums(np.stack([sums, counts], axis=-1), np.arange(40)).effect(1)
        assert found.low <= found.effect <= found.high
        assert (found.p == 1.0) is not sure
        difference = sums[1] - sums[0]
        assert (effect_of(difference, counts[0], np.arange(40), 1e-6).p == 1.0) is not sure
