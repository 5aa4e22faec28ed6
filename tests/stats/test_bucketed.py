"""The jackknife over buckets: against leaving each bucket out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from unitscope.stats.bucketed import add_pairs, buckets, correlations, jackknife, left_out


def test_sums_without_a_bucket_are_those_of_the_rest() -> None:
    draw = np.random.default_rng(0)
    a, b = draw.standard_normal((2, 90, 3)).astype(np.float32)
    partner, bucket = np.array([2, 0, 0]), draw.integers(0, 4, 90).astype(np.int32)
    sums = np.zeros((5, 4, 3))
    add_pairs(a, b, partner, bucket, sums)
    n = np.bincount(bucket, minlength=4).astype(float)
    found = correlations(left_out(n), left_out(sums))
    for k in range(4):
        rest = bucket != k
        for p in range(3):
            assert found[k, p] == pytest.approx(np.corrcoef(a[rest, p], b[rest, partner[p]])[0, 1], abs=1e-6)


def test_the_error_of_a_mean_is_the_usual_one() -> None:
    draw = np.random.default_rng(1)
    values = draw.standard_normal(30)
    without = (values.sum() - values)[:, None] / 29
    low, high = jackknife(np.array([values.mean()]), without, lambda v: v, lambda v: v)
    usual = values.std(ddof=1) / np.sqrt(30) * 2.0452
    assert (high - low)[0] / 2 == pytest.approx(usual, rel=1e-4)


def test_few_buckets_give_no_interval() -> None:
    low, high = jackknife(np.zeros(2), np.zeros((9, 2)), lambda v: v, lambda v: v)
    assert np.isnan([low, high]).all()


def test_blocks_stay_whole_and_are_dealt_evenly() -> None:
    block = np.repeat(np.arange(120), 5)
    sites = block % 2 == 0
    dealt = buckets(block, sites, 3)
    assert dealt.n == 50
    assert (dealt.of_site[~sites] == -1).all()
    assert all(len(set(dealt.of_site[block == each])) == 1 for each in range(0, 120, 2))
    assert set(np.bincount(dealt.of_site[sites])) == {5, 10}
    assert np.array_equal(dealt.of_site, buckets(block, sites, 3).of_site)


def test_constant_pairs_have_no_correlation() -> None:
    sums = np.zeros((5, 1, 1))
    add_pairs(np.ones((4, 1), "f4"), np.arange(4, dtype="f4")[:, None], np.zeros(1, int), np.zeros(4, "i4"), sums)
    assert np.isnan(correlations(np.array([4.0]), sums)).all()
