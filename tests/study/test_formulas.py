"""Planted truth: units that are formulas of a made-up language's concepts are found; units of noise are not."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from unitscope import planted
from unitscope.arrays import halves_scale, to_keys
from unitscope.planted import Language, Noise
from unitscope.study.formulas import SHARES, formula_table, on_sites, with_q
from unitscope.study.frame import make_frame
from unitscope.study.unitpass import Extras, score

N_NULL = 200


@pytest.fixture(scope="module")
def world() -> Any:
    """A made-up corpus with planted formulas (units 0-8, three of a kind, every second one falling) and noise after."""
    language = Language.draw(1)
    corpus = language.corpus(120, 1)
    concepts = language.concepts
    table = corpus.table(concepts)
    masks = {concept.name: corpus.mask(concept) for concept in concepts}
    rng = np.random.default_rng(0)
    tags = sorted((c for c in masks if c.startswith("tag:")), key=lambda c: -masks[c].sum())
    topics, places = ["topic:0", "topic:1", "topic:2"], ["position:4-7", "position:second", "position:8-15"]
    truth = [
        *((f"{tag} and {place}", masks[tag] & masks[place]) for tag, place in zip(tags, places)),
        *((f"{tag} or {topic}", masks[tag] | masks[topic]) for tag, topic in zip(tags, topics)),
        *((f"{tag} and not {topic}", masks[tag] & ~masks[topic]) for tag, topic in zip(tags, topics)),
    ]
    noise = planted.activations([planted.null(Noise.draw(rng)) for _ in range(len(truth) + N_NULL)], corpus, 3)
    values = noise.astype(np.float64)
    for unit, (_, mask) in enumerate(truth):
        values[unit] = (4.0 * mask + 0.7 * values[unit]) * (-1 if unit % 2 else 1)
    scale = halves_scale(np.abs(values).max(axis=1).astype(np.float32))
    keys = to_keys((values / scale[:, None]).astype(np.float16))
    frame = make_frame(corpus.sites, corpus.groups, table, np.ones(corpus.n_sites, np.bool_), 0)
    arrays = score(frame, (), keys, scale, Extras(formulas=3))
    arrays["layer"] = np.zeros(len(keys), np.int32)
    arrays["unit"] = np.arange(len(keys), dtype=np.int32)
    found = with_q(formula_table(["a"], [table], arrays))
    rows = {unit: {name: found[name][i] for name in found} for i, unit in enumerate(found["unit"].tolist())}
    return SimpleNamespace(truth=truth, rows=rows, frame=frame, keys=keys, scale=scale, arrays=arrays, masks=masks)


@pytest.mark.parametrize("unit", range(9))
def test_a_planted_formula_is_found(world: Any, unit: int) -> None:
    name, _ = world.truth[unit]
    row = world.rows[unit]
    first, word, second = name.partition(" or ") if " or " in name else name.partition(" and ")
    either = {name} if " not " in name else {name, f"{second}{word}{first}"}
    assert row["formula"] in either
    assert row["length"] == 2
    assert row["sign"] == (-1 if unit % 2 else 1)
    assert row["low"] <= row["score"] <= row["high"]
    least = 0.1 if word == " and " and " not " not in name else 0.01  # what the rarer part of the formula adds
    assert row["score"] > row["single_score"] + least, "the gain over the best single concept shows"
    assert row["q"] < 0.01
    assert abs(row["luck"]) < 0.1 < row["score"]
    assert row["cover"] > 0.9


def test_units_of_noise_have_nothing_significant(world: Any) -> None:
    null = [row for unit, row in world.rows.items() if unit >= 9]
    # None for units cut off below that fall on a concept: they are nowhere below their least value.
    assert len(null) > 0.8 * N_NULL, "a formula was chosen for noise too"
    p = np.array([row["p"] for row in null])
    # One-sided tests at .05: at most .05 of nulls, within three binomial errors.
    assert (p < 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(p))
    assert sum(row["q"] < 0.05 for row in null) <= 2
    assert abs(np.mean([row["score"] for row in null])) < 0.01, "held-out agreement of what luck chose is chance"
    assert np.mean([row["score_a"] for row in null]) > 0.03, "where it was chosen it is not"


def test_luck_is_what_units_of_noise_reach(world: Any) -> None:
    """On both halves: the same search over shifted units gives what it gives for units of noise."""
    null = [row for unit, row in world.rows.items() if unit >= 9]
    for luck, mine in (("luck_a", "score_a"), ("luck", "score")):
        assert np.mean([row[luck] for row in null]) == pytest.approx(np.mean([row[mine] for row in null]), abs=0.01)


def test_scores_are_those_of_the_formula_on_half_b(world: Any) -> None:
    from sklearn.metrics import cohen_kappa_score

    frame = world.frame
    b = frame.halves.b
    for unit in range(9):
        row, mask = world.rows[unit], world.truth[unit][1][b]
        values = world.keys[unit][b].astype(np.int64) * row["sign"]
        ordered = np.sort(values)
        at = int(np.floor(round((1 - row["share"]) * (b.sum() - 1), 6)))
        on = values > ordered[at]
        assert row["score"] == pytest.approx(cohen_kappa_score(on, mask))
        assert row["n"] == mask.sum()
        highest = values > ordered[int(np.floor(round(0.99 * (b.sum() - 1), 6)))]
        assert row["cover"] == pytest.approx((highest & mask).sum() / highest.sum())
        single = world.masks[row["single"]][b]
        alone = values > ordered[int(np.floor(round((1 - row["single_share"]) * (b.sum() - 1), 6)))]
        assert row["single_score"] == pytest.approx(cohen_kappa_score(alone, single))


def test_other_results_do_not_depend_on_the_search(world: Any) -> None:
    plain = score(world.frame, (), world.keys[:12], world.scale[:12])
    for name, values in plain.items():
        np.testing.assert_array_equal(values, world.arrays[name][:12], err_msg=name)
    assert not any(name.startswith("formula.") for name in plain)


def test_chunks_of_units_change_nothing(world: Any) -> None:
    parts = [
        score(world.frame, (), world.keys[at : at + 7], world.scale[at : at + 7], Extras(formulas=3)) for at in (0, 7)
    ]
    for name in parts[0]:
        both = np.concatenate([part[name] for part in parts])
        np.testing.assert_array_equal(both, world.arrays[name][:14], err_msg=name)


def test_on_sites_follow_the_sign_and_leave_ties_off() -> None:
    keys: NDArray[np.uint16] = np.tile(np.arange(1000, dtype=np.uint16) + 100, (3, 1))
    keys[2, 500:] = 60_000
    on = on_sites(keys, np.sort(keys, axis=1), np.array([1, -1, 1], np.int8))
    assert on.shape == (len(SHARES), 3, 1000)
    assert [int(part[0].sum()) for part in on] == [10, 30, 100, 300]
    assert on[0, 0, -10:].all()
    assert on[0, 1, :10].all()
    assert not on[:, 2].any(), "half of all sites share the greatest value"


def test_constant_units_and_units_without_candidates_have_no_formula(grid: Any, frame: Any) -> None:
    values = grid.values[grid.valid].T
    scale = halves_scale(np.abs(np.nan_to_num(values)).max(axis=1).astype(np.float32))
    keys = to_keys((values / scale[:, None]).astype(np.float16))
    arrays = score(frame, (), keys, scale, Extras(formulas=2))
    assert arrays["formula.length"][[8, 10]].tolist() == [0, 0]
    assert np.isnan(arrays["formula.score"][[8, 10]]).all()
    assert {len(array) for array in arrays.values()} == {12}


def test_concepts_known_in_part_are_combined_among_themselves(grid: Any, frame: Any) -> None:
    """Where a category is not known, no formula of it can be said to hold or not."""
    values = grid.values[grid.valid].T
    scale = halves_scale(np.abs(np.nan_to_num(values)).max(axis=1).astype(np.float32))
    keys = to_keys((values / scale[:, None]).astype(np.float16))
    arrays = score(frame, (), keys, scale, Extras(formulas=3))
    sets = [set(universe.concepts.tolist()) for universe in frame.universes]
    assert len(sets) == 2
    for unit in np.flatnonzero(arrays["formula.length"] > 0).tolist():
        terms = {term for term in arrays["formula.terms"][unit].tolist() if term >= 0}
        home = next(each for each in sets if int(arrays["concept"][unit, 0]) in each)
        assert terms <= home
    assert {5, 6} <= set(arrays["concept"][:, 0].tolist()), "the case is there"
