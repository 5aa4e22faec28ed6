import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from unitscope.arrays import from_keys, to_keys
from unitscope.stats.intervals import Blocks, auroc_intervals
from unitscope.stats.view import Columns, View


def interval(values, mask, block, level=0.95):
    keys = to_keys(values.astype(np.float16))
    columns = Columns.from_masks(mask[:, None])
    units = np.arange(len(keys))
    return auroc_intervals(View(keys, columns), columns, Blocks.of(block), units, np.zeros_like(units), level)


def jackknife(values, mask, block, level):
    """The same interval by leaving out each block and counting again."""
    values = from_keys(to_keys(values.astype(np.float16)))
    estimate = roc_auc_score(mask, values)
    edge = 0.25 / (mask.sum() * (~mask).sum())
    blocks = np.unique(block)
    without = [roc_auc_score(mask[block != b], values[block != b]) for b in blocks]
    centre = np.clip(estimate, edge, 1 - edge)
    error = np.sqrt((len(blocks) - 1) * np.var(without)) / (centre * (1 - centre))
    inside = np.bincount(block, weights=mask)
    wide = student.ppf(0.5 + level / 2, inside.sum() ** 2 / (inside**2).sum() - 1) * error
    return estimate, expit(logit(centre) - wide), expit(logit(centre) + wide)


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("kind", ["continuous", "tied", "relu"])
def test_interval_is_the_recomputed_jackknife(kind, level):
    rng = np.random.default_rng(0)
    block = rng.integers(0, 25, 300)
    block[block == 7] = 8  # a block without sites, as in one half of the corpus
    mask = rng.random(300) < 0.3
    values = rng.normal(size=(3, 300)) + mask * np.array([[0.0], [0.5], [-1.0]])
    values = {"continuous": values, "tied": np.round(values), "relu": np.maximum(values, 0)}[kind]
    found = interval(values, mask, block, level)
    expected = np.array([jackknife(row, mask, block, level) for row in values]).T
    np.testing.assert_allclose([found.estimate, found.low, found.high], expected, rtol=1e-10)


def test_a_constant_unit_is_at_one_half_for_sure():
    rng = np.random.default_rng(1)
    found = interval(np.ones((1, 200)), rng.random(200) < 0.5, rng.integers(0, 30, 200))
    np.testing.assert_allclose([found.estimate, found.low, found.high], 0.5)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_unit_lies_in_its_interval(sign):
    rng = np.random.default_rng(2)
    mask = rng.random(400) < 0.3
    found = interval(sign * mask[None].astype(float), mask, rng.integers(0, 40, 400))
    assert found.estimate.item() == (sign + 1) / 2
    assert found.low <= found.estimate <= found.high


def test_too_few_blocks_with_the_concept_leave_the_estimate_alone():
    rng = np.random.default_rng(3)
    values, block = rng.normal(size=(2, 600)), np.repeat(np.arange(60), 10)
    for n_blocks, known in ((9, False), (10, True)):
        found = interval(values, (block < n_blocks) & (np.arange(600) % 2 == 0), block)
        assert np.isfinite(found.estimate).all()
        assert (np.isfinite(found.low) & np.isfinite(found.high)).all() == known


@pytest.mark.parametrize("mask", [np.zeros(50, bool), np.ones(50, bool)])
def test_a_concept_that_holds_nowhere_or_everywhere_has_none(mask):
    found = interval(np.random.default_rng(4).normal(size=(2, 50)), mask, np.arange(50))
    assert np.isnan([found.estimate, found.low, found.high]).all()


def test_no_sites():
    found = interval(np.zeros((2, 0)), np.zeros(0, bool), np.zeros(0, int))
    assert np.isnan(found.estimate).all()


def test_all_other_sites_in_one_block_leave_no_interval():
    mask, block = np.arange(60) >= 10, np.maximum(np.arange(60) - 9, 0)
    found = interval(np.random.default_rng(5).normal(size=(1, 60)), mask, block)
    assert np.isfinite(found.estimate).all()
    assert np.isnan(found.low).all()


def test_interval_covers_the_truth_though_sites_of_a_block_are_alike():
    # A unit and a concept that both vary from block to block, unrelated to each other: the truth is .5.
    rng = np.random.default_rng(6)
    block = np.repeat(np.arange(60), 8)
    covered, covered_by_site = [], []
    for _ in range(20):
        mask = rng.random(480) < np.clip(rng.normal(0.3, 0.2, 60), 0.02, 1)[block]
        values = rng.normal(size=(20, 480)) + rng.normal(size=(20, 60))[:, block]
        for group, found in ((block, covered), (np.arange(480), covered_by_site)):
            ends = interval(values, mask, group)
            found += ((ends.low <= 0.5) & (ends.high >= 0.5)).tolist()
    assert 0.91 <= np.mean(covered) <= 0.98
    assert np.mean(covered_by_site) < 0.88  # what ignoring blocks would claim


