import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from unitscope.arrays import from_keys, to_keys
from unitscope.stats.precision import Precision
from unitscope.stats.view import Columns, View

RNG = np.random.default_rng(6)
KEYS = to_keys(np.stack([RNG.normal(size=70), RNG.integers(0, 3, 70), np.zeros(70)]).astype(np.float16))
MASKS = RNG.random((70, 4)) < [0.5, 0.1, 0.0, 1.1]


def test_both_ends_are_sklearns():
    found = View(KEYS, Columns.from_masks(MASKS)).ask(Precision())
    for unit, values in enumerate(from_keys(KEYS)):
        for concept in (0, 1, 3):
            truth = MASKS[:, concept]
            np.testing.assert_allclose(found.upper[unit, concept], average_precision_score(truth, values), rtol=1e-12)
            np.testing.assert_allclose(found.lower[unit, concept], average_precision_score(truth, -values), rtol=1e-12)
    np.testing.assert_array_equal(found.prevalence, MASKS.mean(axis=0))


def test_a_constant_unit_has_the_concepts_prevalence():
    found = View(KEYS, Columns.from_masks(MASKS)).ask(Precision())
    np.testing.assert_allclose(found.upper[2, [0, 1, 3]], found.prevalence[[0, 1, 3]])


def test_a_concept_without_sites_has_none():
    found = View(KEYS, Columns.from_masks(MASKS)).ask(Precision())
    assert np.isnan(found.upper[:, 2]).all()
    assert np.isnan(found.lower[:, 2]).all()


@pytest.mark.parametrize("n_sites", [3, 7, 49, 1000])
def test_a_concept_that_holds_everywhere_has_one_and_no_more(n_sites):
    keys = to_keys(np.random.default_rng(0).integers(0, 9, (50, n_sites)).astype(np.float16))
    found = View(keys, Columns.from_masks(np.ones((n_sites, 1), bool))).ask(Precision())
    for values in (found.upper, found.lower):
        assert values.max() <= 1.0
        np.testing.assert_allclose(values, 1.0, rtol=1e-12)


def test_no_sites():
    found = View(KEYS[:, :0], Columns.from_masks(MASKS[:0])).ask(Precision())
    assert np.isnan(found.upper).all()
    assert np.isnan(found.prevalence).all()
