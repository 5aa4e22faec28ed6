"""Rankings: order, ties, ends, draws, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.errors import RankingError
from unitscope.rankings.base import Origin, Ranking, split_address

ORIGIN = Origin("made", {"k": 1}, 3, "key")
SCORES = st.lists(st.one_of(st.sampled_from([0.0, 1.0, -2.0, math.nan, math.inf]), st.floats(-5, 5)), min_size=1)


def addresses(n: int) -> list[str]:
    return [f"layer.{i % 2}:{i // 2}" for i in range(n)]


@given(SCORES, st.booleans())
def test_order_is_that_of_a_plain_sort(scores: list[float], rising: bool) -> None:
    names = addresses(len(scores))
    pairs = [(score if rising else -score, i) for i, score in enumerate(scores) if not math.isnan(score)]
    if not pairs:
        with pytest.raises(RankingError, match="No unit has a score for 'all' by made"):
            Ranking.of_scores(scores, names, "all", ORIGIN, rising=rising)
        return
    ranking = Ranking.of_scores(scores, names, "all", ORIGIN, rising=rising)
    order = [i for _, i in sorted(pairs)]
    assert list(ranking.units) == [names[i] for i in order]
    assert ranking.scores.tolist() == [scores[i] for i in order]
    assert ranking.indices(names).tolist() == order
    assert ranking.top(2) == tuple(ranking.units[:2])
    assert ranking.bottom(2) == tuple(reversed(ranking.units[-2:]))
    assert set(ranking.random(len(scores), 1)) == set(ranking.units)


def test_draws_repeat_and_are_no_order() -> None:
    ranking = Ranking.of_scores(np.arange(50.0), addresses(50), "all", ORIGIN)
    assert ranking.random(10, 4) == ranking.random(10, 4) != ranking.random(10, 5)
    assert len(set(ranking.random(10, 4))) == 10
    assert ranking.top(0) == ranking.bottom(0) == ()
    with pytest.raises(RankingError, match=r"Got -1 units\. Expected: 0 or more\."):
        ranking.top(-1)


def test_scores_and_parameters_are_the_rankings_own() -> None:
    scores, parameters = np.array([2.0, 1.0]), {"k": 1}
    ranking = Ranking(("a:0", "a:1"), scores, "all", Origin("made", parameters))
    scores[0], parameters["k"] = 9.0, 9
    assert ranking.scores.tolist() == [2.0, 1.0]
    assert ranking.origin.parameters["k"] == 1
    with pytest.raises(ValueError, match="read-only"):
        ranking.scores[0] = 3.0


@pytest.mark.parametrize(
    ("units", "scores", "told"),
    [
        (("a:0",), [1.0, 2.0], r"Got 1 units and scores of shape \(2,\)\. Expected: one score a unit\."),
        (("a:0", "a:1"), [1.0, math.nan], "Got NaN among the scores"),
        (("a:0", "a:0"), [1.0, 1.0], "Got unit 'a:0' twice in a ranking"),
    ],
)
def test_what_does_not_fit_is_refused(units: tuple[str, ...], scores: list[float], told: str) -> None:
    with pytest.raises(RankingError, match=told):
        Ranking(units, np.array(scores), "all", ORIGIN)


def test_other_units_and_another_atlas() -> None:
    ranking = Ranking(("encoder.1:3", "encoder.1:4"), np.array([2.0, 1.0]), "all", ORIGIN)
    with pytest.raises(RankingError, match=r"units that are not here, such as 'encoder.1:3'.*Closest: 'encoder.2:3'"):
        ranking.indices(["encoder.2:3"])
    ranking.check_parent("key")
    with pytest.raises(RankingError, match=r"is of another atlas \(key key, here other\)"):
        ranking.check_parent("other")
    assert ranking.restricted(["encoder.1:4", "x:1"]).units == ("encoder.1:4",)
    with pytest.raises(RankingError, match="None of these units is in the ranking by made"):
        ranking.restricted(["x:1"])
    with pytest.raises(RankingError, match="Got scores of shape"):
        Ranking.of_scores([1.0], ["a:0", "a:1"], "all", ORIGIN)


def test_addresses() -> None:
    assert split_address("a.b@in[1]#2:30") == ("a.b@in[1]#2", 30)
    for wrong in ("a", ":3", "a:-1", "a:x"):
        with pytest.raises(RankingError, match="as a unit"):
            split_address(wrong)
