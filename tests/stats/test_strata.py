import numpy as np
import pytest
from scipy.stats import norm, rankdata
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from unitscope.arrays import from_keys, to_keys
from unitscope.stats.sorting import falling
from unitscope.stats.strata import MIN_SITES, Strata, within
from unitscope.stats.view import Columns


def keys_of(values):
    return to_keys(np.asarray(values).astype(np.float16))


def within_of(values, mask, stratum, block, better=None):
    """Effects of units [U, S] for one concept; `better` cuts the strata."""
    keys = keys_of(values)
    columns = Columns.from_masks(np.stack([mask, np.zeros_like(mask) if better is None else better], axis=1))
    units, concepts = np.arange(len(keys)), np.zeros(len(keys), np.intp)
    cut = None if better is None else np.ones(len(keys), np.intp)
    return within(keys, falling(keys), Strata.of(stratum, block), columns, units, concepts, cut)


def informative(mask, stratum):
    return [g for g in np.unique(stratum) if 0 < mask[stratum == g].sum() < (stratum == g).sum()]


def naive_effect(values, mask, stratum):
    weights, areas = [], []
    for g in informative(mask, stratum):
        here = stratum == g
        n1, n0 = mask[here].sum(), (~mask[here]).sum()
        weights.append(n1 * n0 / (n1 + n0))
        areas.append(roc_auc_score(mask[here], values[here]))
    return np.average(areas, weights=weights)


def naive_influence(values, mask, stratum, block):
    """Influence of each block on the effect, pair by pair."""
    groups = informative(mask, stratum)
    sizes = {g: (mask[stratum == g].sum(), (~mask[stratum == g]).sum()) for g in groups}
    total = sum(n1 * n0 / (n1 + n0) for n1, n0 in sizes.values())
    influence = dict.fromkeys(block[np.isin(stratum, groups)], 0.0)
    for g, (n1, n0) in sizes.items():
        weight = n1 * n0 / (n1 + n0) / total
        inside, outside = np.flatnonzero((stratum == g) & mask), np.flatnonzero((stratum == g) & ~mask)
        wins = (np.sign(values[inside][:, None] - values[outside][None, :]) + 1) / 2
        for site, won in zip(inside, wins.mean(axis=1)):
            influence[block[site]] += weight * (won - wins.mean()) / n1
        for site, won in zip(outside, wins.mean(axis=0)):
            influence[block[site]] += weight * (won - wins.mean()) / n0
    return np.array(list(influence.values()))


def permuted_effects(values, mask, stratum, rng, n):
    """Effects when labels are permuted within strata, by a site's share of its stratum's rank sum."""
    draws = np.tile(mask, (n, 1))
    for g in informative(mask, stratum):
        here = np.flatnonzero(stratum == g)
        draws[:, here] = rng.permuted(draws[:, here], axis=1)
    effects = np.zeros(n)
    total = 0.0
    for g in informative(mask, stratum):
        here = np.flatnonzero(stratum == g)
        n1 = mask[here].sum()
        n0 = len(here) - n1
        below = (values[here][:, None] > values[here][None, :]).sum(axis=1)
        ties = (values[here][:, None] == values[here][None, :]).sum(axis=1)
        rank_sum = draws[:, here] @ (below + (ties + 1) / 2)
        weight = n1 * n0 / (n1 + n0)
        effects += weight * (rank_sum - n1 * (n1 + 1) / 2) / (n1 * n0)
        total += weight
    return effects / total


def some_data(seed=0, n=240, n_strata=9, n_blocks=30, decimals=1):
    rng = np.random.default_rng(seed)
    stratum = rng.integers(0, n_strata, n).astype(np.int32)
    mask = rng.random(n) < rng.choice([0.0, 0.2, 0.6, 1.0], n_strata, p=[0.2, 0.3, 0.3, 0.2])[stratum]
    block = rng.integers(0, n_blocks, n).astype(np.int32)
    values = np.round(rng.normal(size=(4, n)) + mask * np.array([[0.0], [0.3], [1.0], [-0.6]]), decimals)
    return from_keys(keys_of(values)).astype(float), mask, stratum, block


@pytest.mark.parametrize("mask", [np.zeros(50, bool), np.ones(50, bool), np.arange(50) % 2 == 0])
def test_no_informative_stratum(mask):
    found = within_of(np.random.default_rng(0).normal(size=(3, 50)), mask, np.arange(50) % 2, np.zeros(50, np.int32))
    assert np.isnan(found.effect).all()
    np.testing.assert_array_equal([found.p_upper, found.p_lower], np.ones((2, 3)))


