"""Edits: what is done to units at masked sites while a network runs. Declarations only; models carry them out.

An edit is a chain of steps, composed with `+` in order. Each step has a target (units of one layer), a change (zero,
set, scale, add, project out, resample, swap) and a mask. Units are written as everywhere: addresses `layer:unit`,
several of them, a whole layer, a `Layer` with indices, a ranking, or attention heads (`head`). A layer of a basis
(`encoder.layer.3~sae`) is edited in the basis' units, with its reconstruction error kept. Attention heads are zeroed
and replaced as in Michel et al. 2019, means and resampling as in Wang et al. 2023 and Chan et al. 2022, swaps as in
Vig et al. 2020, projections as in Ravfogel et al. 2020.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unitscope.changes import Add, Change, ProjectOut, Put, Resample, Scale, Swap, ZeroEach
from unitscope.errors import EditError
from unitscope.masks import Mask, Where, mask_of
from unitscope.models.base import Layer
from unitscope.sites import Item

if TYPE_CHECKING:
    from unitscope.rankings.base import Ranking

Units = Any
"""Units as a user names them: `layer:unit`, `layer:1,4`, `layer` (all), a Layer, (Layer or address, indices), a
`Target` of `head`, a ranking, or several of these."""


@dataclass(frozen=True)
class Target:
    """Units of one layer: indices, attention heads, or (both None) all of them."""

    layer: str
    units: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Step:
    """One change of one target at some sites. `recurrence`: whether a recurrent layer reads the changed state on."""

    target: Target
    change: Change
    where: Mask
    recurrence: bool = True


@dataclass(frozen=True)
class Edit:
    """Steps in the order in which they are done. The empty edit changes nothing.

    >>> (zero("h.0:3") + scale("h.1:0,2", 2.0)).layers
    ('h.0', 'h.1')
    """

    steps: tuple[Step, ...] = ()

    def __add__(self, other: Edit) -> Edit:
        return Edit(self.steps + other.steps)

    @property
    def layers(self) -> tuple[str, ...]:
        """Addresses of the layers that it touches, none twice."""
        return tuple(dict.fromkeys(step.target.layer for step in self.steps))


def head(layer: str, *heads: int) -> Target:
    """Attention heads of a layer whose units split into heads (`layers.3.self_attn.o_proj@in`).

    >>> head("h.0.attn.c_proj@in", 2)
    Target(layer='h.0.attn.c_proj@in', units=None, heads=(2,))
    """
    return Target(layer, heads=tuple(int(each) for each in heads))


def zero(units: Units, *, where: Where = None, recurrence: bool = True) -> Edit:
    """Units become zero."""
    return _edit(units, lambda _: Put(np.zeros(1, np.float32)), where, recurrence)


def zero_each(layer: str, units: Mapping[str, ArrayLike], *, where: Where = None, recurrence: bool = True) -> Edit:
    """Units of a layer become zero, other ones in every item: their indices by item id. Other items stay as they are.

    Where inputs are the user's own, it needs to know the rows' items, as masks by item do.
    """
    chosen = {name: np.asarray(each, np.int64).reshape(-1) for name, each in units.items()}
    return _edit(layer, lambda _: ZeroEach(chosen), where, recurrence)


def set(units: Units, value: ArrayLike, *, where: Where = None, recurrence: bool = True) -> Edit:
    """Units become `value`: one number, or one for each unit in the order in which they are named."""
    return _edit(units, _per_unit(units, value, Put), where, recurrence)


def mean(
    units: Units,
    of: Any,
    *,
    concept: str | None = None,
    sites: NDArray[np.bool_] | None = None,
    where: Where = None,
    recurrence: bool = True,
) -> Edit:
    """Units become their mean over sites: all, those where a concept holds, or chosen ones (boolean [S]).

    `of` are values at sites: an `Activations`, what `model.run` returned, or a mapping from layer to values [S, U].
    """
    values, at = _values(units, of, concept, sites)
    return set(at, values.mean(axis=0, dtype=np.float64), where=where, recurrence=recurrence)


def quantile(
    units: Units,
    q: float,
    of: Any,
    *,
    concept: str | None = None,
    sites: NDArray[np.bool_] | None = None,
    where: Where = None,
    recurrence: bool = True,
) -> Edit:
    """Units become their own quantile `q` in [0, 1] over sites, chosen as for `mean`."""
    if not 0 <= q <= 1:
        raise EditError(f"Got the quantile {q}.", expected="a number from 0 to 1")
    values, at = _values(units, of, concept, sites)
    return set(at, np.quantile(values.astype(np.float64), q, axis=0), where=where, recurrence=recurrence)


def resample(
    units: Units,
    of: Any,
    *,
    seed: int = 0,
    concept: str | None = None,
    sites: NDArray[np.bool_] | None = None,
    where: Where = None,
    recurrence: bool = True,
) -> Edit:
    """Units take the values that they have together at another site, drawn for each edited site.

    Sites are drawn from `of`, chosen as for `mean`. The draw depends on the seed, the item and the position alone, so
    it is the same in every batch.
    """
    values, at = _values(units, of, concept, sites)
    pool = np.ascontiguousarray(values, np.float32)
    return _edit(at, lambda index: Resample(pool[:, index], seed), where, recurrence)


def scale(units: Units, factor: ArrayLike, *, where: Where = None, recurrence: bool = True) -> Edit:
    """Units are multiplied by `factor`: one number, or one a unit."""
    return _edit(units, _per_unit(units, factor, Scale), where, recurrence)


def add(units: Units, direction: ArrayLike, *, where: Where = None, recurrence: bool = False) -> Edit:
    """`direction` is added to the units: one number, or one a unit; over a whole layer, a direction in its space."""
    return _edit(units, _per_unit(units, direction, Add), where, recurrence)


def project_out(layer: str, directions: ArrayLike, *, where: Where = None) -> Edit:
    """What a whole layer's values [D] hold of the span of `directions` ([D] or [k, D]) is taken out.

    Raises EditError where they are not finite or span nothing.
    """
    return _edit(layer, lambda _: ProjectOut.of(np.atleast_2d(np.asarray(directions, np.float64))), where, False)


def swap(units: Units, donors: Mapping[str, Item] | Item, *, where: Where = None) -> Edit:
    """Units take the values that they have in another input, position by position.

    `donors` maps an item's id to the item whose values it takes; one item serves all. Positions beyond the donor's
    length, and items without one, stay as they are. Donors run through the model as it is, without edits.
    """
    return _edit(units, lambda _: Swap(donors), where, False)


def targets(units: Units) -> list[tuple[Target, NDArray[np.int64]]]:
    """One target a layer, in the order of first mention, and which of the units named belong to it.

    A whole layer or head has index 0 alone. Raises EditError for what names no unit.

    >>> [(target.layer, target.units) for target, _ in targets(["h.1:2", "h.0:1", "h.1:0"])]
    [('h.1', (2, 0)), ('h.0', (1,))]
    """
    flat = list(_flat(units))
    if not flat:
        raise EditError("No units were named.", expected="addresses as 'encoder.layer.3:17'")
    found: dict[str, list[tuple[int, Target]]] = {}
    at = 0
    for target in flat:
        found.setdefault(target.layer, []).append((at, target))
        at += 1 if target.units is None else len(target.units)
    return [pair for layer, parts in found.items() for pair in _joined(layer, parts)]


def _joined(layer: str, parts: list[tuple[int, Target]]) -> list[tuple[Target, NDArray[np.int64]]]:
    whole = [(part, np.array([at])) for at, part in parts if part.units is None]
    units = [unit for _, part in parts for unit in part.units or ()]
    places = [at + k for at, part in parts for k in range(len(part.units or ()))]
    if len(units) != len(dict.fromkeys(units)):
        again = next(unit for unit in units if units.count(unit) > 1)
        raise EditError(f"Unit '{layer}:{again}' is named twice in one edit.", fix="Compose edits with + instead.")
    return whole + ([(Target(layer, tuple(units)), np.array(places))] if units else [])


def _flat(units: Units) -> Iterable[Target]:
    if isinstance(units, Target):
        yield units
    elif isinstance(units, Layer):
        yield Target(units.address)
    elif isinstance(units, str):
        yield _parsed(units)
    elif hasattr(units, "units") and hasattr(units, "scores"):
        yield from (_parsed(address) for address in units.units)
    elif _is_pair(units):
        layer, indices = units
        chosen = tuple(int(unit) for unit in np.atleast_1d(np.asarray(indices)))
        yield Target(layer.address if isinstance(layer, Layer) else str(layer), chosen)
    elif isinstance(units, Iterable):
        for each in units:
            yield from _flat(each)
    else:
        raise EditError(f"Got {units!r} as units.", expected="addresses as 'encoder.layer.3:17'")


def _is_pair(units: Any) -> bool:
    if not isinstance(units, tuple) or len(units) != 2 or not isinstance(units[0], (Layer, str)):
        return False
    rest = np.asarray(units[1]) if not isinstance(units[1], (str, Target, Layer)) else np.zeros(0)
    return rest.size > 0 and np.issubdtype(rest.dtype, np.integer)


def _parsed(text: str) -> Target:
    layer, colon, unit = text.rpartition(":")
    if not colon:
        return Target(text)
    numbers = unit.strip("[]").split(",")
    if layer and all(number.strip().isdecimal() for number in numbers):
        return Target(layer, tuple(int(number) for number in numbers))
    raise EditError(f"Cannot read '{text}' as a unit.", expected="LAYER:UNIT, as 'encoder.layer.3:17', or a layer")


def _edit(units: Units, change: Any, where: Where, recurrence: bool) -> Edit:
    mask = mask_of(where)
    return Edit(tuple(Step(target, change(index), mask, recurrence) for target, index in targets(units)))


def _per_unit(units: Units, value: ArrayLike, kind: type[Put] | type[Scale] | type[Add]) -> Any:
    """Changes whose numbers are one, one a unit named, or (a whole layer alone) one a unit of the layer."""
    numbers = np.asarray(value, np.float32)
    found = targets(units)
    n_named = sum(len(index) for _, index in found)
    whole = len(found) == 1 and found[0][0].units is None
    if numbers.ndim > 1 or (numbers.ndim == 1 and not whole and len(numbers) != n_named):
        raise EditError(
            f"Got values of shape {numbers.shape} for {n_named} units.", expected="one number, or one a unit"
        )
    if not np.isfinite(numbers).all():
        raise EditError("Got a value that is no finite number.", expected="finite numbers")
    if numbers.ndim == 0 or whole:
        return lambda _: kind(np.atleast_1d(numbers))
    return lambda index: kind(numbers[index])


def _values(
    units: Units, of: Any, concept: str | None, sites: NDArray[np.bool_] | None
) -> tuple[NDArray[Any], list[Target]]:
    """Values [S', U] at the chosen sites of all units named, and targets that name each of them, in the same order."""
    from unitscope.changes import values_at

    parts: list[NDArray[Any]] = []
    named: list[Target] = []
    for target, _ in targets(units):
        if target.heads is not None:
            raise EditError("Values are taken unit by unit.", fix="Name the head's units instead of the head.")
        found = values_at(of, target.layer, target.units, concept, sites)
        parts.append(found)
        named.append(Target(target.layer, target.units or tuple(range(found.shape[1]))))
    if len({len(part) for part in parts}) > 1:
        raise EditError("The layers' values are at different sites.", fix="Make one edit for each grid.")
    return np.concatenate(parts, axis=1), named


def ranked(ranking: Ranking, n: int) -> tuple[str, ...]:
    """Addresses of a ranking's first n units."""
    return tuple(ranking.units[:n])


__all__: Sequence[str] = (
    "Edit", "Mask", "Step", "Target", "add", "head", "mean", "project_out", "quantile", "ranked", "resample", "scale",
    "set", "swap", "targets", "zero", "zero_each",
)  # fmt: skip
