"""Probes crossed with rankings: what each probe is given, and how often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from unitscope.errors import RankingError
from unitscope.rankings.base import Origin, Ranking
from unitscope.rankings.crossed import crossed

UNITS = [f"a:{i}" for i in range(10)]


def ranking(units: Sequence[str]) -> Ranking:
    return Ranking(tuple(units), -np.arange(len(units), dtype=float), "all", Origin("made"))


def least(units: Sequence[str]) -> float:
    return 1 - min(int(unit[2:]) for unit in units) / 10


def mean(units: Sequence[str]) -> float:
    return float(np.mean([int(unit[2:]) for unit in units])) / 10


def test_every_probe_meets_every_ranking() -> None:
    calls: list[tuple[str, ...]] = []

    def counted(units: Sequence[str]) -> float:
        calls.append(tuple(units))
        return least(units)

    rankings = {"up": ranking(UNITS), "down": ranking(UNITS[::-1])}
    found = crossed({"least": counted, "mean": mean}, rankings, [1, 3], draws=4)
    assert found.top.tolist() == [[[1.0, 1.0], [pytest.approx(0.1), pytest.approx(0.3)]], [[0.0, 0.1], [0.9, 0.8]]]
    np.testing.assert_array_equal(found.bottom, found.top[:, ::-1])
    assert found.random.shape == (2, 2, 4)
    assert len(calls) == len(set(calls))  # no set of units twice
    rows = list(found.rows())
    assert len(rows) == 8
    assert rows[2] == {
        "probe": "least",
        "ranking": "down",
        "k": 1,
        "top": pytest.approx(0.1),
        "bottom": 1.0,
        "random": found.random[0, 0].mean(),
        "random_least": found.random[0, 0].min(),
        "random_greatest": found.random[0, 0].max(),
    }
    again = crossed({"mean": mean}, rankings, [3], draws=4)
    assert again.random[0, 0].tolist() == found.random[1, 1].tolist()
    assert crossed({"mean": mean}, rankings, [3], draws=4, seed=1).random.tolist() != again.random.tolist()


def test_random_units_are_those_that_all_rank() -> None:
    seen: set[str] = set()

    def probe(units: Sequence[str]) -> float:
        seen.update(units)
        return 0.0

    crossed({"p": probe}, {"all": ranking(UNITS), "few": ranking(UNITS[:2])}, [1], draws=30)
    assert seen == {"a:0", "a:1", "a:9"}  # the last of all, and draws from the two


def test_what_makes_no_sense_is_told() -> None:
    one = {"up": ranking(UNITS)}
    with pytest.raises(RankingError, match=r"Got 0 probe\(s\) and 1 ranking\(s\)"):
        crossed({}, one, [1])
    with pytest.raises(RankingError, match=r"Got k = 11 for rankings with 10 units in common. Expected: at most 10"):
        crossed({"m": mean}, one, [1, 11])
    with pytest.raises(RankingError, match=r"Got numbers of units \[0\]"):
        crossed({"m": mean}, one, [0])
    with pytest.raises(RankingError, match="Got 0 random draws"):
        crossed({"m": mean}, one, [1], draws=0)
