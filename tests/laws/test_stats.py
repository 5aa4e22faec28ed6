"""The contract of every statistic that can be merged over sites, and of every one that can be asked for."""

import importlib
import pkgutil
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unitscope.stats
from unitscope.arrays import to_keys
from unitscope.stats.joint_histogram import JointCounts, JointHistogram
from unitscope.stats.moments import Moment, Moments
from unitscope.stats.overlap import Overlap, Overlaps, Quantiles
from unitscope.stats.precision import Precision
from unitscope.stats.ranks import RankSums
from unitscope.stats.sums import ConceptSum, ConceptSums
from unitscope.stats.view import Columns, View


def classes_with(method):
    found = set()
    for info in pkgutil.iter_modules(unitscope.stats.__path__):
        module = importlib.import_module(f"unitscope.stats.{info.name}")
        found |= {
            value
            for value in vars(module).values()
            if is_dataclass(value) and isinstance(value, type) and method in vars(value)
        }
    return found


# Thresholds and bin edges are a state's own: here zero is each chunk's median, so that chunks share them.
FOLDS = {Moment: Moments(), ConceptSum: ConceptSums(), Overlaps: Overlap(0.5), JointCounts: JointHistogram(2)}
REQUESTS = [*FOLDS.values(), Overlap(0.1, "lower"), Quantiles((0.1, 0.5)), Precision(), RankSums(), JointHistogram(5)]

each_state = pytest.mark.parametrize("state", FOLDS, ids=lambda state: state.__name__)
each_request = pytest.mark.parametrize("request_", REQUESTS, ids=str)


def test_every_state_and_request_is_under_the_law():
    assert classes_with("merge") == set(FOLDS)
    assert classes_with("compute") == {type(request) for request in REQUESTS}


def chunk(rng, n_sites, n_units=3, n_concepts=2):
    """A view most of whose values are zero, the others positive."""
    values = rng.gamma(1.0, 1.0, (n_units, n_sites))
    values[:, : -(-2 * n_sites // 3)] = 0.0
    masks = rng.random((n_sites, n_concepts)) < 0.4
    return values.astype(np.float16), masks


def fold(request, *chunks):
    values, masks = (np.concatenate(part, axis=axis) for part, axis in zip(zip(*chunks), (1, 0)))
    return View(to_keys(values), Columns.from_masks(masks)).ask(request)


def assert_same(first, second):
    assert type(first) is type(second)
    for field in fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if np.asarray(one).dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10, err_msg=field.name)
        else:
            np.testing.assert_array_equal(one, other, err_msg=field.name)


def copied(state):
    return {field.name: np.array(getattr(state, field.name)) for field in fields(state)}


@each_state
@given(st.integers(0, 2**32), st.tuples(*[st.integers(0, 12)] * 3))
def test_merging_is_folding(state, seed, sizes):
    rng = np.random.default_rng(seed)
    chunks = [chunk(rng, size) for size in sizes]
    one, two, three = (fold(FOLDS[state], part) for part in chunks)
    assert type(one) is state
    before = copied(one), copied(two)
    merged = one.merge(two)
    assert_same(merged, fold(FOLDS[state], *chunks[:2]))
    assert_same(merged.merge(three), one.merge(two.merge(three)))
    assert_same(two.merge(one), merged)
    for part, was in zip((one, two), before):
        for name, values in was.items():
            np.testing.assert_array_equal(getattr(part, name), values)


@each_state
@given(st.integers(0, 2**32), st.integers(0, 12))
def test_no_sites_are_the_identity_to_the_bit(state, seed, size):
    rng = np.random.default_rng(seed)
    some, nothing = fold(FOLDS[state], chunk(rng, size)), fold(FOLDS[state], chunk(rng, 0))
    for merged in (some.merge(nothing), nothing.merge(some)):
        for name, values in copied(some).items():
            np.testing.assert_array_equal(getattr(merged, name), values)


@each_request
@given(st.integers(0, 2**32), st.integers(0, 20))
def test_statistics_are_of_each_unit_alone_and_change_nothing(request_, seed, n_sites):
    values, masks = chunk(np.random.default_rng(seed), n_sites)
    keys, columns = to_keys(values), Columns.from_masks(masks)
    before = keys.copy(), columns.sites.copy(), columns.indptr.copy()
    whole = View(keys, columns).ask(request_)
    part = View(keys[1:], columns).ask(request_)
    found = [whole] if isinstance(whole, np.ndarray) else [getattr(whole, field.name) for field in fields(whole)]
    rest = [part] if isinstance(part, np.ndarray) else [getattr(part, field.name) for field in fields(part)]
    by_unit = 0
    for value, of_rest in zip(found, rest):
        if isinstance(value, np.ndarray) and len(value) == 3:
            np.testing.assert_array_equal(value[1:], of_rest)
            by_unit += 1
        else:
            np.testing.assert_array_equal(value, of_rest)
    assert by_unit
    for after, was in zip((keys, columns.sites, columns.indptr), before):
        np.testing.assert_array_equal(after, was)


@each_request
def test_equal_requests_are_one(request_):
    again = type(request_)(*(getattr(request_, field.name) for field in fields(request_)))
    assert again == request_
    assert hash(again) == hash(request_)


@each_request
def test_memory_that_cannot_be_written_is_enough(request_):
    values, masks = chunk(np.random.default_rng(0), 20)
    keys, columns = to_keys(values), Columns.from_masks(masks)
    expected = View(keys.copy(), columns).ask(request_)
    keys.setflags(write=False)
    found = View(keys, columns).ask(request_)
    if isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected)
    else:
        assert_same(found, expected)
