"""The Gaussian probe against densities written out, and against data where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from unitscope.errors import ProbeError
from unitscope.probes.base import ArrayMatrix, Labels
from unitscope.probes.gaussian import fit_gaussian


def mixture(seed: int, n_sites: int, n_units: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Values whose class means and covariances differ, and the class of each site; every class is there."""
    rng = np.random.default_rng(seed)
    of_site = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n_sites - n_classes)])
    means, mixing = rng.normal(size=(n_classes, n_units)), rng.normal(size=(n_classes, n_units, n_units))
    values = means[of_site] + np.einsum("sij,sj->si", mixing[of_site], rng.normal(size=(n_sites, n_units)))
    return values.astype(np.float32), of_site.astype(np.int32)


def labels_of(of_site: np.ndarray, n_classes: int) -> Labels:
    return Labels(tuple("abcdefgh"[:n_classes]), of_site)


def naive_log_joint(values: np.ndarray, of_site: np.ndarray, at: np.ndarray, dimensions: int) -> np.ndarray:
    """Log prior times density at the sites `at` [n, U], each Gaussian fitted as the paper has it."""
    columns = []
    for c in np.unique(of_site):
        own = values[of_site == c].astype(np.float64)
        scatter = (own - own.mean(0)).T @ (own - own.mean(0))
        prior = np.diag(own.var(axis=0, ddof=1))
        covariance = (prior + scatter) / (len(own) + 2 * dimensions + 4)
        columns.append(
            np.log(len(own) / len(values)) + multivariate_normal(own.mean(0), covariance).logpdf(at.astype(np.float64))
        )
    return np.stack(columns, axis=-1)


def naive_bits(values: np.ndarray, of_site: np.ndarray, dimensions: int) -> tuple[float, float]:
    joint = naive_log_joint(values, of_site, values, dimensions)
    posterior = np.exp(joint) / np.exp(joint).sum(1, keepdims=True)
    shares = np.bincount(of_site) / len(of_site)
    shares = shares[shares > 0]
    entropy = -(shares * np.log2(shares)).sum()
    return entropy + np.log2(
        posterior[np.arange(len(of_site)), np.unique(of_site, return_inverse=True)[1]]
    ).mean(), entropy


def test_densities_and_information_are_those_written_out() -> None:
    values, of_site = mixture(0, 200, 5, 3)
    labels = labels_of(of_site, 3)
    units = np.array([3, 0, 4])
    probe = fit_gaussian(ArrayMatrix(values, rows=17), labels, units, dimensions=7)
    expected = naive_log_joint(values[:, units], of_site, values[:, units], 7)
    np.testing.assert_allclose(probe.log_joint(values[:, units]), expected, rtol=1e-6)
    bits, entropy = naive_bits(values[:, units], of_site, 7)
    found = probe.information(ArrayMatrix(values, rows=23), labels)
    assert found.bits == pytest.approx(bits, rel=1e-6)
    assert found.entropy == pytest.approx(entropy)
    # Bits over bits: a share.
    assert found.normalised == pytest.approx(bits / entropy, rel=1e-6)
    np.testing.assert_array_equal(probe.predict(ArrayMatrix(values)), expected.argmax(1))
    assert probe.accuracy(ArrayMatrix(values), labels) == pytest.approx((expected.argmax(1) == of_site).mean())
    np.testing.assert_allclose(probe.posterior(values[:, units]).sum(1), 1)


def test_the_first_units_are_a_marginal() -> None:
    values, of_site = mixture(1, 120, 4, 2)
    labels, matrix = labels_of(of_site, 2), ArrayMatrix(values)
    whole = fit_gaussian(matrix, labels, np.array([2, 0, 1]), dimensions=4)
    small = fit_gaussian(matrix, labels, np.array([2, 0]), dimensions=4)
    np.testing.assert_allclose(whole.first(2).log_joint(values[:, [2, 0]]), small.log_joint(values[:, [2, 0]]))
    assert whole.first(0).information(matrix, labels).bits == pytest.approx(0, abs=1e-12)


