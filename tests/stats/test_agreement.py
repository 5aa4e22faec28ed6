import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from unitscope.stats.agreement import agreement


def naive_kappa(on: NDArray[np.bool_], holds: NDArray[np.bool_]) -> float:
    return float(cohen_kappa_score(on, holds))


@given(st.integers(0, 10_000))
def test_estimate_error_and_interval_are_the_naive_ones(seed: int) -> None:
    draw = np.random.default_rng(seed)
    block = np.sort(draw.integers(0, 30, 900)).astype(np.int32)
    block = np.unique(block, return_inverse=True)[1].astype(np.int32)
    on = draw.random(900) < 0.2
    holds = np.where(draw.random(900) < 0.5, on, draw.random(900) < 0.2)
    found = agreement(on[None], holds[None], block)
    whole = naive_kappa(on, holds)
    n = block.max() + 1
    left = np.array([naive_kappa(on[block != b], holds[block != b]) for b in range(n)])
    error = np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum())
    sizes = [np.bincount(block, weights=mask) for mask in (on, holds)]
    effective = min(each.sum() ** 2 / (each**2).sum() for each in sizes)
    wide = stats.t.ppf(0.975, effective - 1) * error / (1 - whole**2)
    assert found.score[0] == pytest.approx(whole)
    assert found.low[0] == pytest.approx(np.tanh(np.arctanh(whole) - wide))
    assert found.high[0] == pytest.approx(np.tanh(np.arctanh(whole) + wide))
    assert found.p[0] == pytest.approx(stats.t.sf(whole / error, effective - 1))
    assert found.n[0] == holds.sum()


def test_no_interval_below_ten_effective_blocks() -> None:
    draw = np.random.default_rng(0)
    block = np.repeat(np.arange(8, dtype=np.int32), 50)
    on = draw.random(400) < 0.3
    found = agreement(on[None], (on ^ (draw.random(400) < 0.05))[None], block)
    assert np.isnan(found.low[0])
    assert np.isnan(found.high[0])
    assert 0 < found.p[0] < 0.01


def test_a_formula_that_holds_nowhere_agrees_with_nothing() -> None:
    block = np.repeat(np.arange(40, dtype=np.int32), 10)
    on = np.arange(400) % 3 == 0
    found = agreement(on[None], np.zeros((1, 400), np.bool_), block)
    assert (found.score[0], found.n[0], found.p[0]) == (0.0, 0, 1.0)


def test_the_same_sites_agree_wholly() -> None:
    block = np.repeat(np.arange(40, dtype=np.int32), 10)
    on = np.arange(400) % 3 == 0
    found = agreement(on[None], on[None], block)
    assert found.score[0] == 1.0
    assert found.high[0] == pytest.approx(1.0)
    assert found.p[0] < 1e-10


def test_intervals_cover_the_truth() -> None:
    """Blocks that agree more or less, as documents do; the truth is a large sample's."""

    def sample(draw: np.random.Generator, n_blocks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        block = np.repeat(np.arange(n_blocks, dtype=np.int32), 25)
        holds = draw.random(len(block)) < draw.beta(2, 6, n_blocks)[block]
        on = np.where(draw.random(len(block)) < draw.beta(3, 3, n_blocks)[block], holds, draw.random(len(block)) < 0.2)
        return on, holds, block

    draw = np.random.default_rng(5)
    truth = agreement(*(each[None] if i < 2 else each for i, each in enumerate(sample(draw, 20_000)))).score[0]
    inside = 0
    for _ in range(400):
        on, holds, block = sample(draw, 60)
        found = agreement(on[None], holds[None], block)
        inside += found.low[0] <= truth <= found.high[0]
    assert 0.92 <= inside / 400 <= 0.98
