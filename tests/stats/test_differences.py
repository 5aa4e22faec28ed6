"""Differences of estimates with intervals, beside normal errors and beside simulation."""

import numpy as np
import pytest
from scipy.stats import norm

from unitscope.stats.differences import Estimate, difference


def estimate(value, error, skew=0.0):
    value = np.asarray(value, float)
    return Estimate(value, value - 1.96 * error * (1 - skew), value + 1.96 * error * (1 + skew))


def test_even_intervals_give_the_normal_test():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.4, 0.9, (2, 50))
    errors = rng.uniform(0.01, 0.1, (2, 50))
    found = difference(estimate(a, errors[0]), estimate(b, errors[1]))
    error = np.sqrt((errors**2).sum(axis=0))
    assert found.value == pytest.approx(b - a)
    assert found.low == pytest.approx(b - a - 1.96 * error)
    assert found.high == pytest.approx(b - a + 1.96 * error)
    assert found.p == pytest.approx(2 * norm.sf(np.abs(b - a) / error), rel=1e-3)


def test_swapping_the_sides_turns_the_interval():
    a, b = estimate([0.6, 0.9], 0.03, 0.4), estimate([0.7, 0.2], 0.08, -0.3)
    there, back = difference(a, b), difference(b, a)
    assert there.low == pytest.approx(-back.high)
    assert there.high == pytest.approx(-back.low)
    assert there.p == pytest.approx(back.p)


def test_mirrored_effects_differ_the_other_way():
    a, b = estimate([0.6], 0.03, 0.4), estimate([0.7], 0.08, -0.3)
    turned = [each.mirrored(np.array([True])) for each in (a, b)]
    found, other = difference(a, b), difference(*turned)
    assert other.value == pytest.approx(-found.value)
    assert other.low == pytest.approx(-found.high)
    assert a.mirrored(np.array([False])).low.tolist() == a.low.tolist()


def test_p_and_interval_agree_on_what_is_significant():
    rng = np.random.default_rng(1)
    a, b = (estimate(rng.uniform(0.4, 0.9, 300), rng.uniform(0.005, 0.1, 300), s) for s in (0.5, -0.4))
    found = difference(a, b)
    assert np.array_equal(found.p < 0.05, (found.low > 0) | (found.high < 0))
    assert 20 < (found.p < 0.05).sum() < 280


def test_what_is_not_known_stays_unknown():
    a = Estimate(np.array([0.5, 0.5, 0.5]), np.array([0.4, np.nan, 0.5]), np.array([0.6, np.nan, 0.5]))
    b = Estimate(np.array([np.nan, 0.7, 0.5]), np.array([np.nan, 0.6, 0.5]), np.array([np.nan, 0.8, 0.5]))
    found = difference(a, b)
    assert np.isnan(found.value).tolist() == [True, False, False]
    assert np.isnan(found.p).tolist() == [True, True, False]
    assert found.p[2] == 1.0  # equal and without any error: no difference


def test_intervals_cover_the_true_difference():
    """95 % of intervals from independent normal estimates hold it, and p is below .05 for 5 % of no differences."""
    rng = np.random.default_rng(2)
    errors = (0.04, 0.07)
    a, b = (estimate(0.6 + rng.normal(0, error, 4000), error) for error in errors)
    found = difference(a, b)
    assert ((found.low <= 0) & (found.high >= 0)).mean() == pytest.approx(0.95, abs=0.012)
    assert (found.p < 0.05).mean() == pytest.approx(0.05, abs=0.012)
