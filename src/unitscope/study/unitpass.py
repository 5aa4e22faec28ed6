"""Unit passes: whole units against all concepts. Scores of everything; candidates on A; tests and effects on B.

A block of units is read from the spool, worked in chunks, and written as one file of arrays. Nothing here depends on
other units, so blocks may run anywhere in any order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import Keys, evenly_spaced_keys, kernel, key_table, to_keys
from unitscope.measures.base import Measure
from unitscope.stats import kernels
from unitscope.stats.intervals import auroc_interval
from unitscope.stats.moments import Moments
from unitscope.stats.overlap import Overlap
from unitscope.stats.ranks import RankSums
from unitscope.stats.strata import Strata, within
from unitscope.stats.view import Columns, View
from unitscope.store import CRC_ROWS, ArrayFile, write_arrays
from unitscope.study import density
from unitscope.study.candidates import Association, Candidates, association, choose, partial_strength
from unitscope.study.clipsites import Clipping, clip_sites
from unitscope.study.frame import Frame, Universe, place_of
from unitscope.study.plan import N_CANDIDATES, Slice
from unitscope.study.sitepass import spool_name

CHUNK = 8_000_000
N_REPORTED = 2
"""Candidates that are tested; the others only count for how much of a unit the concepts cover."""
N_CODES = 2 ** (N_REPORTED - 1)
ON_SHARE, DEAD_BELOW = 0.01, 20
LIVE, DEAD, CONSTANT, BROKEN = range(4)
STATUS = ("live", "dead", "constant", "nan")
Arrays = dict[str, NDArray[Any]]


def run_block(
    frame: Frame,
    measures: Sequence[Measure],
    part: Slice,
    slices: Sequence[Slice],
    spool: Sequence[Path],
    path: Path,
    clipping: Clipping | None = None,
) -> None:
    """Score one block of units and write its arrays; with clips where `clipping` says how they are drawn."""
    home = next(s for s in slices if s.layer == part.layer and s.start <= part.start < s.stop)
    frame.ready()
    files = [ArrayFile(file) for file in spool]
    step = max(CRC_ROWS, CHUNK // max(frame.n_sites, 1) // CRC_ROWS * CRC_ROWS)
    done: list[Arrays] = []
    for start in range(part.start, part.stop, step):
        stop = min(start + step, part.stop)
        keys, scale = read_keys(files, spool_name(home), start - home.start, stop - home.start, frame.valid)
        draws = None if clipping is None else replace(clipping, start=start)
        done.append(score(frame, measures, keys, scale, draws))
    arrays = {name: np.concatenate([each[name] for each in done]) for name in done[0]}
    write_arrays(path, arrays, {"layer": part.layer, "start": part.start, "stop": part.stop})


def read_keys(
    files: Sequence[ArrayFile], name: str, start: int, stop: int, valid: NDArray[np.bool_]
) -> tuple[Keys, NDArray[np.float32]]:
    """Keys [U, S] of rows of the spool at valid sites, and their common scale [U]."""
    halves = [file.rows(name, start, stop) for file in files]
    scales = np.stack([file.read(f"{name}.scale")[start:stop] for file in files])
    filled = np.array([part.shape[1] > 0 for part in halves])
    differ = np.flatnonzero((scales[filled] != scales[filled][:1]).any(axis=0))
    for i in np.flatnonzero(filled).tolist() if len(differ) else []:
        # A shard of zeros alone says nothing of a unit's scale, and would wash out small values elsewhere.
        scales[i, differ] *= halves[i][differ].view(np.uint16).any(axis=1)
    scale = scales[filled].max(axis=0) if filled.any() else np.ones(stop - start, np.float32)
    scale = np.where(scale > 0, scale, np.float32(1.0))
    for i, part in enumerate(halves):
        factor = scales[i] / scale
        if filled[i] and (factor != 1).any():
            halves[i] = (part.astype(np.float32) * factor[:, None]).astype(np.float16)
    whole = np.concatenate(halves, axis=1)
    keys = to_keys(whole)
    if not valid.all():
        keys = kernels.gather(keys, np.flatnonzero(valid).astype(np.int32))
    return keys, scale.astype(np.float32)


@kernel
def _status(keys: Keys) -> NDArray[np.int8]:
    """0 live, 2 constant, 3 with a value that is no finite number, [U]."""
    n_units, n_sites = keys.shape
    found = np.zeros(n_units, np.int8)
    for u in range(n_units):
        low, high = keys[u, 0], keys[u, 0]
        for s in range(n_sites):
            low, high = min(low, keys[u, s]), max(high, keys[u, s])
        if low <= 0x03FF or high >= 0xFC00:
            found[u] = 3
        elif low == high:
            found[u] = 2
    return found


def score(
    frame: Frame,
    measures: Sequence[Measure],
    keys: Keys,
    scale: NDArray[np.float32],
    clipping: Clipping | None = None,
) -> Arrays:
    """Everything about a chunk of units, by name; each array's first axis is U (but for the flat `clip.keys`)."""
    n_units, n_concepts = len(keys), frame.table.n_concepts
    status = _status(keys)
    broken = status == BROKEN
    if broken.any():
        keys = keys.copy()
        keys[broken] = 0x8000
    found: Arrays = {}
    scores = {measure.key: np.full((n_units, n_concepts), np.nan, np.float32) for measure in measures}
    on_a = Association.blank(n_units, n_concepts)
    views_b: list[View] = []
    whole = View(keys, Columns.from_masks(np.zeros((frame.n_sites, 0), np.bool_)), scale)
    for universe in frame.universes:
        view = View(keys if universe.known is None else keys_at(keys, universe.known), universe.columns, scale)
        _ = view.sorted_columns  # before ranks are asked for: they are summed faster from it
        for measure in measures:
            scores[measure.key][:, universe.concepts] = measure.of(view)
        if universe.known is None:
            whole = view
            found |= _units(view, status)
        shares = associate(universe, keys_at(view.keys, universe.halves.a), on_a)
        if shares is not None:
            found["passport"] = shares.astype(np.float32)
        views_b.append(View(keys_at(view.keys, universe.halves.b), universe.columns_b, scale))
    if "status" not in found:
        found |= _units(whole, status)
    for values in scores.values():
        values[broken] = np.nan
    found |= {f"score.{name}": values for name, values in scores.items()}
    candidates = choose(on_a, frame.eligible, frame.alike, N_CANDIDATES)
    candidates = candidates.without(found["status"] >= CONSTANT)
    found |= {"concept": candidates.concept, "sign": candidates.sign, "auroc_a": candidates.auroc}
    if clipping is not None:
        usable = found["status"] < CONSTANT
        first, sign = candidates.concept[:, 0], candidates.sign[:, 0]
        found |= clip_sites(frame.places, whole, frame.columns, first, sign, usable, clipping)
    found |= _tested(frame, measures, views_b, candidates)
    if "passport" not in found:
        found["passport"] = frame.passports.of(keys, key_table()).astype(np.float32)
    found["passport"][found["status"] >= CONSTANT] = np.nan
    found["scale"] = scale
    return found


