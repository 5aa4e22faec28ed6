import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.errors import PlanError
from unitscope.stats.halves import effective_groups, split


def corpus(group_sizes):
    """Sites' items and items' groups of groups that each hold items of the given sizes."""
    sizes = [size for sizes in group_sizes.values() for size in sizes]
    groups = [group for group, sizes in group_sizes.items() for _ in sizes]
    return np.repeat(np.arange(len(sizes), dtype=np.int32), sizes), groups


def imbalance(halves):
    return abs(int(halves.a.sum()) - int(halves.b.sum()))


@given(st.lists(st.lists(st.integers(0, 30), max_size=4), min_size=45, max_size=80), st.integers(0, 99))
def test_halves_are_balanced_within_one_block_and_never_split_one(sizes, seed):
    item_of_site, groups = corpus({f"d{i}": part for i, part in enumerate(sizes)})
    try:
        halves = split(item_of_site, groups, seed)
    except PlanError:
        assert len(np.unique(item_of_site)) < 2
        return
    assert imbalance(halves) <= np.bincount(halves.block).max()
    np.testing.assert_array_equal(halves.a, ~halves.b)
    assert halves.n_blocks == halves.block.max(initial=-1) + 1
    for block in range(halves.n_blocks):
        assert len(set(halves.half[halves.block == block])) == 1
    of_site = np.array(groups)[item_of_site]
    for block in range(halves.n_blocks):
        assert len(set(of_site[halves.block == block])) == 1


def test_a_block_is_a_group():
    item_of_site, groups = corpus({f"d{i}": [3, 4] for i in range(40)})
    halves = split(item_of_site, groups, 0)
    assert (halves.runs, halves.n_blocks, halves.n_groups) == (False, 40, 40)
    np.testing.assert_array_equal(halves.block, np.repeat(np.arange(40), 7))


def test_fewer_than_forty_groups_are_cut_into_runs_of_whole_items():
    item_of_site, groups = corpus({f"d{i}": [5] * 20 for i in range(39)})
    halves = split(item_of_site, groups, 0)
    assert halves.runs
    assert halves.n_groups == 39
    assert halves.n_blocks > 39
    items_of_block = [set(item_of_site[halves.block == block]) for block in range(halves.n_blocks)]
    assert sum(map(len, items_of_block)) == len(set.union(*items_of_block))
    for items in items_of_block:
        assert len({groups[item] for item in items}) == 1
        assert max(items) - min(items) == len(items) - 1


def test_a_group_of_over_five_percent_of_the_sites_makes_runs():
    fair = {f"d{i}": [10, 10] for i in range(99)}
    assert not split(*corpus(fair | {"big": [50, 50]}), 0).runs
    assert split(*corpus(fair | {"big": [50, 60]}), 0).runs


def test_groups_without_sites_do_not_count():
    item_of_site, groups = corpus({f"d{i}": [5] if i < 39 else [0] for i in range(60)})
    halves = split(item_of_site, groups, 0)
    assert halves.runs
    assert (halves.n_groups, halves.n_blocks) == (39, 39)


def test_one_group_alone_still_has_halves():
    halves = split(*corpus({"book": [20] * 300}), 0)
    assert halves.runs
    assert 50 <= halves.n_blocks <= 101
    assert imbalance(halves) <= np.bincount(halves.block).max()


@pytest.mark.parametrize("sizes", [{}, {"d": []}, {"d": [0]}, {"d": [7]}, {"d": [7], "e": [0]}])
def test_less_than_two_blocks_is_an_error(sizes):
    with pytest.raises(PlanError) as caught:
        split(*corpus(sizes), 0)
    n_blocks = int(any(map(sum, sizes.values())))
    assert str(caught.value) == (
        f"Got {n_blocks} block(s) of sites. Expected: at least two items with sites, so that halves can be made. "
        "Give a larger corpus."
    )


def test_a_groups_half_does_not_depend_on_the_order_of_groups():
    sizes = {f"d{i}": [3, 1] for i in range(50)}
    order = np.random.default_rng(0).permutation(50)
    shuffled = {f"d{i}": sizes[f"d{i}"] for i in order}

    def sides(sizes):
        item_of_site, groups = corpus(sizes)
        halves = split(item_of_site, groups, 5)
        return {group: set(halves.half[np.array(groups)[item_of_site] == group]) for group in sizes}

    assert sides(sizes) == sides(shuffled)


def test_the_seed_chooses_and_is_the_only_choice():
    item_of_site, groups = corpus({f"d{i}": [4] for i in range(64)})
    first, again, other = (split(item_of_site, groups, seed).half for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_other_processes_find_the_same_halves():
    code = (
        "import numpy as np; from unitscope.stats.halves import split;"
        "print(split(np.arange(60, dtype=np.int32), [f'd{i}' for i in range(60)], 7).half.tolist())"
    )
    here = split(np.arange(60, dtype=np.int32), [f"d{i}" for i in range(60)], 7).half.tolist()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "12345"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.strip() == str(here)


def test_halves_are_not_alike_by_the_order_of_documents():
    # Documents in the order of a corpus must not alternate, nor fill one half first.
    half = split(np.arange(400, dtype=np.int32), [f"d{i:03}" for i in range(400)], 0).half.astype(float)
    assert abs(np.corrcoef(half[1:], half[:-1])[0, 1]) < 0.2
    assert abs(np.corrcoef(half, np.arange(400))[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("counts", "expected"), [([], 0), ([0, 0], 0), ([7], 1), ([3, 3, 3, 0], 3), ([9, 1], 100 / 82)]
)
def test_effective_groups(counts, expected):
    assert effective_groups(np.array(counts, np.int64)) == pytest.approx(expected)
