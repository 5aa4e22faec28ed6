import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from unitscope.stats import formulas
from unitscope.stats.formulas import AND, AND_NOT, OR, Masks, holds, kappa, packed, price, search, written
from unitscope.stats.view import Columns

Mask = NDArray[np.bool_]


def naive_kappa(on: Mask, mask: Mask) -> float:
    """Cohen (1960): observed agreement against that of independent raters."""
    observed = float((on == mask).mean())
    p, q = on.mean(), mask.mean()
    expected = float(p * q + (1 - p) * (1 - q))
    return (observed - expected) / (1 - expected) if expected < 1 else 0.0


def naive_join(first: Mask, second: Mask, op: int) -> Mask:
    return {AND: first & second, OR: first | second, AND_NOT: first & ~second}[op]


def naive_best(on: Mask, masks: Mask, most: int) -> tuple[float, float]:
    """Greatest kappa less price over all chains of different concepts, and that of single concepts."""
    best, single = 0.0, 0.0
    chains = [(mask, (index,)) for index, mask in enumerate(masks.T)]
    for length in range(1, most + 1):
        for mask, _ in chains:
            if formulas.MIN_SITES <= mask.sum() <= len(on) - formulas.MIN_SITES:
                score = naive_kappa(on, mask)
                best = max(best, score - price(len(on)) * (length - 1))
                single = max(single, score) if length == 1 else single
        chains = [
            (naive_join(mask, masks[:, other], op), (*used, other))
            for (mask, used), other, op in itertools.product(chains, range(masks.shape[1]), range(3))
            if other not in used
        ]
    return best, single


def made(seed: int, n_sites: int, n_concepts: int) -> tuple[Mask, Mask]:
    """Concepts [S, C], some nested and some apart, and a unit that is on at a mixture of two."""
    draw = np.random.default_rng(seed)
    masks = draw.random((n_sites, n_concepts)) < draw.uniform(0.1, 0.5, n_concepts)
    masks[:, 1] &= masks[:, 0]
    op = int(draw.integers(3))
    on = naive_join(masks[:, 2], masks[:, 3], op) ^ (draw.random(n_sites) < 0.08)
    return masks, on


