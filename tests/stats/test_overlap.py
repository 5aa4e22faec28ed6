import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.arrays import from_keys, to_keys
from unitscope.stats.overlap import Overlap, Overlaps, Quantiles
from unitscope.stats.view import Columns, View


def view_of(values, masks=None, scale=None):
    keys = to_keys(np.asarray(values).astype(np.float16))
    masks = np.zeros((keys.shape[1], 0), bool) if masks is None else masks
    return View(keys, Columns.from_masks(masks), scale)


def naive(values, masks, share, tail):
    """On-sites by sorting: strictly beyond the value that leaves ceil(share * (S - 1)) sites beyond it."""
    sign = 1 if tail == "upper" else -1
    threshold = sign * np.sort(sign * values, axis=1)[:, -1 - math.ceil(round(share * (values.shape[1] - 1), 6))]
    on = sign * values > sign * threshold[:, None]
    return on @ masks.astype(int), on.sum(axis=1), threshold


@given(
    st.integers(0, 2**32),
    st.integers(1, 60),
    st.sampled_from([0.005, 0.01, 0.1, 0.42, 0.5, 1.0]),
    st.sampled_from(["upper", "lower"]),
    st.sampled_from(["continuous", "tied", "relu", "constant"]),
)
def test_overlap_is_what_sorting_finds(seed, n_sites, share, tail, kind):
    rng = np.random.default_rng(seed)
    values = {
        "continuous": rng.normal(size=(3, n_sites)),
        "tied": rng.integers(-2, 3, (3, n_sites)),
        "relu": np.maximum(rng.normal(-1, 1, (3, n_sites)), 0),
        "constant": np.full((3, n_sites), -0.5),
    }[kind]
    masks = rng.random((n_sites, 3)) < [0.5, 0.0, 1.1]
    view = view_of(values, masks)
    overlap = view.ask(Overlap(share, tail))
    both, on, threshold = naive(from_keys(view.keys), masks, share, tail)
    np.testing.assert_array_equal(overlap.both, both)
    np.testing.assert_array_equal(overlap.on, on)
    np.testing.assert_array_equal(overlap.threshold, threshold)
    np.testing.assert_array_equal(overlap.concept, masks.sum(axis=0))
    assert (overlap.on <= math.ceil(round(share * (n_sites - 1), 6))).all()


@pytest.mark.parametrize("share", [0.01, 0.29, 0.34, 0.56, 0.92])
def test_shares_that_are_whole_numbers_of_sites_are_met(share):
    view = view_of(np.arange(101.0)[None])
    for tail in ("upper", "lower"):
        assert view.ask(Overlap(share, tail)).on.item() == round(share * 100)


def test_a_zero_quantile_is_the_threshold_of_a_sparse_unit():
    values = np.array([[0.0] * 90 + [0.5, 2.0, 1.0] + [0.0] * 7])
    masks = (np.arange(100) >= 91)[:, None]
    overlap = view_of(values, masks).ask(Overlap(0.05))
    assert (overlap.threshold.item(), overlap.on.item(), overlap.both.item()) == (0.0, 3, 2)


def test_the_lower_tail_is_the_upper_one_upside_down():
    rng = np.random.default_rng(0)
    values, masks = np.round(rng.normal(size=(4, 150)), 1), rng.random((150, 2)) < 0.3
    lower = view_of(values, masks).ask(Overlap(0.1, "lower"))
    upper = view_of(-values, masks).ask(Overlap(0.1, "upper"))
    np.testing.assert_array_equal(lower.both, upper.both)
    np.testing.assert_array_equal(lower.on, upper.on)
    np.testing.assert_array_equal(lower.threshold, -upper.threshold)


def test_the_threshold_is_in_the_units_own_scale():
    view = view_of([[1.0, 2.0, 3.0]], scale=np.array([4.0], np.float32))
    assert view.ask(Overlap(0.5)).threshold.item() == 8.0


def test_infinite_values_can_be_on():
    overlap = view_of([[-np.inf, 0.0, 1.0, np.inf]], np.ones((4, 1), bool)).ask(Overlap(0.3))
    assert (overlap.on.item(), overlap.threshold.item()) == (1, 1.0)


@pytest.mark.parametrize("tail", ["upper", "lower"])
def test_no_sites(tail):
    for _ in range(3):  # nothing may be read that was not written
        overlap = view_of(np.zeros((2, 0)), np.zeros((0, 2), bool)).ask(Overlap(0.01, tail))
        assert not overlap.both.any()
        assert not overlap.on.any()
        assert np.isnan(overlap.threshold).all()


def test_merge_adds_counts_and_keeps_the_threshold():
    threshold = np.array([0.5])
    one = Overlaps(np.array([[1, 2]]), np.array([3]), np.array([4, 5]), 10, threshold)
    nothing = view_of(np.zeros((1, 0)), np.zeros((0, 2), bool)).ask(Overlap())
    for merged, times in ((one.merge(one), 2), (one.merge(nothing), 1), (nothing.merge(one), 1)):
        np.testing.assert_array_equal(merged.both, [[times, 2 * times]])
        np.testing.assert_array_equal(merged.on, [3 * times])
        np.testing.assert_array_equal(merged.concept, [4 * times, 5 * times])
        assert merged.n_sites == 10 * times
        np.testing.assert_array_equal(merged.threshold, threshold)


@given(st.integers(0, 2**32), st.integers(1, 50))
def test_quantiles_are_numpys_lower_ones(seed, n_sites):
    values = np.random.default_rng(seed).integers(-9, 9, (2, n_sites))
    shares = (0.0, 0.125, 0.5, 0.875, 1.0)
    keys = view_of(values).ask(Quantiles(shares))
    np.testing.assert_array_equal(from_keys(keys), np.quantile(values, shares, axis=1, method="lower").T)


def test_quantiles_of_no_sites_are_undefined():
    assert np.isnan(from_keys(view_of(np.zeros((2, 0))).ask(Quantiles((0.5,))))).all()
