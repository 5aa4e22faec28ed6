import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from unitscope.arrays import to_keys
from unitscope.stats import sorting


def some_keys(seed, n_units, n_sites):
    """Rows of very different range: the counters must be clean again after each."""
    rng = np.random.default_rng(seed)
    rows = [
        rng.normal(size=n_sites) * 1e4,
        rng.integers(-2, 3, n_sites),
        np.maximum(rng.normal(size=n_sites), 0),
        np.full(n_sites, 0.1),
        rng.permutation(n_sites) - n_sites / 2,
    ]
    rng.shuffle(rows)
    keys = to_keys(np.stack([rows[i % len(rows)] for i in range(n_units)]).astype(np.float16))
    keys[0, : n_sites // 3] = rng.choice([0, 1, 0xFFFF], n_sites // 3)
    return keys


def naive_order(keys):
    return np.argsort(0xFFFF - keys.astype(np.int64), axis=1, kind="stable")


@pytest.mark.parametrize("n_sites", [0, 1, 2, 300, 4_000, 20_000])
def test_falling_lists_sites_by_falling_key_and_ties_by_site(n_sites):
    keys = some_keys(n_sites, 7, n_sites)
    np.testing.assert_array_equal(sorting.falling(keys), naive_order(keys))


@given(st.integers(0, 2**32), st.integers(0, 60))
def test_what_follows_from_an_order(seed, n_sites):
    rng = np.random.default_rng(seed)
    keys = some_keys(seed, 3, n_sites)
    order = sorting.falling(keys)
    np.testing.assert_array_equal(sorting.rising(keys, order), np.sort(keys, axis=1))
    ranks = sorting.double_ranks(keys, order)
    assert ranks.dtype == np.int32
    if n_sites:
        np.testing.assert_array_equal(ranks, 2 * rankdata(keys.astype(np.int64), axis=1))
    keep = rng.random(n_sites) < 0.5
    number = np.where(keep, np.cumsum(keep) - 1, -1).astype(np.int32)
    np.testing.assert_array_equal(sorting.part(order, number, int(keep.sum())), naive_order(keys[:, keep]))
    group = rng.integers(0, 4, n_sites).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=4))]).astype(np.int64)
    grouped = sorting.grouped(order, group, starts)
    for u, row in enumerate(naive_order(keys)):
        np.testing.assert_array_equal(grouped[u], np.concatenate([row[group[row] == g] for g in range(4)]))
