import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unitscope.arrays import from_keys, to_keys
from unitscope.stats.moments import Moment, Moments
from unitscope.stats.view import Columns, View


def view_of(values, scale=None):
    keys = to_keys(np.asarray(values).astype(np.float16))
    return View(keys, Columns.from_masks(np.zeros((keys.shape[1], 0), bool)), scale)


def assert_moments(moment, values):
    assert moment.n == values.shape[1]
    np.testing.assert_allclose(moment.mean, values.mean(axis=1), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(moment.variance, values.var(axis=1), rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(moment.least, values.min(axis=1))
    np.testing.assert_array_equal(moment.greatest, values.max(axis=1))


def test_moments_in_the_units_own_scale():
    scale = np.array([1.0, 2.0**-20, 2.0**60], np.float32)
    view = view_of(np.random.default_rng(0).normal(3, 1, (3, 50)), scale)
    values = from_keys(view.keys).astype(np.float64) * scale[:, None]
    moment = view.ask(Moments())
    for unit in range(3):
        np.testing.assert_allclose(moment.mean[unit], values[unit].mean(), rtol=1e-12)
        np.testing.assert_allclose(moment.variance[unit], values[unit].var(), rtol=1e-12)
        assert moment.least[unit] == values[unit].min()
        assert moment.greatest[unit] == values[unit].max()


@given(st.integers(0, 2**32), st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_merged_chunks_are_the_whole(seed, sizes):
    rng = np.random.default_rng(seed)
    chunks = [rng.normal(100, 3, (2, size)) for size in sizes]
    merged = Moment.empty(2)
    for chunk in chunks:
        merged = merged.merge(view_of(chunk).ask(Moments()))
    whole = from_keys(view_of(np.concatenate(chunks, axis=1)).keys).astype(np.float64)
    if whole.shape[1]:
        assert_moments(merged, whole)
    else:
        assert merged.n == 0


def test_merging_with_nothing_changes_no_bit_even_of_infinities():
    moment = view_of([[1.0, np.inf], [0.1, 0.2]]).ask(Moments())
    for merged in (moment.merge(Moment.empty(2)), Moment.empty(2).merge(moment)):
        assert merged.n == 2
        np.testing.assert_array_equal(merged.mean, moment.mean)
        np.testing.assert_array_equal(merged.square, moment.square)
        np.testing.assert_array_equal(merged.greatest, [np.inf, moment.greatest[1]])


def test_no_sites():
    moment = view_of(np.zeros((2, 0))).ask(Moments())
    assert moment.n == 0
    assert np.isnan(moment.variance).all()
    assert Moment.empty(2).merge(Moment.empty(2)).n == 0


def test_a_constant_unit_has_variance_zero_after_merging():
    first, second = view_of(np.full((1, 7), 0.1)).ask(Moments()), view_of(np.full((1, 13), 0.1)).ask(Moments())
    assert first.merge(second).variance.item() == 0.0
