"""Formulas in the unit pass: searched on half A, scored on half B, beside the best single concept and luck.

A unit is *on* beyond a quantile of its own, at the end of the scale at which it detects its first concept. Which share
of the sites counts as on is chosen with the formula, on half A, among `SHARES`: a detector of a rare concept is on at
few sites, one of nouns at many. On half B the same share is cut off anew.

Luck: the same search, and the same held-out score, for the unit's values shifted against the text by a fixed part of
each half, which keeps the unit's and the concepts' own runs and breaks their relation. A unit's end of the scale was
chosen on half A as well, so luck may take the better of both ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import Keys
from unitscope.stats.agreement import agreement
from unitscope.stats.discoveries import adjust
from unitscope.stats.formulas import Found, Masks, holds, price, search, written
from unitscope.stats.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unitscope.concepts.table import ConceptTable
    from unitscope.study.candidates import Candidates
    from unitscope.study.frame import Frame, Universe

Arrays = dict[str, NDArray[Any]]
SHARES = (0.01, 0.03, 0.1, 0.3)
COVERED, MOST, SHIFT = 0.01, 5, 0.382
"""Share of sites whose cover is told; most concepts in a formula that can be asked for; part of a half to shift by."""
_FLOATS = ("score_a", "score", "low", "high", "p", "single_score", "luck_a", "luck", "cover", "share", "single_share")


@dataclass(frozen=True)
class Best:
    """A search over all shares: the formula, its share, and the best single concept with its own share, each [U]."""

    found: Found
    share: NDArray[np.intp]
    single_share: NDArray[np.intp]


def formulas(frame: Frame, keys: Keys, views: Sequence[View], candidates: Candidates, most: int) -> Arrays:
    """Formulas of units, as arrays named `formula.*` whose first axis is U.

    `keys` [U, S] are over the frame's sites; `views` are the universes' over half B. Only concepts of the universe of a
    unit's first concept are combined: elsewhere it is not known where they hold.
    """
    n_units = len(keys)
    arrays: Arrays = {f"formula.{name}": np.full(n_units, np.nan) for name in _FLOATS}
    arrays["formula.terms"] = np.full((n_units, most), -1, np.int32)
    arrays["formula.ops"] = np.zeros((n_units, most), np.int8)
    arrays["formula.length"] = np.zeros(n_units, np.int32)
    arrays["formula.single"] = np.full(n_units, -1, np.int32)
    arrays["formula.n"] = np.zeros(n_units, np.int64)
    first = candidates.concept[:, 0]
    for universe, view in zip(frame.universes, views, strict=True):
        units = np.flatnonzero(np.isin(first, universe.concepts))
        if not len(units):
            continue
        signs = candidates.sign[units, 0]
        half_a = universe.halves.a if universe.known is None else np.flatnonzero(universe.known)[universe.halves.a]
        found = _of_universe(universe, keys[units][:, half_a], view.of(units), signs, most)
        for name, values in found.items():
            arrays[f"formula.{name}"][units] = values
    return arrays


def _of_universe(universe: Universe, keys_a: Keys, view: View, signs: NDArray[np.int8], most: int) -> Arrays:
    masks, eligible = universe.masks_a, universe.eligible
    rising_a = np.sort(keys_a, axis=1)
    on_a, on_b = on_sites(keys_a, rising_a, signs), on_sites(view.keys, view.rising, signs)
    best = _best(on_a, masks, eligible, most)
    units = np.arange(len(keys_a))
    there = best.found.length > 0
    where = _held(best.found.terms, best.found.ops, universe)
    scored = agreement(on_b[best.share, units], where, universe.blocks_b.of_site)
    single = best.found.single[:, None]
    alone = agreement(
        on_b[best.single_share, units], _held(single, np.zeros_like(single), universe), universe.blocks_b.of_site
    )
    shifts = universe.shifts_b
    spectra = shifts.of_units(on_b[best.share, units].astype(np.int32))
    p = shifts.exact(spectra, shifts.of_units(where.astype(np.int32)).conj(), np.ones(len(units), np.int8))
    ends = _end_of_luck(keys_a, rising_a, signs, on_a, masks, eligible)
    luck = _best(_shifted(on_sites(keys_a, rising_a, ends)), masks, eligible, most)
    luck_on = on_sites(view.keys, view.rising, ends)[luck.share, units]
    luck_b = agreement(_shifted(luck_on), _held(luck.found.terms, luck.found.ops, universe), universe.blocks_b.of_site)
    floats = {
        "score_a": best.found.score,
        "score": scored.score,
        "low": scored.low,
        "high": scored.high,
        # Shifts do not keep documents whole: where unit and formula vary by document, only blocks know it.
        "p": np.maximum(p, scored.p),
        "single_score": alone.score,
        "luck_a": np.where(luck.found.length > 0, luck.found.score, 0.0),
        "luck": np.where(luck.found.length > 0, luck_b.score, 0.0),
        "cover": _covered(on_b[SHARES.index(COVERED)], where),
        "share": np.array(SHARES)[best.share],
        "single_share": np.array(SHARES)[best.single_share],
    }
    concepts = universe.concepts.astype(np.int32)
    named = {"terms": best.found.terms, "single": best.found.single}
    return {
        **{name: np.where(there, values, np.nan) for name, values in floats.items()},
        **{name: np.where(at >= 0, concepts[np.maximum(at, 0)], -1) for name, at in named.items()},
        "ops": best.found.ops,
        "length": best.found.length,
        "n": np.where(there, scored.n, 0),
    }


def on_sites(keys: Keys, rising: Keys, signs: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Where units [U, S] are on at each share, by the end of the scale that their sign [U] says, [shares, U, S].

    On is strictly beyond the key at that quantile, so that ties there are off. `rising` [U, S] are the sorted keys.
    """
    last = keys.shape[1] - 1
    if last < 0:
        return np.zeros((len(SHARES), *keys.shape), np.bool_)
    at = [math.floor(round((1 - share) * last, 6)) for share in SHARES]
    high, low = rising[:, at], rising[:, [last - index for index in at]]
    up = signs[:, None] > 0
    return np.stack([np.where(up, keys > high[:, [i]], keys < low[:, [i]]) for i in range(len(SHARES))])


