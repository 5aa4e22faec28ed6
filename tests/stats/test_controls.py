import numpy as np
import pytest

from unitscope.arrays import from_keys, key_table, to_keys
from unitscope.stats.controls import Controls, WithinForm, demeaned_sums, gram_within
from unitscope.stats.view import Columns

VALUE_OF = key_table()


def some_controls(seed=0, n_forms=12, n_sentences=30):
    rng = np.random.default_rng(seed)
    lengths = rng.choice([1, 2, 3, 5, 8, 13, 21, 45, 90], n_sentences)
    length = np.repeat(lengths, lengths).astype(np.int32)
    position = np.concatenate([np.arange(n) for n in lengths]).astype(np.int32)
    form = np.unique(rng.integers(0, n_forms, len(length)), return_inverse=True)[1].astype(np.int32)
    return Controls(form, position, length)


def dummies(label):
    return (label[:, None] == np.unique(label)).astype(float)


def demeaned(matrix, form):
    """Columns less their mean within each form."""
    design = dummies(form)
    return matrix - design @ (design.T @ matrix / design.sum(axis=0)[:, None])


def some_keys(n_sites, seed=0):
    return to_keys(np.random.default_rng(seed).normal(3, 1, (5, n_sites)).astype(np.float16))


def dense(columns):
    return np.stack([columns.mask(c) for c in range(columns.n_concepts)], axis=1).astype(float)


def test_each_of_the_first_sixteen_positions_has_its_own_bin():
    position = np.arange(70, dtype=np.int32)
    bins = Controls(np.zeros(70, np.int32), position, np.full(70, 70, np.int32)).position_bin
    np.testing.assert_array_equal(bins[:16], np.arange(16))
    assert [sorted(set(bins[a:b])) for a, b in ((16, 20), (20, 25), (25, 30), (30, 40), (40, 60), (60, 70))] == [
        [16], [17], [18], [19], [20], [21],
    ]  # fmt: skip


def test_length_bins_rise_with_length():
    length = np.arange(1, 100, dtype=np.int32)
    bins = Controls(np.zeros(99, np.int32), np.zeros(99, np.int32), length).length_bin
    np.testing.assert_array_equal(bins[:30], np.arange(30))
    assert (np.diff(bins) >= 0).all()
    assert bins[-1] == 34


def test_form_at_position_joins_like_positions_of_a_form():
    position = np.tile(np.arange(40, dtype=np.int32), 2)
    form = np.repeat(np.array([0, 1], np.int32), 40)
    stratum = Controls(form, position, np.full(80, 40, np.int32)).form_at_position
    coarse = [range(1), range(1, 2), range(2, 4), range(4, 8), range(8, 16), range(16, 32), range(32, 40)]
    for word in (0, 1):
        found = [sorted(set(stratum[40 * word + np.array(where)])) for where in coarse]
        assert found == [[7 * word + i] for i in range(7)]


def test_columns_are_all_bins_but_the_first_of_each():
    controls = some_controls()
    matrix = dense(controls.columns)
    split = controls.n_position
    np.testing.assert_array_equal(matrix[:, :split].sum(axis=1), controls.position_bin > 0)
    np.testing.assert_array_equal(matrix[:, split:].sum(axis=1), controls.length_bin > 0)
    np.testing.assert_array_equal(matrix[:, :split] @ np.arange(1, split + 1), controls.position_bin)
    np.testing.assert_array_equal(matrix[:, split:] @ np.arange(1, matrix.shape[1] - split + 1), controls.length_bin)


def test_restricted_forms_stay_dense():
    controls = some_controls()
    keep = (controls.form % 3 == 1) & (controls.position > 2)
    part = controls.at(keep)
    np.testing.assert_array_equal(np.unique(part.form), np.arange(part.n_forms))
    old = controls.form[keep]
    np.testing.assert_array_equal(part.form[:, None] == part.form, old[:, None] == old)
    np.testing.assert_array_equal(part.position, controls.position[keep])
    np.testing.assert_array_equal(part.length, controls.length[keep])
    assert (part.form_size > 0).all()


def test_gram_within_is_that_of_demeaned_columns():
    controls = some_controls()
    masks = np.random.default_rng(1).random((len(controls.form), 6)) < [0.0, 0.01, 0.2, 0.5, 0.9, 1.1]
    inside = demeaned(masks.astype(float), controls.form)
    found = gram_within(controls, Columns.from_masks(masks))
    np.testing.assert_allclose(found, inside.T @ inside, atol=1e-9)


def test_demeaned_sums_are_those_of_values_less_their_forms_mean():
    controls = some_controls()
    keys = some_keys(len(controls.form))
    columns = controls.columns
    total, inside, sums = demeaned_sums(
        keys, VALUE_OF, controls.form, controls.form_size, columns.indptr, columns.sites
    )
    values = from_keys(keys).astype(np.float64)
    rest = demeaned(values.T, controls.form)
    np.testing.assert_allclose(total, values.var(axis=1) * len(controls.form), rtol=1e-10)
    np.testing.assert_allclose(inside, (rest**2).sum(axis=0), rtol=1e-10)
    np.testing.assert_allclose(sums, rest.T @ dense(columns), atol=1e-4)


