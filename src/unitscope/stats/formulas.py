"""Formulas: and/or/and-not combinations of concepts that agree best with where a unit is on.

After the compositional explanations of Mu and Andreas (2020), with two changes. They rank by IoU, which favours what is
frequent and has a ceiling that differs by concept. Here the agreement of two masks is Cohen's (1960) kappa,

    kappa = 2 (both S - on n) / (on (S - n) + n (S - on)),

which is Dice's coefficient (a monotone function of IoU) corrected for chance: 0 for an unrelated formula however
frequent, 1 for the same sites; sites that a formula misses and sites that it names in vain both count. And length is
not free: each concept after the first must add `GAIN` and two of the errors, at most 1/sqrt(S), that kappa has without
association.

Masks are bits, 64 sites a word. A beam search grows the best formulas by one concept at a time: joint counts among a
unit's few on-sites first, and the formula's size only where that leaves hope of a place in the beam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import kernel
from unitscope.stats.view import Columns

Bits = NDArray[np.uint64]
AND, OR, AND_NOT = range(3)
WORDS = ("and", "or", "and not")
BEAM, GAIN, MIN_SITES = 8, 0.01, 20
"""Formulas kept at each length; what a further concept must add; least sites that a formula holds at or leaves out."""


@dataclass(frozen=True)
class Masks:
    """Concepts over the same S sites: `bits` [C, words], 64 sites a word, and sizes `counts` [C].

    The concepts of site s are `held[starts[s]:starts[s + 1]]`.
    """

    bits: Bits
    counts: NDArray[np.int64]
    n_sites: int
    starts: NDArray[np.int64]
    held: NDArray[np.int32]

    @classmethod
    def of(cls, columns: Columns) -> Masks:
        """From sparse columns."""
        bits = np.zeros((columns.n_concepts, -(-columns.n_sites // 64)), np.uint64)
        for concept in range(columns.n_concepts):
            bits[concept] = packed(columns.mask(concept)[None])[0]
        starts = np.concatenate([[0], np.cumsum(np.bincount(columns.sites, minlength=columns.n_sites))])
        concept_of = np.repeat(np.arange(columns.n_concepts, dtype=np.int32), columns.counts)
        held = concept_of[np.argsort(columns.sites, kind="stable")]
        return cls(bits, columns.counts, columns.n_sites, starts.astype(np.int64), held)

    @cached_property
    def pairs(self) -> NDArray[np.int32]:
        """Sites that two concepts share, [C, C]."""
        return _shared(self.bits)


def packed(masks: NDArray[np.bool_]) -> Bits:
    """Masks [N, S] as bits [N, words]; the last word's spare bits are 0.

    >>> packed(np.array([[True, False, True]])).tolist()
    [[5]]
    """
    room = np.zeros((len(masks), -(-masks.shape[1] // 64) * 8), np.uint8)
    eighths = np.packbits(masks, axis=1, bitorder="little")
    room[:, : eighths.shape[1]] = eighths
    return room.view("<u8").astype(np.uint64, copy=False)


@dataclass(frozen=True)
class Found:
    """Best formula of each unit, and its best single concept.

    `terms` [U, most] are concepts, -1 beyond the formula's `length` [U] (0: none was found); `ops` [U, most] say how
    each term but the first joins what stands before it. `score` [U] is kappa without the penalty; `single` [U] the
    best concept alone (-1: none), `single_score` [U] its kappa.
    """

    terms: NDArray[np.int32]
    ops: NDArray[np.int8]
    length: NDArray[np.int32]
    score: NDArray[np.float64]
    single: NDArray[np.int32]
    single_score: NDArray[np.float64]


def price(n_sites: int) -> float:
    """What each concept after the first must add to kappa over so many sites.

    >>> price(10_000)
    0.03
    """
    return GAIN + 2 / float(np.sqrt(max(n_sites, 1)))


def search(
    on: NDArray[np.bool_],
    masks: Masks,
    allowed: NDArray[np.bool_],
    most: int,
    beam: int = BEAM,
) -> Found:
    """Find the formula of at most `most` concepts that agrees best with each unit's on-sites `on` [U, S].

    Only concepts that are `allowed` [C] take part. The winner has the greatest kappa less `price` for each concept
    after the first; of equals the shorter, then the one with the first concepts.
    """
    penalty = price(masks.n_sites)
    n_units = len(on)
    terms, ops = np.full((n_units, most), -1, np.int32), np.zeros((n_units, most), np.int8)
    length, single = np.zeros(n_units, np.int32), np.full(n_units, -1, np.int32)
    score, single_score = np.full(n_units, np.nan), np.full(n_units, np.nan)
    concepts = np.flatnonzero(allowed).astype(np.int32)
    if len(concepts) and most > 0:
        # The pairs table is asked for only where a second concept is wanted.
        pairs = masks.pairs if most > 1 else np.zeros((0, 0), np.int32)
        _search(
            on, masks.bits, masks.starts, masks.held, masks.counts, pairs, concepts, beam, penalty,
            terms, ops, length, score, single, single_score,
        )  # fmt: skip
    return Found(terms, ops, length, score, single, single_score)


def holds(terms: Sequence[int], ops: Sequence[int], columns: Columns) -> NDArray[np.bool_]:
    """Where a formula holds, [S]: terms joined one after the other, from the left; -1 ends it."""
    found = np.zeros(columns.n_sites, np.bool_)
    for number, (term, op) in enumerate(zip(terms, ops, strict=True)):
        if term < 0:
            break
        sites = columns.of(term)
        if number == 0 or op == OR:
            found[sites] = True
        elif op == AND_NOT:
            found[sites] = False
        else:
            kept = sites[found[sites]]
            found[:] = False
            found[kept] = True
    return found


def written(terms: Sequence[int], ops: Sequence[int], names: Sequence[str]) -> str:
    """A formula as text, read from the left; brackets only where `and` and `or` meet.

    What the order cannot matter for, the first terms joined by `and` alone or `or` alone, stand in order of concepts.

    >>> written([0, 1, 2], [0, 0, 2], ["number", "time", "question"])
    'number and time and not question'
    >>> written([0, 1, 2, -1], [0, 1, 2, 0], ["noun", "verb", "past"])
    '(noun or verb) and not past'
    """
    length = sum(term >= 0 for term in terms)
    alike = 1
    while alike < length and ops[alike] == ops[1] != AND_NOT:
        alike += 1
    ordered = [*sorted(terms[:alike]), *terms[alike:length]]
    text, before = "", -1
    for number, (term, op) in enumerate(zip(ordered, ops[:length], strict=True)):
        if number and before >= 0 and (before == OR) != (op == OR):
            text = f"({text})"
        text = f"{text} {WORDS[op]} {names[term]}" if number else names[term]
        before = op if number else -1
    return text


@kernel
def _ones(word: np.uint64) -> np.int64:
    """Number of bits that are set."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@kernel
