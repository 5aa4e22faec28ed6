import numpy as np
from sklearn.metrics import average_precision_score

from unitscope.measures.average_precision import AveragePrecision
from unitscope.stats.precision import AveragePrecisions

RNG = np.random.default_rng(0)
MASKS = RNG.random((120, 3)) < [0.5, 0.05, 0.3]
VALUES = np.maximum(np.round(RNG.normal(size=(120, 4)) + MASKS[:, [2]], 1), 0)


def test_either_end_is_sklearns():
    for sign, tail in ((1, "upper"), (-1, "lower")):
        expected = [[average_precision_score(MASKS[:, c], sign * VALUES[:, u]) for c in range(3)] for u in range(4)]
        np.testing.assert_allclose(AveragePrecision(tail=tail).on(VALUES, MASKS), expected, rtol=1e-12)


def test_chance_is_the_prevalence():
    precision = AveragePrecisions(np.zeros((4, 2)), np.zeros((4, 2)), np.array([0.1, 0.4]))
    np.testing.assert_array_equal(AveragePrecision().chance(precision), [0.1, 0.4])


def test_a_unit_without_information_has_the_prevalence():
    np.testing.assert_allclose(AveragePrecision().on(np.zeros((120, 1)), MASKS)[0], MASKS.mean(axis=0))