def associate(universe: Universe, keys: Keys, found: Association) -> NDArray[np.float64] | None:
    """Fill in what half A's keys [U, S] say of the concepts of one universe.

    Returns the units' variance shares [U, 6] where the concepts are known everywhere: they rest on the same sums.
    """
    at = universe.concepts
    ranks = View(keys, universe.columns_a).ask(RankSums())
    found.auroc[:, at], found.strength[:, at] = ranks.auroc, association(ranks)
    within_a = universe.within_a
    shares = None
    if universe.known is None:
        design = universe.passports_a
        total, inside, sums = design.sums(keys, key_table())
        effect = within_a.of_sums(inside, sums[:, : within_a.columns.n_concepts])
        shares = design.of_sums(total, inside, sums)
    else:
        effect = within_a.effects(keys, key_table())
    found.partial[:, at], found.partial_strength[:, at] = effect, partial_strength(effect, within_a.spread)
    return shares


def keys_at(keys: Keys, keep: NDArray[np.bool_]) -> Keys:
    """Keys at the sites where `keep` [S] holds."""
    return kernels.gather(keys, np.flatnonzero(keep).astype(np.int32))


def _units(view: View, status: NDArray[np.int8]) -> Arrays:
    """What can be said of units without concepts; status 1 is dead: hardly ever above its own upper quantile."""
    moment = view.ask(Moments())
    upper, lower = view.ask(Overlap(ON_SHARE, "upper")), view.ask(Overlap(ON_SHARE, "lower"))
    status = status.copy()
    expected = min(DEAD_BELOW, ON_SHARE * view.n_sites / 2)
    status[(status == LIVE) & (upper.on < expected) & (lower.on < expected)] = DEAD
    stats = np.stack([moment.mean, np.sqrt(moment.variance), moment.least, moment.greatest], axis=1)
    threshold = np.stack([upper.threshold, lower.threshold], axis=1)
    stats[status == BROKEN], threshold[status == BROKEN] = np.nan, np.nan
    return {
        "status": status,
        "moments": stats,
        "threshold": threshold,
        "n_on": np.stack([upper.on, lower.on], axis=1),
        "density": density.counts(view),
    }


