"""The contract of every measure: `check` and `check_noise` take any, registered or not."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.arrays import from_keys, to_keys
from unitscope.measures import Measure, default_measures
from unitscope.stats.moments import Moments
from unitscope.stats.sums import ConceptSums
from unitscope.stats.view import Columns, View


@dataclass(frozen=True)
class GreatestGap(Measure):
    """A measure of another package: mean inside less the overall mean, over the range above the mean."""

    name: ClassVar[str] = "greatest_gap"
    bounds: ClassVar[tuple[float, float]] = (-np.inf, 1.0)
    null: ClassVar[float | None] = 0.0

    def asks(self):
        return (ConceptSums(), Moments())

    @property
    def ends(self):
        return "upper"

    def score(self, sums, moment):
        room = moment.greatest - moment.mean
        gap = sums.inside() - moment.mean[:, None]
        return np.minimum(gap / np.where(room > 0, room, np.nan)[:, None], 1.0)


MEASURES = [*default_measures(), GreatestGap()]
each = pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.key)


@dataclass(frozen=True)
class Data:
    keys: np.ndarray
    masks: np.ndarray
    scale: np.ndarray

    def view(self):
        return View(self.keys, Columns.from_masks(self.masks), self.scale)


def data_of(seed, n_sites, n_units, n_concepts, kind):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n_units, n_sites))
    values = {
        "continuous": values,
        "tied": np.round(values),
        "sparse": np.maximum(values - 1, 0),
        "constant": np.full((n_units, n_sites), 0.1),
        "far": 1000 + values,
    }[kind]
    prevalence = rng.choice([0.0, 0.1, 0.5, 1.1], n_concepts)
    scale = rng.choice(np.array([1.0, 2.0**40, 2.0**-40], np.float32), n_units)
    return Data(to_keys(values.astype(np.float16)), rng.random((n_sites, n_concepts)) < prevalence, scale)


def scores(measure, data):
    """Score, ceiling and chance; the law of shapes and types."""
    view = data.view()
    statistics = [view.ask(request) for request in measure.asks()]
    score, ceiling, chance = measure.score(*statistics), measure.ceiling(*statistics), measure.chance(*statistics)
    shape = view.n_units, view.columns.n_concepts
    assert score.shape == shape
    assert score.dtype == np.float64
    assert ceiling is None or ceiling.shape == shape
    assert chance is None or np.broadcast_shapes(chance.shape, shape) == shape
    return score, ceiling, chance


def check(measure, data):
    """All laws that hold of any data; warnings are errors."""
    before = data.keys.copy(), data.masks.copy(), data.scale.copy()
    score, ceiling, _ = scores(measure, data)

    # In bounds and under the ceiling; NaN where undefined, never infinite.
    assert not np.isinf(score).any()
    assert not (score < measure.bounds[0]).any()
    assert not (score > measure.bounds[1]).any()
    if ceiling is not None:
        assert not (score > ceiling + 1e-12).any()

    # A chunk of units is the same rows, bit for bit; so is asking again.
    chunk = Data(data.keys[1:3], data.masks, data.scale[1:3])
    np.testing.assert_array_equal(scores(measure, chunk)[0], score[1:3])
    np.testing.assert_array_equal(measure.of(data.view()), score)

    # Each concept for itself.
    part = Data(data.keys, data.masks[:, ::-2], data.scale)
    np.testing.assert_allclose(scores(measure, part)[0], score[:, ::-2], rtol=1e-9, atol=1e-12)

    # The order of sites means nothing.
    order = np.random.default_rng(0).permutation(len(data.masks))
    shuffled = Data(data.keys[:, order], data.masks[order], data.scale)
    np.testing.assert_allclose(
        scores(measure, shuffled)[0], score, rtol=1e-7, atol=1e-9 * np.abs(data.scale).max(initial=1)
    )

    # Two ends mirror about the null.
    if measure.ends == "both" and measure.null is not None:
        negated = Data(to_keys((-from_keys(data.keys)).astype(np.float16)), data.masks, data.scale)
        mirrored = 2 * measure.null - scores(measure, negated)[0]
        np.testing.assert_allclose(mirrored, score, rtol=1e-7, atol=1e-9 * np.abs(data.scale).max(initial=1))

    for after, was in zip((data.keys, data.masks, data.scale), before):
        np.testing.assert_array_equal(after, was)


def check_noise(measure):
    """A unit unrelated to a concept scores the null, or else chance, on average."""
    data = data_of(5, 3000, 60, 0, "continuous")
    data = Data(data.keys, np.random.default_rng(1).random((3000, 3)) < [0.5, 0.2, 0.05], np.ones(60, np.float32))
    score, _, chance = scores(measure, data)
    assert np.isfinite(score).all()
    expected = measure.null if measure.null is not None else chance
    if expected is None:
        assert measure.name == "iou"  # the only one whose noise level is neither: it depends on the unit too
        return
    expected = np.broadcast_to(expected, score.shape).mean(axis=0)
    np.testing.assert_allclose(score.mean(axis=0), expected, rtol=0.2, atol=0.01)


def check_declaration(measure):
    """A measure is its name and parameters, and so are its requests."""
    again = type(measure)(**measure.parameters)
    assert again == measure
    assert hash(again) == hash(measure)
    assert again.asks() == measure.asks()
    assert len({*measure.asks(), *again.asks()}) == len(set(measure.asks()))
    low, high = measure.bounds
    assert low < high
    assert measure.null is None or low <= measure.null <= high
    assert measure.ends in {"upper", "lower", "both"}
    assert measure.key.startswith(measure.name)


KINDS = ["continuous", "tied", "sparse", "constant", "far"]


@each
@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(0, 4), st.integers(0, 4), st.sampled_from(KINDS))
def test_laws_hold_of_any_data(measure, seed, n_sites, n_units, n_concepts, kind):
    check(measure, data_of(seed, n_sites, n_units, n_concepts, kind))


@each
@pytest.mark.parametrize("n_sites", [0, 1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_laws_hold_of_hardly_any_data(measure, n_sites, kind):
    check(measure, data_of(3, n_sites, 4, 4, kind))


@each
def test_noise_is_at_the_null_or_at_chance(measure):
    check_noise(measure)


@each
def test_declarations(measure):
    check_declaration(measure)


@pytest.mark.parametrize("measure", default_measures(), ids=lambda measure: measure.key)
def test_infinite_activations_give_a_number_or_nothing(measure):
    data = data_of(7, 30, 3, 3, "continuous")
    keys, masks = data.keys.copy(), np.random.default_rng(7).random((30, 3)) < 0.5
    masks[3:5] = [[True, False, True], [True, False, False]]
    keys[0, 3], keys[1, 4] = to_keys(np.array([np.inf, -np.inf], np.float16))
    score = measure.of(View(keys, Columns.from_masks(masks), data.scale))
    clean = measure.of(View(data.keys, Columns.from_masks(masks), data.scale))
    np.testing.assert_array_equal(score[2], clean[2])  # other units are spared
    assert not np.isinf(score).any()


class Broken(GreatestGap):
    """Looks at its neighbours, and out of its bounds."""

    def score(self, sums, moment):
        return sums.inside() + moment.mean.sum()


class Changing(GreatestGap):
    """Writes on what it was shown."""

    def of(self, view):
        found = super().of(view)
        view.keys[:] = 0
        return found


@pytest.mark.parametrize("measure", [Broken(), Changing()], ids=["broken", "changing"])
def test_the_laws_find_a_measure_that_breaks_them(measure):
    with pytest.raises(AssertionError):
        check(measure, data_of(0, 30, 4, 3, "continuous"))
