import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from unitscope.stats.discoveries import adjust

P = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 1.0]), min_size=1, max_size=40)


@given(P)
def test_adjusted_as_scipy_does(p):
    np.testing.assert_allclose(adjust(np.array(p)), false_discovery_control(p), rtol=1e-12)


@given(P, st.integers(0, 2**32))
def test_untested_values_do_not_count(p, seed):
    tested = np.random.default_rng(seed).random(len(p)) < 0.7
    mixed = np.where(tested, p, np.nan)
    before = mixed.copy()
    q = adjust(mixed)
    np.testing.assert_array_equal(np.isnan(q), ~tested)
    np.testing.assert_array_equal(q[tested], adjust(np.array(p)[tested]))
    np.testing.assert_array_equal(mixed, before)


def test_nothing_tested():
    assert adjust(np.zeros(0)).shape == (0,)
    assert np.isnan(adjust(np.full(3, np.nan))).all()


def test_share_of_false_discoveries_is_held():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        p = np.concatenate([rng.random(150), rng.random(50) * 1e-4])
        found = adjust(p) <= 0.1
        shares.append(found[:150].sum() / max(found.sum(), 1))
    assert 0.04 < np.mean(shares) <= 0.1