def test_p_is_that_of_the_recomputed_jackknife_on_the_scale_of_auroc():
    rng = np.random.default_rng(8)
    block, mask = rng.integers(0, 25, 300), rng.random(300) < 0.3
    values = rng.normal(size=(4, 300)) + mask * np.array([[0.0], [0.3], [-0.3], [2.0]])
    found = interval(values, mask, block)
    inside = np.bincount(block, weights=mask)
    free = inside.sum() ** 2 / (inside**2).sum() - 1
    for row, estimate, upper, lower in zip(values, found.estimate, found.p_upper, found.p_lower, strict=True):
        row = from_keys(to_keys(row.astype(np.float16)))
        without = [roc_auc_score(mask[block != b], row[block != b]) for b in range(25)]
        error = np.sqrt(24 * np.var(without))
        np.testing.assert_allclose(upper, student.sf((estimate - 0.5) / error, free), rtol=1e-6)
        np.testing.assert_allclose(upper + lower, 1)


def test_p_of_a_perfect_unit_is_the_sign_test_s_and_of_a_constant_one_one_half():
    block = np.repeat(np.arange(12), 20)
    mask = np.tile(np.arange(20) < 5, 12)
    found = interval(np.stack([mask, ~mask, np.ones(240)]).astype(float), mask, block)
    np.testing.assert_allclose(found.p_upper, [0.5**12, 1, 0.5])
    np.testing.assert_allclose(found.p_lower, [1, 0.5**12, 0.5])


@pytest.mark.parametrize("mask", [np.arange(200) < 20, np.arange(200) >= 20, np.zeros(200, bool), np.ones(200, bool)])
def test_p_is_one_where_a_label_is_in_one_block_or_none(mask):
    found = interval(np.arange(200.0)[None], mask, np.arange(200) // 20)
    assert found.p_upper.item() == found.p_lower.item() == 1


def test_p_keeps_its_level_where_unit_and_concept_vary_by_block():
    rng = np.random.default_rng(9)
    block = np.repeat(np.arange(40), 25)
    mask = np.isin(block, np.arange(0, 40, 3))
    values = rng.normal(size=(2000, 40))[:, block] + rng.normal(size=(2000, 1000))
    found = interval(values, mask, block)
    for p in (found.p_upper, found.p_lower):
        for level in (0.05, 0.01):
            assert (p < level).mean() == pytest.approx(level, abs=4 * np.sqrt(level / 2000))


def test_a_unit_that_is_never_wrong_is_bounded_by_its_blocks():
    block = np.repeat(np.arange(30), 10)
    mask = np.tile([True] * 3 + [False] * 7, 30)
    found = interval(np.stack([mask * 1.0, -1.0 * mask]), mask, block)
    np.testing.assert_allclose(found.low[0], 0.025 ** (1 / 30), atol=1e-4)
    np.testing.assert_allclose(found.high[1], 1 - 0.025 ** (1 / 30), atol=1e-4)
    assert (found.high[0], found.low[1]) == (1.0, 0.0)


def test_one_wrong_site_near_perfection_does_not_blow_up_the_interval():
    rng = np.random.default_rng(2)
    block, mask = np.repeat(np.arange(60), 20), rng.random(1200) < 0.07
    values = mask * 4.0 + rng.random(1200)
    values[np.flatnonzero(mask)[0]] = 0.5
    found = interval(values[None], mask, block)
    assert found.estimate[0] > 0.99
    assert found.low[0] > 0.9


def test_pairs_of_one_call_do_not_disturb_each_other():
    rng = np.random.default_rng(10)
    keys = to_keys(rng.integers(-3, 3, (3, 300)).astype(np.float16))
    columns, block = Columns.from_masks(rng.random((300, 2)) < 0.3), rng.integers(0, 20, 300)
    units, concepts = np.array([0, 0, 2, 1]), np.array([0, 1, 1, 0])
    found = auroc_intervals(View(keys, columns), columns, Blocks.of(block), units, concepts)
    for i in range(4):
        alone = interval(from_keys(keys[units[[i]]]), columns.mask(int(concepts[i])), block)
        for name in ("estimate", "low", "high", "p_upper", "p_lower"):
            np.testing.assert_array_equal(getattr(found, name)[i], getattr(alone, name)[0])
