import numpy as np
from scipy.stats import pointbiserialr

from unitscope.measures.correlation import Correlation

RNG = np.random.default_rng(0)
MASKS = RNG.random((120, 3)) < [0.5, 0.05, 0.3]
VALUES = (RNG.normal(size=(120, 4)) + MASKS[:, [2]] + 20).astype(np.float16).astype(float)


def test_correlation_is_the_point_biserial_one():
    expected = [[pointbiserialr(MASKS[:, c], VALUES[:, u]).statistic for c in range(3)] for u in range(4)]
    np.testing.assert_allclose(Correlation().on(VALUES, MASKS), expected, rtol=1e-9)


def test_a_linear_change_of_the_unit_changes_nothing_but_the_sign():
    found = Correlation().on(VALUES, MASKS)
    np.testing.assert_allclose(Correlation().on(-2048 * VALUES, MASKS), -found, rtol=1e-9)


def test_the_mask_itself_is_at_one():
    np.testing.assert_allclose(np.diag(Correlation().on(3.0 * MASKS - 1, MASKS)), 1)


def test_undefined_for_constants():
    masks = np.stack([MASKS[:, 0], np.zeros(120, bool), np.ones(120, bool)], axis=1)
    found = Correlation().on(np.concatenate([VALUES[:, :1], np.full((120, 1), 0.1)], axis=1), masks)
    np.testing.assert_array_equal(np.isnan(found), [[False, True, True], [True, True, True]])
