"""The tables of a comparison: what became of each unit's first concept, counts by layer and by concept.

A unit *kept* its concept if both sides' first reported concept is the same, by the same end of its scale; *turned* if
it is the same by the other end. With another first concept it *moved* if the concept it left is weaker in B, or the one
it took up weaker in A, beyond both errors; else it is *undecided*. It *lost* or *gained* one where it is reported on
one side alone.

The other side's effect on a concept is the held-out one where it was tested there. Where it was not, it is the unsplit
score, whose error is taken to be that of the side that was tested (it rests on more sites, so on less); and where there
is no such score, as in a baseline, it is at most that of the concept which came first there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.compared.findings import Findings
from unitscope.compared.pairing import Pairing
from unitscope.compared.sides import Shared
from unitscope.stats.differences import Estimate, difference
from unitscope.stats.discoveries import adjust

Table = dict[str, Any]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEVEL = 0.05
"""q up to which an effect is called stronger or weaker."""


def unit_table(shared: Shared, pairs: Pairing) -> Table:
    """One row a pair of units: see `docs/reference/atlas-files.md`."""
    mine, theirs = pairs.a, pairs.b
    first_a, first_b = _first(mine), _first(theirs)
    turn = np.where(pairs.mirrored, -1, 1)
    # Each side's effect on the other's first concept, by the end that the other detects it at.
    a_on_b, rough_a = _other(mine, pairs.scores_a, first_b, theirs.sign[:, 0] * turn)
    b_on_a, rough_b = _other(theirs, pairs.scores_b, first_a, mine.sign[:, 0] * turn)
    status = _status(pairs, first_a, first_b, a_on_b.value, b_on_a.value)
    about_a = first_a >= 0
    old = _own(mine)
    new = _own(theirs)
    # Changes are told of the concept that A's unit had, else of the one that B's has; held-out effects alone.
    before = _merged(about_a, old, a_on_b.at(~rough_a))
    after = _merged(about_a, b_on_a.at(~rough_b), new)
    found = difference(before, after)
    q = adjust(found.p)
    change = np.full(len(q), None, object)
    change[~np.isnan(q)] = "same"
    change[(q < LEVEL) & (found.value > 0)] = "stronger"
    change[(q < LEVEL) & (found.value < 0)] = "weaker"
    compared = np.where(about_a, first_a, first_b)
    names = np.array([*shared.names, None], object)
    return {
        "layer": mine.layer,
        "unit": mine.unit.astype(np.int32),
        "layer_b": theirs.layer,
        "unit_b": theirs.unit.astype(np.int32),
        "status": status,
        **_columns("a", mine, names, first_a),
        **_columns("b", theirs, names, first_b),
        "b_on_concept_a": b_on_a.value,
        "a_on_concept_b": a_on_b.value,
        "compared": _but(names[compared], ~np.isnan(found.value)),
        "difference": found.value,
        "difference_low": found.low,
        "difference_high": found.high,
        "p": found.p,
        "q": q,
        "change": change,
        "likeness": pairs.likeness,
        "mirrored": pairs.mirrored,
        "mutual": pairs.mutual,
    }


def _columns(side: str, found: Findings, names: NDArray[Any], first: Ints) -> Table:
    there = first >= 0
    return {
        f"concept_{side}": names[first],
        f"sign_{side}": np.where(there, found.sign[:, 0], 0).astype(np.int8),
        f"kind_{side}": _but(found.kind[:, 0], there),
        **{f"{name}_{side}": values for name, values in zip(("effect", "low", "high"), _parts(_own(found)))},
        f"within_form_position_{side}": np.where(there, found.place[:, 0], np.nan),
    }


def _but(values: NDArray[Any], where: Bools) -> NDArray[Any]:
    """Texts, None but at `where`."""
    found = np.full(len(values), None, object)
    found[where] = values[where]
    return found


def _parts(estimate: Estimate) -> tuple[Floats, Floats, Floats]:
    return estimate.value, estimate.low, estimate.high


def _first(found: Findings) -> Ints:
    """Number of each unit's first reported concept, -1 where there is none."""
    return np.where(found.reported[:, 0], found.concept[:, 0], -1)


def _own(found: Findings) -> Estimate:
    """Effect on the unit's own first concept, where it is reported."""
    effect = Estimate(found.effect.value[:, 0], found.effect.low[:, 0], found.effect.high[:, 0])
    return effect.at(found.reported[:, 0])


def _merged(where: Bools, yes: Estimate, no: Estimate) -> Estimate:
    return Estimate(*(np.where(where, x, y) for x, y in zip(_parts(yes), _parts(no), strict=True)))


def _other(found: Findings, scores: NDArray[np.float32], concept: Ints, sign: Ints) -> tuple[Estimate, Bools]:
    """A side's effect on the other side's concepts, by the ends `sign`, and where it is but an unsplit score."""
    tested = found.effect_on(concept).mirrored(sign < 0)
    rough = np.isnan(tested.value)
    at = np.maximum(concept, 0)[:, None]
    unsplit = np.take_along_axis(scores, at, axis=1)[:, 0].astype(np.float64) if scores.shape[1] else tested.value
    unsplit = np.where(concept >= 0, np.where(sign < 0, 1 - unsplit, unsplit), np.nan)
    return Estimate(np.where(rough, unsplit, tested.value), tested.low, tested.high), rough


