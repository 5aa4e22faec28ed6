"""SVCCA and PWCCA: against a plain implementation on whole matrices, laws of invariance, and what is held out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ortho_group

from unitscope.errors import RankingError
from unitscope.rankings.subspaces import Covariances, canonical, correlations_on, shared, shares, shares_on, svcca
from unitscope.stats.cross import held

from .pairs import halves, pair


def reduced(values: NDArray, variance: float) -> NDArray:
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    share = np.cumsum(sizes**2) / (sizes**2).sum()
    return left[:, : int(np.searchsorted(share, variance)) + 1]


def naive(x: NDArray, y: NDArray, variance: float = 0.99) -> tuple[NDArray, float]:
    """Canonical correlations by the SVD of orthonormal bases (Bjorck and Golub 1973), and PWCCA."""
    a, b = reduced(x, variance), reduced(y, variance)
    rotation, correlations, _ = np.linalg.svd(a.T @ b, full_matrices=False)
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    weights = np.abs((a @ rotation).T @ centred).sum(axis=1)
    return correlations, float((weights * correlations).sum() / weights.sum())


@pytest.mark.parametrize("variance", [0.6, 0.9, 0.99, 0.999])
def test_correlations_and_pwcca_are_those_of_whole_matrices(variance: float) -> None:
    x, y = pair()
    found = svcca(held(x, 77), held(y, 50), halves(), variance=variance)
    correlations, pwcca = naive(x, y, variance)
    assert np.allclose(found.fitted.correlations, correlations, atol=1e-5)
    assert found.pwcca == pytest.approx(pwcca, abs=1e-5)
    assert found.weights.sum() == pytest.approx(1)
    assert found.svcca == pytest.approx(correlations.mean(), abs=1e-5)


def test_directions_give_variates_of_those_correlations() -> None:
    x, y = pair()
    fitted = svcca(held(x), held(y), halves()).fitted
    a, b = ((values - values.mean(axis=0)) @ weights for values, weights in ((x, fitted.x), (y, fitted.y)))
    assert np.allclose(a.std(axis=0), 1, atol=1e-4)
    assert np.allclose((a * b).mean(axis=0), fitted.correlations, atol=1e-4)
    assert np.allclose(np.corrcoef(a.T), np.eye(a.shape[1]), atol=1e-3)


def test_held_out_correlations_are_those_of_half_as_directions_on_half_b() -> None:
    x, y = pair()
    split = halves()
    found = svcca(held(x), held(y), split)
    covariance = np.cov(np.concatenate([x, y], axis=1)[split.a].T.astype(np.float64), bias=True)
    fitted = canonical(Covariances(covariance[:12, :12], covariance[12:, 12:], covariance[:12, 12:]))
    a, b = x[split.b] @ fitted.x, y[split.b] @ fitted.y
    direct = [np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(a.shape[1])]
    assert np.allclose(found.held_out, direct, atol=1e-4)


@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100))
@settings(max_examples=15, deadline=None)
def test_rotating_and_scaling_a_side_changes_nothing(seed: int, scale: float) -> None:
    x, y = pair()
    turned = ((x - x.mean(axis=0)) @ ortho_group.rvs(12, random_state=seed) * scale).astype(np.float32)
    before, after = svcca(held(x), held(y), halves()), svcca(held(turned), held(y), halves())
    assert np.allclose(before.fitted.correlations, after.fitted.correlations, atol=1e-3)
    assert np.allclose(before.held_out, after.held_out, atol=1e-3)
    mixed = svcca(held(y), held(x), halves()), svcca(held(y), held(turned), halves())
    assert mixed[0].pwcca == pytest.approx(mixed[1].pwcca, abs=1e-3)
    assert np.allclose(mixed[0].units, mixed[1].units, atol=1e-3)


def test_a_models_copy_shares_all_and_sides_can_be_exchanged() -> None:
    x, y = pair()
    assert np.allclose(svcca(held(x), held(x * 2), halves(), variance=1.0).units, 1, atol=1e-4)
    there, back = svcca(held(x), held(y), halves()), svcca(held(y), held(x), halves())
    assert np.allclose(there.fitted.correlations, back.fitted.correlations, atol=1e-6)


def test_units_are_ranked_by_what_the_other_side_predicts() -> None:
    draw = np.random.default_rng(0)
    x, y = pair()
    x[:, :3] = draw.standard_normal((len(x), 3)) * x[:, :3].std(axis=0)
    found = svcca(held(x), held(y), halves(), standardise=True, variance=1.0)
    assert found.units[:3].max() < found.units[3:].min()
    assert found.units_held_out[:3].max() < 0.1 < found.units_held_out[3:].min()
    a, b = ((values - values.mean(axis=0)) / values.std(axis=0) for values in (x, y))
    weights = np.linalg.lstsq(b, a, rcond=None)[0]
    r2 = 1 - ((a - b @ weights) ** 2).sum(axis=0) / (a**2).sum(axis=0)
    # With all components, the shared directions hold just what least squares predicts.
    assert np.allclose(found.units, r2, atol=1e-4)


def test_shares_on_the_same_sites_are_shares() -> None:
    x, y = pair()
    covariance = np.cov(np.concatenate([x, y], axis=1).T.astype(np.float64), bias=True)
    of = Covariances(covariance[:12, :12], covariance[12:, 12:], covariance[:12, 12:])
    fitted = canonical(of, 1.0)
    assert np.allclose(shares_on(fitted, of.xx, of), shares(fitted, of.xx), atol=1e-8)
    assert np.allclose(correlations_on(fitted, of), fitted.correlations, atol=1e-8)


def test_nearly_as_many_directions_as_sites_are_told_by_held_out_and_chance() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 120, 100)).astype(np.float32)
    found = svcca(held(x), held(y), halves(120))
    assert found.svcca > 0.6
    assert found.chance.mean() > 0.6
    assert abs(found.held_out.mean()) < 0.15
    assert np.isfinite(found.units_held_out).all()


def test_units_without_a_score() -> None:
    x, y = pair()
    x[:, 2], x[4, 3], y[:, 1] = 5, np.nan, 0
    found = svcca(held(x), held(y), halves())
    assert np.flatnonzero(np.isnan(found.units)).tolist() == [2, 3]
    assert np.flatnonzero(np.isnan(found.units_held_out)).tolist() == [2, 3]
    assert not found.fitted.x[2:4].any()


def test_several_models() -> None:
    x, y = pair()
    noise = np.random.default_rng(5).standard_normal((len(x), 7)).astype(np.float32)
    found = shared(held(x), {"noise": held(noise), "y": held(y)}, halves())
    assert [other.model for other in found.others] == ["noise", "y"]
    assert np.array_equal(found.least, found.others[0].units)
    assert np.array_equal(found.greatest, found.others[1].units)


def test_what_is_refused() -> None:
    x, y = pair()
    with pytest.raises(RankingError, match=r"Got 0 as the share of variance\. Expected: above 0, up to 1"):
        svcca(held(x), held(y), halves(), variance=0)
    with pytest.raises(RankingError, match="Got no other model"):
        shared(held(x), {}, halves())
    split = halves()
    x[split.a] = 1
    with pytest.raises(RankingError, match="No unit of one side varies on these sites"):
        svcca(held(x), held(y), split)
