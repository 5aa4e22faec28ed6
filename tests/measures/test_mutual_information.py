import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from unitscope.arrays import to_keys
from unitscope.measures.mutual_information import MutualInformation
from unitscope.stats.joint_histogram import JointHistogram
from unitscope.stats.view import Columns, View

RNG = np.random.default_rng(0)
MASKS = RNG.random((200, 3)) < [0.5, 0.05, 0.3]
VALUES = np.concatenate(
    [RNG.normal(size=(200, 2)) + MASKS[:, [2]], np.maximum(RNG.normal(size=(200, 1)), 0), np.ones((200, 1))], axis=1
)


@pytest.mark.parametrize("n_bins", [2, 8, 50])
def test_information_of_quantile_bins_is_sklearns_in_bits(n_bins):
    found = MutualInformation(n_bins).on(VALUES, MASKS)
    for unit, column in enumerate(VALUES.T.astype(np.float16).astype(float)):
        bins = np.searchsorted(np.quantile(column, np.arange(1, n_bins) / n_bins, method="lower"), column)
        expected = [mutual_info_score(bins, MASKS[:, c]) / np.log(2) for c in range(3)]
        np.testing.assert_allclose(found[unit], expected, rtol=1e-9, atol=1e-12)


def test_direction_does_not_matter():
    values = RNG.permutation(64)[:, None].astype(float)
    masks = RNG.random((64, 2)) < 0.4
    measure = MutualInformation(8)
    folded = np.abs(values - 31.5)
    assert measure.on(folded, folded < 16).item() == pytest.approx(1.0)
    assert measure.on(-folded, folded < 16).item() == pytest.approx(1.0)
    assert (measure.on(values, masks) >= 0).all()


@pytest.mark.parametrize("n_bins", range(2, 9))
def test_independence_is_zero_and_not_below(n_bins):
    values = np.tile(np.arange(float(n_bins)), 15)[:, None]
    masks = np.arange(15 * n_bins)[:, None] < np.array([3, 5, 6]) * n_bins
    found = MutualInformation(n_bins).on(values, masks)
    np.testing.assert_allclose(found, 0, atol=1e-14)
    assert (found >= 0).all()


def joint(n_sites=200, n_bins=8):
    keys = to_keys(VALUES[:n_sites].T.astype(np.float16))
    return View(keys, Columns.from_masks(MASKS[:n_sites])).ask(JointHistogram(n_bins))


def test_ceiling_is_the_entropy_of_the_concept():
    p = MASKS.mean(axis=0)
    entropy = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
    np.testing.assert_allclose(MutualInformation().ceiling(joint()), np.tile(entropy, (4, 1)))


def test_chance_is_the_bias_of_a_finite_corpus():
    found = joint()
    filled = (found.bins > 0).sum(axis=-1)
    assert set(filled.tolist()) == {1, 6, 8}  # a constant unit, a coarse one, continuous ones
    np.testing.assert_allclose(MutualInformation().chance(found)[:, 0], (filled - 1) / (2 * 200 * np.log(2)))


def test_no_sites():
    measure = MutualInformation()
    assert np.isnan(measure.score(joint(0))).all()
    np.testing.assert_array_equal(measure.ceiling(joint(0)), 0.0)
    np.testing.assert_array_equal(measure.chance(joint(0)), 0.0)
