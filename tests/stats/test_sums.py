import numpy as np

from unitscope.arrays import from_keys, to_keys
from unitscope.stats.sums import ConceptSums
from unitscope.stats.view import Columns, View

RNG = np.random.default_rng(5)
SCALE = np.array([1.0, 1024.0, 2.0**-10], np.float32)
KEYS = to_keys(RNG.normal(5, 1, (3, 60)).astype(np.float16))
VALUES = from_keys(KEYS).astype(np.float64) * SCALE[:, None]
MASKS = RNG.random((60, 4)) < [0.5, 0.1, 0.0, 1.1]


def sums(sites=slice(None)):
    return View(KEYS[:, sites], Columns.from_masks(MASKS[sites]), SCALE).ask(ConceptSums())


def test_sums_in_the_units_own_scale():
    np.testing.assert_allclose(sums().sums, VALUES @ MASKS, rtol=1e-12)
    np.testing.assert_array_equal(sums().concept, MASKS.sum(axis=0))
    assert sums().n_sites == 60


def test_means_inside_and_outside():
    inside, outside = sums().inside(), sums().outside(VALUES.mean(axis=1))
    for concept in (0, 1):
        mask = MASKS[:, concept]
        np.testing.assert_allclose(inside[:, concept], VALUES[:, mask].mean(axis=1), rtol=1e-12)
        np.testing.assert_allclose(outside[:, concept], VALUES[:, ~mask].mean(axis=1), rtol=1e-12)


def test_a_mean_over_nothing_is_undefined():
    inside, outside = sums().inside(), sums().outside(VALUES.mean(axis=1))
    np.testing.assert_array_equal(np.isnan(inside), [[False, False, True, False]] * 3)
    np.testing.assert_array_equal(np.isnan(outside), [[False, False, False, True]] * 3)
    np.testing.assert_allclose(outside[:, 2], VALUES.mean(axis=1), rtol=1e-12)


def test_chunks_merge_into_the_whole():
    merged = sums(slice(0, 17)).merge(sums(slice(17, 17))).merge(sums(slice(17, 60)))
    np.testing.assert_allclose(merged.sums, sums().sums, rtol=1e-12)
    np.testing.assert_array_equal(merged.concept, sums().concept)
    assert merged.n_sites == 60


def test_equal_sites_in_another_order_give_the_same_bytes():
    order = RNG.permutation(60)
    shuffled = View(KEYS[:, order], Columns.from_masks(MASKS[order]), SCALE).ask(ConceptSums())
    assert shuffled.sums.tobytes() == sums().sums.tobytes()
