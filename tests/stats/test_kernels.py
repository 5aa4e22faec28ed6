import numpy as np
from scipy.stats import rankdata

from unitscope.arrays import from_keys, key_table, to_keys
from unitscope.stats import kernels
from unitscope.stats.view import Columns

RNG = np.random.default_rng(3)
ROWS = np.stack([RNG.normal(size=200) * 1e4, RNG.integers(-2, 3, 200), np.full(200, 0.1), -RNG.random(200) * 1e-6])
KEYS = to_keys(ROWS.astype(np.float16))
VALUES = from_keys(KEYS).astype(np.float64)
MASKS = RNG.random((200, 5)) < [0.5, 0.1, 0.02, 0.0, 1.1]
COLUMNS = Columns.from_masks(MASKS)


def test_sum_ranks():
    ranks = (2 * rankdata(VALUES, axis=1)).astype(np.int32)
    found = kernels.sum_ranks(ranks, COLUMNS.indptr, COLUMNS.sites)
    np.testing.assert_array_equal(found, ranks.astype(np.int64) @ MASKS)


def test_sums_of_large_ranks_do_not_overflow():
    ranks = np.full((1, 8), 2**31 - 1, np.int32)
    columns = Columns.from_masks(np.ones((8, 1), bool))
    assert kernels.sum_ranks(ranks, columns.indptr, columns.sites).item() == 8 * (2**31 - 1)


def test_gather():
    np.testing.assert_array_equal(kernels.gather(KEYS, COLUMNS.sites.astype(np.uint32)), KEYS[:, COLUMNS.sites])


def test_moments():
    mean, square, least, greatest = kernels.moments(KEYS, key_table()).T
    np.testing.assert_allclose(mean, VALUES.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(square, VALUES.var(axis=1) * 200, rtol=1e-12)
    np.testing.assert_array_equal(least, VALUES.min(axis=1))
    np.testing.assert_array_equal(greatest, VALUES.max(axis=1))


def test_a_constant_has_no_variance_at_all():
    keys = to_keys(np.full((1, 77_777), 0.1, np.float16))
    assert kernels.moments(keys, key_table())[0, 1] == 0.0