@given(st.integers(0, 10_000), st.integers(1, 200), st.integers(1, 5))
def test_packed_bits_are_the_masks(seed: int, n_sites: int, n: int) -> None:
    masks = np.random.default_rng(seed).random((n, n_sites)) < 0.4
    bits = packed(masks)
    found = [[bool(int(bits[i, s // 64]) >> (s % 64) & 1) for s in range(n_sites)] for i in range(n)]
    np.testing.assert_array_equal(found, masks)
    assert sum(int(word).bit_count() for word in bits.reshape(-1)) == masks.sum(), "spare bits are set"


@given(st.integers(0, 10_000), st.integers(60, 300))
def test_kappa_is_cohens(seed: int, n_sites: int) -> None:
    draw = np.random.default_rng(seed)
    on, mask = draw.random(n_sites) < 0.3, draw.random(n_sites) < 0.2
    assert kappa((on & mask).sum(), on.sum(), mask.sum(), n_sites) == pytest.approx(naive_kappa(on, mask))


def test_kappa_of_nothing_is_nothing() -> None:
    assert kappa(0, 0, 0, 10) == 0.0
    assert kappa(10, 10, 10, 10) == 0.0
    assert kappa(4, 4, 4, 10) == 1.0


@given(st.integers(0, 10_000), st.integers(1, 3))
def test_a_wide_beam_finds_what_trying_all_chains_finds(seed: int, most: int) -> None:
    masks, on = made(seed, 230, 5)
    columns = Columns.from_masks(masks)
    found = search(on[None], Masks.of(columns), np.ones(5, np.bool_), most, beam=200)
    best, single = naive_best(on, masks, most)
    length = int(found.length[0])
    assert found.score[0] - price(230) * (length - 1) == pytest.approx(best)
    assert found.single_score[0] == pytest.approx(single)
    held = holds(found.terms[0].tolist(), found.ops[0].tolist(), columns)
    assert naive_kappa(on, held) == pytest.approx(found.score[0]), "the formula is not what was scored"
    assert len(set(found.terms[0][:length].tolist())) == length
    assert (found.terms[0][length:] == -1).all()


@given(st.integers(0, 10_000))
def test_a_unit_says_the_same_alone_and_among_others(seed: int) -> None:
    masks, on = made(seed, 300, 6)
    others = np.random.default_rng(seed).random((3, 300)) < 0.2
    bits = Masks.of(Columns.from_masks(masks))
    together = search(np.concatenate([others, on[None]]), bits, np.ones(6, np.bool_), 3, beam=4)
    alone = search(on[None], bits, np.ones(6, np.bool_), 3, beam=4)
    assert together.terms[3].tolist() == alone.terms[0].tolist()
    assert together.score[3] == alone.score[0]


@pytest.mark.parametrize("op", [AND, OR, AND_NOT])
def test_finds_the_formula_that_a_unit_is(op: int) -> None:
    draw = np.random.default_rng(op)
    masks = draw.random((3000, 40)) < draw.uniform(0.03, 0.4, 40)
    on = naive_join(masks[:, 7], masks[:, 23], op)
    found = search(on[None], Masks.of(Columns.from_masks(masks)), np.ones(40, np.bool_), 3)
    assert found.length[0] == 2
    assert found.score[0] == pytest.approx(1.0)
    terms = found.terms[0, :2].tolist()
    assert set(terms) == {7, 23}
    assert op != AND_NOT or terms == [7, 23]
    assert found.ops[0, 1] == op


def test_concepts_that_are_not_allowed_take_no_part() -> None:
    draw = np.random.default_rng(0)
    masks = draw.random((1000, 6)) < 0.3
    allowed = np.array([True, False, True, True, True, True])
    found = search((masks[:, 1] | masks[:, 2])[None], Masks.of(Columns.from_masks(masks)), allowed, 3)
    assert found.single[0] == 2
    assert 1 not in found.terms[0]


@pytest.mark.parametrize("on", [np.zeros(500, np.bool_), np.ones(500, np.bool_), np.arange(500) < 10])
def test_a_unit_that_is_hardly_ever_on_or_off_has_no_formula(on: Mask) -> None:
    masks = np.random.default_rng(1).random((500, 4)) < 0.3
    found = search(on[None], Masks.of(Columns.from_masks(masks)), np.ones(4, np.bool_), 2)
    assert found.length[0] == 0
    assert found.single[0] == -1
    assert np.isnan(found.score[0])
    assert (found.terms == -1).all()


def test_no_concepts_and_no_sites_give_no_formula() -> None:
    empty = Columns(np.zeros(1, np.int64), np.zeros(0, np.int32), 100)
    on = (np.arange(100) < 50)[None]
    assert search(on, Masks.of(empty), np.ones(0, np.bool_), 3).length.tolist() == [0]
    nowhere = Columns(np.zeros(3, np.int64), np.zeros(0, np.int32), 0)
    assert search(on[:, :0], Masks.of(nowhere), np.ones(2, np.bool_), 3).length.tolist() == [0]


def test_text_reads_from_the_left() -> None:
    names = ["a", "b", "c", "d"]
    assert written([2, -1], [0, 0], names) == "c"
    assert written([0, 1, 2], [AND, AND, AND_NOT], names) == "a and b and not c"
    assert written([2, 0, 1], [AND, OR, OR], names) == "a or b or c"
    assert written([2, 1, 0], [AND, AND_NOT, AND], names) == "c and not b and a"
    assert written([2, 1, 0], [AND, AND, OR], names) == "(b and c) or a"
    assert written([0, 1, 2, 3], [AND, AND, OR, AND_NOT], names) == "((a and b) or c) and not d"
