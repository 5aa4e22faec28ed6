from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.arrays import to_keys
from unitscope.errors import MeasureError
from unitscope.stats.view import Columns, View


@st.composite
def masks(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.integers(0, 20)), draw(st.integers(0, 4))
    return rng.random(shape) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))


def dense(columns):
    found = [columns.mask(c) for c in range(columns.n_concepts)]
    return np.stack(found, axis=1) if found else np.zeros((columns.n_sites, 0), bool)


@given(masks())
def test_columns_hold_what_the_masks_held(mask):
    columns = Columns.from_masks(mask)
    np.testing.assert_array_equal(dense(columns), mask)
    np.testing.assert_array_equal(columns.counts, mask.sum(axis=0))
    assert (columns.n_sites, columns.n_concepts) == mask.shape
    assert columns.indptr.dtype == np.int64
    assert columns.sites.dtype == np.int32
    for concept in range(columns.n_concepts):
        np.testing.assert_array_equal(columns.of(concept), np.flatnonzero(mask[:, concept]))
        np.testing.assert_array_equal(dense(columns.only(concept)), mask[:, [concept]])


@given(masks(), st.integers(0, 2**32))
def test_columns_at_some_sites(mask, seed):
    keep = np.random.default_rng(seed).random(len(mask)) < 0.5
    columns = Columns.from_masks(mask)
    part = columns.at(keep)
    np.testing.assert_array_equal(dense(part), mask[keep])
    assert part.indptr.dtype == np.int64
    assert part.sites.dtype == np.int32
    np.testing.assert_array_equal(dense(columns), mask)


def some_view(n_units=4, n_sites=30, n_concepts=3, scale=None):
    rng = np.random.default_rng(1)
    keys = to_keys(rng.integers(-3, 4, (n_units, n_sites)).astype(np.float16))
    return View(keys, Columns.from_masks(rng.random((n_sites, n_concepts)) < 0.4), scale)


@dataclass(frozen=True)
class Count:
    power: int

    def compute(self, view):
        view.computed = getattr(view, "computed", 0) + 1
        return view.n_sites**self.power


def test_equal_requests_are_computed_once():
    view = some_view()
    assert [view.ask(Count(1)), view.ask(Count(1)), view.ask(Count(2))] == [30, 30, 900]
    assert view.computed == 2


def test_sizes_and_scale():
    view = some_view()
    assert (view.n_units, view.n_sites) == (4, 30)
    np.testing.assert_array_equal(view.scale, np.ones(4))


def test_activations_and_concepts_must_be_over_equal_sites():
    view = some_view()
    with pytest.raises(MeasureError) as caught:
        View(view.keys[:, :-1], view.columns)
    assert str(caught.value) == "Got activations at 29 sites and concepts at 30. Expected: equal sites."


@given(masks(), st.integers(0, 2**32))
def test_joined_columns(mask, seed):
    other = np.random.default_rng(seed).random((len(mask), 2)) < 0.5
    joined = Columns.from_masks(mask).joined(Columns.from_masks(other))
    np.testing.assert_array_equal(dense(joined), np.concatenate([mask, other], axis=1))


def test_a_pair_is_a_view_of_its_own():
    view = some_view(scale=np.array([1, 2, 4, 8], np.float32))
    units = np.array([2, 0])
    pair = view.pair(units, 1)
    fresh = View(view.keys[units], view.columns.only(1))
    np.testing.assert_array_equal(pair.keys, fresh.keys)
    np.testing.assert_array_equal(pair.rising, fresh.rising)
    np.testing.assert_array_equal(pair.ranks, fresh.ranks)
    np.testing.assert_array_equal(pair.order, fresh.order)
    np.testing.assert_array_equal(pair.scale, [4, 1])
    np.testing.assert_array_equal(pair.columns.mask(0), view.columns.mask(1))


def test_sorted_columns_are_the_concepts_own_keys():
    view = some_view()
    for concept in range(3):
        start, end = view.columns.indptr[concept : concept + 2]
        expected = np.sort(view.keys[:, view.columns.mask(concept)], axis=1)
        np.testing.assert_array_equal(view.sorted_columns[:, start:end], expected)


def test_looking_changes_nothing():
    view = some_view()
    keys, sites = view.keys.copy(), view.columns.sites.copy()
    for name in ("rising", "ranks", "order", "value_of", "sorted_columns"):
        assert len(getattr(view, name))
    np.testing.assert_array_equal(view.keys, keys)
    np.testing.assert_array_equal(view.columns.sites, sites)
