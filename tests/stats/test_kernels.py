import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score

from unitscope.arrays import from_keys, key_table, to_keys
from unitscope.stats import kernels
from unitscope.stats.view import Columns, View

RNG = np.random.default_rng(3)
# Rows of very different range and order: the kernels' counters must be clean again after each.
ROWS = np.stack(
    [
        RNG.normal(size=200) * 1e4,
        RNG.integers(-2, 3, 200),
        np.maximum(RNG.normal(size=200), 0),
        np.full(200, 0.1),
        -RNG.random(200) * 1e-6,
        RNG.permutation(200),
    ]
)
KEYS = to_keys(ROWS.astype(np.float16))
VALUES = from_keys(KEYS).astype(np.float64)
MASKS = RNG.random((200, 5)) < [0.5, 0.1, 0.02, 0.0, 1.1]
COLUMNS = Columns.from_masks(MASKS)
RISING = np.sort(KEYS, axis=1)
EMPTY = np.zeros((3, 0), np.uint16)


def test_double_ranks_are_twice_the_midranks():
    ranks = kernels.double_ranks(KEYS, RISING)
    assert ranks.dtype == np.int32
    np.testing.assert_array_equal(ranks, 2 * rankdata(VALUES, axis=1))


def test_descending_lists_sites_by_falling_value_and_ties_by_site():
    np.testing.assert_array_equal(kernels.descending(KEYS, RISING), np.argsort(-VALUES, axis=1, kind="stable"))


def test_sum_ranks():
    ranks = kernels.double_ranks(KEYS, RISING)
    found = kernels.sum_ranks(ranks, COLUMNS.indptr, COLUMNS.sites)
    np.testing.assert_array_equal(found, ranks.astype(np.int64) @ MASKS)


def test_sums_of_large_ranks_do_not_overflow():
    ranks = np.full((1, 8), 2**31 - 1, np.int32)
    columns = Columns.from_masks(np.ones((8, 1), bool))
    assert kernels.sum_ranks(ranks, columns.indptr, columns.sites).item() == 8 * (2**31 - 1)


def test_gather():
    np.testing.assert_array_equal(kernels.gather(KEYS, COLUMNS.sites), KEYS[:, COLUMNS.sites])


def test_sums_of_a_sweep():
    _, _, ranks, values = View(KEYS, COLUMNS).swept
    np.testing.assert_allclose(values, VALUES @ MASKS, rtol=1e-12)
    np.testing.assert_array_equal(ranks, 2 * rankdata(VALUES, axis=1) @ MASKS)


def test_moments():
    mean, square, least, greatest = kernels.moments(KEYS, key_table()).T
    np.testing.assert_allclose(mean, VALUES.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(square, VALUES.var(axis=1) * 200, rtol=1e-12)
    np.testing.assert_array_equal(least, VALUES.min(axis=1))
    np.testing.assert_array_equal(greatest, VALUES.max(axis=1))


def test_a_constant_has_no_variance_at_all():
    keys = to_keys(np.full((1, 77_777), 0.1, np.float16))
    assert kernels.moments(keys, key_table())[0, 1] == 0.0


def test_average_precision_of_both_ends():
    found = View(KEYS, COLUMNS).swept[:2]
    for concept in (0, 1, 2, 4):
        for unit, values in enumerate(VALUES):
            truth = MASKS[:, concept]
            upper, lower = average_precision_score(truth, values), average_precision_score(truth, -values)
            np.testing.assert_allclose(found[:, unit, concept], [upper, lower], rtol=1e-12)
    assert np.isnan(found[:, :, 3]).all()


@pytest.mark.parametrize("n_sites", [16, 64, 65, 400])
@pytest.mark.parametrize("n_inside", [1, 4])
def test_average_precision_of_a_rare_concept(n_sites, n_inside):
    keys = to_keys(np.random.default_rng(n_sites).integers(-2, 2, (20, n_sites)).astype(np.float16))
    truth = (np.arange(n_sites) >= 3) & (np.arange(n_sites) < 3 + n_inside)
    columns = Columns.from_masks(truth[:, None])
    view = View(keys, columns)
    found = view.swept[:2, :, 0]
    np.testing.assert_array_equal(view.swept[2], kernels.sum_ranks(view.ranks, columns.indptr, columns.sites))
    np.testing.assert_allclose(view.swept[3, :, 0], from_keys(keys) @ truth, rtol=1e-12)
    for sign, row in ((1, found[0]), (-1, found[1])):
        expected = [average_precision_score(truth, sign * values) for values in from_keys(keys)]
        np.testing.assert_allclose(row, expected, rtol=1e-12)


def test_counts_above_edges():
    edges = np.sort(KEYS, axis=1)[:, [0, 50, 150, 199]]
    above = KEYS[:, :, None] > edges[:, None, :]
    found = kernels.count_above(View(KEYS, COLUMNS).sorted_columns, COLUMNS.indptr, edges)
    np.testing.assert_array_equal(found, np.einsum("use,sc->uce", above.astype(int), MASKS.astype(int)))
    np.testing.assert_array_equal(kernels.count_row_above(RISING, edges), above.sum(axis=1))


def test_no_sites():
    columns = Columns.from_masks(np.zeros((0, 2), bool))
    view = View(EMPTY, columns)
    assert kernels.double_ranks(EMPTY, EMPTY).shape == (3, 0)
    assert kernels.descending(EMPTY, EMPTY).shape == (3, 0)
    np.testing.assert_array_equal(kernels.sum_ranks(view.ranks, columns.indptr, columns.sites), np.zeros((3, 2)))
    np.testing.assert_array_equal(view.swept[2:], np.zeros((2, 3, 2)))
    assert np.isnan(view.swept[:2]).all()
    np.testing.assert_array_equal(kernels.count_row_above(EMPTY, np.zeros((3, 2), np.uint16)), np.zeros((3, 2)))