def _tested(frame: Frame, measures: Sequence[Measure], views: Sequence[View], candidates: Candidates) -> Arrays:
    """Held-out results of candidate pairs: p of both nulls, AUROC with interval, effects within strata, cover."""
    n_units, shape = len(candidates.concept), (len(candidates.concept), N_REPORTED)
    nothing = np.full(shape, np.nan)
    pairs = {name: nothing.copy() for name in ("p", "auroc", "low", "high", "form", "form_p", "place", "place_p")}
    held_out = {measure.key: np.full(n_units, np.nan, np.float32) for measure in measures}
    limits = {f"{measure.key}.{kind}": np.full(n_units, np.nan, np.float32) for measure in measures for kind in _KINDS}
    places = place_of(frame)
    reported = candidates.concept[:, :N_REPORTED]
    by_universe: dict[int, list[int]] = {}
    for concept in np.unique(reported[reported >= 0]).tolist():
        by_universe.setdefault(places[concept][0], []).append(concept)
    for number, concepts in by_universe.items():
        universe, view = frame.universes[number], views[number]
        spectra = universe.shifts_b.of_units(view.ranks)
        adjusted = _adjusted(universe, view)
        _ = view.ask(Moments())  # once for all units, not pair by pair
        for concept in concepts:
            index = places[concept][1]
            units, slots = np.nonzero(reported == concept)
            signs = candidates.sign[units, slots]
            _shift_p(universe, index, spectra, units, slots, signs, pairs["p"])
            interval = auroc_interval(view.keys[units], view.rising[units], universe.pairs_b(index))
            low, high = np.where(signs > 0, [interval.low, interval.high], [1 - interval.high, 1 - interval.low])
            pairs["auroc"][units, slots] = np.where(signs > 0, interval.estimate, 1 - interval.estimate)
            pairs["low"][units, slots], pairs["high"][units, slots] = low, high
            # Shifts do not keep documents whole: where unit and concept vary by document, only blocks know it.
            by_block = np.where(signs > 0, interval.p_upper, interval.p_lower)
            pairs["p"][units, slots] = np.maximum(pairs["p"][units, slots], by_block)
            for name, keys, at_position in (("form", view.keys, False), ("place", adjusted, True)):
                strata = universe.strata_b(index, at_position)
                code = _better(frame, universe, strata, reported[units], slots)
                effect = within(kernels.gather(keys[units], strata.sites), strata, code, N_CODES)
                pairs[name][units, slots] = np.where(signs > 0, effect.effect, 1 - effect.effect)
                pairs[f"{name}_p"][units, slots] = np.where(signs > 0, effect.p_upper, effect.p_lower)
            first = units[slots == 0]
            if len(first):
                _all_measures(measures, view.pair(first, index), first, signs[slots == 0], held_out, limits)
    return {
        **{f"pair.{name}": values for name, values in pairs.items()},
        **{f"held_out.{name}": values for name, values in held_out.items()},
        **{f"held_out.{name}": values for name, values in limits.items()},
        "cover": _cover(frame, views, candidates),
    }


_KINDS = ("ceiling", "chance")


def _adjusted(universe: Universe, view: View) -> Keys:
    """Keys of units over half B less their regression on position and length within word forms."""
    return evenly_spaced_keys(universe.controls_b.adjusted(view.keys, view.value_of))


def _shift_p(
    universe: Universe,
    index: int,
    spectra: NDArray[np.complex64],
    units: NDArray[np.intp],
    slots: NDArray[np.intp],
    signs: NDArray[np.int8],
    p: NDArray[np.float64],
) -> None:
    shifts = universe.shifts_b
    spectrum = universe.spectrum_b(index)
    for test, which in ((shifts.exact, slots == 0), (shifts.normal, slots > 0)):
        if which.any():
            p[units[which], slots[which]] = test(spectra[units[which]], spectrum, signs[which])


