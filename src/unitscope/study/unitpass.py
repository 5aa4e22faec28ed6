"""Unit passes: whole units against all concepts. Scores of everything; candidates on A; tests and effects on B.

A block of units is read from the spool, worked in chunks, and written as one file of arrays. Nothing here depends on
other units, so blocks may run anywhere in any order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import Keys, evenly_spaced_keys, kernel, key_table, to_keys
from unitscope.measures.base import Measure
from unitscope.stats import kernels, sorting
from unitscope.stats.intervals import auroc_intervals
from unitscope.stats.moments import Moments
from unitscope.stats.overlap import Overlap
from unitscope.stats.ranks import RankSums
from unitscope.stats.strata import within
from unitscope.stats.view import Columns, OwnView, View
from unitscope.store import CRC_ROWS, ArrayFile, write_arrays
from unitscope.study import density
from unitscope.study.candidates import Association, Candidates, association, choose, partial_strength
from unitscope.study.clipsites import Clipping, clip_sites
from unitscope.study.formulas import formulas
from unitscope.study.frame import Frame, Universe
from unitscope.study.ladder import word_types
from unitscope.study.plan import N_CANDIDATES, Slice
from unitscope.study.sitepass import spool_name

CHUNK = 8_000_000
N_REPORTED = 2
"""Candidates that are tested; the others only count for how much of a unit the concepts cover."""
SPECTRA = 500_000
"""Sites times pairs whose spectra are multiplied at a time."""
ON_SHARE, DEAD_BELOW = 0.01, 20
LIVE, DEAD, CONSTANT, BROKEN = range(4)
STATUS = ("live", "dead", "constant", "nan")
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Extras:
    """What is asked for beyond the usual: most concepts in a formula (0: none), the ladder, how clips are drawn."""

    formulas: int = 0
    ladder: bool = False
    clipping: Clipping | None = None


def run_block(
    frame: Frame,
    measures: Sequence[Measure],
    part: Slice,
    slices: Sequence[Slice],
    spool: Sequence[Path],
    path: Path,
    extras: Extras = Extras(),
) -> None:
    """Score one block of units and write its arrays."""
    home = next(s for s in slices if s.layer == part.layer and s.start <= part.start < s.stop)
    frame.ready()
    files = [ArrayFile(file) for file in spool]
    step = max(CRC_ROWS, CHUNK // max(frame.n_sites, 1) // CRC_ROWS * CRC_ROWS)
    done: list[Arrays] = []
    for start in range(part.start, part.stop, step):
        stop = min(start + step, part.stop)
        keys, scale = read_keys(files, spool_name(home), start - home.start, stop - home.start, frame.valid)
        clipping = extras.clipping and replace(extras.clipping, start=start)
        done.append(score(frame, measures, keys, scale, replace(extras, clipping=clipping)))
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
        keys = kernels.gather(keys, np.flatnonzero(valid).astype(np.uint32))
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
    extras: Extras = Extras(),
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
        view = View(keys, universe.columns, scale) if universe.known is None else _known(whole, universe)
        view.expect([request for measure in measures for request in measure.asks()])
        if universe.known is None:
            view.expect([Overlap(ON_SHARE, "upper"), Overlap(ON_SHARE, "lower")])
        for measure in measures:
            scores[measure.key][:, universe.concepts] = measure.of(view)
        if universe.known is None:
            whole = view
            found |= _units(view, status)
        shares = associate(universe, view.part(universe.part_a, universe.columns_a), on_a)
        if shares is not None:
            found["passport"] = shares.astype(np.float32)
        views_b.append(view.part(universe.part_b, universe.columns_b))
    if "status" not in found:
        found |= _units(whole, status)
    for values in scores.values():
        values[broken] = np.nan
    found |= {f"score.{name}": values for name, values in scores.items()}
    candidates = choose(on_a, frame.eligible, frame.alike, N_CANDIDATES)
    candidates = candidates.without(found["status"] >= CONSTANT)
    found |= {"concept": candidates.concept, "sign": candidates.sign, "auroc_a": candidates.auroc}
    if extras.clipping is not None:
        usable = found["status"] < CONSTANT
        first, sign = candidates.concept[:, 0], candidates.sign[:, 0]
        found |= clip_sites(frame.places, whole, frame.columns, first, sign, usable, extras.clipping)
    found |= _tested(frame, measures, views_b, candidates)
    if extras.formulas:
        found |= formulas(frame, keys, views_b, candidates, extras.formulas)
    if extras.ladder:
        found |= word_types(frame, views_b, candidates, N_REPORTED)
    if "passport" not in found:
        found["passport"] = frame.passports.of(keys, key_table()).astype(np.float32)
    found["passport"][found["status"] >= CONSTANT] = np.nan
    found["scale"] = scale
    return found


def _known(whole: View, universe: Universe) -> View:
    """The sites of a universe that leaves some out."""
    return whole.part(universe.part, universe.columns)


def associate(universe: Universe, view: View, found: Association) -> NDArray[np.float64] | None:
    """Fill in what a view of half A says of the concepts of one universe.

    Returns the units' variance shares [U, 6] where the concepts are known everywhere: they rest on the same sums.
    """
    at, keys = universe.concepts, view.keys
    ranks = view.ask(RankSums())
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
    pairs = {
        name: np.full(shape, np.nan) for name in ("p", "auroc", "low", "high", "form", "form_p", "place", "place_p")
    }
    pairs |= {name: np.full(shape, np.nan) for name in ("form_error", "form_blocks", "form_n")}
    held_out = {measure.key: np.full(n_units, np.nan, np.float32) for measure in measures}
    limits = {f"{measure.key}.{kind}": np.full(n_units, np.nan, np.float32) for measure in measures for kind in _KINDS}
    universe_of, index_of = _places(frame)
    reported = candidates.concept[:, :N_REPORTED]
    at_universe = np.where(reported >= 0, universe_of[np.maximum(reported, 0)], -1)
    for number, (universe, view) in enumerate(zip(frame.universes, views, strict=True)):
        units, slots = np.nonzero(at_universe == number)
        if not len(units):
            continue
        concepts, signs = reported[units, slots], candidates.sign[units, slots]
        tested = _test_pairs(frame, universe, view, Pairs(units, slots, index_of[concepts], signs, reported))
        for name, values in tested.items():
            pairs[name][units, slots] = values
        first = slots == 0
        if first.any():
            own = view.own(units[first], index_of[concepts[first]])
            _all_measures(measures, own, units[first], signs[first], held_out, limits)
    return {
        **{f"pair.{name}": values for name, values in pairs.items()},
        **{f"held_out.{name}": values for name, values in held_out.items()},
        **{f"held_out.{name}": values for name, values in limits.items()},
        "cover": _cover(frame, views, candidates),
    }


_KINDS = ("ceiling", "chance")


@dataclass(frozen=True)
class Pairs:
    """Tested pairs of one universe: unit, slot, index of the concept within the universe and sign, each [P].

    `reported` [U, K] are each unit's concepts by their index in the frame, best first.
    """

    units: NDArray[np.intp]
    slots: NDArray[np.intp]
    concepts: NDArray[np.intp]
    signs: NDArray[np.int8]
    reported: NDArray[np.int32]


def _places(frame: Frame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Universe of each of the frame's concepts, and its index there, each [C]."""
    universe, index = np.zeros(frame.table.n_concepts, np.intp), np.zeros(frame.table.n_concepts, np.intp)
    for number, each in enumerate(frame.universes):
        universe[each.concepts], index[each.concepts] = number, np.arange(len(each.concepts))
    return universe, index


