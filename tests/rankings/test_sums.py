"""Sums by class beside scikit-learn's F and plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_selection import f_classif

from unitscope.errors import RankingError
from unitscope.probes.base import ArrayMatrix
from unitscope.rankings.sums import ClassSums, pair_gaps


def data(seed: int, n_sites: int = 60, n_units: int = 7, n_classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    classes = random.integers(-1, n_classes, n_sites).astype(np.int32)
    values = random.normal(size=(n_sites, n_units)) + random.normal(size=(n_classes + 1, n_units))[classes]
    return (values * 10.0 ** random.integers(-3, 3, n_units)).astype(np.float32), classes


@given(st.integers(0, 200), st.integers(1, 60))
def test_f_is_scikit_learns_whatever_the_pieces(seed: int, rows: int) -> None:
    values, classes = data(seed)
    sums = ClassSums.of(ArrayMatrix(values, rows), classes, 4)
    kept = classes >= 0
    expected, _ = f_classif(values[kept].astype(np.float64), classes[kept])
    np.testing.assert_allclose(sums.f_statistic(), expected, rtol=1e-9)
    for c in range(4):
        expected, _ = f_classif(values[kept].astype(np.float64), classes[kept] == c)
        np.testing.assert_allclose(sums.against_rest(c).f_statistic(), expected, rtol=1e-9)


def test_a_unit_far_from_zero_keeps_its_f() -> None:
    values, classes = data(1)
    near = np.round(values[:, 0] / np.abs(values[:, 0]).max() * 8)
    values[:, 0] = near + np.float32(1e5)
    kept = classes >= 0
    expected, _ = f_classif(near[kept, None].astype(np.float64), classes[kept])
    found = ClassSums.of(ArrayMatrix(values), classes, 4).f_statistic()[:1]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # What scikit-learn makes of the same unit where it is.
    far, _ = f_classif(values[kept, :1].astype(np.float64), classes[kept])
    assert abs(far - expected).item() > 100 * abs(found - expected).item()


@given(st.integers(0, 200))
def test_means_and_variance_are_plain_ones(seed: int) -> None:
    values, classes = data(seed)
    chosen = np.array([4, 0], np.int64)
    sums = ClassSums.of(ArrayMatrix(values, 7), classes, 5, chosen)
    plain = values[:, chosen].astype(np.float64)
    for c in range(5):
        if (classes == c).any():
            np.testing.assert_allclose(sums.means[c], plain[classes == c].mean(axis=0), rtol=1e-9, atol=1e-12)
        else:
            assert np.isnan(sums.means[c]).all()
    np.testing.assert_allclose(sums.variance, plain[classes >= 0].var(axis=0), rtol=1e-9)


@given(st.integers(0, 500), st.integers(1, 9))
def test_gaps_are_those_of_all_pairs(seed: int, n_classes: int) -> None:
    means = np.round(np.random.default_rng(seed).normal(size=(n_classes, 3)), 1)
    overall, each = pair_gaps(means)
    naive = np.zeros((n_classes, 3))
    for a, b in itertools.permutations(range(n_classes), 2):
        naive[a] += np.abs(means[a] - means[b])
    np.testing.assert_allclose(each, naive, atol=1e-9)
    np.testing.assert_allclose(overall, naive.sum(axis=0) / 2, atol=1e-9)


def test_odd_units_and_classes_give_defined_answers() -> None:
    values, classes = data(2)
    values[:, 0], values[5, 1], values[6, 2] = 0.1, np.nan, np.inf
    classes[5:7] = 0
    values[:, 3] = classes  # nothing varies within a class
    sums = ClassSums.of(ArrayMatrix(values), classes, 6)
    f = sums.f_statistic()
    assert np.isnan(f[:3]).all()
    assert f[3] == np.inf
    assert np.isfinite(f[4:]).all()
    assert sums.variance[0] == 0.0
    one = ClassSums.of(ArrayMatrix(values), np.zeros(60, np.int32), 1)
    assert np.isnan(one.f_statistic()).all()
    none = ClassSums.of(ArrayMatrix(values), np.full(60, -1, np.int32), 2)
    assert np.isnan(none.variance).all()
    assert none.n.tolist() == [0, 0]


def test_classes_of_other_sites_are_refused() -> None:
    with pytest.raises(RankingError, match="Got classes of 3 sites for 60 sites"):
        ClassSums.of(ArrayMatrix(data(0)[0]), np.zeros(3, np.int32), 1)
