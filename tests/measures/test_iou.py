import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.arrays import to_keys
from unitscope.measures.iou import IoU
from unitscope.stats.view import Columns, View


def naive(values, mask, on):
    return (on & mask).sum() / (on | mask).sum()


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_intersection_over_union_of_both_tails(quantile):
    rng = np.random.default_rng(0)
    masks = rng.random((300, 2)) < [0.4, 0.05]
    values = np.round(rng.normal(size=(300, 3)) + masks[:, [1]], 1)
    upper, lower = (IoU(quantile, tail).on(values, masks) for tail in ("upper", "lower"))
    for unit in range(3):
        column = values[:, unit]
        above = column > np.quantile(column, quantile, method="lower")
        below = column < np.quantile(column, 1 - quantile, method="higher")
        for concept in range(2):
            assert upper[unit, concept] == naive(column, masks[:, concept], above)
            assert lower[unit, concept] == naive(column, masks[:, concept], below)


def test_a_sparse_unit_is_on_where_it_is_not_zero():
    mask = np.arange(1000) < 5
    values = np.where(mask | (np.arange(1000) == 7), 1.0, 0.0)
    assert IoU(0.99).on(values[:, None], mask[:, None]).item() == 5 / 6


def test_a_unit_that_is_never_on_scores_nothing():
    masks = np.stack([np.arange(50) < 5, np.zeros(50, bool)], axis=1)
    np.testing.assert_array_equal(IoU().on(np.full((50, 1), 0.1), masks), [[0.0, np.nan]])


def limits(measure, values, masks):
    view = View(to_keys(values.T.astype(np.float16)), Columns.from_masks(masks))
    overlap = view.ask(measure.asks()[0])
    return measure.score(overlap), measure.ceiling(overlap)


@given(st.integers(0, 2**32), st.sampled_from(["upper", "lower"]))
def test_ceiling_is_the_ratio_of_the_actual_shares(seed, tail):
    rng = np.random.default_rng(seed)
    masks = rng.random((100, 3)) < [0.5, 0.1, 0.01]
    values = np.maximum(np.round(rng.normal(size=(100, 3)), 1), -0.5)
    score, ceiling = limits(IoU(0.9, tail), values, masks)
    for unit in range(3):
        column = values[:, unit]
        on = column > np.sort(column)[89] if tail == "upper" else column < np.sort(column)[10]
        shares = on.mean(), masks.mean(axis=0)
        greater = np.maximum(*shares)
        np.testing.assert_allclose(ceiling[unit], np.minimum(*shares) / np.where(greater > 0, greater, np.nan))
    assert not (score > ceiling).any()


def test_a_perfect_unit_attains_the_ceiling():
    mask = (np.arange(200) % 4 == 0)[:, None]
    score, ceiling = limits(IoU(0.9), mask * 1.0 + mask * np.arange(200)[:, None] / 200, mask)
    assert score == ceiling == 20 / 50


def test_the_quantile_is_the_share_that_is_off():
    assert IoU(0.995).asks()[0].share == 0.005
    assert IoU(0.995, "lower").asks()[0].tail == "lower"
