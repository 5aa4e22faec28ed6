"""Greedy choice against the plain method: every candidate refitted at every step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from unitscope.errors import ProbeError
from unitscope.probes.base import ArrayMatrix, Labels
from unitscope.probes.densities import surprise
from unitscope.probes.gaussian import fit_gaussian
from unitscope.probes.greedy import Race, draw, select_greedily

PLAIN = Race(errors=np.inf)


def mixture(seed: int, n_sites: int, n_units: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Values whose class means and covariances differ, and the class of each site; each class has two or more."""
    rng = np.random.default_rng(seed)
    of_site = np.concatenate(
        [np.arange(2 * n_classes) % n_classes, rng.integers(0, n_classes, n_sites - 2 * n_classes)]
    )
    means, mixing = rng.normal(size=(n_classes, n_units)), rng.normal(size=(n_classes, n_units, n_units))
    values = means[of_site] + np.einsum("sij,sj->si", mixing[of_site], rng.normal(size=(n_sites, n_units)))
    return values.astype(np.float32), of_site.astype(np.int32)


def labels_of(of_site: np.ndarray, n_classes: int) -> Labels:
    return Labels(tuple("abcdefgh"[:n_classes]), of_site)


def naive_bits(values: np.ndarray, of_site: np.ndarray, dimensions: int) -> float:
    """Entropy of the classes less the mean surprise, each Gaussian fitted as the paper has it."""
    joint = np.empty((len(values), of_site.max() + 1))
    for c in range(joint.shape[1]):
        own = values[of_site == c].astype(np.float64)
        covariance = np.cov(own, rowvar=False).reshape(own.shape[1], -1) * (len(own) - 1) + np.diag(own.var(0, ddof=1))
        density = multivariate_normal(own.mean(0), covariance / (len(own) + 2 * dimensions + 4))
        joint[:, c] = np.log(len(own) / len(values)) + density.logpdf(values.astype(np.float64))
    own_share = np.bincount(of_site)[of_site] / len(of_site)
    log_posterior = joint[np.arange(len(values)), of_site] - np.logaddexp.reduce(joint, axis=1)
    return float((log_posterior - np.log(own_share)).mean() / np.log(2))


def naive_greedy(
    values: np.ndarray, of_site: np.ndarray, n_units: int, dimensions: int
) -> tuple[list[int], list[float]]:
    chosen: list[int] = []
    bits: list[float] = []
    for _ in range(n_units):
        others = [j for j in range(values.shape[1]) if j not in chosen]
        told = [naive_bits(values[:, [*chosen, j]], of_site, dimensions) for j in others]
        chosen.append(others[int(np.argmax(told))])
        bits.append(max(told))
    return chosen, bits


def test_published_worked_case() -> None:
    # A case of NeuroX's tests: unit 1 follows the class nearly alone, unit 0 in part, unit 2 not.
    values = np.array([[-1.05, -1.1, 0.01], [0, -1.05, 0.005], [1.05, 1.1, 0.003], [0, 1.03, 0.1]], np.float32)
    labels = Labels(("a", "b"), np.array([0, 0, 1, 1], np.int32))
    assert select_greedily(ArrayMatrix(values), labels, 3).units.tolist() == [1, 0, 2]


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(1, 7), st.sampled_from([None, 9]))
def test_choice_is_the_plain_method_s(seed: int, n_classes: int, n_units: int, dimensions: int | None) -> None:
    values, of_site = mixture(seed, 20 * n_classes, 7, n_classes)
    found = select_greedily(
        ArrayMatrix(values, rows=13), labels_of(of_site, n_classes), n_units, dimensions=dimensions, race=PLAIN
    )
    chosen, bits = naive_greedy(values, of_site, n_units, dimensions or n_units)
    assert found.units.tolist() == chosen
    np.testing.assert_allclose([step.bits for step in found.information], bits, rtol=1e-5, atol=1e-6)


def test_race_chooses_as_without() -> None:
    values, of_site = mixture(5, 3000, 60, 4)
    labels, matrix = labels_of(of_site, 4), ArrayMatrix(values)
    plain = select_greedily(matrix, labels, 6, race=PLAIN)
    raced = select_greedily(matrix, labels, 6, race=Race(first=256), seed=3)
    assert raced.units.tolist() == plain.units.tolist()
    assert [step.bits for step in raced.information] == [step.bits for step in plain.information]
    assert plain.judged == (60, 59, 58, 57, 56, 55)
    # It would be no race if it dropped none.
    assert sum(raced.judged) < 250


def test_the_probe_is_the_one_fitted_to_the_chosen() -> None:
    values, of_site = mixture(6, 300, 12, 3)
    labels, matrix = labels_of(of_site, 3), ArrayMatrix(values, rows=64)
    found = select_greedily(matrix, labels, 5)
    again = fit_gaussian(matrix, labels, found.units)
    np.testing.assert_allclose(found.probe.scale, again.scale, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.probe.mean, again.mean)
    for n in range(1, 6):
        told = found.probe.first(n).information(matrix, labels)
        assert told.bits == pytest.approx(found.information[n - 1].bits, rel=1e-9)


def test_units_are_judged_at_other_sites_where_given() -> None:
    values, of_site = mixture(7, 400, 8, 3)
    other, of_other = mixture(7, 200, 8, 3)
    other[:, 2] = np.random.default_rng(0).normal(size=200)
    labels, others = labels_of(of_site, 3), labels_of(of_other, 3)
    found = select_greedily(ArrayMatrix(values), labels, 1, judge=(ArrayMatrix(other), others), race=PLAIN)
    told = [
        fit_gaussian(ArrayMatrix(values), labels, np.array([j])).information(ArrayMatrix(other), others).bits
        for j in range(8)
    ]
    assert found.units.tolist() == [int(np.argmax(told))]
    assert found.information[0].bits == pytest.approx(max(told))


