import numpy as np
import pytest

from unitscope.arrays import from_keys, key_table, to_keys
from unitscope.stats.controls import Controls
from unitscope.stats.passport import PARTS, Passports, independent
from unitscope.stats.view import Columns

VALUE_OF = key_table()
RNG = np.random.default_rng(0)
N_DOCUMENTS = 150


def design(n_sites=6000, n_forms=600):
    """Word forms of falling frequency in sentences of 3 to 30 words, documents of about forty words."""
    frequency = 1 / np.arange(1, n_forms + 1)
    form = RNG.choice(n_forms, n_sites, p=frequency / frequency.sum())
    form = np.unique(form, return_inverse=True)[1].astype(np.int32)
    lengths = RNG.integers(3, 31, n_sites)
    length = np.repeat(lengths, lengths)[:n_sites].astype(np.int32)
    position = np.concatenate([np.arange(n) for n in lengths])[:n_sites].astype(np.int32)
    document = np.sort(RNG.integers(0, N_DOCUMENTS, n_sites)).astype(np.int32)
    return Controls(form, position, length), document


CONTROLS, DOCUMENT = design()
N_SITES = len(DOCUMENT)
MASKS = RNG.random((N_SITES, 3)) < [0.3, 0.1, 0.02]
PASSPORTS = Passports.prepare(CONTROLS, Columns.from_masks(MASKS), DOCUMENT)


def standard(values):
    return (values - values.mean()) / values.std()


def planted(n_units=12, seed=1, **weights):
    """Units whose variance is made of the named shares and, for the rest, noise."""
    rng = np.random.default_rng(seed)
    units = []
    for _ in range(n_units):
        parts = {
            "form": rng.normal(size=CONTROLS.n_forms)[CONTROLS.form],
            "position": rng.normal(size=99)[CONTROLS.position_bin],
            "length": rng.normal(size=99)[CONTROLS.length_bin],
            "context": MASKS[:, 0].astype(float),
            "document": rng.normal(size=N_DOCUMENTS)[DOCUMENT],
            "rest": rng.normal(size=N_SITES),
        }
        shares = weights | {"rest": 1 - sum(weights.values())}
        units.append(sum(np.sqrt(share) * standard(parts[name]) for name, share in shares.items()))
    return to_keys(np.stack(units).astype(np.float16))


def shares_of(keys):
    return dict(zip(PARTS, PASSPORTS.of(keys, VALUE_OF).mean(axis=0)))


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"form": 0.5},
        {"position": 0.3},
        {"length": 0.2},
        {"context": 0.2},
        {"document": 0.3},
        {"document": 0.05},
        {"form": 0.4, "position": 0.1, "length": 0.05, "context": 0.1, "document": 0.15},
        {"form": 0.2, "document": 0.6},
    ],
    ids=lambda weights: "-".join(weights) or "noise",
)
def test_planted_shares_are_found(weights):
    found = shares_of(planted(**weights))
    expected = dict.fromkeys(PARTS, 0.0) | weights
    expected["rest"] = 1 - sum(weights.values())
    for part in PARTS:
        assert found[part] == pytest.approx(expected[part], abs=0.015 + 0.1 * expected[part] * (1 - expected[part])), (
            part
        )


def test_a_random_unit_is_all_rest():
    found = shares_of(planted(40))
    for part in PARTS[:-1]:
        assert found[part] < 0.006, part
    assert found["rest"] > 0.98


def test_shares_are_shares():
    found = PASSPORTS.of(planted(5, form=0.5, document=0.45), VALUE_OF)
    assert found.shape == (5, len(PARTS))
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_units_are_taken_one_by_one():
    keys = planted(4, form=0.3)
    np.testing.assert_allclose(PASSPORTS.of(keys[1:3], VALUE_OF), PASSPORTS.of(keys, VALUE_OF)[1:3], rtol=1e-9)


