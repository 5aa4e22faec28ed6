"""Streamed products: against numpy in double precision, in any blocks, folds and lags."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unitscope.errors import MeasureError
from unitscope.stats.cross import Plan, cross, held, lags, standard


def values(n: int, width: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return (draw.standard_normal((n, width)) * draw.uniform(0.1, 9, width) + draw.uniform(-9, 9, width)).astype("f4")


def naive(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    a, b = (each.astype(np.float64) - each.mean(axis=0, dtype=np.float64) for each in (x, y))
    return (a / np.linalg.norm(a, axis=0)).T @ (b / np.linalg.norm(b, axis=0))


@given(
    n=st.integers(8, 60),
    rows=st.integers(1, 30),
    block_x=st.integers(1, 40),
    block_y=st.integers(1, 40),
    lag=st.integers(0, 70),
    seed=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_correlations_do_not_depend_on_blocks(
    n: int, rows: int, block_x: int, block_y: int, lag: int, seed: int
) -> None:
    x, y = values(n, 4, seed), values(n, 3, seed + 100)
    found = cross(standard(held(x, block_x)), standard(held(y, block_y)), lag=lag, rows=rows).correlation()
    assert np.allclose(found, naive(x, np.roll(y, -lag, axis=0)), atol=2e-6)


@given(seed=st.integers(0, 20), rows=st.integers(1, 50), n_folds=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_folds_are_those_sites_alone_and_add_up(seed: int, rows: int, n_folds: int) -> None:
    x, y = values(90, 4, seed), values(90, 3, seed + 100)
    fold = np.random.default_rng(seed).integers(-1, n_folds, 90)
    found = cross(standard(held(x, 17)), standard(held(y, 40)), fold, n_folds, gram=True, rows=rows)
    for f in range(n_folds):
        assert found.n[f] == (fold == f).sum()
        assert np.allclose(found.correlation(f), naive(x[fold == f], y[fold == f]), atol=1e-5)
        spread = np.sqrt(np.diag(found.within(f)))
        assert np.allclose(found.within(f) / np.outer(spread, spread), naive(x[fold == f], x[fold == f]), atol=1e-5)
    assert np.allclose(found.pooled().correlation(), naive(x[fold >= 0], y[fold >= 0]), atol=1e-5)


def test_a_large_mean_costs_no_digits() -> None:
    x = values(500, 3, 0)
    shifted = (x.astype(np.float64) + 3000).astype(np.float32)
    assert np.allclose(cross(standard(held(shifted)), standard(held(x))).correlation(), naive(shifted, x), atol=1e-6)


def test_units_that_do_not_vary_are_told_apart() -> None:
    x = values(50, 4, 0)
    x[:, 1], x[7, 2] = 3.0, np.nan
    x[:, 3] = 1000 + 6e-5 * (np.arange(50) % 5)
    found = standard(held(x, 20))
    assert found.constant.tolist() == [False, True, False, True]
    assert found.broken.tolist() == [False, False, True, False]
    rho = cross(found, found).correlation()
    assert np.isfinite(rho).all()
    assert rho[0].tolist() == pytest.approx([1, 0, 0, 0])


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_the_first_site_may_be_the_broken_one(special: float) -> None:
    x = values(50, 3, 0)
    x[0, 1] = special
    found = standard(held(x))
    assert found.broken.tolist() == [False, True, False]
    assert found.mean[0] == pytest.approx(x[:, 0].mean(dtype=np.float64))


def test_moments_over_some_sites() -> None:
    x = values(60, 3, 1)
    sites = np.arange(60) % 3 == 0
    found = standard(held(x, 7), np.array([0, 2]), sites)
    assert np.allclose(found.mean, x[sites][:, [0, 2]].mean(axis=0, dtype=np.float64))
    assert np.allclose(found.spread, x[sites][:, [0, 2]].std(axis=0, dtype=np.float64))


def test_the_same_matrix_gives_a_symmetric_product() -> None:
    mine = standard(held(values(80, 5, 2), 9))
    rho = cross(mine, mine, rows=13).correlation()
    assert np.allclose(rho, rho.T, rtol=0, atol=1e-15)


def test_pieces_are_sorted_by_fold() -> None:
    fold = np.array([1, -1, 0, 1, 0, 0, -1])
    plan = Plan.of(fold, 2, rows=4)
    labels = np.arange(7)
    assert [plan.sorted(labels, piece).tolist() for piece in (0, 1)] == [[2, 0, 3], [4, 5]]
    pieces = [piece.copy() for piece in standard(held(labels[:, None].astype("f4"), 3)).pieces(plan)]
    order = np.concatenate(pieces)[:, 0] * labels.std() + labels.mean()
    assert np.allclose(order, [2, 0, 3, 4, 5])


def test_what_is_refused() -> None:
    with pytest.raises(MeasureError, match=r"Got 1 site\(s\)\. Expected: at least two"):
        standard(held(np.ones((1, 3), np.float32)))
    with pytest.raises(MeasureError, match="No unit varies: 2 of 3 are constant, 1 hold values that are not finite"):
        standard(held(np.array([[1, 2, np.nan], [1, 2, 0]], np.float32)))
    with pytest.raises(MeasureError, match=r"Got values of shape \(3,\)"):
        held(np.ones(3))
    x, y = standard(held(values(10, 2, 0))), standard(held(values(11, 2, 0)))
    with pytest.raises(MeasureError, match="Got 10 sites of one model and 11 of the other"):
        cross(x, y)
    with pytest.raises(MeasureError, match="products of a model with itself were not asked for"):
        cross(x, x).within()


def test_lags_are_far_from_none() -> None:
    assert all(25 <= lag < 75 for seed in range(20) for lag in lags(100, 3, seed))
    assert lags(100, 3, 1) == lags(100, 3, 1)
    assert len(set(lags(100, 3, 1))) == 3
    assert lags(4, 10, 0) == [1, 2]
