"""Sweeps: what a task's value becomes without units, beside what it becomes without as many random ones.

- `curve`: without the first, the last and random n units of a ranking, for several n (the curves of Dalvi et al. 2019,
  in the running network instead of in a probe's input), or with these units of it alone.
- `importance`: without each unit of some layers, one at a time.
- `specificity`: for a unit and a concept that it is said to detect, what taking it out does to the loss at sites where
  the concept holds and at those where it does not.

All rest on paired differences on the same items; see `unitscope.causal.effects`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unitscope import edits
from unitscope.causal.bench import Bench, at_sites
from unitscope.causal.bound import Bound
from unitscope.causal.effects import ROUNDING, Effect, Sums, contrast, effect_of
from unitscope.causal.sweeps_items import specific_items
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.editing import Editable
from unitscope.models.many import many
from unitscope.rankings.base import Ranking, split_address
from unitscope.stats.discoveries import adjust

if TYPE_CHECKING:
    from unitscope.activations import Activations

Floats = NDArray[np.float64]
Remover = Callable[[Sequence[str]], Edit]
"""From addresses of units to the edit that takes them out: `zero`, or `to_means(...)`."""
N_DRAWS = 5


@dataclass(frozen=True)
class Point:
    """A task without n units of a selection (`top`, `bottom`, `random`), or with them alone (`keep top`, ...).

    `draw` counts from 1 for random ones, and is 0 otherwise.
    """

    selection: str
    n_units: int
    draw: int
    value: float
    effect: Effect


@dataclass(frozen=True)
class Curve:
    """Effects of taking out units of a ranking, or (`keep`) all of them but some.

    `random` and `beyond` are by number of units: the mean effect of the random draws, and how far the effect of the top
    units lies beyond it, paired by item. `sums` has the numbers by item: the unedited ones first, then `points` in
    order. `none` is the effect of keeping no unit of the ranking at all.
    """

    target: str
    n_ranked: int
    unedited: float
    points: tuple[Point, ...]
    random: Mapping[int, Effect]
    beyond: Mapping[int, Effect]
    sums: Sums
    keep: bool = False
    none: Effect | None = None


def curve(
    model: Editable,
    task: Bound,
    ranking: Ranking,
    block: Sequence[int],
    *,
    remove: Remover = edits.zero,
    sizes: Sequence[int] = (1, 2, 5, 10, 50),
    n_draws: int = N_DRAWS,
    seed: int = 0,
    batch_size: int = 32,
    keep: bool = False,
) -> Curve:
    """A task without the top, bottom and random units of a ranking. Sizes beyond the ranking are cut to all of it.

    With `keep` all units of the ranking but these are taken out. `block` [I] are the blocks of the task's items. Raises
    TaskError for sizes below 1.
    """
    bench = Bench(model, task, block, batch_size)
    return curve_on(bench, ranking, remove=remove, sizes=sizes, n_draws=n_draws, seed=seed, keep=keep)


def curve_on(
    bench: Bench,
    ranking: Ranking,
    *,
    remove: Remover = edits.zero,
    sizes: Sequence[int] = (1, 2, 5, 10, 50),
    n_draws: int = N_DRAWS,
    seed: int = 0,
    keep: bool = False,
) -> Curve:
    """See `curve`."""
    if not sizes or min(sizes) < 1:
        raise TaskError(f"Got {list(sizes)} as numbers of units.", expected="numbers from 1 up")
    asked = sorted({min(size, len(ranking)) for size in sizes})
    plan = [(kind, n, 0, getattr(ranking, kind)(n)) for kind in ("top", "bottom") for n in asked]
    plan += [("random", n, k + 1, ranking.random(n, seed + k)) for n in asked for k in range(n_draws)]
    out = [without(ranking.units, units) if keep else units for *_, units in plan] + [ranking.units] * keep
    said = "keeping units of the ranking" if keep else "taking out units of the ranking"
    found = bench.measured([remove(units) if units else Edit() for units in out], said)
    values = found.values
    lead = "keep " * keep
    points = tuple(
        Point(lead + kind, n, draw, float(values[at]), found.effect(at))
        for at, (kind, n, draw, _) in enumerate(plan, 1)
    )
    random, beyond = {}, {}
    for n in asked if n_draws else ():
        drawn = [at for at, each in enumerate(plan, 1) if each[:2] == ("random", n)]
        top = next(at for at, each in enumerate(plan, 1) if each[:2] == ("top", n))
        random[n], beyond[n] = found.effect(drawn), found.effect(top, drawn)
    none = found.effect(len(plan) + 1) if keep else None
    return Curve(ranking.target, len(ranking), float(values[0]), points, random, beyond, found, keep, none)


def without(units: Sequence[str], kept: Sequence[str]) -> tuple[str, ...]:
    """Units that are not kept, in their order."""
    held = set(kept)
    return tuple(unit for unit in units if unit not in held)


@dataclass(frozen=True)
class Importance:
    """Effects of taking out single units: `units` and `effects` [U]; `q` [U] false discovery rates.

    A unit whose removal changes no number by more than rounding has p 1.
    """

    units: tuple[str, ...]
    unedited: float
    effects: tuple[Effect, ...]
    q: Floats

    def causal(self, level: float = 0.05) -> tuple[str, ...]:
        """Units with an effect at this false discovery rate, the greatest absolute effect first."""
        kept = [at for at in range(len(self.units)) if self.q[at] <= level]
        return tuple(self.units[at] for at in sorted(kept, key=lambda at: -abs(self.effects[at].effect)))


def importance(
    model: Editable,
    task: Bound,
    units: Sequence[str],
    block: Sequence[int],
    *,
    remove: Remover = edits.zero,
    batch_size: int = 32,
) -> Importance:
    """What taking out each unit alone does to a task; what lies below a unit's layer runs once (see `models.many`)."""
    found = Bench(model, task, block, batch_size).measured(
        [remove([unit]) for unit in units], "taking out single units"
    )
    effects = tuple(found.effect(at) for at in range(1, len(units) + 1))
    return Importance(
        tuple(units), float(found.values[0]), effects, adjust(np.array([each.p for each in effects], np.float64))
    )


