"""The generalisation ladder: how far the match of a unit and a concept reaches beyond the words it was chosen on.

Four rungs, each harder than the one before. *Documents*: the held-out half, as in `tests`. *Word types*: on that half,
words whose form did not have the concept on half A, against words of forms that half A does not have at all; a unit
that knows single words knows none of these. *Ambiguous words*: the effect within word forms. *Minimal pairs*: see
`study.minimal_pairs`. Each is mirrored where the unit falls on the concept, so that above .5 is the chosen direction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from unitscope.stats import kernels
from unitscope.stats.intervals import MIN_EFFECTIVE, Blocks, auroc_intervals
from unitscope.stats.strata import MIN_SITES
from unitscope.stats.view import Columns, View

if TYPE_CHECKING:
    from unitscope.study.candidates import Candidates
    from unitscope.study.frame import Frame, Universe
    from unitscope.study.minimal_pairs import PairResults

Arrays = dict[str, NDArray[Any]]
RUNGS = ("documents", "word types", "ambiguous words", "minimal pairs")
COLUMNS = ("effect", "low", "high", "p", "n")
TOO_FEW_TYPES = "fewer than 20 words of new forms with it or without it"
TOO_FEW_FORMS = "fewer than 20 words of ambiguous forms with it or without it"
TOO_FEW_PAIRS = "fewer than 10 minimal pairs vary it beyond a handful of words"
NO_PAIRS = "no minimal pairs were run"


def word_types(frame: Frame, views: Sequence[View], candidates: Candidates, n_slots: int) -> Arrays:
    """The second rung of each unit's tested concepts, as arrays `ladder.*` [U, n_slots]."""
    tested = candidates.concept[:, :n_slots]
    found = {name: np.full(tested.shape, np.nan) for name in COLUMNS[:-1]}
    n = np.zeros(tested.shape, np.int64)
    for universe, view in zip(frame.universes, views, strict=True):
        for index, concept in enumerate(universe.concepts.tolist()):
            units, slots = np.nonzero(tested == concept)
            if not len(units):
                continue
            mask, new = new_types(universe, index)
            n_inside, n_all = int((mask & new).sum()), int(new.sum())
            n[units, slots] = n_inside
            if min(n_inside, n_all - n_inside) < MIN_SITES:
                continue
            keys = kernels.gather(view.keys[units], np.flatnonzero(new).astype(np.uint32))
            part = View(keys, Columns.from_masks(mask[new][:, None]))
            rows = np.arange(len(units))
            blocks = Blocks.of(universe.blocks_b.of_site[new])
            interval = auroc_intervals(part, part.columns, blocks, rows, np.zeros_like(rows))
            up = candidates.sign[units, slots] > 0
            found["effect"][units, slots] = np.where(up, interval.estimate, 1 - interval.estimate)
            found["low"][units, slots] = np.where(up, interval.low, 1 - interval.high)
            found["high"][units, slots] = np.where(up, interval.high, 1 - interval.low)
            found["p"][units, slots] = np.where(up, interval.p_upper, interval.p_lower)
    return {**{f"ladder.{name}": values for name, values in found.items()}, "ladder.n": n}


def new_types(universe: Universe, concept: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """A concept's mask over half B, and which of its sites are new: both [S].

    With the concept: sites whose word form does not have it on half A. Without: sites of forms not on half A at all.
    """
    form = universe.controls.form
    n_forms = int(form.max(initial=-1)) + 1
    form_a, form_b = form[universe.halves.a], form[universe.halves.b]
    seen, positive = np.zeros(n_forms, np.bool_), np.zeros(n_forms, np.bool_)
    seen[form_a] = True
    positive[form_a[universe.columns_a.of(concept)]] = True
    mask = universe.columns_b.mask(concept)
    return mask, np.where(mask, ~positive[form_b], ~seen[form_b])


def ladder_table(
    tests: Mapping[str, Any], arrays: Mapping[str, Any], pairs: PairResults | None, n_slots: int
) -> Arrays:
    """Four rows a tested pair, in order of `tests`, then of the rungs; `why` says what a rung without effect lacks."""
    units, slots = np.nonzero(arrays["concept"][:, :n_slots] >= 0)
    first = {name: tests[name] for name in ("low", "high", "p", "n")} | {"effect": tests["auroc"]}
    second = {name: arrays[f"ladder.{name}"][units, slots] for name in COLUMNS}
    rungs = [first, second, _ambiguous(tests, arrays, units, slots), _pairs(tests, pairs)]
    whys = ("", TOO_FEW_TYPES, TOO_FEW_FORMS, TOO_FEW_PAIRS if pairs else NO_PAIRS)
    n = len(units)
    why = np.full((n, len(RUNGS)), None, object)
    for column, text in enumerate(whys):
        why[np.isnan(np.asarray(rungs[column]["effect"], np.float64)), column] = text
    return {
        **{name: np.repeat(tests[name], len(RUNGS)) for name in ("layer", "unit", "slot", "concept")},
        "rung": np.tile(np.array(RUNGS, object), n),
        **{name: np.stack([rung[name] for rung in rungs], axis=1).reshape(-1) for name in COLUMNS},
        "why": why.reshape(-1),
    }


def _ambiguous(
    tests: Mapping[str, Any], arrays: Mapping[str, Any], units: NDArray[np.intp], slots: NDArray[np.intp]
) -> Arrays:
    """The effect within word forms with an interval from its error over blocks, laid out as AUROC's is."""
    effect = np.asarray(tests["within_form"], np.float64)
    error, blocks, n = (arrays[f"pair.form_{name}"][units, slots] for name in ("error", "blocks", "n"))
    none = np.isnan(effect)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.clip(np.where(none, 0.5, effect), 1e-6, 1 - 1e-6)
        wide = stdtrit(np.maximum(blocks - 1, 1.0), 0.975) * error / (centre * (1 - centre))
        known = ~none & (blocks >= MIN_EFFECTIVE) & (error > 0)
    low, high = (np.where(known, expit(logit(centre) + sign * wide), np.nan) for sign in (-1, 1))
    p = np.where(none, np.nan, tests["within_form_p"])
    return {"effect": effect, "low": low, "high": high, "p": p, "n": np.nan_to_num(n).astype(np.int64)}


def _pairs(tests: Mapping[str, Any], pairs: PairResults | None) -> Arrays:
    from unitscope.study.minimal_pairs import sign_test

    counts = np.zeros((len(tests["unit"]), 3), np.int64)
    if pairs is not None:
        members: dict[tuple[str, str], list[int]] = {}
        for row, key in enumerate(zip(tests["layer"].tolist(), tests["concept"].tolist(), strict=True)):
            members.setdefault(key, []).append(row)
        for (layer, concept), rows in members.items():
            counts[rows] = pairs.counts(layer, tests["unit"][rows], concept)
    falling = np.asarray(tests["sign"]) < 0
    counts[falling] = counts[falling][:, [1, 0, 2]]
    return sign_test(counts)