def _test_pairs(frame: Frame, universe: Universe, view: View, pairs: Pairs) -> dict[str, NDArray[np.float64]]:
    """Results of the pairs of one universe, by name, each [P]."""
    rises = pairs.signs > 0
    columns = view.columns
    interval = auroc_intervals(view, columns, universe.blocks_b, pairs.units, pairs.concepts)
    # Shifts do not keep documents whole: where unit and concept vary by document, only blocks know it.
    by_block = np.where(rises, interval.p_upper, interval.p_lower)
    found = {
        "auroc": np.where(rises, interval.estimate, 1 - interval.estimate),
        "low": np.where(rises, interval.low, 1 - interval.high),
        "high": np.where(rises, interval.high, 1 - interval.low),
        "p": np.maximum(_shift_p(universe, view, pairs), by_block),
    }
    # What a further concept owes to a better one that it overlaps with (a tag and its sub-tag, a tag and its rival)
    # is the better one's, so strata are cut by it.
    every = frame.columns_b(universe)
    better = np.where(pairs.slots > 0, pairs.reported[pairs.units, 0], -1)
    concepts = universe.concepts[pairs.concepts]
    adjusted = evenly_spaced_keys(universe.controls_b.adjusted(view.keys, view.value_of))
    by_place = sorting.falling(adjusted)
    for name, keys, order, strata in (
        ("form", view.keys, view.order, universe.forms_b),
        ("place", adjusted, by_place, universe.places_b),
    ):
        effect = within(keys, order, strata, every, pairs.units, concepts, better)
        found[name] = np.where(rises, effect.effect, 1 - effect.effect)
        found[f"{name}_p"] = np.where(rises, effect.p_upper, effect.p_lower)
        if name == "form":
            found |= {"form_error": effect.error, "form_blocks": effect.n_effective, "form_n": effect.n}
    return found