def _better(
    frame: Frame, universe: Universe, strata: Strata, concepts: NDArray[np.int32], slots: NDArray[np.intp]
) -> NDArray[np.uint8]:
    """Which of a unit's better concepts hold at the strata's sites, as a code [n, M] for each tested pair.

    `concepts` [n, K] are each unit's, best first. What a further concept owes to a better one that it overlaps with (a
    tag and its sub-tag, a tag and its rival) is the better one's, so strata are cut by it.
    """
    code = np.zeros((len(slots), len(strata.sites)), np.uint8)
    for row in np.flatnonzero(slots > 0).tolist():
        for concept in concepts[row, : slots[row]].tolist():
            code[row] = code[row] * 2 + frame.mask_b(universe, concept)[strata.sites]
    return code


def _all_measures(
    measures: Sequence[Measure],
    view: View,
    units: NDArray[np.intp],
    signs: NDArray[np.int8],
    held_out: dict[str, NDArray[Any]],
    limits: dict[str, NDArray[Any]],
) -> None:
    """Scores of a unit's first concept under every measure on half B, with ceiling and chance level.

    A measure of one end of the scale is left out where the unit detects at the other.
    """
    for measure in measures:
        if measure.name == "auroc":
            continue  # known already, with its interval
        use = {"both": signs != 0, "upper": signs > 0, "lower": signs < 0}[measure.ends]
        if not use.any():
            continue
        statistics = [view.ask(request) for request in measure.asks()]
        held_out[measure.key][units[use]] = measure.score(*statistics)[use, 0]
        ceiling, chance = measure.ceiling(*statistics), measure.chance(*statistics)
        if ceiling is not None:
            limits[f"{measure.key}.ceiling"][units[use]] = ceiling[use, 0]
        if chance is not None:
            limits[f"{measure.key}.chance"][units[use]] = chance[0]
        elif measure.null is not None:
            limits[f"{measure.key}.chance"][units[use]] = measure.null


def _cover(frame: Frame, views: Sequence[View], candidates: Candidates) -> NDArray[np.float32]:
    """Share of each unit's on-sites on half B (tail by its first sign) its first 1...5 concepts hold at, [U, 5]."""
    whole = next((i for i, u in enumerate(frame.universes) if u.known is None), None)
    if whole is None or not views[whole].n_sites:
        return np.full((len(candidates.concept), N_CANDIDATES), np.nan, np.float32)
    universe, view = frame.universes[whole], views[whole]
    last = view.n_sites - 1
    high = math.floor((1 - ON_SHARE) * last)
    edges = view.rising[:, [last - high, high]]
    used = np.unique(candidates.concept[candidates.concept >= 0])
    row_of = np.full(frame.table.n_concepts, -1, np.int32)
    masks = np.zeros((len(used), view.n_sites), np.bool_)
    for row, concept in enumerate(used.tolist()):
        here = np.flatnonzero(universe.concepts == concept)
        if len(here):
            masks[row, universe.columns_b.of(int(here[0]))] = True
            row_of[concept] = row
    usable = (candidates.concept >= 0) & (candidates.sign == candidates.sign[:, :1])
    rows = np.where(usable, row_of[np.maximum(candidates.concept, 0)], -1)
    found = _covered(view.keys, edges, candidates.sign[:, 0], rows, masks)
    return np.where(candidates.concept >= 0, found, np.nan).astype(np.float32)


@kernel
def _covered(
    keys: Keys, edges: Keys, sign: NDArray[np.int8], rows: NDArray[np.int32], masks: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Share of on-sites at which any of the first k masks holds, [U, K]; NaN for a unit that is nowhere on."""
    n_units, n_sites = keys.shape
    n_rows = rows.shape[1]
    found = np.zeros((n_units, n_rows))
    for u in range(n_units):
        n_on = 0
        for s in range(n_sites):
            if (keys[u, s] > edges[u, 1]) if sign[u] > 0 else (keys[u, s] < edges[u, 0]):
                n_on += 1
                for k in range(n_rows):
                    if rows[u, k] >= 0 and masks[rows[u, k], s]:
                        for j in range(k, n_rows):
                            found[u, j] += 1
                        break
        for k in range(n_rows):
            found[u, k] = found[u, k] / n_on if n_on > 0 else np.nan
    return found
