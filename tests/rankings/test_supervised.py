"""Rankings by class means beside plain loops, on units whose truth is known."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.feature_selection import f_classif

import unitscope
from unitscope.activations import Activations
from unitscope.concepts.table import ConceptTable
from unitscope.errors import ProbeError, RankingError
from unitscope.rankings.base import Ranking

Make = Callable[..., Activations]
LIVE = ["one:0", "one:1", "one:2", "two:0", "two:1", "two:2", "two:3"]


def classes_of(activations: Activations) -> np.ndarray:
    """Class of each site by index, from the masks."""
    of_site = np.full(activations.n_sites, -1)
    for i in range(4):
        of_site[activations.concepts.sites_of(i)] = i
    return of_site


def scores(ranking: Ranking) -> dict[str, float]:
    return dict(zip(ranking.units, ranking.scores.tolist()))


@pytest.mark.parametrize("standardise", [False, True])
def test_probeless_is_the_sum_of_gaps_between_class_means(made: Make, standardise: bool) -> None:
    activations = made()
    found = unitscope.rank(activations, by=f"probeless:standardise={standardise},min_sites=1", concepts="tag")
    assert [each.target for each in found] == ["all", "tag:A", "tag:B", "tag:C", "tag:rare"]
    half, of_site = activations.halves.a, classes_of(activations)
    values = activations.values().astype(np.float64)
    values[:, 3:5] = np.random.default_rng(0).normal(size=(400, 2))  # neither is ranked
    means = {c: values[half & (of_site == c)].mean(axis=0) for c in range(4)}
    if standardise:
        means = {c: mean / values[half].std(axis=0) for c, mean in means.items()}
    gaps = {(a, b): np.abs(means[a] - means[b]) for a, b in itertools.permutations(range(4), 2)}
    at = {address: i for i, address in enumerate(activations.addresses)}
    expected = sum(gaps[a, b] for a, b in itertools.combinations(range(4), 2))
    assert scores(found[0]) == pytest.approx({unit: expected[at[unit]] for unit in LIVE}, rel=1e-6)
    for c in range(4):
        expected = sum(gaps[c, other] for other in range(4) if other != c)
        assert scores(found[1 + c]) == pytest.approx({unit: expected[at[unit]] for unit in LIVE}, rel=1e-6)


def test_loud_noise_comes_first_unless_values_are_standardised(made: Make) -> None:
    plain = unitscope.rank(made(), by="probeless", concepts="tag")
    standard = unitscope.rank(made(), by="probeless:standardise=true", concepts="tag")
    assert plain[0].top(1) == ("one:2",)
    assert set(standard[0].top(2)) == {"one:0", "one:1"}
    assert standard[1].top(1) == ("one:0",)  # A
    assert standard[2].top(1) == ("one:1",)  # B, by low values


@pytest.mark.parametrize("half", ["a", "b", "all"])
def test_f_is_scikit_learns_on_the_half(made: Make, half: str) -> None:
    activations = made()
    found = unitscope.rank(activations, by="f", concepts="tag", half=half)  # type: ignore[arg-type]
    kept = classes_of(activations) < 3
    if half != "all":
        kept &= getattr(activations.halves, half)
    columns = activations.columns([])[[activations.addresses.index(unit) for unit in LIVE]]
    values, of_site = activations.values(columns)[kept].astype(np.float64), classes_of(activations)[kept]
    assert scores(found[0]) == pytest.approx(dict(zip(LIVE, f_classif(values, of_site)[0])), rel=1e-6)
    assert scores(found[3]) == pytest.approx(dict(zip(LIVE, f_classif(values, of_site == 2)[0])), rel=1e-6)
    assert found[0].origin.parameters["half"] == half
    assert found[0].origin.parameters["left_out"] == ["tag:rare"]
    assert found[0].origin.parameters["classes"] == 3


def test_only_half_a_is_looked_at(made: Make) -> None:
    activations = made()
    changed = {name: activations.values(activations.columns([name])) for name in ("one", "two")}
    for values in changed.values():
        values[activations.halves.b] = np.random.default_rng(1).normal(size=values[activations.halves.b].shape)
    other = Activations.of_arrays(
        changed, activations.concepts, groups=[activations.groups[g] for g in activations.group]
    )
    for by in ("probeless", "f"):
        one, same = (unitscope.rank(each, by=by, concepts="tag") for each in (activations, other))
        assert [each.units[:3] for each in one] == [each.units[:3] for each in same]
        assert scores(one[0])["one:0"] == scores(same[0])["one:0"]


def test_a_concept_is_against_all_sites_where_it_is_known(made: Make) -> None:
    activations = made()
    (found,) = unitscope.rank(activations, by="f", concept="part:Z", half="all")
    known = activations.concepts.known["part"]
    values, mask = activations.values(), classes_of(activations) == 0
    columns = [activations.addresses.index(unit) for unit in LIVE]
    expected, _ = f_classif(values[known][:, columns].astype(np.float64), mask[known])
    assert found.target == "part:Z"
    assert {unit: scores(found)[unit] for unit in LIVE} == pytest.approx(dict(zip(LIVE, expected)), rel=1e-6)
    # No site with NaN is a known one, so that unit has a score here.
    assert "one:4" in found.units


def test_variance_and_chance(made: Make) -> None:
    activations = made()
    (found,) = unitscope.rank(activations, by="variance", half="all")
    values = activations.values().astype(np.float64)
    expected = {unit: values[:, activations.addresses.index(unit)].var() for unit in LIVE}
    assert scores(found) == pytest.approx(expected, rel=1e-6)
    (drawn,), (again,), (other,) = (unitscope.rank(activations, by="random", seed=seed) for seed in (4, 4, 5))
    assert drawn.units == again.units != other.units
    assert set(drawn.units) == set(activations.addresses)
    (some,) = unitscope.rank(activations, by="variance", layers=["tw?"])
    assert {unit.partition(":")[0] for unit in some.units} == {"two"}


def test_what_makes_no_sense_is_told(made: Make) -> None:
    activations = made()

    def told(text: str, kind: type[Exception] = RankingError, **question: object) -> None:
        with pytest.raises(kind, match=text):
            unitscope.rank(question.pop("of", activations), **question)  # type: ignore[arg-type]

    told(r"Got no classes to rank units for\. Expected: a category or a concept.*odd, part, tag", by="f")
    told("'odd:X' and 'odd:Y' hold together at", ProbeError, by="f", concepts="odd")
    told("Fewer than two classes have 300 sites: tag:A", by="f:min_sites=300", concepts="tag")
    told("Got half 'a' for rankings by random", by="random", half="a")
    told(r"Got half 'c'\. Expected: one of a, b, all", by="f", concepts="tag", half="c")
    told("the category 'tag' and the concept 'odd:X'", by="f", concepts="tag", concept="odd:X")
    masks = activations.concepts
    one = ConceptTable(("tag:A",), ("tag",), masks.indptr[:2], masks.sites[: masks.indptr[1]], masks.n_sites)
    alone = Activations.of_arrays({"one": activations.values()}, one)
    told(r"Only one class has sites: tag:A \(half A\)", of=alone, by="f", concepts="tag")
    flat = Activations.of_arrays({"one": np.ones((400, 3), np.float32)}, masks)
    told("No unit has a score for 'all' by f", of=flat, by="f", concepts="tag")
    told("No unit has a score for 'all' by variance", of=flat, by="variance")
