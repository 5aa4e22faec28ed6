import json
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.concepts.table import ConceptTable
from unitscope.errors import ConceptError, StoreError


def from_dense(masks, categories, known=None):
    """A table from a boolean matrix [S, C]."""
    n_sites, n_concepts = masks.shape
    columns = [np.flatnonzero(masks[:, concept]) for concept in range(n_concepts)]
    return ConceptTable(
        names=tuple(f"{category}:{index}" for index, category in enumerate(categories)),
        categories=tuple(categories),
        indptr=np.cumsum([0, *map(len, columns)]).astype(np.int64),
        sites=np.concatenate([*columns, []]).astype(np.int32),
        n_sites=n_sites,
        known=MappingProxyType(known or {}),
        dropped=MappingProxyType({"x": 3}),
        always=("x:all",),
    )


def to_dense(table):
    masks = np.zeros((table.n_sites, table.n_concepts), dtype=bool)
    for concept in range(table.n_concepts):
        masks[table.sites_of(concept), concept] = True
    return masks


@st.composite
def tables(draw):
    n_sites, n_concepts = draw(st.integers(0, 7)), draw(st.integers(0, 5))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    masks = rng.random((n_sites, n_concepts)) < 0.4
    categories = sorted(draw(st.lists(st.sampled_from("xyz"), min_size=n_concepts, max_size=n_concepts)))
    known = {}
    for category in sorted(set(categories) & set("yz")):
        mask = rng.random(n_sites) < 0.7
        if not mask.all():
            known[category] = mask
            masks[np.ix_(~mask, [other == category for other in categories])] = False
    return masks, from_dense(masks, categories, known)


@given(tables())
def test_counts_and_both_orders(made):
    masks, table = made
    assert table.counts().tolist() == masks.sum(0).tolist()
    indptr, concepts = table.by_site()
    found = [concepts[indptr[site] : indptr[site + 1]].tolist() for site in range(table.n_sites)]
    assert found == [np.flatnonzero(row).tolist() for row in masks]
    assert (indptr.dtype, concepts.dtype, table.counts().dtype) == (np.int64, np.int32, np.int64)


@given(tables(), st.integers(0, 999))
def test_select_sites_against_rows(made, seed):
    masks, table = made
    keep = np.random.default_rng(seed).random(table.n_sites) < 0.5
    chosen = table.select_sites(keep)
    np.testing.assert_array_equal(to_dense(chosen), masks[keep])
    expected = {category: mask[keep].tolist() for category, mask in table.known.items() if not mask[keep].all()}
    assert {category: mask.tolist() for category, mask in chosen.known.items()} == expected
    assert (chosen.n_sites, chosen.names) == (int(keep.sum()), table.names)
    assert (chosen.dropped, chosen.always) == (table.dropped, table.always)
    assert (chosen.indptr.dtype, chosen.sites.dtype) == (np.int64, np.int32)
    np.testing.assert_array_equal(to_dense(table), masks)


def test_select_sites_wants_a_mask():
    table = from_dense(np.ones((3, 1), dtype=bool), ["x"])
    with pytest.raises(ConceptError, match=r"Got a int64 mask of shape \(2,\). Expected: bool \[3\]."):
        table.select_sites(np.array([0, 1]))


def test_universes_group_equal_masks():
    mask = np.array([True, False, True])
    other = np.array([True, True, False])
    table = from_dense(
        np.zeros((3, 6), dtype=bool), ["a", "b", "b", "c", "d", "e"], {"b": mask, "d": mask.copy(), "e": other}
    )
    universes = table.universes()
    assert [concepts for concepts, _ in universes] == [(0, 3), (1, 2, 4), (5,)]
    assert universes[0][1] is None
    np.testing.assert_array_equal(universes[1][1], mask)
    np.testing.assert_array_equal(universes[2][1], other)


@given(tables())
def test_universes_cover_every_concept_once(made):
    _, table = made
    universes = table.universes()
    assert sorted(index for concepts, _ in universes for index in concepts) == list(range(table.n_concepts))
    for concepts, mask in universes:
        for index in concepts:
            expected = table.known.get(table.categories[index])
            assert (mask is None) == (expected is None)
            assert mask is None or mask.tolist() == expected.tolist()


@given(tables())
def test_arrays_round_trip(made):
    masks, table = made
    arrays, meta = table.save_arrays()
    back = ConceptTable.from_arrays(arrays, json.loads(json.dumps(meta)))
    np.testing.assert_array_equal(to_dense(back), masks)
    assert (back.names, back.categories, back.n_sites) == (table.names, table.categories, table.n_sites)
    assert (dict(back.dropped), back.always) == ({"x": 3}, ("x:all",))
    assert {name: mask.tolist() for name, mask in back.known.items()} == {
        name: mask.tolist() for name, mask in table.known.items()
    }


def saved():
    masks = np.array([[True, False], [True, True], [False, True]])
    return from_dense(masks, ["x", "y"], {"y": np.array([False, True, True])}).save_arrays()


def test_a_missing_part():
    arrays, meta = saved()
    with pytest.raises(StoreError, match=r"The concept table has no 'known.0'. Make it again."):
        ConceptTable.from_arrays({name: arrays[name] for name in ("indptr", "sites")}, meta)
    with pytest.raises(StoreError, match="has no 'names'"):
        ConceptTable.from_arrays(arrays, {})


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("indptr", np.array([0, 2], dtype=np.int64)),
        ("indptr", np.array([0, 2, 3], dtype=np.int64)),
        ("indptr", np.array([0, 5, 4], dtype=np.int64)),
        ("indptr", np.array([0, 2, 4], dtype=np.int32)),
        ("sites", np.array([0, 1, 1, 3], dtype=np.int32)),
        ("sites", np.array([1, 0, 1, 2], dtype=np.int32)),
        ("sites", np.array([-1, 1, 1, 2], dtype=np.int32)),
        ("known.0", np.array([True, False])),
        ("known.0", np.array([1, 0, 1])),
    ],
)
def test_parts_that_do_not_fit(part, value):
    arrays, meta = saved()
    assert ConceptTable.from_arrays(arrays, meta).sites.tolist() == [0, 1, 1, 2]
    with pytest.raises(StoreError, match=r"The parts of the concept table do not fit together. Make it again."):
        ConceptTable.from_arrays({**arrays, part: value}, meta)
