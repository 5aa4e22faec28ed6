"""Clusters: against scipy and scikit-learn on a whole matrix, representatives, redundancy, stability."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster
from scipy.cluster.hierarchy import linkage as link
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from unitscope.errors import RankingError
from unitscope.rankings.clusters import adjusted_rand, cluster, redundancy
from unitscope.stats.cross import held

from .pairs import N_SITES, halves


def families(sizes: tuple[int, ...] = (4, 3, 1, 2), noise: float = 0.3, seed: int = 0) -> NDArray:
    """Units of several families, members likest to their family's first."""
    draw = np.random.default_rng(seed)
    parts = []
    for size in sizes:
        common = draw.standard_normal((N_SITES, 1))
        spread = noise * np.arange(size) / max(size, 1)
        parts.append(common * draw.choice([-1, 1], size) + spread * draw.standard_normal((N_SITES, size)))
    return np.concatenate(parts, axis=1).astype(np.float32)


def naive(x: NDArray, cut: float, linkage: str, signed: bool) -> NDArray:
    rho = np.corrcoef(x.T.astype(np.float64))
    distance = 1 - (rho if signed else np.abs(rho))
    np.fill_diagonal(distance, 0)
    distance = np.clip((distance + distance.T) / 2, 0, None)
    return fcluster(link(squareform(distance, checks=False), linkage), cut, "distance")


@pytest.mark.parametrize("linkage", ["average", "complete"])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("cut", [0.05, 0.4, 1.2])
def test_partitions_are_scipys(linkage: str, signed: bool, cut: float) -> None:
    x = families(noise=1.0)
    found = cluster(held(x, 77), halves(), cut=cut, linkage=linkage, signed=signed)
    assert adjusted_rand_score(found.of_unit, naive(x, cut, linkage, signed)) == 1


def test_families_are_found_and_the_most_central_stands_for_each() -> None:
    found = cluster(held(families()), halves(), cut=0.3)
    assert found.of_unit.tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 3, 3]
    assert (found.n_clusters, found.rand) == (4, 1.0)
    rho = np.abs(np.corrcoef(families().T))
    for family in range(4):
        members = found.members(family)
        inner = rho[np.ix_(members, members)].sum(axis=1)
        assert found.representatives[family] == members[np.argmax(np.round(inner, 5))]
    assert found.held_out > 0.9 > found.chance
    assert np.isnan(found.closeness[7])
    assert np.nanmin(found.closeness) > 0.8


def test_equal_members_are_stood_for_by_the_first() -> None:
    x = families((2, 2))
    found = cluster(held(np.concatenate([x[:, [0]]] * 3 + [x[:, [2]]] * 2, axis=1)), halves(), cut=0.1)
    assert found.representatives.tolist() == [0, 3]


def test_constant_units_are_in_no_cluster() -> None:
    x = families()
    x[:, 1], x[3, 5] = 2, np.nan
    found = cluster(held(x), halves())
    assert found.of_unit.tolist() == [0, -1, 0, 0, 1, -1, 1, 2, 3, 3]
    assert np.isnan(found.closeness[[1, 5]]).all()


def test_redundancy_adds_up_over_layers() -> None:
    x = families()
    x[:, 7] = 1
    layers = ["a"] * 5 + ["b"] * 5
    found = cluster(held(x), halves(), cut=0.3)
    first, second = redundancy(found, layers)
    assert (first.layer, first.n_units, second.layer, second.n_units) == ("a", 5, "b", 4)
    kept = (1 - first.removable) * 5 + (1 - second.removable) * 4
    assert kept == pytest.approx(found.n_clusters)
    assert first.elsewhere == pytest.approx(1 / 5)
    assert second.elsewhere == pytest.approx(2 / 4)
    assert first.removable == pytest.approx(1 - (1 + 1 / 3) / 5)
    assert first.removable_a == first.removable_b == first.removable


def test_unrelated_units_stay_apart_and_have_no_stable_clusters() -> None:
    x = np.random.default_rng(0).standard_normal((N_SITES, 30)).astype(np.float32)
    found = cluster(held(x), halves(), cut=0.3)
    assert found.n_clusters == 30
    assert np.isnan(found.held_out)
    loose = cluster(held(x), halves(), cut=0.94)
    assert loose.n_clusters < 30
    assert abs(loose.rand) < 0.3


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_adjusted_rand_is_scikit_learns(labels: list[tuple[int, int]]) -> None:
    a, b = np.array(labels).T
    assert adjusted_rand(a, b) == pytest.approx(adjusted_rand_score(a, b), abs=1e-9)


def test_what_is_refused() -> None:
    x = held(families())
    with pytest.raises(RankingError, match=r"Got linkage 'ward'\. Expected: average or complete"):
        cluster(x, halves(), linkage="ward")
    with pytest.raises(RankingError, match="Got 3 as the distance to cut at"):
        cluster(x, halves(), cut=3)
    with pytest.raises(RankingError, match=r"Got 20001 units.*--layers"):
        cluster(held(np.zeros((40, 20_001), np.float32)), halves(40))