def _both(first: Bits, second: Bits) -> np.int64:
    """Number of sites that two masks share."""
    n = np.int64(0)
    for w in range(first.shape[0]):
        n += _ones(first[w] & second[w])
    return n


@kernel
def _shared(bits: Bits) -> NDArray[np.int32]:
    n = bits.shape[0]
    found = np.zeros((n, n), np.int32)
    for i in range(n):
        for j in range(i, n):
            found[i, j] = found[j, i] = _both(bits[i], bits[j])
    return found


@kernel
def kappa(both: Any, on: Any, n: Any, n_sites: Any) -> float:
    """Cohen's kappa of two masks of sizes `on` and `n` among `n_sites` that share `both`; 0 where it is undefined."""
    below = on * (n_sites - n) + n * (n_sites - on)
    value: float = 2.0 * (both * n_sites - on * n) / below if below > 0.0 else 0.0
    return value


@kernel
def _insert(
    pool: NDArray[np.float64], what: NDArray[np.int64], size: int, score: float, f: int, c: int, op: int
) -> int:
    """Put a candidate into the pool, best first, equal ones in order of arrival. Returns the pool's new size."""
    most = pool.shape[0]
    if size == most and score <= pool[most - 1]:
        return size
    at = size if size < most else most - 1
    while at > 0 and pool[at - 1] < score:
        pool[at] = pool[at - 1]
        what[at] = what[at - 1]
        at -= 1
    pool[at] = score
    what[at, 0], what[at, 1], what[at, 2] = f, c, op
    return size + 1 if size < most else most


