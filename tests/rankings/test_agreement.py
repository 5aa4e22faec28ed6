"""Agreement of rankings beside plain loops, simulated chance, and laws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.errors import RankingError
from unitscope.rankings.agreement import (
    agreement,
    average_overlap,
    kendall_tau,
    overlap,
    overlap_chance,
    rank_biased_chance,
    rank_biased_overlap,
    vote,
    vote_overlap,
)
from unitscope.rankings.base import Origin, Ranking

UNITS = [f"layer:{i}" for i in range(12)]
ORDERS = st.permutations(UNITS).flatmap(lambda order: st.integers(1, 12).map(lambda n: order[:n]))


def naive_rbo(one: list[str], other: list[str], p: float) -> float:
    """Rank-biased overlap by its definition: agreement at each depth, going on as it was where orders end.

    Beyond the shorter order its agreement at its own length is taken to hold on among what the longer one adds, and
    beyond the longer one all stays as it is; summed to a depth at which nothing is left.
    """
    short, long = sorted((one, other), key=len)
    s, n = len(short), len(long)
    shared = len(set(short) & set(long[:s]))
    total = 0.0
    for d in range(1, 4000):
        at_long = long[: min(d, n)]
        if d <= s:
            part = len(set(short[:d]) & set(at_long)) / d
        elif d <= n:
            part = (len(set(short) & set(at_long)) + shared * (d - s) / s) / d
        else:
            part = (len(set(short) & set(long)) - shared) / n + shared / s
        total += (1 - p) * p ** (d - 1) * part
    return total


@given(ORDERS, ORDERS, st.sampled_from([0.5, 0.9, 0.98]))
def test_rank_biased_overlap_is_the_infinite_sum(one: list[str], other: list[str], p: float) -> None:
    found = rank_biased_overlap(one, other, p)
    assert found == pytest.approx(naive_rbo(one, other, p), abs=1e-12)
    assert found == rank_biased_overlap(other, one, p)
    assert rank_biased_overlap(one, one, p) == pytest.approx(1.0)
    assert 0 <= found <= 1


def test_rank_biased_overlap_of_worked_cases() -> None:
    assert rank_biased_overlap("abc", "xyz", 0.9) == 0.0
    # Agreement 0, 1, 2/3: (.1/.9)(.9^2 + 2/3 .9^3) + 2/3 .9^3
    assert rank_biased_overlap("abc", "bad", 0.9) == pytest.approx(0.1 / 0.9 * (0.81 + 0.486) + 0.486)
    assert np.isnan(rank_biased_overlap("", "ab"))
    with pytest.raises(RankingError, match=r"Got persistence 1\.0"):
        rank_biased_overlap("a", "b", 1.0)


@given(ORDERS, ORDERS, st.integers(1, 14))
def test_overlap_is_a_jaccard_index(one: list[str], other: list[str], k: int) -> None:
    both = sum(unit in other[:k] for unit in one[:k])
    assert overlap(one, other, k) == both / (len(one[:k]) + len(other[:k]) - both)


@given(st.lists(ORDERS, min_size=1, max_size=4), st.integers(1, 14))
def test_votes_are_points_added_up(orders: list[list[str]], depth: int) -> None:
    elected = vote(orders, depth)
    points = {unit: sum(max(depth - o.index(unit), 0) if unit in o else 0 for o in orders) for unit in UNITS}
    assert set(elected) == {unit for unit in UNITS if points[unit]}
    assert [points[unit] for unit in elected] == sorted((p for p in points.values() if p), reverse=True)


def test_a_unanimous_vote_is_the_order_itself() -> None:
    assert vote([UNITS, UNITS, UNITS], 12) == tuple(UNITS)
    assert vote_overlap(UNITS, [UNITS, UNITS], 5) == average_overlap(UNITS, [UNITS], 5) == 1.0
    assert np.isnan(vote_overlap(UNITS, [], 5))
    # More than `depth` units can be elected where more are asked for.
    assert vote_overlap(UNITS, [UNITS], 6, depth=2) == 1.0


def test_chance_is_what_random_orders_give() -> None:
    random = np.random.default_rng(5)
    draws = []
    for _ in range(600):
        one, other = ([UNITS[i] for i in random.permutation(12)] for _ in range(2))
        one, other = one[:9], other[:5]
        draws.append((overlap(one, other, 4), rank_biased_overlap(one, other, 0.8), kendall_tau(one, other)))
    mean, error = np.nanmean(draws, axis=0), np.nanstd(draws, axis=0) / 600**0.5
    expected = [overlap_chance(12, 4, 4), rank_biased_chance(12, 9, 5, 0.8), 0.0]
    assert (np.abs(mean - expected) < 4 * error).all()
    assert overlap_chance(12, 12, 12) == pytest.approx(1.0)
    assert overlap_chance(12, 0, 3) == 0.0


@given(ORDERS, ORDERS)
def test_tau_counts_pairs(one: list[str], other: list[str]) -> None:
    shared = [unit for unit in one if unit in other]
    signs = [1 if other.index(a) < other.index(b) else -1 for a, b in itertools.combinations(shared, 2)]
    found = kendall_tau(one, other)
    assert np.isnan(found) if not signs else found == pytest.approx(np.mean(signs))


def ranking(order: list[str], target: str = "all") -> Ranking:
    return Ranking(tuple(order), -np.arange(len(order), dtype=float), target, Origin("made"))


def test_all_pairs_and_all_others() -> None:
    orders = {"a": UNITS, "b": UNITS[::-1], "c": [*UNITS[:6], *UNITS[:5:-1]], "short": UNITS[:3]}
    found = agreement({name: ranking(order) for name, order in orders.items()}, 4, persistence=0.9)
    assert found.names == ("a", "b", "c", "short")
    assert found.n_units == 12
    for i, j in itertools.product(range(4), repeat=2):
        one, other = list(orders.values())[i], list(orders.values())[j]
        assert found.overlap[i, j] == overlap(one, other, 4)
        assert found.rbo[i, j] == pytest.approx(rank_biased_overlap(one, other, 0.9))
        assert found.tau[i, j] == pytest.approx(kendall_tau(one, other))
    assert found.tau[0, 1] == pytest.approx(-1.0)
    assert found.average[0] == pytest.approx((0 + 1 + 3 / 4) / 3)
    assert found.vote[3] == vote_overlap(UNITS[:3], [UNITS, UNITS[::-1], orders["c"]], 4)
    assert found.overlap_chance[0, 3] == overlap_chance(12, 4, 3)
    assert found.average_chance[1] == pytest.approx((2 * overlap_chance(12, 4, 4) + overlap_chance(12, 4, 3)) / 3)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(RankingError, match=r"Got 1 ranking\(s\) to compare\. Expected: two or more\."):
        agreement({"a": ranking(UNITS)})
    with pytest.raises(RankingError, match="Got rankings for 'all' and 'upos:NOUN'"):
        agreement({"a": ranking(UNITS), "b": ranking(UNITS, "upos:NOUN")})
    with pytest.raises(RankingError, match="Got k = 0 units"):
        agreement({"a": ranking(UNITS), "b": ranking(UNITS)}, 0)
