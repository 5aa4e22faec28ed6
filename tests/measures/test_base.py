from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from unitscope.errors import MeasureError
from unitscope.measures.base import Measure
from unitscope.stats.moments import Moments
from unitscope.stats.sums import ConceptSums

VALUES = np.array([[0.0, 1.0], [1.0, 1.0], [3.0, 1.0], [4.0, 1.0]])
MASKS = np.array([[0], [0], [1], [1]], bool)


@dataclass(frozen=True)
class Inside(Measure):
    """Mean at a concept's sites."""

    name: ClassVar[str] = "inside"
    bounds: ClassVar[tuple[float, float]] = (-np.inf, np.inf)
    factor: float = 1.0

    def asks(self):
        return (ConceptSums(), Moments())

    def score(self, sums, moment):
        return self.factor * sums.inside()


@dataclass(frozen=True)
class OneEnded(Inside):
    tail: str = "upper"


def test_a_measure_is_what_it_asks_and_how_it_scores():
    np.testing.assert_array_equal(Inside(2.0).on(VALUES, MASKS), [[7.0], [2.0]])


def test_a_measure_is_its_parameters():
    assert Inside(2.0) == Inside(2.0) != Inside(3.0)
    assert len({Inside(2.0), Inside(2.0), Inside(3.0)}) == 2
    assert Inside(2.0).parameters == {"factor": 2.0}


def test_key_names_the_lower_end_only():
    assert (Inside().ends, Inside().key) == ("both", "inside")
    assert (OneEnded().ends, OneEnded().key) == ("upper", "inside")
    assert (OneEnded(tail="lower").ends, OneEnded(tail="lower").key) == ("lower", "inside_lower")


def test_limits_are_unknown_by_default():
    assert Inside().ceiling() is None
    assert Inside().chance() is None
    assert Inside().null is None


@pytest.mark.parametrize("factor", [1e-30, 1e-6, 1e6, 1e30])
def test_plain_arrays_of_any_magnitude(factor):
    np.testing.assert_allclose(Inside().on(VALUES * factor, MASKS), np.array([[3.5], [1.0]]) * factor, rtol=1e-3)


def test_infinite_values_do_not_disturb_the_finite_ones():
    values = VALUES * 1e6
    values[0, 0], values[1, 0] = np.inf, -np.inf
    np.testing.assert_allclose(Inside().on(values, MASKS), [[3.5e6], [1e6]], rtol=1e-3)


def test_not_a_number_is_refused():
    values = VALUES.copy()
    values[1, 0] = np.nan
    with pytest.raises(MeasureError) as caught:
        Inside().on(values, MASKS)
    assert str(caught.value) == "Got NaN among the activations. Expected: numbers. Leave those sites out."


@pytest.mark.parametrize("n_sites", [3, 5])
def test_unequal_numbers_of_sites_are_refused(n_sites):
    with pytest.raises(MeasureError, match=f"Got activations at 4 sites and concepts at {n_sites}. Expected: equal"):
        Inside().on(VALUES, np.ones((n_sites, 1), bool))