@kernel
def _joined(first: Bits, second: Bits, op: int, found: Bits) -> None:
    for w in range(first.shape[0]):
        if op == AND:
            found[w] = first[w] & second[w]
        elif op == OR:
            found[w] = first[w] | second[w]
        else:
            found[w] = first[w] & ~second[w]


@kernel
def _same(first: Bits, second: Bits) -> bool:
    n_words, w = first.shape[0], 0
    while w < n_words and first[w] == second[w]:
        w += 1
    return bool(w == n_words)


@kernel
def _on_bits(on: NDArray[np.bool_], starts: NDArray[np.int64], held: NDArray[np.int32], found: Bits) -> None:
    """Bits of the concepts at a unit's on-sites alone, numbered anew, into `found` [C, words]."""
    n_on = 0
    found[:] = np.uint64(0)
    for s in range(on.shape[0]):
        if on[s]:
            bit = np.uint64(1) << np.uint64(n_on & 63)
            for i in range(starts[s], starts[s + 1]):
                found[held[i], n_on >> 6] |= bit
            n_on += 1


@kernel
def _grow(
    n_sites: int,
    n_on: int,
    bits: Bits,
    inner: Bits,
    counts: NDArray[np.int64],
    alone: NDArray[np.int64],
    pairs: NDArray[np.int32],
    concepts: NDArray[np.int32],
    size: int,
    length: int,
    terms: NDArray[np.int32],
    masks: Bits,
    inside: Bits,
    sizes: NDArray[np.int64],
    boths: NDArray[np.int64],
    pool: NDArray[np.float64],
    what: NDArray[np.int64],
) -> int:
    """Try all ways to add a concept to the `size` formulas of a `length`; the best fill the pool. Returns its size."""
    n_pool, most = 0, pool.shape[0]
    for f in range(size):
        n_f, both_f = sizes[f], boths[f]
        for i in range(concepts.shape[0]):
            c = concepts[i]
            used = False
            for k in range(length):
                used |= terms[f, k] == c
            if used:
                continue
            n_c, both_c = counts[c], alone[c]
            shared_on = _both(inside[f], inner[c])
            # The least size that each could have bounds its kappa from above.
            worst = pool[most - 1] if n_pool == most else 0.0
            least = max(MIN_SITES, shared_on, n_f + n_c - n_sites)
            either, without = both_f + both_c - shared_on, both_f - shared_on
            hope = kappa(shared_on, n_on, least, n_sites) > worst
            hope |= kappa(either, n_on, max(n_f, n_c, either), n_sites) > worst
            hope |= kappa(without, n_on, max(MIN_SITES, without, n_f - n_c), n_sites) > worst
            if not hope:
                continue
            shared = np.int64(pairs[terms[f, 0], c]) if length == 1 else _both(masks[f], bits[c])
            for op in range(3):
                n = shared if op == AND else n_f + n_c - shared if op == OR else n_f - shared
                both = shared_on if op == AND else either if op == OR else without
                # Of the size of a part, `and` and `or` are that part again, and so is `and not` of what is left whole.
                again = n == n_f or (n == n_c and op != AND_NOT)
                if again or n < MIN_SITES or n > n_sites - MIN_SITES:
                    continue
                score = kappa(both, n_on, n, n_sites)
                if score > 0.0:
                    n_pool = _insert(pool, what, n_pool, score, f, c, op)
    return n_pool