@dataclass(frozen=True)
class Specific:
    """A unit and a concept: effects at tokens of sites with the concept and without, and their difference."""

    unit: str
    concept: str
    inside: Effect
    outside: Effect
    difference: Effect
    n_inside: int
    n_outside: int


def specificity(
    model: Editable,
    task: Bound,
    matches: Sequence[tuple[str, str]],
    values: Activations,
    block: Sequence[int],
    *,
    remove: Remover = edits.zero,
    batch_size: int = 32,
) -> list[Specific]:
    """For (unit, concept) pairs: what taking out the unit does where the concept is and where it is not.

    The unit is taken out everywhere. A token's loss is counted at the site that was read last before it: the one at
    which the unit's own value bears on the prediction; a word's own number at that word. Of tasks with one number an
    item the items with the concept are set against the others. Raises TaskError for other tasks, and concepts that are
    not in the table.
    """
    unknown = [concept for _, concept in matches if concept not in values.concepts.names]
    if unknown:
        raise TaskError(f"There is no concept '{unknown[0]}' among these activations.")
    if not task.places or task.read is None:
        return specific_items(model, task, matches, values, block, remove, batch_size)
    units, read = list(dict.fromkeys(unit for unit, _ in matches)), task.read
    found = many(
        model,
        task.items,
        [Edit(), *(at_sites(remove([unit])) for unit in units)],
        lambda output, batch: [part.double().cpu().numpy() for part in read(output, batch)],
        batch_size=batch_size,
    )
    sites = site_of_token(task, values)
    owner = np.repeat(np.arange(len(task.items)), [len(part) for part in sites])
    flat, base = np.concatenate(sites), np.concatenate(found[0])
    least = ROUNDING * float(np.abs(base).mean())
    made = []
    for unit, concept in matches:
        change = np.concatenate(found[1 + units.index(unit)]) - base
        mask, known = mask_of_concept(values, concept)
        there = (flat >= 0) & known[flat]
        parts = [by_item(change, chosen, owner) for chosen in (there & mask[flat], there & ~mask[flat])]
        held = np.asarray(block, np.int64)
        (top_in, n_in), (top_out, n_out) = parts
        made.append(
            Specific(
                unit,
                concept,
                effect_of(top_in, n_in, held, least),
                effect_of(top_out, n_out, held, least),
                contrast((top_in, n_in), (top_out, n_out), held, least),
                int(n_in.sum()),
                int(n_out.sum()),
            )
        )
    return made


def by_item(change: Floats, chosen: NDArray[np.bool_], owner: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Sums of the chosen numbers and how many they are, by item."""
    n = int(owner.max(initial=-1)) + 1
    total = np.bincount(owner[chosen], weights=change[chosen], minlength=n)
    return total.astype(np.float64), np.bincount(owner[chosen], minlength=n).astype(np.float64)


def mask_of_concept(values: Activations, concept: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a concept holds and where it is known, [S + 1]; the last entry is for tokens of no site."""
    at = values.concepts.names.index(concept)
    mask = np.zeros(values.n_sites + 1, np.bool_)
    mask[values.concepts.sites_of(at)] = True
    known = np.ones(values.n_sites + 1, np.bool_)
    if values.concepts.categories[at] in values.concepts.known:
        known[:-1] = values.concepts.known[values.concepts.categories[at]]
    return mask, known


def site_of_token(task: Bound, values: Activations) -> list[NDArray[np.int64]]:
    """The site, by its index among the activations', of each number of each item; -1 for none."""
    index = {name: at for at, name in enumerate(values.item_ids)}
    site = {pair: at for at, pair in enumerate(zip(values.sites.item.tolist(), values.sites.position.tolist()))}
    return [
        np.array([site.get((index.get(item.id, -1), place), -1) for place in places.tolist()], np.int64)
        for item, places in zip(task.items, task.places, strict=True)
    ]


def to_means(values: Activations, units: Sequence[str], sites: NDArray[np.bool_]) -> Remover:
    """A remover that sets units to their mean over chosen sites [S], which are read once."""
    places = {address: at for at, address in enumerate(values.addresses)}
    known = list(dict.fromkeys(units))
    missing = [unit for unit in known if unit not in places]
    if missing:
        raise TaskError(f"There are no values of the unit '{missing[0]}'.", expected="units of the atlas")
    columns = np.array(sorted(places[unit] for unit in known), np.int64)
    totals = np.zeros(len(columns))
    for rows, block in values.blocks(columns):
        totals += block[sites[rows]].sum(axis=0, dtype=np.float64)
    means = dict(zip(columns.tolist(), (totals / max(int(sites.sum()), 1)).tolist(), strict=True))
    return lambda chosen: edits.set(list(chosen), [means[places[unit]] for unit in chosen])


def units_of(values: Activations, patterns: Sequence[str]) -> list[str]:
    """Addresses of all units of the layers that match."""
    return [values.addresses[at] for at in values.columns(patterns).tolist()]


def layers_of(units: Sequence[str]) -> list[str]:
    """Layers of units, none twice."""
    return list(dict.fromkeys(split_address(unit)[0] for unit in units))
