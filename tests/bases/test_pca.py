"""Principal components against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from unitscope.bases.pca import Covariance
from unitscope.errors import BasisError


def rows(n: int = 300, d: int = 8) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    draw = np.random.default_rng(4)
    return (draw.normal(size=(n, d)) @ draw.normal(size=(d, d)) * np.linspace(5, 0.5, d) + 7).astype(np.float32)


def streamed(values: np.ndarray[tuple[int, int], np.dtype[np.float32]], size: int) -> Covariance:
    seen = Covariance.blank(values.shape[1])
    for start in range(0, len(values), size):
        seen.add(values[start : start + size])
    seen.add(values[:0])
    return seen


@pytest.mark.parametrize("size", [1, 7, 300])
@pytest.mark.parametrize("n", [None, 3])
def test_components_are_those_of_scikit_learn(size: int, n: int | None) -> None:
    basis = streamed(rows(), size).components(n, "h")
    oracle = PCA(n, svd_solver="full").fit(rows().astype(np.float64))
    found, expected = basis.encode(torch.from_numpy(rows())).numpy(), oracle.transform(rows().astype(np.float64))
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found, expected * signs, atol=1e-3)
    np.testing.assert_allclose(
        basis.reconstruct(torch.from_numpy(rows())), oracle.inverse_transform(expected), atol=1e-3
    )


def test_the_largest_loading_is_positive() -> None:
    encoder = streamed(rows(), 50).components(None, "h").encoder
    assert (encoder[np.abs(encoder).argmax(axis=0), np.arange(8)] > 0).all()
    other = streamed(-rows(), 50).components(None, "h").encoder
    np.testing.assert_allclose(other, encoder, atol=1e-5)


def test_fewer_sites_than_components_are_refused() -> None:
    with pytest.raises(BasisError, match=r"Got 8 sites to fit 8 principal components of 'h' on. Expected: more than 8"):
        streamed(rows(8), 4).components(None, "h")


def test_values_that_are_not_finite_are_refused() -> None:
    broken = rows()
    broken[3, 2] = np.nan
    with pytest.raises(BasisError, match=r"no finite numbers"):
        streamed(broken, 50).components(2, "h")
