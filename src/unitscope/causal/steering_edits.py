"""How units are steered: from what they do with a property and without it to an edit of a stated strength.

Of every unit the mean, the standard deviation, and the gap between its mean at sites with the property and at those
without are taken on training items. With strength s a unit's value x becomes

- `add`: x + s · deviation, towards the property by the sign of the gap;
- `gap`: x + s · gap (a difference of means, as in Rimsky et al. 2024, of these units alone);
- `set`: mean + s · deviation, towards the property (Bau et al. 2019 set units to what they are with it);
- `scale`: s · x;

and, to take a property away,

- `mean`: x + s · (mean - x), so that 1 leaves nothing of what it tells;
- `project`: the directions of the gaps among these units are projected out (as Ravfogel et al. 2020 do once).

By `add`, `set`, `scale` and `mean` random units get the same strength in their own deviations; by `gap` their gaps are
stretched to the norm, in deviations, that those of the steered units have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unitscope import edits
from unitscope.edits import Edit
from unitscope.errors import TaskError, closest
from unitscope.models.address import unpooled
from unitscope.rankings.base import split_address

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
TOWARDS, AWAY = ("add", "gap", "set", "scale"), ("mean", "project", "scale")


@dataclass(frozen=True)
class Habits:
    """What units do: `mean` and `deviation` [U], and `gaps` [K, U], each of one contrast of sites.

    The first gap is the property that is steered to. `widths` are the numbers of units of their layers.
    """

    units: tuple[str, ...]
    mean: Floats
    deviation: Floats
    gaps: Floats
    widths: Mapping[str, int]

    @cached_property
    def place(self) -> dict[str, int]:
        """Index of each unit."""
        return {unit: at for at, unit in enumerate(self.units)}

    @classmethod
    def of_values(
        cls,
        units: Sequence[str],
        values: NDArray[np.float32],
        sites: Bools,
        contrasts: Sequence[tuple[Bools, Bools]],
        widths: Mapping[str, int],
    ) -> Habits:
        """From values [S, U] at chosen sites [S]; each contrast is where the property holds and where it does not.

        Raises TaskError where one of the two has no site.
        """
        own = values[sites].astype(np.float64)
        if not len(own):
            raise TaskError("There is no site to take the units' means from.", expected="a larger corpus")
        gaps = []
        for there, not_there in contrasts:
            parts = [values[sites & mask].astype(np.float64) for mask in (there, not_there)]
            if not all(map(len, parts)):
                raise TaskError(
                    f"The property holds at {len(parts[0])} of the training sites and fails at {len(parts[1])}.",
                    expected="some of both",
                    fix="Use a larger corpus or another property.",
                )
            gaps.append(parts[0].mean(axis=0) - parts[1].mean(axis=0))
        made = np.array(gaps, np.float64).reshape(len(gaps), len(units))
        return cls(tuple(units), own.mean(axis=0), own.std(axis=0), made, dict(widths))

    def at(self, units: Sequence[str]) -> NDArray[np.int64]:
        """Indices of units. Raises TaskError for one of which nothing is known."""
        missing = [unit for unit in units if unit not in self.place]
        if missing:
            raise TaskError(f"There are no values of the unit '{missing[0]}'.", fix=closest(missing[0], self.units))
        return np.array([self.place[unit] for unit in units], np.int64)


Rule = Callable[[Sequence[str], float], Edit]
"""From units and a strength to an edit."""


def rule_of(how: str, habits: Habits, like: Sequence[str] = ()) -> Rule:
    """A rule by its name. `like` are the units whose dose others are given by `gap`.

    Raises TaskError for an unknown one, and for one that needs a contrast where there is none.
    """
    known = tuple(dict.fromkeys(TOWARDS + AWAY))
    if how not in known:
        raise TaskError(f"Unknown way to steer '{how}'.", expected=", ".join(known), fix=closest(how, known))
    if how not in ("scale", "mean") and not len(habits.gaps):
        raise TaskError(f"'{how}' needs a direction, and the property gives none.", expected="scale or mean")
    if how == "project":
        return lambda units, strength: _projected(habits, units)

    def edit(units: Sequence[str], strength: float) -> Edit:
        at = habits.at(units)
        names = [unpooled(unit) for unit in units]
        mean, spread = habits.mean[at], habits.deviation[at]
        if how == "scale":
            return edits.scale(names, strength)
        if how == "mean":
            return edits.scale(names, 1.0 - strength) + edits.add(names, strength * mean)
        towards = np.sign(habits.gaps[0][at])
        if how == "set":
            return edits.set(names, mean + strength * spread * towards)
        if how == "gap":
            return edits.add(names, strength * habits.gaps[0][at] * _stretch(habits, units, like))
        return edits.add(names, strength * spread * towards)

    return edit


def _stretch(habits: Habits, units: Sequence[str], like: Sequence[str]) -> float:
    """Factor by which these units' gaps get the norm, in deviations, of those of `like`."""
    if not like:
        return 1.0
    own, wanted = (_norm(habits, each) for each in (units, like))
    return wanted / own if own else 1.0


def _norm(habits: Habits, units: Sequence[str]) -> float:
    at = habits.at(units)
    spread = habits.deviation[at]
    parts = np.divide(habits.gaps[0][at], spread, out=np.zeros(len(at)), where=spread > 0)
    return float(np.sqrt((parts**2).sum()))


def _projected(habits: Habits, units: Sequence[str]) -> Edit:
    """The gaps' directions among the units of each layer taken out; layers without any gap stay as they are."""
    made = Edit()
    for layer, members in by_layer(units).items():
        directions = np.zeros((len(habits.gaps), habits.widths[layer]))
        index = [split_address(unit)[1] for unit in members]
        directions[:, index] = habits.gaps[:, habits.at(members)]
        if np.abs(directions).sum() > 0:
            made += edits.project_out(unpooled(layer), directions)
    return made


def by_layer(units: Sequence[str]) -> dict[str, list[str]]:
    """Units by layer, in order of first mention."""
    found: dict[str, list[str]] = {}
    for unit in units:
        found.setdefault(split_address(unit)[0], []).append(unit)
    return found


def drawn(ranked: Sequence[str], steered: Sequence[str], seed: int) -> tuple[str, ...]:
    """As many random units of each layer as `steered` has there, from the other ranked ones; from all where those
    are too few.
    """
    draw = np.random.default_rng(seed)
    pool = by_layer(ranked)
    taken = frozenset(steered)
    chosen: list[str] = []
    for layer, mine in by_layer(steered).items():
        others = [unit for unit in pool[layer] if unit not in taken]
        among = others if len(others) >= len(mine) else pool[layer]
        chosen += [among[at] for at in draw.permutation(len(among))[: len(mine)].tolist()]
    return tuple(chosen)