def test_one_unit_that_says_it_all_tells_the_entropy() -> None:
    of_site = np.arange(400, dtype=np.int32) % 4
    values = (of_site[:, None] * 100 + np.random.default_rng(0).normal(size=(400, 1))).astype(np.float32)
    probe = fit_gaussian(ArrayMatrix(values), labels_of(of_site, 4), np.array([0]))
    found = probe.information(ArrayMatrix(values), labels_of(of_site, 4))
    assert found.entropy == pytest.approx(2.0)
    assert found.bits == pytest.approx(2.0, abs=1e-6)


def test_sites_without_a_label_and_absent_classes_are_passed_over() -> None:
    values, of_site = mixture(2, 90, 3, 3)
    with_gaps = of_site.copy()
    with_gaps[of_site == 1] = -1
    probe = fit_gaussian(ArrayMatrix(values), labels_of(with_gaps, 3), np.arange(3))
    kept = of_site != 1
    alone = fit_gaussian(ArrayMatrix(values[kept]), labels_of(of_site[kept], 3), np.arange(3))
    np.testing.assert_allclose(probe.log_joint(values), alone.log_joint(values))
    assert probe.absent == ("b",)
    assert set(probe.predict(ArrayMatrix(values))) <= {0, 2}
    # Elsewhere the absent class is there: left out of the information, counted, and missed by the accuracy.
    everywhere = labels_of(of_site, 3)
    assert probe.information(ArrayMatrix(values), everywhere).n_left_out == (of_site == 1).sum()
    assert probe.accuracy(ArrayMatrix(values), everywhere) == pytest.approx(
        (probe.predict(ArrayMatrix(values)) == of_site).mean()
    )


@pytest.mark.parametrize("kind", ["dead", "one site", "dead in a class", "twice", "more units than sites"])
def test_degenerate_values_give_finite_numbers(kind: str) -> None:
    values, of_site = mixture(3, 60, 4, 3)
    if kind == "dead":
        values[:, 1] = 3e4
    elif kind == "one site":
        of_site[of_site == 2] = 1
        of_site[7] = 2
    elif kind == "dead in a class":
        values[of_site == 2, 1] = 0
    elif kind == "twice":
        values[:, 1] = values[:, 0]
    else:
        values, of_site = mixture(3, 12, 40, 3)
    labels, matrix = labels_of(of_site, 3), ArrayMatrix(values)
    probe = fit_gaussian(matrix, labels, np.arange(values.shape[1]))
    found = probe.information(matrix, labels)
    assert np.isfinite([found.bits, probe.accuracy(matrix, labels), *probe.log_joint(values).ravel()]).all()
    assert (np.linalg.eigvalsh(probe.covariance) > 0).all()


def test_errors_say_what_is_wrong() -> None:
    values, of_site = mixture(4, 30, 3, 2)
    labels = labels_of(of_site, 2)
    with pytest.raises(ProbeError, match=r"class 'a' alone has a site\. Expected: 2 or more"):
        fit_gaussian(ArrayMatrix(values), labels_of(np.zeros(30, np.int32), 2), np.arange(3))
    with pytest.raises(ProbeError, match=r"Got 30 labels for 29 sites"):
        fit_gaussian(ArrayMatrix(values[1:]), labels, np.arange(3))
    with pytest.raises(ProbeError, match=r"Got units \[0, 0\]\. Expected: different columns below 3"):
        fit_gaussian(ArrayMatrix(values), labels, np.array([0, 0]))
    probe = fit_gaussian(ArrayMatrix(values), labels, np.array([2, 1]))
    with pytest.raises(ProbeError, match=r"Got labels of 2 classes for a probe of 2 others"):
        probe.information(ArrayMatrix(values), Labels(("x", "y"), of_site))
    values[20, 1] = np.nan
    with pytest.raises(ProbeError, match=r"The value of unit 1 at site 20 is nan\. Expected: finite values"):
        fit_gaussian(ArrayMatrix(values, rows=8), labels, np.array([2, 1]))
    with pytest.raises(ProbeError, match=r"The value of unit 1 at site 20 is nan"):
        probe.predict(ArrayMatrix(values, rows=8))
