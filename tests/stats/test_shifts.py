import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import fft
from scipy.stats import norm

from unitscope.arrays import to_keys
from unitscope.stats import shifts
from unitscope.stats.shifts import Shifts, window_length
from unitscope.stats.view import Columns, View


def ranks_of(values):
    keys = to_keys(np.asarray(values).astype(np.float16))
    return View(keys, Columns.from_masks(np.zeros((keys.shape[1], 0), bool))).ranks


def rolled(ranks, mask, n_windows, length):
    """Doubled rank sums of every shift, in whole numbers, [U, length]."""
    windows = ranks[:, : n_windows * length].reshape(len(ranks), n_windows, length).astype(np.int64)
    inside = mask[: n_windows * length].reshape(n_windows, length)
    return np.stack([(np.roll(windows, -k, axis=2) * inside).sum(axis=(1, 2)) for k in range(length)], axis=1)


def some_data(n_sites, seed=0, decimals=3):
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=(4, n_sites)).cumsum(axis=1), decimals)
    mask = np.convolve(rng.normal(size=n_sites + 4), np.ones(5), "valid") > 1
    return ranks_of(values), mask


def p_values(n_sites, ranks, mask, sign, kind):
    null = Shifts(n_sites)
    signs = np.full(len(ranks), sign, np.int8)
    concepts = np.repeat(null.of_concept(mask)[None], len(ranks), axis=0)
    return null, getattr(null, kind)(null.of_units(ranks), concepts, signs)


@pytest.mark.parametrize("window", [32_768, 100])
@pytest.mark.parametrize("n_sites", [2, 61, 240, 397])
@pytest.mark.parametrize("sign", [1, -1])
def test_exact_p_is_the_share_of_rolled_sums(monkeypatch, window, n_sites, sign):
    monkeypatch.setattr(shifts, "WINDOW", window)
    ranks, mask = some_data(n_sites, decimals=1)
    null, p = p_values(n_sites, ranks, mask, sign, "exact")
    sums = sign * rolled(ranks, mask, null.n_windows, null.length)
    np.testing.assert_allclose(p, (sums >= sums[:, :1]).mean(axis=1), rtol=1e-12)


@pytest.mark.parametrize("window", [32_768, 100])
@pytest.mark.parametrize("n_sites", [2, 61, 240, 397])
@pytest.mark.parametrize("sign", [1, -1])
def test_normal_p_has_the_exact_mean_and_variance_of_rolled_sums(monkeypatch, window, n_sites, sign):
    monkeypatch.setattr(shifts, "WINDOW", window)
    ranks, mask = some_data(n_sites, seed=1)
    null, p = p_values(n_sites, ranks, mask, sign, "normal")
    sums = sign * rolled(ranks, mask, null.n_windows, null.length).astype(float)
    spread = sums.std(axis=1)
    z = np.where(spread > 0, (sums[:, 0] - sums.mean(axis=1)) / np.where(spread > 0, spread, 1), 0)
    np.testing.assert_allclose(p, np.maximum(norm.sf(z), 1 / null.length), rtol=1e-4)


def test_slow_units_and_slow_concepts_are_not_found_by_chance():
    rng = np.random.default_rng(2)
    slow = np.ones(60) / 60
    p = []
    for _ in range(15):
        values = np.array([np.convolve(row, slow, "valid") for row in rng.normal(size=(30, 2059))])
        mask = np.convolve(rng.normal(size=2059), slow, "valid") > 0
        p += p_values(2000, ranks_of(values), mask, 1, "exact")[1].tolist()
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.08
    assert abs(np.mean(p) - 0.5) < 0.05


def test_a_true_match_reaches_the_smallest_p():
    rng = np.random.default_rng(3)
    mask = rng.random(1000) < 0.2
    null, p = p_values(1000, ranks_of(mask + 0.1 * rng.normal(size=(2, 1000))), mask, 1, "exact")
    np.testing.assert_allclose(p, null.smallest_p)
    assert null.smallest_p == 1 / null.length
    np.testing.assert_allclose(p_values(1000, ranks_of(1.0 * mask[None]), mask, 1, "normal")[1], null.smallest_p)


@pytest.mark.parametrize("n_sites", [1, 300, 30_000, 40_001])
def test_constants_match_nothing(n_sites):
    rng = np.random.default_rng(4)
    noise, constant = ranks_of(rng.normal(size=(2, n_sites))), ranks_of(np.full((2, n_sites), 0.1))
    some = rng.random(n_sites) < 0.5
    everywhere, nowhere = np.ones(n_sites, bool), np.zeros(n_sites, bool)
    for ranks, mask in ((noise, everywhere), (noise, nowhere), (constant, some)):
        np.testing.assert_array_equal(p_values(n_sites, ranks, mask, 1, "exact")[1], 1.0)
        assert (p_values(n_sites, ranks, mask, 1, "normal")[1] >= 0.5).all()


def test_no_sites():
    for kind in ("exact", "normal"):
        null, p = p_values(0, np.zeros((3, 0), np.int32), np.zeros(0, bool), 1, kind)
        np.testing.assert_array_equal(p, 1.0)
        assert null.smallest_p == 1.0


def test_inputs_stay_as_they_were():
    ranks, mask = some_data(200)
    before = ranks.copy(), mask.copy()
    null = Shifts(200)
    units, concept = null.of_units(ranks), np.repeat(null.of_concept(mask)[None], 4, axis=0)
    spectra = units.copy(), concept.copy()
    null.exact(units, concept, np.ones(4, np.int8))
    null.normal(units, concept, np.ones(4, np.int8))
    for after, was in zip((ranks, mask, units, concept), before + spectra):
        np.testing.assert_array_equal(after, was)


@given(st.integers(1, 10**7))
def test_windows_are_short_fast_and_waste_little(n_sites):
    n_windows, length = window_length(n_sites)
    assert 1 <= length <= shifts.WINDOW
    assert n_windows * length <= n_sites
    assert n_windows * length > 0.93 * n_sites - 1
    assert fft.next_fast_len(length, real=True) == length


def test_window_lengths():
    assert window_length(0) == (0, 0)
    assert window_length(32_768) == (1, 32_768)
    assert window_length(40_000) == (2, 20_000)
