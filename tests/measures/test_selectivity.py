import numpy as np
import pytest

from unitscope.measures.selectivity import Selectivity

RNG = np.random.default_rng(0)
MASKS = RNG.random((120, 2)) < [0.5, 0.05]
VALUES = (RNG.normal(size=(120, 4)) + MASKS[:, [0]]).astype(np.float16).astype(float)


def test_gap_of_means_over_the_units_range():
    found = Selectivity().on(VALUES, MASKS)
    for unit, column in enumerate(VALUES.T):
        for concept, mask in enumerate(MASKS.T):
            gap = column[mask].mean() - column[~mask].mean()
            assert found[unit, concept] == pytest.approx(gap / (column.max() - column.min()), rel=1e-9)


def test_one_for_a_unit_that_is_the_concept():
    np.testing.assert_allclose(np.diag(Selectivity().on(4.0 * MASKS - 1, MASKS)), 1.0)


def test_a_constant_unit_has_none():
    assert np.isnan(Selectivity().on(np.full((120, 1), 0.1), MASKS)).all()
