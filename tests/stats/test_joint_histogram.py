import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.arrays import from_keys, to_keys
from unitscope.stats.joint_histogram import JointHistogram
from unitscope.stats.view import Columns, View


def joint(values, masks, n_bins):
    return View(to_keys(values.astype(np.float16)), Columns.from_masks(masks)).ask(JointHistogram(n_bins))


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(2, 9), st.booleans())
def test_counts_are_those_of_bins_by_search(seed, n_sites, n_bins, tied):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, (2, n_sites)) if tied else rng.normal(size=(2, n_sites))
    masks = rng.random((n_sites, 3)) < [0.4, 0.0, 1.1]
    found = joint(values, masks, n_bins)
    rounded = from_keys(to_keys(values.astype(np.float16)))
    for unit, row in enumerate(rounded):
        edges = np.quantile(row, np.arange(1, n_bins) / n_bins, method="lower")
        bins = np.searchsorted(edges, row, side="left")
        np.testing.assert_array_equal(found.bins[unit], np.bincount(bins, minlength=n_bins))
        for concept in range(3):
            expected = np.bincount(bins[masks[:, concept]], minlength=n_bins)
            np.testing.assert_array_equal(found.inside[unit, concept], expected)
    np.testing.assert_array_equal(found.concept, masks.sum(axis=0))


def test_bins_of_untied_values_are_of_equal_share():
    found = joint(np.random.default_rng(0).permutation(800)[None], np.zeros((800, 0), bool), 8)
    np.testing.assert_allclose(found.bins, 100, atol=1)


@pytest.mark.parametrize("n_sites", [0, 1])
def test_hardly_any_sites(n_sites):
    found = joint(np.ones((2, n_sites)), np.ones((n_sites, 1), bool), 8)
    assert found.inside.shape == (2, 1, 8)
    np.testing.assert_array_equal(found.bins.sum(axis=1), n_sites)
    np.testing.assert_array_equal(found.inside.sum(axis=2), n_sites)


def test_merge_adds_counts():
    rng = np.random.default_rng(1)
    found = joint(rng.normal(size=(2, 50)), rng.random((50, 2)) < 0.5, 4)
    merged = found.merge(found)
    np.testing.assert_array_equal(merged.inside, 2 * found.inside)
    np.testing.assert_array_equal(merged.bins, 2 * found.bins)
    np.testing.assert_array_equal(merged.concept, 2 * found.concept)
    assert merged.n_sites == 100
