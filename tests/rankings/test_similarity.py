"""CKA against kernels of sites x sites; laws; all pairs of layers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ortho_group

from unitscope.errors import RankingError
from unitscope.rankings.correlation import halves_of
from unitscope.rankings.similarity import similarities
from unitscope.rankings.subspaces import svcca
from unitscope.stats.cross import held

from .pairs import halves, pair

LAYERS_X = {"a": np.arange(5), "b": np.arange(5, 12)}
LAYERS_Y = {"c": np.arange(9)}


def naive_cka(x: NDArray, y: NDArray) -> float:
    x, y = (each - each.mean(axis=0) for each in (x.astype(np.float64), y.astype(np.float64)))
    return float(np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def naive_debiased(x: NDArray, y: NDArray) -> float:
    """Unbiased HSIC of Song et al. 2012 on kernels with zero diagonals, without centring first."""
    n, one = len(x), np.ones(len(x))
    kernels = [each @ each.T for each in (x.astype(np.float64), y.astype(np.float64))]
    for kernel in kernels:
        np.fill_diagonal(kernel, 0)

    def hsic(k: NDArray, m: NDArray) -> float:
        first = np.sum(k * m) + one @ k @ one * (one @ m @ one) / ((n - 1) * (n - 2))
        return float(first - 2 / (n - 2) * (one @ k @ (m @ one)))

    k, m = kernels
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


def test_all_pairs_of_layers_are_those_of_kernels() -> None:
    x, y = pair()
    x, y = x / x.std(axis=0) + 0.3, y / y.std(axis=0)
    split = halves()
    found = similarities(held(x, 77), held(y, 100), LAYERS_X, LAYERS_Y, split)
    assert (found.layers_x, found.layers_y, found.cka.shape) == (("a", "b"), ("c",), (2, 1))
    for i, columns in enumerate(LAYERS_X.values()):
        part = x[:, columns]
        assert found.cka[i, 0] == pytest.approx(naive_cka(part, y), abs=1e-5)
        assert found.debiased[i, 0] == pytest.approx(naive_debiased(part, y), abs=1e-5)
        assert found.debiased_a[i, 0] == pytest.approx(naive_debiased(part[split.a], y[split.a]), abs=1e-5)
        assert found.debiased_b[i, 0] == pytest.approx(naive_debiased(part[split.b], y[split.b]), abs=1e-5)
        alone = svcca(held(part), held(y), split)
        assert found.svcca[i, 0] == pytest.approx(alone.svcca, abs=1e-5)
        assert found.pwcca[i, 0] == pytest.approx(alone.pwcca, abs=1e-5)
        assert found.svcca_held_out[i, 0] == pytest.approx(alone.held_out.mean(), abs=1e-4)
        assert found.svcca_chance[i, 0] == pytest.approx(alone.chance.mean(), abs=1e-4)
        assert found.n_directions[i, 0] == len(alone.fitted.correlations)


@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100))
@settings(max_examples=10, deadline=None)
def test_rotating_and_scaling_a_layer_changes_nothing(seed: int, scale: float) -> None:
    x, y = pair()
    x = x - x.mean(axis=0)
    turned = ((x @ ortho_group.rvs(12, random_state=seed)) * scale).astype(np.float32)
    every = {"x": np.arange(12)}
    before, after = (similarities(held(each), held(y), every, LAYERS_Y, halves()) for each in (x, turned))
    for name in ("cka", "debiased", "debiased_a", "cka_chance", "svcca"):
        assert getattr(before, name)[0, 0] == pytest.approx(getattr(after, name)[0, 0], abs=1e-3)


def test_a_model_with_itself_is_symmetric_and_one_on_the_diagonal() -> None:
    x = held(pair()[0])
    found = similarities(x, x, LAYERS_X, LAYERS_X, halves())
    for name in ("cka", "debiased", "svcca", "pwcca"):
        assert np.allclose(np.diag(getattr(found, name)), 1, atol=1e-5)
    for name in ("cka", "debiased", "svcca"):
        assert np.allclose(getattr(found, name), getattr(found, name).T, atol=1e-6)


def test_debiased_is_near_zero_for_unrelated_layers_where_cka_is_not() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 200, 150)).astype(np.float32)
    every = {"all": np.arange(150)}
    found = similarities(held(x), held(y), every, every, halves(200))
    assert found.cka[0, 0] > 0.3
    assert found.cka_chance[0, 0] > 0.3
    assert abs(found.debiased[0, 0]) < 0.03


def test_rows_name_layers_and_figures() -> None:
    x, y = pair()
    rows = list(similarities(held(x), held(y), LAYERS_X, LAYERS_Y, halves()).rows())
    assert [(row["layer"], row["other_layer"]) for row in rows] == [("a", "c"), ("b", "c")]
    assert {"cka", "debiased", "svcca", "pwcca", "cka_chance", "n_directions"} <= set(rows[0])


def test_what_is_refused() -> None:
    x, y = pair()
    with pytest.raises(RankingError, match="Got no layers"):
        similarities(held(x), held(y), {}, LAYERS_Y, halves())
    with pytest.raises(RankingError, match=r"Got 3 sites in a half\. Expected: at least 4"):
        similarities(held(x[:6]), held(y[:6]), LAYERS_X, LAYERS_Y, halves_of(6, np.arange(6)))
    x[:, :5] = 2
    with pytest.raises(RankingError, match="No unit of layer 'a' varies"):
        similarities(held(x), held(y), LAYERS_X, LAYERS_Y, halves())
