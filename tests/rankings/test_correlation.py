"""MaxCorr and MinCorr: against numpy.corrcoef, laws, and what has no score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unitscope.errors import MeasureError, RankingError
from unitscope.rankings.correlation import cross_model, halves_of, spearman
from unitscope.stats.cross import held

from .pairs import N_SITES, halves, pair


def naive(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.corrcoef(x.T.astype(np.float64), y.T.astype(np.float64))[: x.shape[1], x.shape[1] :]


def test_greatest_and_least_over_models_are_those_of_numpy() -> None:
    x, y = pair()
    z = pair(seed=3)[1]
    found = cross_model(held(x), {"y": held(y), "z": held(z)}, halves())
    best = np.stack([np.abs(naive(x, other)).max(axis=1) for other in (y, z)])
    assert np.allclose(found.max_corr, best.max(axis=0), atol=1e-6)
    assert np.allclose(found.min_corr, best.min(axis=0), atol=1e-6)
    first = found.others[0]
    assert first.partner.tolist() == np.abs(naive(x, y)).argmax(axis=1).tolist()
    assert np.allclose(first.rho, naive(x, y)[np.arange(12), first.partner], atol=1e-6)
    assert found.figure("chance")[0] in (first.chance, found.others[1].chance)
    assert np.allclose(np.abs(found.figure("rho", least=True)), found.min_corr)


def test_held_out_is_the_correlation_on_b_of_the_partner_on_a() -> None:
    x, y = pair()
    split = halves()
    found = cross_model(held(x), {"y": held(y)}, split).others[0]
    on_a, on_b = naive(x[split.a], y[split.a]), naive(x[split.b], y[split.b])
    at = np.abs(on_a).argmax(axis=1)
    rows = np.arange(12)
    assert np.allclose(found.on_a, np.abs(on_a).max(axis=1), atol=1e-6)
    assert np.allclose(found.on_b, np.abs(on_b).max(axis=1), atol=1e-6)
    assert np.allclose(found.held_out, on_b[rows, at] * np.sign(on_a[rows, at]), atol=1e-6)
    assert (found.low < found.held_out).all()
    assert (found.held_out < found.high).all()


@given(seed=st.integers(0, 1000), tile=st.integers(1, 14))
@settings(max_examples=15, deadline=None)
def test_a_shuffled_copy_is_found_whatever_its_signs_and_scales(seed: int, tile: int) -> None:
    x = pair()[0]
    draw = np.random.default_rng(seed)
    order = draw.permutation(12)
    copy = (x[:, order] * draw.choice([-3.0, 0.5], 12)).astype(np.float32)
    found = cross_model(held(x), {"copy": held(copy)}, halves(), tile=tile)
    assert np.allclose(found.max_corr, 1, atol=1e-6)
    assert found.others[0].partner.tolist() == np.argsort(order).tolist()


@given(rows=st.integers(50, 700), tile=st.integers(1, 14))
@settings(max_examples=15, deadline=None)
def test_blocks_and_tiles_change_only_rounding(rows: int, tile: int) -> None:
    x, y = pair()
    whole = cross_model(held(x), {"y": held(y)}, halves())
    cut = cross_model(held(x, rows), {"y": held(y, rows // 2)}, halves(), tile=tile)
    for name in ("rho", "on_a", "held_out", "low", "high"):
        assert np.allclose(getattr(whole.others[0], name), getattr(cut.others[0], name), atol=1e-5)
    assert whole.others[0].chance == pytest.approx(cut.others[0].chance, abs=1e-5)


def test_it_is_symmetric() -> None:
    x, y = pair()
    there = cross_model(held(x), {"y": held(y)}, halves()).max_corr
    back = cross_model(held(y), {"x": held(x)}, halves()).max_corr
    assert there.max() == pytest.approx(back.max(), abs=1e-6)


def test_chance_is_what_unrelated_models_reach() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((2, 2000, 40)).astype(np.float32)
    found = cross_model(held(x), {"y": held(y)}, halves(2000))
    assert 0 <= (found.max_corr > found.others[0].chance).mean() <= 0.15
    assert abs(np.mean(found.others[0].held_out)) < 0.02
    assert np.mean((found.others[0].low < 0) & (found.others[0].high > 0)) > 0.8
    assert abs(found.stability) < 0.5
    x, y = pair()
    related = cross_model(held(x), {"y": held(y)}, halves())
    assert (related.max_corr > related.others[0].chance).all()
    assert related.stability > 0.7


def test_constant_and_broken_units_have_no_score_and_are_nobodys_partner() -> None:
    x, y = pair()
    x[:, 3], x[5, 4] = 7, np.inf
    y[:, 0], y[8, 1] = -1, np.nan
    found = cross_model(held(x), {"y": held(y)}, halves())
    other = found.others[0]
    assert np.flatnonzero(found.constant).tolist() == [3]
    assert np.flatnonzero(found.broken).tolist() == [4]
    for name in ("rho", "on_a", "on_b", "held_out", "low", "high"):
        assert np.flatnonzero(np.isnan(getattr(other, name))).tolist() == [3, 4]
    assert other.partner[3] == other.partner[4] == -1
    assert np.flatnonzero(np.isnan(found.max_corr)).tolist() == [3, 4]
    assert not set(other.partner.tolist()) & {0, 1}


def test_equal_partners_go_to_the_first() -> None:
    x, y = pair()
    twice = np.repeat(y, 2, axis=1)
    found = cross_model(held(x), {"y": held(twice)}, halves(), tile=5).others[0]
    assert (found.partner % 2 == 0).all()


def test_what_is_refused() -> None:
    x, y = pair()
    with pytest.raises(RankingError, match=r"Got no other model\..*--with ATLAS"):
        cross_model(held(x), {}, halves())
    with pytest.raises(MeasureError, match="values at the same sites"):
        cross_model(held(x), {"y": held(y[:-10])}, halves())


def test_same_seed_same_numbers() -> None:
    x, y = pair()
    runs = [cross_model(held(x), {"y": held(y)}, halves(), seed=4).others[0] for _ in range(2)]
    for name in ("rho", "held_out", "low", "high"):
        assert np.array_equal(getattr(runs[0], name), getattr(runs[1], name))
    assert runs[0].chance == runs[1].chance


def test_halves_follow_groups() -> None:
    group = np.arange(N_SITES) // 12
    found = halves_of(N_SITES, group=group)
    assert all(len(set(found.half[group == each])) == 1 for each in range(50))
    assert halves_of(N_SITES).n_blocks == 30


def test_spearman_of_too_few_is_not_a_number() -> None:
    assert np.isnan(spearman(np.array([1.0, 2, np.nan]), np.array([1.0, 2, 3])))
    assert spearman(np.array([1.0, 2, 9]), np.array([2.0, 3, 4])) == pytest.approx(1)
    assert np.isnan(spearman(np.ones(4), np.arange(4.0)))
