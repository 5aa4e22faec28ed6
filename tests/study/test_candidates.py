"""Choosing concepts, beside a choice by loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from unitscope.stats.ranks import RankSum
from unitscope.study.candidates import FURTHER_FLOOR, MIN_SPREAD, Association, association, choose, partial_strength


def naive(
    strength: list[float], partial: list[float], eligible: list[bool], alike: NDArray[np.bool_], n: int
) -> list[tuple[int, bool]]:
    """Concepts in order, and whether each was chosen for its partial effect."""
    left = [c for c in range(len(strength)) if eligible[c] and strength[c] > -np.inf]
    inner = [c for c in range(len(strength)) if eligible[c] and partial[c] > -np.inf]
    found: list[tuple[int, bool]] = []
    while len(found) < n:
        free = [c for c in left if not any(c == d or alike[d, c] for d, _ in found)]
        best, by_partial = max(free, key=lambda c: (strength[c], -c), default=-1), False
        enough = best >= 0 and (not found or strength[best] >= FURTHER_FLOOR)
        if len(found) == 1 and inner:
            within = max(inner, key=lambda c: (partial[c], -c))
            first = found[0][0]
            if partial[within] >= FURTHER_FLOOR and within != first and not alike[first, within]:
                best, by_partial, enough = within, True, True
        if not enough:
            break
        found.append((best, by_partial))
    return found


@given(seed=st.integers(0, 10_000), n_concepts=st.integers(1, 9), n=st.integers(1, 6))
def test_the_choice_is_that_of_loops(seed: int, n_concepts: int, n: int) -> None:
    draw = np.random.default_rng(seed)
    shape = (6, n_concepts)
    values = [np.round(draw.random(shape), 1) * 0.8 - 0.1 for _ in range(2)]
    for each in values:
        each[draw.random(shape) < 0.2] = -np.inf
    strength, partial = values
    auroc, effect = draw.random(shape), draw.normal(size=shape)
    eligible = draw.random(n_concepts) < 0.8
    alike = draw.random((n_concepts, n_concepts)) < 0.2
    alike |= alike.T | np.eye(n_concepts, dtype=bool)
    found = choose(Association(auroc, strength, effect, partial), eligible, alike, n)
    assert found.concept.shape == found.sign.shape == found.auroc.shape == (6, n)
    for unit in range(6):
        expected = naive(strength[unit].tolist(), partial[unit].tolist(), eligible.tolist(), alike, n)
        assert found.concept[unit].tolist() == [c for c, _ in expected] + [-1] * (n - len(expected))
        for place in range(n):
            if place >= len(expected):
                assert found.sign[unit, place] == 0
                assert np.isnan(found.auroc[unit, place])
                continue
            concept, by_partial = expected[place]
            rises = effect[unit, concept] >= 0 if by_partial else auroc[unit, concept] >= 0.5
            assert found.sign[unit, place] == (1 if rises else -1)
            assert found.auroc[unit, place] == auroc[unit, concept]


@pytest.mark.parametrize(("inside", "outside", "auroc"), [(5, 20, 0.9), (5, 20, 0.1), (200, 300, 0.55), (1, 1, 1.0)])
def test_an_association_is_beyond_two_errors(inside: int, outside: int, auroc: float) -> None:
    n = inside + outside
    sums = np.array([[round(2 * (auroc * inside * outside + inside * (inside + 1) / 2))]])
    ranks = RankSum(sums, np.array([inside]), n)
    error = np.sqrt((n + 1) / (12 * inside * outside))
    np.testing.assert_allclose(association(ranks), [[abs(ranks.auroc[0, 0] - 0.5) - 2 * error]])
    assert ranks.auroc[0, 0] == pytest.approx(auroc, abs=0.01)


def test_what_is_undefined_is_never_chosen() -> None:
    ranks = RankSum(np.array([[0, 0, 30]]), np.array([0, 5, 3]), 5)
    assert association(ranks)[0, :2].tolist() == [-np.inf, -np.inf]
    found = Association(np.full((2, 3), np.nan), np.full((2, 3), -np.inf), *[np.full((2, 3), -np.inf)] * 2)
    nothing = choose(found, np.ones(3, bool), np.eye(3, dtype=bool), 4)
    assert (nothing.concept == -1).all()
    assert (nothing.sign == 0).all()
    assert np.isnan(nothing.auroc).all()


def test_partial_effects_need_contrast_and_exceed_two_errors() -> None:
    effect = np.array([[0.9, -0.9, 0.9, np.nan]])
    spread = np.array([100.0, 25.0, MIN_SPREAD - 0.1, 100.0])
    np.testing.assert_allclose(partial_strength(effect, spread), [[0.9 - 0.2, 0.9 - 0.4, -np.inf, -np.inf]])


def test_some_units_can_be_left_out() -> None:
    found = choose(Association(*[np.full((3, 2), 0.7)] * 4), np.ones(2, bool), np.eye(2, dtype=bool), 2)
    less = found.without(np.array([False, True, False]))
    assert less.concept.tolist() == [[0, 1], [-1, -1], [0, 1]]
    assert less.sign.tolist() == [[1, 1], [0, 0], [1, 1]]
    assert np.isnan(less.auroc[1]).all()
    assert found.concept.tolist() == [[0, 1]] * 3