def _status(pairs: Pairing, first_a: Ints, first_b: Ints, a_on_b: Floats, b_on_a: Floats) -> NDArray[Any]:
    there_a, there_b = first_a >= 0, first_b >= 0
    left = _weaker(_own(pairs.a), b_on_a, _own(pairs.b).value)
    taken = _weaker(_own(pairs.b), a_on_b, _own(pairs.a).value)
    status = np.full(len(first_a), "none", object)
    status[there_a & ~there_b] = "lost"
    status[~there_a & there_b] = "gained"
    status[there_a & there_b] = "undecided"
    status[there_a & there_b & (left | taken)] = "moved"
    status[there_a & (first_a == first_b)] = "turned"
    status[pairs.kept] = "kept"
    # A unit whose concepts the other atlas does not know has neither lost nor gained one.
    status[(pairs.a.unshared & ~there_a) | (pairs.b.unshared & ~there_b)] = "unshared"
    return status


def _weaker(own: Estimate, other: Floats, bound: Floats) -> Bools:
    """Where the other side's effect on a concept is below this side's by more than both errors, each as large as this
    side's. Where it is not known it is at most `bound`, the other side's effect on the concept it tells best.
    """
    gap = own.value - np.where(np.isnan(other), bound, other)
    return np.asarray(gap > np.sqrt(2) * (own.value - own.low))


def layer_table(units: Mapping[str, Any], pairs: Pairing, draws: int) -> Table:
    """One row a layer of A: what became of its units, beside random pairings."""
    status, change = np.asarray(units["status"], object), np.asarray(units["change"], object)
    kinds = (units["kind_a"] != units["kind_b"]) & (status == "kept")
    rows: list[Table] = []
    for number, (layer, other) in enumerate(pairs.layers):
        here = pairs.group == number
        if not here.any():
            continue
        random = pairs.random_kept[:, here].sum(axis=1)
        kept = int((status[here] == "kept").sum())
        low, high = np.quantile(random, (0.025, 0.975)).tolist()
        alike = pairs.random_likeness[:, number]
        known = not np.isnan(alike).all()
        rows.append(
            {
                "layer": layer,
                "layer_b": other,
                "units": int(here.sum()),
                **{name: int((status[here] == name).sum()) for name in _COUNTED},
                "kind_changed": int(kinds[here].sum()),
                "stronger": int((change[here] == "stronger").sum()),
                "weaker": int((change[here] == "weaker").sum()),
                "random_kept": float(random.mean()),
                "random_low": low,
                "random_high": high,
                "p": float((1 + (random >= kept).sum()) / (1 + draws)),
                "likeness": float(np.median(pairs.likeness[here])) if known else np.nan,
                "random_likeness": float(np.mean(alike)) if known else np.nan,
                "mutual": int(pairs.mutual[here].sum()),
                "unseen": float(pairs.unseen[number]),
                "random_unseen": float(pairs.random_unseen[number]),
            }
        )
    return {name: _column(name, [row[name] for row in rows]) for name in rows[0]}


_COUNTED = ("kept", "turned", "undecided", "moved", "lost", "gained", "none", "unshared")
_TEXTS = ("layer", "layer_b", "concept", "category")


def _column(name: str, values: list[Any]) -> NDArray[Any]:
    return np.array(values, object) if name in _TEXTS else np.array(values)


def concept_table(shared: Shared, units: Mapping[str, Any]) -> Table:
    """One row a concept that is first on either side: units that have it, kept it, left it and took it up."""
    status = np.asarray(units["status"], object)
    a, b = np.asarray(units["concept_a"], object), np.asarray(units["concept_b"], object)
    kept = status == "kept"
    rows: list[Table] = []
    for name in shared.names:
        mine, theirs = a == name, b == name
        if not (mine.any() or theirs.any()):
            continue
        rows.append(
            {
                "concept": name,
                "category": shared.categories[name],
                "units_a": int(mine.sum()),
                "units_b": int(theirs.sum()),
                "kept": int((mine & kept).sum()),
                "turned": int((mine & (status == "turned")).sum()),
                "left": int((mine & (status == "moved")).sum()),
                "joined": int((theirs & (status == "moved")).sum()),
                "lost": int((mine & (status == "lost")).sum()),
                "gained": int((theirs & (status == "gained")).sum()),
                "undecided": int(((mine | theirs) & (status == "undecided")).sum()),
            }
        )
    rows.sort(key=lambda row: (-row["units_a"] - row["units_b"], row["concept"]))
    columns = (
        "concept",
        "category",
        "units_a",
        "units_b",
        "kept",
        "turned",
        "left",
        "joined",
        "lost",
        "gained",
        "undecided",
    )
    return {name: _column(name, [row[name] for row in rows]) for name in columns}


def partner_table(units: Mapping[str, Any]) -> Table:
    """By profile: how many units of each layer of A have their partner in each layer of B."""
    counts: dict[tuple[str, str], int] = {}
    for pair in zip(units["layer"], units["layer_b"], strict=True):
        counts[pair] = counts.get(pair, 0) + 1
    rows = list(counts.items())
    return {
        "layer": np.array([a for (a, _), _ in rows], object),
        "layer_b": np.array([b for (_, b), _ in rows], object),
        "units": np.array([n for _, n in rows], np.int64),
    }
