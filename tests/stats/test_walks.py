import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score

from unitscope.arrays import from_keys, key_table, to_keys
from unitscope.stats.sorting import falling
from unitscope.stats.view import Columns
from unitscope.stats.walks import Combinations, walk_all, walk_own


def some_data(seed, n_sites=200):
    rng = np.random.default_rng(seed)
    rows = [rng.normal(size=n_sites) * 1e4, rng.integers(-2, 3, n_sites), np.maximum(rng.normal(size=n_sites), 0)]
    rows += [np.full(n_sites, 0.1), -rng.random(n_sites) * 1e-6, rng.permutation(n_sites)]
    keys = to_keys(np.stack(rows).astype(np.float16))
    masks = rng.random((n_sites, 5)) < [0.5, 0.1, 0.02, 0.0, 1.1]
    return keys, masks


def walked(keys, masks, edges):
    columns = Columns.from_masks(masks)
    found = Combinations.of(columns.indptr, columns.sites, columns.n_sites)
    return walk_all(keys, falling(keys), found, columns.counts, edges, key_table())


def no_edges(keys):
    return np.zeros((len(keys), 0), np.uint16)


@given(st.integers(0, 2**32), st.integers(0, 40))
def test_combinations_hold_what_the_columns_held(seed, n_sites):
    masks = np.random.default_rng(seed).random((n_sites, 4)) < 0.4
    columns = Columns.from_masks(masks)
    found = Combinations.of(columns.indptr, columns.sites, n_sites)
    if n_sites:
        assert len(found.starts) - 1 == len(np.unique(masks, axis=0))
    for site in range(n_sites):
        number = found.of_site[site]
        held = found.concepts[int(found.starts[number]) : int(found.starts[number + 1])]
        np.testing.assert_array_equal(held, np.flatnonzero(masks[site]))


@pytest.mark.parametrize("seed", [0, 1])
def test_sums(seed):
    keys, masks = some_data(seed)
    values = from_keys(keys).astype(np.float64)
    up, down, ranks, sums = walked(keys, masks, no_edges(keys)).sums
    np.testing.assert_allclose(sums, values @ masks, rtol=1e-12, atol=1e-12 * np.abs(values).max())
    np.testing.assert_array_equal(ranks, 2 * rankdata(values, axis=1) @ masks)
    n = masks.sum(axis=0)
    for concept in (0, 1, 2, 4):
        for unit, row in enumerate(values):
            truth = masks[:, concept]
            expected = [average_precision_score(truth, sign * row) * n[concept] for sign in (1, -1)]
            np.testing.assert_allclose([up[unit, concept], down[unit, concept]], expected, rtol=1e-12)
    assert not up[:, 3].any()


@pytest.mark.parametrize("seed", [0, 1])
def test_counts_above_edges_in_any_order(seed):
    keys, masks = some_data(seed)
    edges = np.random.default_rng(seed).permuted(np.sort(keys, axis=1)[:, [0, 50, 50, 150, 199]], axis=1)
    edges[:, 0] = [0, 0xFFFF, 0, 0xFFFF, 0, 1]
    above = keys[:, :, None] > edges[:, None, :]
    found = walked(keys, masks, edges)
    np.testing.assert_array_equal(found.above, np.einsum("use,sc->uce", above.astype(int), masks.astype(int)))
    np.testing.assert_array_equal(found.row_above, above.sum(axis=1))


@pytest.mark.parametrize("n_sites", [1, 16, 65, 400])
def test_each_unit_with_a_concept_of_its_own(n_sites):
    keys, masks = some_data(n_sites, n_sites)
    columns, order = Columns.from_masks(masks), falling(keys)
    edges = np.sort(keys, axis=1)[:, [n_sites // 2, 0]]
    concepts = np.array([0, 1, 2, 3, 4, 0])
    every = walked(keys, masks, edges)
    own = walk_own(keys, order, columns.indptr, columns.sites, concepts, edges, key_table())
    units = np.arange(6)
    np.testing.assert_allclose(own.sums[:, :, 0], every.sums[:, units, concepts], rtol=1e-14)
    np.testing.assert_array_equal(own.above[:, 0], every.above[units, concepts])
    np.testing.assert_array_equal(own.row_above, every.row_above)


def test_no_sites():
    keys = np.zeros((3, 0), np.uint16)
    found = walked(keys, np.zeros((0, 2), bool), np.zeros((3, 1), np.uint16))
    assert found.sums.shape == (4, 3, 2)
    assert not found.sums.any()
    assert not found.above.any()