def _shift_p(universe: Universe, view: View, pairs: Pairs) -> NDArray[np.float64]:
    """p [P] of the null of shifts: the exact share for first concepts, the normal tail for further ones."""
    shifts = universe.shifts_b
    spectra = shifts.of_units(view.ranks)
    p = np.ones(len(pairs.units))
    # Pairs of one concept lie together, so that few spectra are made anew where not all can be kept.
    order = np.argsort(pairs.concepts, kind="stable")
    for test, which in ((shifts.exact, order[pairs.slots[order] == 0]), (shifts.normal, order[pairs.slots[order] > 0])):
        step = max(1, SPECTRA // max(view.n_sites, 1))
        for start in range(0, len(which), step):
            chosen = which[start : start + step]
            several, which_of = np.unique(pairs.concepts[chosen], return_inverse=True)
            concepts = np.stack([universe.spectrum_b(c) for c in several.tolist()])[which_of]
            p[chosen] = test(spectra[pairs.units[chosen]], concepts, pairs.signs[chosen])
    return p


def _all_measures(
    measures: Sequence[Measure],
    view: OwnView,
    units: NDArray[np.intp],
    signs: NDArray[np.int8],
    held_out: dict[str, NDArray[Any]],
    limits: dict[str, NDArray[Any]],
) -> None:
    """Scores of a unit's first concept under every measure on half B, with ceiling and chance level.

    A measure of one end of the scale is left out where the unit detects at the other.
    """
    view.expect([request for measure in measures for request in measure.asks()])
    shape = (len(units), 1)
    for measure in measures:
        if measure.name == "auroc":
            continue  # known already, with its interval
        use = {"both": signs != 0, "upper": signs > 0, "lower": signs < 0}[measure.ends]
        statistics = [view.ask(request) for request in measure.asks()]
        held_out[measure.key][units[use]] = measure.score(*statistics)[use, 0]
        ceiling, chance = measure.ceiling(*statistics), measure.chance(*statistics)
        if ceiling is not None:
            limits[f"{measure.key}.ceiling"][units[use]] = ceiling[use, 0]
        if chance is not None:
            limits[f"{measure.key}.chance"][units[use]] = np.broadcast_to(chance, shape)[use, 0]
        elif measure.null is not None:
            limits[f"{measure.key}.chance"][units[use]] = measure.null


def _cover(frame: Frame, views: Sequence[View], candidates: Candidates) -> NDArray[np.float32]:
    """Share of each unit's on-sites on half B (tail by its first sign) its first 1...5 concepts hold at, [U, 5].

    Sites at which a concept is not known count as without it.
    """
    whole = next((i for i, u in enumerate(frame.universes) if u.known is None), None)
    if whole is None or not views[whole].n_sites:
        return np.full((len(candidates.concept), N_CANDIDATES), np.nan, np.float32)
    columns, view = frame.columns_b(frame.universes[whole]), views[whole]
    last = view.n_sites - 1
    high = math.floor((1 - ON_SHARE) * last)
    edges = view.sorted_at([last - high, high])
    used = np.unique(candidates.concept[candidates.concept >= 0])
    row_of = np.full(frame.table.n_concepts, -1, np.int32)
    row_of[used] = np.arange(len(used))
    masks = np.zeros((len(used), view.n_sites), np.bool_)
    for row, concept in enumerate(used.tolist()):
        masks[row, columns.of(concept)] = True
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
