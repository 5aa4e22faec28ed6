import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.arrays import N_KEYS, evenly_spaced_keys, from_keys, halves_scale, key_table, to_keys

EVERY_HALF = np.arange(N_KEYS, dtype=np.uint16).view(np.float16)


def test_keys_order_as_values_do():
    numbers = EVERY_HALF[~np.isnan(EVERY_HALF)]
    keys = to_keys(numbers)
    order = np.argsort(numbers, kind="stable")
    rising, keys = numbers[order], keys[order].astype(np.int64)
    np.testing.assert_array_equal(keys[1:] > keys[:-1], rising[1:] > rising[:-1])
    np.testing.assert_array_equal(keys[1:] == keys[:-1], rising[1:] == rising[:-1])


def test_zeros_of_both_signs_share_a_key():
    plus, minus = to_keys(np.array([0.0, -0.0], np.float16))
    assert plus == minus


def test_not_a_number_is_key_zero_and_nothing_else_is():
    keys = to_keys(EVERY_HALF)
    np.testing.assert_array_equal(keys == 0, np.isnan(EVERY_HALF))
    assert np.isnan(from_keys(np.zeros(1, np.uint16))).all()


def test_infinities_lie_outside_all_numbers():
    numbers = EVERY_HALF[np.isfinite(EVERY_HALF)]
    low, high = to_keys(np.array([-np.inf, np.inf], np.float16))
    assert low < to_keys(numbers).min()
    assert high > to_keys(numbers).max()


def test_from_keys_inverts_to_keys():
    values = from_keys(to_keys(EVERY_HALF))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, EVERY_HALF.astype(np.float32))


def test_key_table_decodes():
    keys = to_keys(EVERY_HALF)
    np.testing.assert_array_equal(key_table()[keys], from_keys(keys))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (2, 3, 4), ()])
def test_keys_keep_the_shape(shape):
    assert to_keys(np.ones(shape, np.float16)).shape == shape


def test_keys_of_any_memory_layout():
    halves = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float16)
    before = halves.copy()
    whole = to_keys(halves)
    np.testing.assert_array_equal(to_keys(halves.T), whole.T)
    np.testing.assert_array_equal(to_keys(halves[::2, 1::3]), whole[::2, 1::3])
    halves.setflags(write=False)
    np.testing.assert_array_equal(to_keys(halves), whole)
    np.testing.assert_array_equal(halves, before)


@pytest.mark.parametrize(
    ("largest", "scale"),
    [
        (0.0, 1.0),
        (2.0**-4, 1.0),
        (60_000.0, 1.0),
        (65_520.0, 32_768.0),
        (3e38, 2.0**127),
        (0.06, 2.0**-5),
        (2.0**-120, 2.0**-100),
    ],
)
def test_scale_is_one_unless_needed(largest, scale):
    assert halves_scale(np.array([largest], np.float32)).tolist() == [scale]


@given(st.floats(2.0**-100, 2.0**127, width=32))
def test_scaled_values_fit_half_precision(largest):
    value = np.array([largest], np.float32)
    scale = halves_scale(value)
    assert scale.dtype == np.float32
    assert np.frexp(scale)[0] == 0.5  # a power of two loses no bit
    half = (value / scale).astype(np.float16)
    assert np.isfinite(half).all()
    np.testing.assert_allclose(half.astype(np.float64) * scale, value, rtol=2.0**-11)


def test_evenly_spaced_keys_keep_order_to_one_step():
    values = np.random.default_rng(5).normal(size=(3, 400)).astype(np.float32)
    keys = evenly_spaced_keys(values)
    assert keys.min() == 0
    assert keys.max() == 65_535
    for row, coded in zip(values, keys, strict=True):
        rising = coded[np.argsort(row)].astype(int)
        assert (np.diff(rising) >= 0).all()
        expected = (row - row.min()) / (row.max() - row.min()) * 65_535
        np.testing.assert_allclose(coded, expected, atol=0.51)
    assert (evenly_spaced_keys(np.full((1, 4), 2.5, np.float32)) == 0).all()