def test_no_sites():
    nothing = np.zeros(0, np.int32)
    found = within_of(np.zeros((3, 0)), np.zeros(0, bool), nothing, nothing)
    assert np.isnan(found.effect).all()


def test_labels_need_not_be_dense():
    values, mask, stratum, block = some_data(1)
    one, other = within_of(values, mask, stratum, block), within_of(values, mask, stratum * 7 + 3, block)
    np.testing.assert_array_equal(one.effect, other.effect)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_better_concept_cuts_the_strata(seed):
    values, mask, stratum, block = some_data(seed, n=900)
    rng = np.random.default_rng(seed)
    better = rng.random(900) < 0.4
    cut = within_of(values, mask, stratum, block, better)
    # Only strata that hold the concept at some sites before they are cut count afterwards.
    use = np.isin(stratum, informative(mask, stratum))
    finer = within_of(values[:, use], mask[use], stratum[use] * 2 + better[use], block[use])
    np.testing.assert_allclose(cut.effect, finer.effect, rtol=1e-12)
    blocks = len(np.unique(block[use]))
    assert blocks == len(np.unique(block))
    np.testing.assert_allclose(cut.p_upper, finer.p_upper, rtol=1e-9)


def test_pairs_of_one_call_do_not_disturb_each_other():
    values, mask, stratum, block = some_data(3, n=600)
    masks = np.stack([mask, np.random.default_rng(0).random(600) < 0.3], axis=1)
    keys = keys_of(values)
    units, concepts = np.array([0, 0, 3, 1]), np.array([0, 1, 1, 0])
    better = np.array([-1, 0, 0, -1])
    strata, columns = Strata.of(stratum, block), Columns.from_masks(masks)
    found = within(keys, falling(keys), strata, columns, units, concepts, better)
    for i in range(4):
        alone = within(keys, falling(keys), strata, columns, units[[i]], concepts[[i]], better[[i]])
        np.testing.assert_array_equal(found.effect[i], alone.effect[0])
        np.testing.assert_array_equal(found.p_upper[i], alone.p_upper[0])


@pytest.mark.parametrize(("n_inside", "n_outside", "enough"), [(19, 50, False), (50, 19, False), (20, 20, True)])
def test_enough_sites_are_twenty_of_each(n_inside, n_outside, enough):
    assert MIN_SITES == 20
    mask = np.arange(n_inside + n_outside) < n_inside
    assert np.isnan(
        within_of(
            np.ones((1, len(mask))), mask, np.zeros(len(mask), np.int32), np.arange(len(mask), dtype=np.int32)
        ).effect
    ).all() == (not enough)


@pytest.mark.parametrize("decimals", [0, 1, 9])
@pytest.mark.parametrize("seed", [0, 1])
def test_effect_is_the_weighted_mean_over_strata(seed, decimals):
    values, mask, stratum, block = some_data(seed, decimals=decimals)
    found = within_of(values, mask, stratum, block)
    np.testing.assert_allclose(found.effect, [naive_effect(row, mask, stratum) for row in values], rtol=1e-12)


def test_what_word_forms_explain_is_no_effect():
    # The unit knows the form and nothing else; forms differ in how often they carry the concept.
    rng = np.random.default_rng(0)
    stratum = rng.integers(0, 20, 2000).astype(np.int32)
    mask = rng.random(2000) < (stratum / 20)
    assert roc_auc_score(mask, stratum) > 0.8
    found = within_of(stratum[None], mask, stratum, np.arange(2000, dtype=np.int32))
    np.testing.assert_allclose(found.effect, 0.5, atol=1e-12)
    np.testing.assert_array_equal([found.p_upper, found.p_lower], [[0.5], [0.5]])


def permutation_spread(values, mask, stratum):
    """Standard deviation of the effect over all permutations of labels within strata."""
    total, variance = 0.0, 0.0
    for g in informative(mask, stratum):
        here = stratum == g
        n, n1 = here.sum(), mask[here].sum()
        ranks = rankdata(values[here]) / n  # the weight n1 n0 / n times what a rank adds, 1 / (n1 n0)
        variance += n1 * (n - n1) / n * ranks.var(ddof=1)
        total += n1 * (n - n1) / n
    return np.sqrt(variance) / total


def naive_p(values, mask, stratum, block):
    effect = naive_effect(values, mask, stratum)
    spread = permutation_spread(values, mask, stratum)
    influence = naive_influence(values, mask, stratum, block)
    error = np.sqrt((influence**2).sum() * len(influence) / (len(influence) - 1))
    inside = np.bincount(block[np.isin(stratum, informative(mask, stratum)) & mask])
    freedom = inside.sum() ** 2 / (inside**2).sum() - 1
    return norm.sf((effect - 0.5) / spread), student.sf((effect - 0.5) / error, freedom)


