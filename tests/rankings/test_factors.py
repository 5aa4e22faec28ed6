"""Factors: planted groups found again; SVD against numpy, NMF against scikit-learn; held out, stability."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import NMF

from unitscope.errors import RankingError
from unitscope.rankings.factors import factorise, matched, varimax
from unitscope.stats.cross import held

from .pairs import N_SITES, halves


def groups(noise: float = 0.2, seed: int = 0) -> NDArray:
    """Three groups of four units each, non-negative."""
    draw = np.random.default_rng(seed)
    strength = draw.gamma(0.4, 1, (N_SITES, 3)) * [3, 2, 1]
    mixing = np.kron(np.eye(3), draw.uniform(0.5, 1.5, 4))
    return (strength @ mixing + noise * draw.random((N_SITES, 12))).astype(np.float32)


@pytest.mark.parametrize("way", ["svd", "nmf"])
def test_planted_groups_are_found(way: str) -> None:
    x = groups()
    found = factorise(held(x, 77), halves(), 3, way=way)
    tops = {frozenset(found.top_units(k, 4).tolist()) for k in range(3)}
    assert tops == {frozenset(range(start, start + 4)) for start in (0, 4, 8)}
    assert (found.stability > 0.95).all()
    assert found.stability_chance < 0.6
    assert found.held_out == pytest.approx(found.explained, abs=0.05)
    assert found.held_out > found.chance + 0.15
    for k in range(3):
        unit = found.top_units(k, 1)[0]
        assert np.corrcoef(found.values[:, k], x[:, unit])[0, 1] > 0.95


def test_svd_explains_what_principal_components_do() -> None:
    x, split = groups(noise=1.0), halves()
    for rotate in (True, False):
        found = factorise(held(x), split, 2, rotate=rotate)
        z = (x - x.mean(axis=0)) / x.std(axis=0)
        for half, figure in ((split.a, found.explained), (split.b, found.held_out)):
            basis = np.linalg.svd(z[split.a] - z[split.a].mean(axis=0))[2][:2]
            part = z[half] - z[half].mean(axis=0)
            assert figure == pytest.approx(((part @ basis.T) ** 2).sum() / (part**2).sum(), abs=1e-4)
    assert found.chance == pytest.approx(2 / 12)


def test_loadings_are_correlations_of_units_and_factors() -> None:
    x, split = groups(), halves()
    found = factorise(held(x), split, 3)
    for k in range(3):
        direct = [np.corrcoef(found.values[split.a, k], x[split.a, u])[0, 1] for u in range(12)]
        assert np.allclose(found.loadings[k], direct, atol=0.05)
        assert found.loadings[k, found.top_units(k, 1)[0]] > 0


def test_nmf_fits_as_well_as_scikit_learns() -> None:
    x, split = groups(noise=1.0), halves()
    found = factorise(held(x, 100), split, 3, way="nmf")
    assert (found.loadings >= 0).all()
    assert (found.values >= 0).all()
    assert found.clipped == 0
    scaled = x / np.sqrt((x**2).mean(axis=0))
    peer = NMF(3, init="nndsvd", max_iter=5000, tol=1e-5).fit(scaled[split.a])
    for half, figure in ((split.a, found.explained), (split.b, found.held_out)):
        off = scaled[half] - peer.transform(scaled[half]) @ peer.components_
        assert figure == pytest.approx(1 - (off**2).sum() / (scaled[half] ** 2).sum(), abs=2e-3)
    rebuilt = found.values @ found.loadings
    error = 1 - ((scaled - rebuilt) ** 2).sum() / (scaled**2).sum()
    assert error == pytest.approx((found.explained + found.held_out) / 2, abs=0.02)


def test_what_is_below_zero_is_told() -> None:
    x = groups()
    x[:, 0] *= -1
    x[:, 1], x[4, 2] = 3.0, np.nan
    found = factorise(held(x), halves(), 2, way="nmf")
    alive = [0, *range(3, 12)]
    expected = (x[:, 0] ** 2).sum() / (x[:, alive] ** 2).sum()
    assert found.clipped == pytest.approx(expected, rel=1e-4)
    assert not found.loadings[:, :3].any()
    assert np.isfinite(found.values).all()


def test_blocks_change_only_rounding() -> None:
    for way in ("svd", "nmf"):
        whole, cut = (factorise(held(groups(), rows), halves(), 3, way=way) for rows in (1000, 37))
        assert np.allclose(whole.loadings, cut.loadings, atol=1e-3)
        assert whole.held_out == pytest.approx(cut.held_out, abs=1e-4)


def test_noise_has_no_stable_factors() -> None:
    x = np.random.default_rng(0).standard_normal((N_SITES, 30)).astype(np.float32)
    found = factorise(held(x), halves(), 3)
    assert found.held_out < found.explained
    assert found.held_out == pytest.approx(found.chance, abs=0.05)
    assert found.stability.mean() < 0.7


def test_varimax_turns_back_a_simple_structure() -> None:
    simple = np.kron(np.eye(2), np.ones((4, 1)))
    angle = 0.6
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rotation = varimax(simple @ turn)
    assert np.allclose(rotation.T @ rotation, np.eye(2), atol=1e-9)
    assert np.allclose(np.sort(np.abs(simple @ turn @ rotation), axis=1), np.sort(simple, axis=1), atol=1e-6)


def test_matching_is_one_to_one() -> None:
    a = np.eye(3)
    cosines, rest = matched(a, a[[2, 0, 1]] * -5)
    assert cosines.tolist() == [1, 1, 1]
    assert rest == 0


def test_what_is_refused() -> None:
    x = groups()
    with pytest.raises(RankingError, match=r"Got 'ica' as the way to factorise\. Expected: svd or nmf"):
        factorise(held(x), halves(), 2, way="ica")
    with pytest.raises(RankingError, match=r"Got 13 factors\. Expected: 1 to 12"):
        factorise(held(x), halves(), 13)
    with pytest.raises(RankingError, match="No unit has values above 0"):
        factorise(held(-1 - x), halves(), 2, way="nmf")