@pytest.mark.parametrize("n_forms", [1, 12, 400])
def test_adjusted_values_are_the_residual_of_a_regression_with_form_dummies(n_forms):
    controls = some_controls(2, n_forms)
    position, length = (np.random.default_rng(0).normal(size=(5, 40)) for _ in range(2))
    noise = from_keys(some_keys(len(controls.form)))
    planted = noise + position[:, controls.position_bin] + length[:, controls.length_bin]
    keys = to_keys(planted.astype(np.float16))
    values = from_keys(keys).astype(np.float64).T
    fixed = np.concatenate([dummies(controls.position_bin), dummies(controls.length_bin)], axis=1)
    design = np.concatenate([dummies(controls.form), fixed], axis=1)
    residual = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    adjusted = controls.adjusted(keys, VALUE_OF)
    assert adjusted.dtype == np.float32
    np.testing.assert_allclose(demeaned(adjusted.T.astype(float), controls.form), residual, atol=2e-4)
    # Form itself is left in: only position and length are taken off.
    taken = values - adjusted.T
    coefficients = np.linalg.lstsq(fixed, taken, rcond=None)[0]
    np.testing.assert_allclose(fixed @ coefficients, taken, atol=2e-4)


def residual_of(columns, controls):
    """Columns less their regression on form, position and length."""
    design = np.concatenate([dummies(x) for x in (controls.form, controls.position_bin, controls.length_bin)], axis=1)
    return columns - design @ np.linalg.lstsq(design, columns, rcond=None)[0]


def test_partial_effects_are_gaps_along_what_is_left_of_a_concept():
    controls = some_controls(3)
    rng = np.random.default_rng(3)
    masks = rng.random((len(controls.form), 4)) < [0.5, 0.1, 0.0, 1.1]
    masks = np.concatenate([masks, (controls.form < 3)[:, None], (controls.position_bin == 2)[:, None]], axis=1)
    keys = to_keys((rng.normal(size=(5, len(masks))) + masks[:, 0]).astype(np.float16))
    design = WithinForm.prepare(controls, Columns.from_masks(masks))
    left = residual_of(masks.astype(float), controls)
    np.testing.assert_allclose(design.spread, (left**2).sum(axis=0), atol=1e-8)
    values = from_keys(keys).astype(float).T
    inside = demeaned(values, controls.form)
    spread = np.sqrt((inside**2).sum(axis=0) / (len(masks) - controls.n_forms))
    gap = (values.T @ left)[:, :2] / (left**2).sum(axis=0)[:2]
    effects = design.effects(keys, VALUE_OF)
    np.testing.assert_allclose(effects[:, :2], gap / spread[:, None], rtol=1e-4)
    assert np.isnan(effects[:, 2:]).all()  # nowhere, everywhere, a matter of form, a matter of position


def test_partial_effects_of_noise_have_the_error_of_their_spread():
    controls = some_controls(4, n_sentences=60)
    rng = np.random.default_rng(4)
    design = WithinForm.prepare(controls, Columns.from_masks(rng.random((len(controls.form), 2)) < [0.5, 0.1]))
    keys = to_keys(rng.normal(size=(2000, len(controls.form))).astype(np.float16))
    z = design.effects(keys, VALUE_OF) * np.sqrt(design.spread)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=0.06)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.06)


def test_partial_effects_of_constant_units_are_undefined_and_spare_the_others():
    controls = some_controls(5)
    keys = some_keys(len(controls.form))
    design = WithinForm.prepare(
        controls, Columns.from_masks(np.random.default_rng(5).random((len(controls.form), 1)) < 0.4)
    )
    expected = design.effects(keys, VALUE_OF)
    keys[1] = 40_000
    keys[2, 7] = to_keys(np.array(np.inf, np.float16))
    found = design.effects(keys, VALUE_OF)
    assert np.isnan(found[[1, 2]]).all()
    np.testing.assert_allclose(found[[0, 3, 4]], expected[[0, 3, 4]], rtol=1e-12)


def test_no_sites():
    nothing = np.zeros(0, np.int32)
    controls = Controls(nothing, nothing, nothing)
    assert controls.adjusted(np.zeros((2, 0), np.uint16), VALUE_OF).shape == (2, 0)
    assert controls.form_at_position.shape == (0,)
    assert controls.at(np.zeros(0, bool)).n_forms == 0
    design = WithinForm.prepare(controls, Columns.from_masks(np.zeros((0, 3), bool)))
    assert np.isnan(design.effects(np.zeros((2, 0), np.uint16), VALUE_OF)).all()


def test_one_site():
    controls = Controls(np.zeros(1, np.int32), np.zeros(1, np.int32), np.ones(1, np.int32))
    keys = to_keys(np.array([[2.5]], np.float16))
    np.testing.assert_array_equal(controls.adjusted(keys, VALUE_OF), [[2.5]])
