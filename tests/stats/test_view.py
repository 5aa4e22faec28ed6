from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.arrays import to_keys
from unitscope.errors import MeasureError
from unitscope.stats.joint_histogram import JointHistogram
from unitscope.stats.moments import Moments
from unitscope.stats.overlap import Overlap
from unitscope.stats.precision import Precision
from unitscope.stats.ranks import RankSums
from unitscope.stats.sums import ConceptSums
from unitscope.stats.view import Columns, Part, View


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


def test_a_part_is_the_view_of_its_sites():
    view = some_view(scale=np.array([1, 2, 4, 8], np.float32))
    keep = np.random.default_rng(0).random(30) < 0.5
    part = view.part(Part.of(keep), view.columns.at(keep))
    fresh = View(view.keys[:, keep], view.columns.at(keep))
    for name in ("keys", "order", "rising", "ranks"):
        np.testing.assert_array_equal(getattr(part, name), getattr(fresh, name))
    np.testing.assert_array_equal(part.scale, view.scale)


REQUESTS = (
    RankSums(),
    Precision(),
    ConceptSums(),
    Moments(),
    JointHistogram(4),
    Overlap(0.1, "upper"),
    Overlap(0.1, "lower"),
)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: type(each).__name__)
def test_units_with_a_concept_of_their_own_have_the_figures_of_that_concept(request_):
    view = some_view(scale=np.array([1, 2, 4, 8], np.float32))
    units, concepts = np.array([2, 0, 3]), np.array([1, 1, 0])
    own, whole = view.own(units, concepts).ask(request_), view.ask(request_)
    for name, value in vars(own).items():
        expected = np.asarray(getattr(whole, name))
        value = np.asarray(value)
        if expected.ndim >= 2 and expected.shape[:2] == (4, 3):
            np.testing.assert_allclose(value[:, 0], expected[units, concepts], rtol=1e-12)
        elif expected.shape == (3,):
            np.testing.assert_allclose(value[:, 0], expected[concepts], rtol=1e-12)
        elif expected.ndim:
            np.testing.assert_allclose(value, expected[units], rtol=1e-12)


def test_what_is_expected_is_counted_on_one_walk():
    view, other = some_view(), some_view()
    view.expect(REQUESTS)
    walked = view.walked
    for request in REQUESTS:
        at_once, alone = view.ask(request), other.ask(request)
        for name, value in vars(at_once).items():
            np.testing.assert_array_equal(value, getattr(alone, name))
    assert view.walked is walked


def test_places_of_the_rising_order():
    view = some_view()
    np.testing.assert_array_equal(view.sorted_at([0, 7, 29]), np.sort(view.keys, axis=1)[:, [0, 7, 29]])


def test_looking_changes_nothing():
    view = some_view()
    keys, sites = view.keys.copy(), view.columns.sites.copy()
    for name in ("rising", "ranks", "order", "value_of"):
        assert len(getattr(view, name))
    assert view.walked.sums.shape == (4, 4, 3)
    np.testing.assert_array_equal(view.keys, keys)
    np.testing.assert_array_equal(view.columns.sites, sites)
