"""Frames beside loops over sites."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from unitscope.errors import PlanError
from unitscope.study.frame import ALIKE, MIN_BLOCKS, MIN_SITES, Frame, Kept, make_frame


def test_only_sites_with_a_position_are_left(frame: Frame, grid: Any) -> None:
    assert frame.n_sites == grid.valid.sum()
    np.testing.assert_array_equal(frame.sites.item, grid.sites.item[grid.valid])
    np.testing.assert_array_equal(frame.sites.position, grid.sites.position[grid.valid])
    for concept in range(frame.table.n_concepts):
        mask = np.zeros(frame.n_sites, bool)
        mask[frame.table.sites_of(concept)] = True
        np.testing.assert_array_equal(mask, grid.masks[grid.valid, concept])


def test_halves_are_of_whole_groups(frame: Frame, grid: Any) -> None:
    half_of: dict[str, set[int]] = {}
    for item, half in zip(frame.sites.item.tolist(), frame.halves.half.tolist()):
        half_of.setdefault(grid.groups[item], set()).add(half)
    assert all(len(halves) == 1 for halves in half_of.values())
    assert set.union(*half_of.values()) == {0, 1}


def test_concepts_are_grouped_by_where_they_are_known(frame: Frame, grid: Any) -> None:
    everywhere, some = frame.universes
    assert (everywhere.known, everywhere.concepts.tolist(), some.concepts.tolist()) == (None, [0, 1, 2, 3, 4], [5, 6])
    assert some.known is not None
    np.testing.assert_array_equal(some.known, grid.known[grid.valid])


@pytest.mark.parametrize("number", [0, 1])
def test_a_universe_counts_its_own_sites(number: int, frame: Frame, grid: Any) -> None:
    universe = frame.universes[number]
    here = np.ones(frame.n_sites, bool) if universe.known is None else universe.known
    half, block = frame.halves.half[here], frame.halves.block[here]
    masks = grid.masks[grid.valid][here]
    for index, concept in enumerate(universe.concepts):
        mask = masks[:, concept]
        for side, columns in enumerate((universe.columns_a, universe.columns_b)):
            np.testing.assert_array_equal(columns.mask(index), mask[half == side])
            assert universe.blocks_with(side)[index] == len(
                {b for b, m, h in zip(block, mask, half) if m and h == side}
            )
        np.testing.assert_array_equal(frame.columns_b(universe).mask(int(concept)), mask[half == 1])
    np.testing.assert_array_equal(universe.controls_b.position, frame.sites.position[here][half == 1])
    forms = frame.sites.form[here][half == 1]
    pairs = {(a, b) for a, b in zip(forms.tolist(), universe.controls_b.form.tolist())}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_eligible_concepts_have_enough_on_both_sides(frame: Frame, grid: Any) -> None:
    expected = []
    for universe in frame.universes:
        here = np.ones(frame.n_sites, bool) if universe.known is None else universe.known
        for concept in universe.concepts:
            enough = True
            for side in (0, 1):
                at = here & (frame.halves.half == side)
                mask = grid.masks[grid.valid, concept][at]
                blocks = {int(b) for b, m in zip(frame.halves.block[at], mask) if m}
                enough &= mask.sum() >= MIN_SITES and (~mask).sum() >= MIN_SITES and len(blocks) >= MIN_BLOCKS
            expected.append(enough)
    assert frame.eligible.tolist() == expected == [True, True, False, True, True, True, True]


def test_alike_is_a_jaccard_index_of_four_fifths(frame: Frame, grid: Any) -> None:
    masks = grid.masks[grid.valid]
    for i in range(masks.shape[1]):
        for j in range(masks.shape[1]):
            jaccard = (masks[:, i] & masks[:, j]).sum() / (masks[:, i] | masks[:, j]).sum()
            assert frame.alike[i, j] == (jaccard >= ALIKE)
    assert frame.alike[0, 3]
    assert not frame.alike[0, 1]


def test_another_seed_makes_other_halves(frame: Frame, grid: Any) -> None:
    same = make_frame(grid.sites, grid.groups, grid.table, grid.valid, 3)
    other = make_frame(grid.sites, grid.groups, grid.table, grid.valid, 4)
    np.testing.assert_array_equal(same.halves.half, frame.halves.half)
    assert (other.halves.half != frame.halves.half).any()


def test_a_frame_without_sites(grid: Any) -> None:
    with pytest.raises(PlanError, match="The model has a position for none of the corpus' words"):
        make_frame(grid.sites, grid.groups, grid.table, np.zeros(len(grid.valid), bool), 0)


def test_a_table_without_partial_categories_has_one_universe(grid: Any) -> None:
    table = replace(grid.table, known={})
    (universe,) = make_frame(grid.sites, grid.groups, table, grid.valid, 3).universes
    assert universe.known is None
    assert universe.concepts.tolist() == list(range(7))


def test_things_are_kept_until_there_is_no_room() -> None:
    made: list[int] = []

    def maker(number: int) -> Any:
        def make() -> Any:
            made.append(number)
            return np.zeros(10, np.int8)

        return make

    kept = Kept(25)
    for number in (1, 2, 1, 3, 1, 2):
        assert len(kept.get(("x", number), maker(number))) == 10
    assert made == [1, 2, 3]
    kept.get(("x", 3), maker(3))
    assert made == [1, 2, 3, 3]  # there was no room to keep it
