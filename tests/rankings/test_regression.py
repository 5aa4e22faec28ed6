"""LinReg: against scikit-learn's ridge, out of sample; what least squares in sample would have said."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from unitscope.errors import MeasureError, PlanError, RankingError
from unitscope.rankings.correlation import halves_of
from unitscope.rankings.regression import PENALTIES, inner_folds, predicted
from unitscope.stats.cross import held

from .pairs import halves, pair


def standardised(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float64)
    return (values - values.mean(axis=0)) / values.std(axis=0)


def naive(x: np.ndarray, y: np.ndarray, fit: np.ndarray, judge: np.ndarray, penalty: float) -> np.ndarray:
    """R2 of each column of x from y."""
    model = Ridge(alpha=penalty * fit.sum()).fit(standardised(y)[fit], standardised(x)[fit])
    return r2_score(standardised(x)[judge], model.predict(standardised(y)[judge]), multioutput="raw_values")


def test_scores_are_those_of_ridge_on_the_other_half() -> None:
    x, y = pair()
    split = halves()
    found = predicted(held(x, 70), {"y": held(y, 90)}, split).others[0]
    assert len(set(found.penalty)) == 1
    assert np.allclose(found.r2, naive(x, y, split.a, split.b, found.penalty[0]), atol=1e-5)
    assert (found.low < found.r2).all()
    assert (found.r2 < found.high).all()


def test_the_penalty_is_the_best_within_half_a_by_layer() -> None:
    draw = np.random.default_rng(2)
    x, y = pair(n_x=8, n_y=200)
    x[:, 4:] = draw.standard_normal((len(x), 4))
    layers = np.repeat([0, 1], 4)
    split = halves()
    found = predicted(held(x), {"y": held(y)}, split, layers, seed=1).others[0]
    fold = inner_folds(split, 1)
    for layer in (0, 1):
        tried = [naive(x, y, fold == 0, fold == 1, penalty)[layers == layer].mean() for penalty in PENALTIES]
        assert found.penalty[layers == layer] == pytest.approx(PENALTIES[int(np.argmax(tried))])
    assert found.penalty[0] < found.penalty[-1]


def test_inner_folds_keep_blocks_whole_and_half_b_out() -> None:
    split = halves()
    fold = inner_folds(split, 0)
    assert np.array_equal(fold == -1, split.b)
    assert all(len(set(fold[split.block == block])) == 1 for block in range(split.n_blocks))
    assert (fold == 0).sum() / split.a.sum() == pytest.approx(0.75, abs=0.05)


def test_more_units_than_sites_do_not_flatter_noise() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((200, 6)).astype("f4"), draw.standard_normal((200, 400)).astype("f4")
    split = halves(200)
    found = predicted(held(x), {"y": held(y)}, split).others[0]
    weights = np.linalg.lstsq(y[split.a], x[split.a], rcond=None)[0]
    assert r2_score(x[split.a], y[split.a] @ weights) > 0.999
    assert (found.r2 < 0.15).all()
    assert found.r2.max() < found.chance + 0.15
    assert np.isfinite(found.r2).all()


def test_a_mixture_of_the_other_model_is_known_wholly() -> None:
    y = pair()[1]
    x = (standardised(y) @ np.random.default_rng(1).standard_normal((9, 4))).astype("f4")
    found = predicted(held(x), {"y": held(y)}, halves())
    assert np.allclose(found.least, 1, atol=1e-4)


def test_least_and_greatest_over_models() -> None:
    x, y = pair()
    noise = np.random.default_rng(5).standard_normal((len(x), 7)).astype("f4")
    found = predicted(held(x), {"noise": held(noise), "y": held(y)}, halves())
    assert (found.least < 0.1).all()
    assert (found.greatest > 0.5).all()
    assert np.array_equal(found.figure("r2"), found.least)


def test_constant_units_have_no_score_and_predict_nothing() -> None:
    x, y = pair()
    reference = predicted(held(x), {"y": held(y)}, halves()).others[0]
    x[:, 2], x[3, 5] = 1, np.nan
    dead = np.concatenate([y, np.full((len(y), 2), 4, np.float32)], axis=1)
    found = predicted(held(x), {"y": held(dead)}, halves())
    alive = [0, 1, 3, 4, *range(6, 12)]
    assert np.flatnonzero(found.constant).tolist() == [2]
    assert np.flatnonzero(found.broken).tolist() == [5]
    assert np.isnan(found.others[0].r2[[2, 5]]).all()
    assert np.allclose(found.others[0].r2[alive], reference.r2[alive], atol=1e-5)


def test_what_is_refused() -> None:
    x, y = pair()
    with pytest.raises(RankingError, match="Got no other model"):
        predicted(held(x), {}, halves())
    with pytest.raises(RankingError, match="all above 0"):
        predicted(held(x), {"y": held(y)}, halves(), penalties=(0.0, 1.0))
    with pytest.raises(RankingError, match="Got 12001 predictors in 'wide'"):
        predicted(held(x[:30]), {"wide": held(np.zeros((30, 12_001), np.float32))}, halves(30))
    with pytest.raises(PlanError, match=r"Got 1 block\(s\) in half A"):
        predicted(held(x[:20]), {"y": held(y[:20])}, halves_of(20, np.arange(20) // 10))
    with pytest.raises(MeasureError, match="the same sites"):
        predicted(held(x), {"y": held(y[:-1])}, halves())
