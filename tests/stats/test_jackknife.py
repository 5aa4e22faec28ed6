"""Intervals of scores of sums, beside leaving each block out by hand, and their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import t

from unitscope.stats.jackknife import block_sums, jackknife


def share(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sums[..., 0] / sums[..., 1])


def right_of(seed: int, n_blocks: int, likeness: float) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Sites in blocks, right with a chance that differs from block to block."""
    draw = np.random.default_rng(seed)
    chance = expit(1.0 + likeness * draw.normal(size=n_blocks))
    block = np.repeat(np.arange(n_blocks, dtype=np.int32), 20)
    return draw.random(len(block)) < chance[block], block


def columns(right: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.stack([right, np.ones(len(right))], axis=1).astype(float)


def test_an_interval_is_that_of_leaving_each_block_out() -> None:
    right, block = right_of(1, 30, 1.0)
    found = jackknife(*block_sums(columns(right), block), share)
    left = np.array([right[block != b].mean() for b in range(30)])
    error = np.sqrt(29 / 30 * ((left - left.mean()) ** 2).sum())
    centre = right.mean()
    wide = t.ppf(0.975, 29) * error / (centre * (1 - centre))
    assert found.value == pytest.approx(centre)
    assert (found.low, found.high) == pytest.approx((expit(logit(centre) - wide), expit(logit(centre) + wide)))
    assert found.error == pytest.approx(error)
    plain = jackknife(*block_sums(columns(right), block), share, "plain", extra=0.1)
    assert plain.high - plain.value == pytest.approx(t.ppf(0.975, 29) * np.hypot(error, 0.1))


def test_it_covers_what_it_should_where_sites_of_a_block_are_alike() -> None:
    truth = float(np.mean(expit(1.0 + 1.0 * np.random.default_rng(0).normal(size=200_000))))
    hits = 0
    for seed in range(300):
        right, block = right_of(seed, 40, 1.0)
        found = jackknife(*block_sums(columns(right), block), share)
        hits += found.low <= truth <= found.high
    assert 0.92 <= hits / 300 <= 0.985


def test_few_blocks_give_no_interval() -> None:
    right, block = right_of(1, 9, 1.0)
    found = jackknife(*block_sums(columns(right), block), share)
    assert found.value == pytest.approx(right.mean())
    assert np.isnan([found.low, found.high, found.error]).all()


def test_nothing_wrong_still_leaves_room() -> None:
    block = np.repeat(np.arange(20), 5)
    found = jackknife(*block_sums(columns(np.ones(100, bool)), block), share)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 20))
    none = jackknife(*block_sums(columns(np.zeros(100, bool)), block), share)
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_no_sites_give_no_number() -> None:
    found = jackknife(*block_sums(np.zeros((0, 2)), np.zeros(0, np.int32)), share)
    assert np.isnan(found.value)
    assert np.isnan(found.low)
