import numpy as np
from sklearn.metrics import roc_auc_score

from unitscope.measures.auroc import AUROC

RNG = np.random.default_rng(0)
MASKS = RNG.random((120, 3)) < [0.5, 0.05, 0.3]
VALUES = np.concatenate([np.round(RNG.normal(size=(120, 4)) + MASKS[:, [2]], 1), np.zeros((120, 1))], axis=1)


def test_auroc_is_sklearns():
    expected = [[roc_auc_score(MASKS[:, c], VALUES[:, u]) for c in range(3)] for u in range(5)]
    np.testing.assert_allclose(AUROC().on(VALUES, MASKS), expected, rtol=1e-12)


def test_a_monotone_change_of_the_unit_changes_nothing():
    np.testing.assert_array_equal(AUROC().on(np.exp(VALUES), MASKS), AUROC().on(VALUES, MASKS))


def test_prevalence_does_not_matter():
    often = np.concatenate([VALUES, VALUES[~MASKS[:, 0]]])
    masks = np.concatenate([MASKS, MASKS[~MASKS[:, 0]]])
    np.testing.assert_allclose(AUROC().on(often, masks)[:, 0], AUROC().on(VALUES, MASKS)[:, 0], rtol=1e-12)