def _best(on: NDArray[np.bool_], masks: Masks, eligible: NDArray[np.bool_], most: int) -> Best:
    """Search at each share [shares, U, S]: best formula by kappa less its price, best single concept by kappa."""
    each = [search(part, masks, eligible, most) for part in on]
    cost = price(masks.n_sites)
    worth = np.stack([np.nan_to_num(found.score - cost * (found.length - 1), nan=-np.inf) for found in each])
    alone = np.stack([np.nan_to_num(found.single_score, nan=-np.inf) for found in each])
    share, single_share = worth.argmax(axis=0), alone.argmax(axis=0)
    units = np.arange(on.shape[1])

    def pick(name: str, at: NDArray[np.intp]) -> NDArray[Any]:
        return np.asarray(np.stack([getattr(found, name) for found in each])[at, units])

    chosen = {name: pick(name, share) for name in ("terms", "ops", "length", "score")}
    single = {name: pick(name, single_share) for name in ("single", "single_score")}
    return Best(Found(**chosen, **single), share, single_share)


def _end_of_luck(
    keys: Keys, rising: Keys, signs: NDArray[np.int8], on: NDArray[np.bool_], masks: Masks, eligible: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """The end of the scale, as a sign [U], at which the shifted unit agrees best with any one concept on half A."""
    mine = _best(_shifted(on), masks, eligible, 1).found.single_score
    other = _best(_shifted(on_sites(keys, rising, -signs)), masks, eligible, 1).found.single_score
    better = np.nan_to_num(other, nan=-np.inf) > np.nan_to_num(mine, nan=-np.inf)
    return np.where(better, -signs, signs).astype(np.int8)


def _held(terms: NDArray[np.int32], ops: NDArray[np.int8], universe: Universe) -> NDArray[np.bool_]:
    """Where each unit's formula holds on half B, [U, S]."""
    columns = universe.columns_b
    found = np.zeros((len(terms), columns.n_sites), np.bool_)
    for row in range(len(terms)):
        found[row] = holds(terms[row].tolist(), ops[row].tolist(), columns)
    return found


def _shifted(on: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.roll(on, round(SHIFT * on.shape[-1]), axis=-1)


def _covered(on: NDArray[np.bool_], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of on-sites at which a formula holds, [U]; NaN for a unit that is nowhere on."""
    n_on = on.sum(axis=1)
    return np.where(n_on > 0, (on & where).sum(axis=1) / np.maximum(n_on, 1), np.nan)


def formula_table(addresses: Sequence[str], tables: Sequence[ConceptTable], arrays: Mapping[str, Any]) -> Arrays:
    """One row a unit with a formula, in order of layers and units. `tables` are the concepts of each layer's grid."""
    rows = np.flatnonzero(arrays["formula.length"] > 0)
    part = {name.removeprefix("formula."): arrays[name][rows] for name in arrays if name.startswith("formula.")}
    layer = arrays["layer"][rows]
    names = [tables[i].names for i in layer.tolist()]
    text = [
        written(terms, ops, known)
        for terms, ops, known in zip(part["terms"].tolist(), part["ops"].tolist(), names, strict=True)
    ]
    single = [known[concept] for known, concept in zip(names, part["single"].tolist(), strict=True)]
    return {
        "layer": np.array(addresses, object)[layer],
        "unit": arrays["unit"][rows],
        "formula": np.array(text, object),
        "length": part["length"],
        "sign": arrays["sign"][rows, 0],
        **{name: part[name] for name in ("share", "score_a", "score", "low", "high", "p", "luck_a", "luck")},
        "single": np.array(single, object),
        **{name: part[name] for name in ("single_share", "single_score", "cover", "n")},
    }


def with_q(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table with q-values over all units that have a formula."""
    return {**table, "q": adjust(np.asarray(table["p"], np.float64))}