@kernel
def _search(
    on: NDArray[np.bool_],
    bits: Bits,
    starts: NDArray[np.int64],
    held: NDArray[np.int32],
    counts: NDArray[np.int64],
    pairs: NDArray[np.int32],
    concepts: NDArray[np.int32],
    beam: int,
    penalty: float,
    found_terms: NDArray[np.int32],
    found_ops: NDArray[np.int8],
    found_length: NDArray[np.int32],
    found_score: NDArray[np.float64],
    found_single: NDArray[np.int32],
    single_score: NDArray[np.float64],
) -> None:
    """Fill in every unit's best formula: see `search`."""
    n_units, n_sites = on.shape
    n_words, most = bits.shape[1], found_terms.shape[1]
    room = 4 * beam  # some candidates turn out to be the same sites as better ones
    pool, what = np.empty(room), np.empty((room, 3), np.int64)
    alone = np.zeros(bits.shape[0], np.int64)
    terms, ops = np.full((2, beam, most), -1, np.int32), np.zeros((2, beam, most), np.int8)
    masks = np.zeros((2, beam, n_words), np.uint64)
    sizes, boths = np.zeros((2, beam), np.int64), np.zeros((2, beam), np.int64)
    for u in range(n_units):
        n_on = 0
        for s in range(n_sites):
            n_on += on[u, s]
        if n_on < MIN_SITES or n_on > n_sites - MIN_SITES:
            continue
        n_inner = (n_on + 63) >> 6
        inner = np.empty((bits.shape[0], n_inner), np.uint64)
        inside = np.zeros((2, beam, n_inner), np.uint64)
        _on_bits(on[u], starts, held, inner)
        n_pool, best = 0, 0.0
        for i in range(concepts.shape[0]):
            c = concepts[i]
            alone[c] = _both(inner[c], inner[c])
            score = kappa(alone[c], n_on, counts[c], n_sites)
            if score > 0.0 and MIN_SITES <= counts[c] <= n_sites - MIN_SITES:
                n_pool = _insert(pool, what, n_pool, score, 0, c, 0)
        if n_pool == 0:
            continue
        found_single[u], single_score[u] = what[0, 1], pool[0]
        now, size = 0, 0
        for length in range(1, most + 1):
            new, n_new = 1 - now, 0
            for k in range(n_pool):
                if n_new == beam:
                    break
                f, c, op = what[k, 0], what[k, 1], what[k, 2]
                if length == 1:
                    masks[new, n_new], inside[new, n_new] = bits[c], inner[c]
                    sizes[new, n_new], boths[new, n_new] = counts[c], alone[c]
                else:
                    _joined(masks[now, f], bits[c], op, masks[new, n_new])
                    _joined(inside[now, f], inner[c], op, inside[new, n_new])
                    sizes[new, n_new] = _both(masks[new, n_new], masks[new, n_new])
                    boths[new, n_new] = _both(inside[new, n_new], inside[new, n_new])
                again = False
                for j in range(n_new):
                    if sizes[new, j] == sizes[new, n_new] and boths[new, j] == boths[new, n_new]:
                        again |= _same(masks[new, j], masks[new, n_new])
                if again:
                    continue
                terms[new, n_new, : length - 1] = terms[now, f, : length - 1]
                ops[new, n_new, : length - 1] = ops[now, f, : length - 1]
                terms[new, n_new, length - 1], ops[new, n_new, length - 1] = c, op
                score = pool[k] - penalty * (length - 1)
                if score > best:
                    best = score
                    found_length[u], found_score[u] = length, pool[k]
                    found_terms[u, :length], found_ops[u, :length] = (
                        terms[new, n_new, :length],
                        ops[new, n_new, :length],
                    )
                n_new += 1
            now, size = new, n_new
            if length < most:
                n_pool = _grow(
                    n_sites, n_on, bits, inner, counts, alone, pairs, concepts, size, length,
                    terms[now], masks[now], inside[now], sizes[now], boths[now], pool, what,
                )  # fmt: skip
                if n_pool == 0:
                    break
