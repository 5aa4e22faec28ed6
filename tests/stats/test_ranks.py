import numpy as np
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from unitscope.arrays import from_keys, to_keys
from unitscope.stats.ranks import RankSum, RankSums
from unitscope.stats.view import Columns, View

RNG = np.random.default_rng(4)
KEYS = to_keys(np.stack([RNG.normal(size=80), RNG.integers(0, 3, 80), np.zeros(80)]).astype(np.float16))
MASKS = RNG.random((80, 4)) < [0.5, 0.1, 0.0, 1.1]


def test_auroc_is_sklearns():
    auroc = View(KEYS, Columns.from_masks(MASKS)).ask(RankSums()).auroc
    expected = [[roc_auc_score(MASKS[:, c], values) for c in (0, 1)] for values in from_keys(KEYS)]
    np.testing.assert_allclose(auroc[:, :2], expected, rtol=1e-14)


def test_auroc_is_the_share_of_mann_whitney_pairs():
    ranks = View(KEYS, Columns.from_masks(MASKS)).ask(RankSums())
    values = from_keys(KEYS)[1]
    inside = MASKS[:, 1]
    pairs = inside.sum() * (~inside).sum()
    assert ranks.auroc[1, 1] == mannwhitneyu(values[inside], values[~inside]).statistic / pairs


def test_a_constant_unit_is_at_one_half():
    assert (View(KEYS, Columns.from_masks(MASKS)).ask(RankSums()).auroc[2, :2] == 0.5).all()


def test_concepts_that_hold_nowhere_or_everywhere_have_none():
    assert np.isnan(View(KEYS, Columns.from_masks(MASKS)).ask(RankSums()).auroc[:, 2:]).all()


def test_the_best_unit_of_half_a_billion_sites():
    n, inside = 2**29, 2**28
    doubled = inside * (inside + 1 + n)  # twice the sum of the ranks from inside + 1 to n
    assert RankSum(np.array([[doubled]]), np.array([inside]), n).auroc.item() == 1.0