def test_scale_and_sign_do_not_matter():
    keys = planted(3, form=0.3, document=0.1)
    other = to_keys((-4 * from_keys(keys)).astype(np.float16))
    np.testing.assert_allclose(PASSPORTS.of(other, VALUE_OF), PASSPORTS.of(keys, VALUE_OF), atol=1e-6)


def test_a_form_that_is_the_concept_counts_as_form():
    concept = CONTROLS.form < 5
    passports = Passports.prepare(CONTROLS, Columns.from_masks(concept[:, None]), DOCUMENT)
    noise = np.random.default_rng(3).normal(size=(2, N_SITES))
    keys = to_keys((concept + 0.1 * noise).astype(np.float16))
    found = passports.of(keys, VALUE_OF)
    assert (found[:, PARTS.index("form")] > 0.9).all()
    assert (found[:, PARTS.index("context")] < 0.01).all()


def test_equal_concepts_count_once():
    masks = np.concatenate([MASKS, MASKS, np.zeros((N_SITES, 1), bool), np.ones((N_SITES, 1), bool)], axis=1)
    doubled = Passports.prepare(CONTROLS, Columns.from_masks(masks), DOCUMENT)
    keys = planted(3, context=0.2)
    np.testing.assert_allclose(doubled.of(keys, VALUE_OF), PASSPORTS.of(keys, VALUE_OF), atol=1e-6)


@pytest.mark.parametrize("block", [np.zeros(N_SITES, np.int32), np.arange(N_SITES, dtype=np.int32)])
def test_documents_that_cannot_be_told_from_the_rest_get_nothing(block):
    part = slice(0, 800)
    controls = CONTROLS.at(np.arange(N_SITES) < 800)
    passports = Passports.prepare(controls, Columns.from_masks(MASKS[part]), block[part])
    keys = planted(4, document=0.3)[:, part]
    np.testing.assert_array_equal(passports.of(keys, VALUE_OF)[:, PARTS.index("document")], 0.0)


def test_constant_and_infinite_units_have_no_passport_and_spare_the_others():
    keys = planted(3, form=0.3)
    values = from_keys(keys)
    values[1, 5] = np.inf
    mixed = to_keys(np.concatenate([values, np.full((1, N_SITES), 0.1, np.float32)]).astype(np.float16))
    found = PASSPORTS.of(mixed, VALUE_OF)
    assert np.isnan(found[[1, 3]]).all()
    np.testing.assert_allclose(found[[0, 2]], PASSPORTS.of(keys[[0, 2]], VALUE_OF), rtol=1e-9)


@pytest.mark.parametrize("n_sites", [0, 1, 3])
def test_too_few_sites(n_sites):
    some = np.arange(N_SITES) < n_sites
    passports = Passports.prepare(CONTROLS.at(some), Columns.from_masks(MASKS[some]), DOCUMENT[some])
    assert np.isnan(passports.of(planted(2)[:, some], VALUE_OF)).all()


def test_every_form_once_leaves_nothing_to_compare_within():
    n = 50
    controls = Controls(np.arange(n, dtype=np.int32), CONTROLS.position[:n], CONTROLS.length[:n])
    passports = Passports.prepare(controls, Columns.from_masks(MASKS[:n]), DOCUMENT[:n])
    assert np.isnan(passports.of(planted(2)[:, :n], VALUE_OF)).all()


def test_independent_columns_span_the_same_space():
    matrix = np.random.default_rng(2).normal(size=(30, 4))
    matrix = np.stack(
        [matrix[:, 0], 0 * matrix[:, 0], matrix[:, 1], matrix[:, 0] - 3 * matrix[:, 1], matrix[:, 2]], axis=1
    )
    gram = matrix.T @ matrix
    kept, factor = independent(gram)
    np.testing.assert_array_equal(kept, [0, 2, 4])
    np.testing.assert_allclose(factor @ factor.T, gram[np.ix_(kept, kept)])
    np.testing.assert_array_equal(factor, np.tril(factor))


def test_no_columns_are_independent_of_nothing():
    kept, factor = independent(np.zeros((0, 0)))
    assert kept.shape == (0,)
    assert factor.shape == (0, 0)