def test_repeats_and_constants_are_never_chosen() -> None:
    rng = np.random.default_rng(8)
    values, of_site = mixture(8, 300, 3, 3)
    sums = values @ np.array([[1.0], [2.0], [0.0]], np.float32)
    dead = np.full((300, 1), 2.5, np.float32)
    both = np.concatenate([values, dead, values[:, :2] * 3 + 1, sums, rng.normal(size=(300, 1))], axis=1)
    found = select_greedily(ArrayMatrix(both.astype(np.float32)), labels_of(of_site, 3), 8)
    # Columns 0, 1, 4, 5 and 6 span two dimensions.
    assert len(found.units) == 4
    assert len(set(found.units.tolist()) & {0, 1, 4, 5, 6}) == 2
    assert {2, 7} <= set(found.units.tolist())
    assert found.constant.tolist() == [3]
    assert sorted([*found.repeated.tolist(), *found.units.tolist(), 3]) == list(range(8))


def test_copies_tie_and_the_lower_column_wins() -> None:
    values, of_site = mixture(9, 200, 4, 2)
    copied = np.concatenate([values, values], axis=1)
    found = select_greedily(ArrayMatrix(copied), labels_of(of_site, 2), 8)
    assert sorted(found.units.tolist()) == [0, 1, 2, 3]


def test_candidates_alone_are_chosen() -> None:
    values, of_site = mixture(10, 100, 6, 2)
    found = select_greedily(ArrayMatrix(values), labels_of(of_site, 2), 6, candidates=np.array([4, 2]))
    assert sorted(found.units.tolist()) == [2, 4]


def test_more_units_than_sites_and_a_class_of_one_site() -> None:
    values, of_site = mixture(11, 20, 50, 2)
    of_site[:] = 0
    of_site[3] = 1
    found = select_greedily(ArrayMatrix(values), labels_of(of_site, 3), 5)
    assert len(found.units) == 5
    assert np.isfinite([step.bits for step in found.information]).all()
    assert found.probe.absent == ("c",)


def test_errors_say_what_is_wrong() -> None:
    values, of_site = mixture(12, 40, 3, 2)
    labels = labels_of(of_site, 2)
    with pytest.raises(ProbeError, match="All units are constant"):
        select_greedily(ArrayMatrix(np.ones((40, 3), np.float32)), labels, 2)
    with pytest.raises(ProbeError, match="Got 0 units to choose"):
        select_greedily(ArrayMatrix(values), labels, 0)
    with pytest.raises(ProbeError, match="labels of other classes"):
        select_greedily(ArrayMatrix(values), labels, 1, judge=(ArrayMatrix(values), Labels(("x", "y"), of_site)))
    nowhere = labels_of(np.full(40, -1, np.int32), 2)
    with pytest.raises(ProbeError, match="has a class of the training sites"):
        select_greedily(ArrayMatrix(values), labels, 1, judge=(ArrayMatrix(values), nowhere))
    values[5, 2] = np.inf
    with pytest.raises(ProbeError, match="unit 2 at site 5 is inf"):
        select_greedily(ArrayMatrix(values), labels, 1)


def test_surprise_in_single_precision_is_that_in_double() -> None:
    rng = np.random.default_rng(13)
    n, n_columns, n_classes, n_chosen = 70, 300, 5, 6
    single = np.float32
    values, white = (
        rng.normal(size=(n, n_columns)).astype(single),
        rng.normal(size=(n, n_classes, n_chosen)).astype(single),
    )
    mean, slope = rng.normal(size=(n_classes, n_columns)), rng.normal(size=(n_classes, n_chosen, n_columns))
    # Widths from a hundredth to a hundred: some classes are out of the question by thousands of nats.
    sharp, offset = 10 ** rng.uniform(-2, 2, (n_classes, n_columns)), rng.normal(size=(n_classes, n_columns))
    base, at = rng.normal(size=(n, n_classes)) * 5, rng.integers(0, n_classes, n).astype(np.int32)
    arrays = [a.astype(single) for a in (base, white, mean, slope, sharp, offset)]
    found = surprise(values, at, *arrays, 16, 20)
    base, white, mean, slope, sharp, offset = (a.astype(np.float64) for a in arrays)
    residual = values[:, None] - mean - np.einsum("sck,cku->scu", white, slope)
    joint = base[:, :, None] + offset - (residual * sharp) ** 2
    expected = np.logaddexp.reduce(joint, axis=1) - joint[np.arange(n), at]
    sums = [expected[i : i + 16].sum(0) for i in range(0, n, 16)]
    np.testing.assert_allclose(found, sums, rtol=2e-5, atol=1e-4)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(100, 700), st.floats(0, 8))
def test_draws_estimate_a_sum_without_bias(seed: int, n_sites: int, skew: float) -> None:
    rng = np.random.default_rng(seed)
    so_far = rng.random(n_sites) ** skew
    sites, size = draw(so_far, 96, rng)
    assert size.sum() == n_sites
    assert len(np.unique(sites)) == sites.size
    assert (size >= sites.shape[1]).all()
    # Strata of about equal sums: estimated well even where few sites hold nearly all.
    if skew > 1:
        assert (so_far[sites].mean(1) @ size) == pytest.approx(so_far.sum(), rel=0.35)