def test_p_is_the_larger_of_the_permutations_and_the_blocks():
    rng = np.random.default_rng(1)
    deciding = set()
    for n_blocks in (240, 12):
        values, mask, stratum, block = some_data(2, n_blocks=n_blocks)
        values = from_keys(keys_of(np.round(values + 0.8 * rng.normal(size=n_blocks)[block], 1))).astype(float)
        found = within_of(values, mask, stratum, block)
        for unit, row in enumerate(values):
            permuted, robust = naive_p(row, mask, stratum, block)
            deciding.add(bool(permuted > robust))
            np.testing.assert_allclose(found.p_upper[unit], max(permuted, robust), rtol=1e-9)
            np.testing.assert_allclose(found.p_lower[unit], max(1 - permuted, 1 - robust), rtol=1e-9)
    assert deciding == {True, False}


def test_p_of_single_sites_as_blocks_is_the_permutation_p():
    rng = np.random.default_rng(3)
    values, mask, stratum, _ = some_data(4, n=400)
    found = within_of(values, mask, stratum, np.arange(400, dtype=np.int32))
    for unit, row in enumerate(values):
        null = permuted_effects(row, mask, stratum, rng, 4000)
        assert abs(null.mean() - 0.5) < 0.003
        np.testing.assert_allclose(permutation_spread(row, mask, stratum), null.std(), rtol=0.05)
        for p, reached in ((found.p_upper, null >= found.effect[unit]), (found.p_lower, null <= found.effect[unit])):
            assert p[unit] == pytest.approx(reached.mean(), abs=0.03)


def test_noise_that_is_alike_within_blocks_is_not_found():
    rng = np.random.default_rng(5)
    block = np.repeat(np.arange(40, dtype=np.int32), 25)
    stratum = rng.integers(0, 5, 1000).astype(np.int32)
    p = []
    for _ in range(10):
        mask = rng.random(1000) < np.clip(rng.normal(0.4, 0.3, 40), 0, 1)[block]
        values = rng.normal(size=(60, 1000)) + rng.normal(size=(60, 40))[:, block]
        p += within_of(values, mask, stratum, block).p_upper.tolist()
    assert np.mean(np.array(p) < 0.05) < 0.08
    by_site = norm.sf(norm.isf(np.array(p)) * 2)  # errors half as large would not pass
    assert np.mean(by_site < 0.05) > 0.1


def test_p_values_mirror_with_the_unit():
    values, mask, stratum, block = some_data(6)
    found, mirrored = (within_of(sign * values, mask, stratum, block) for sign in (1, -1))
    np.testing.assert_allclose(mirrored.effect, 1 - found.effect, rtol=1e-12)
    np.testing.assert_allclose(mirrored.p_upper, found.p_lower, rtol=1e-9)
    np.testing.assert_allclose(mirrored.p_lower, found.p_upper, rtol=1e-9)


@pytest.mark.parametrize(("n_blocks", "greatest"), [(1, 0.5), (2, 0.26), (40, 1e-6)])
def test_a_perfect_effect_is_no_surer_than_its_blocks_are_many(n_blocks, greatest):
    rng = np.random.default_rng(7)
    mask = rng.random(400) < 0.5
    block = rng.permutation(np.arange(400) % n_blocks).astype(np.int32)
    found = within_of(
        np.stack([mask, mask + rng.random(400) * 0.9, -1.0 * mask]),
        mask,
        rng.integers(0, 4, 400).astype(np.int32),
        block,
    )
    np.testing.assert_allclose(found.effect, [1, 1, 0])
    assert (found.p_upper[:2] <= greatest).all()
    assert (found.p_upper[:2] >= 0.5**n_blocks).all()
    np.testing.assert_allclose(found.p_lower, [1, 1, found.p_upper[0]])


def test_one_document_proves_nothing():
    rng = np.random.default_rng(8)
    mask = rng.random(400) < 0.5
    found = within_of(
        mask + rng.normal(size=(5, 400)), mask, rng.integers(0, 4, 400).astype(np.int32), np.zeros(400, np.int32)
    )
    assert (found.effect > 0.6).all()
    np.testing.assert_array_equal(found.p_upper, 0.5)
    np.testing.assert_array_equal(found.p_lower, 1.0)


def test_constant_units_have_no_effect():
    _, mask, stratum, block = some_data(6)
    found = within_of(np.full((2, len(mask)), 0.1), mask, stratum, block)
    np.testing.assert_allclose(found.effect, 0.5)
    np.testing.assert_array_equal([found.p_upper, found.p_lower], np.full((2, 2), 0.5))
