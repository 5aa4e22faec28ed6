"""Results beside an atlas, as pages read them, beside plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.atlas import Atlas
from unitscope.errors import StoreError
from unitscope.report.site import beside
from unitscope.report.site.data import SiteData


@pytest.fixture(scope="module")
def data(hostile_site) -> SiteData:
    return SiteData(Atlas.open(hostile_site.parent / "atlas"))


def test_an_atlas_without_results_has_none(image_site) -> None:
    found = SiteData(Atlas.open(image_site.parent / "atlas")).beside
    assert found.pages == []
    assert found.ranked == []
    assert found.near_top("features.3", 0) == []
    assert found.compared("features.3", 0) == []


@given(st.integers(0, 1000), st.integers(20, 80))
def test_overlap_is_that_of_plain_sets(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (np.zeros(n + 10, np.int32) for _ in range(2))
    for each in (a, b):
        places = rng.permutation(n + 10)[:n]
        each[places] = 1 + rng.permutation(n)
    both = [at for at in range(n + 10) if a[at] and b[at]]
    found = beside.overlap(a, b)
    if len(both) < beside.LEAST_COMMON:
        assert found is None
        return
    top = beside.top_of(len(both))
    first, second = (set(sorted(both, key=lambda at: each[at])[:top]) for each in (a, b))
    assert found == beside.Overlap(len(first & second) / top, top, top / len(both))


def test_ranks_of_units_are_those_of_the_file(data: SiteData) -> None:
    ranked = next(each for each in data.beside.ranked if each.name == "probeless")
    rows = data.beside.rows(ranked.annex, "units")
    for row in rows[::7]:
        at = data.beside.starts[row["layer"]] + row["unit"]
        number = ranked.targets.index(row["target"])
        assert ranked.ranks[number, at] == row["rank"]
        assert ranked.scores[number, at] == row["score"]
        assert data.beside.units[at] == (row["layer"], row["unit"])
    target = ranked.targets[2]
    best = sorted((row for row in rows if row["target"] == target), key=lambda row: row["rank"])[:5]
    assert [data.beside.units[at] for at in ranked.top(2, 5)] == [(row["layer"], row["unit"]) for row in best]


def test_the_top_of_a_ranking_is_told_to_its_units(data: SiteData) -> None:
    told = {
        (row["name"], row["target"], row["rank"]): key
        for key in data.beside.units
        for row in data.beside.near_top(*key)
    }
    for ranked in data.beside.ranked:
        for target in ranked.targets:
            rows = [row for row in data.beside.rows(ranked.annex, "units") if row["target"] == target]
            for row in rows:
                key = told.get((ranked.name, target, row["rank"]))
                assert key == ((row["layer"], row["unit"]) if row["rank"] <= beside.top_of(len(rows)) else None)


def test_a_result_that_is_not_there(data: SiteData) -> None:
    with pytest.raises(StoreError, match=r"no 'pobeless' among its rankings.*'probeless'"):
        data.beside.get("rankings", "pobeless")
    assert data.beside.rows(data.beside.of("probes")[0], "no such table") == []
