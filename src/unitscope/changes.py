"""Changes: what a step of an edit makes of units' values. Each is small, frozen, and needs torch only when it acts.

A change is given values [B, T, U] of the target's units (rows, positions, units) and says what they become; where it
acts is the mask's business. `Around` tells what a change may need beside the values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import EditError, closest
from unitscope.sites import Item

if TYPE_CHECKING:
    import torch

_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class Around(Protocol):
    """What is around the values that a change is given."""

    def keys(self) -> NDArray[np.uint64]:
        """A number for each row and position [B, T] that depends on the row's item and the position alone."""

    def donated(self, change: Swap) -> tuple[torch.Tensor, torch.Tensor]:
        """Values [B, T, U] of the rows' donors, and where there are such (boolean [B, T])."""

    def items(self) -> list[Item]:
        """Each row's item, [B]. Raises EditError where they are not known."""


class Change(ABC):
    """What becomes of values."""

    @abstractmethod
    def apply(self, values: torch.Tensor, around: Around) -> torch.Tensor:
        """New values [B, T, U]; `values` stay as they are."""

    def part(self, index: list[int], n_units: int) -> Change:
        """The change of some of its `n_units` units. Raises EditError where it acts on all of them together."""
        raise EditError(
            f"{type(self).__name__} cannot act inside the recurrence of a module.",
            fix="Edit its readout: recurrence=False.",
        )


class _Numbers(Change):
    """A change with one number, or one a unit: `numbers` [1] or [U], float32."""

    def __init__(self, numbers: NDArray[np.float32]) -> None:
        self.numbers = numbers

    def part(self, index: list[int], n_units: int) -> Change:
        """The change of some of its units."""
        return self if len(self.numbers) == 1 else type(self)(self.numbers[index])

    def on(self, values: torch.Tensor) -> torch.Tensor:
        """The numbers beside values."""
        import torch

        if len(self.numbers) not in (1, values.shape[-1]):
            raise EditError(f"Got {len(self.numbers)} values for {values.shape[-1]} units.", expected="one a unit")
        return torch.from_numpy(self.numbers.copy()).to(values.device, values.dtype)


@dataclass(frozen=True, eq=False)
class Put(_Numbers):
    """Values become fixed numbers."""

    numbers: NDArray[np.float32]

    def apply(self, values: torch.Tensor, around: Around) -> torch.Tensor:
        """See `Change.apply`."""
        return self.on(values).expand(values.shape)


@dataclass(frozen=True, eq=False)
class Scale(_Numbers):
    """Values are multiplied."""

    numbers: NDArray[np.float32]

    def apply(self, values: torch.Tensor, around: Around) -> torch.Tensor:
        """See `Change.apply`."""
        return values * self.on(values)


@dataclass(frozen=True, eq=False)
class ZeroEach(Change):
    """Units become zero that are other ones in every item: `units` are indices by item id."""

    units: Mapping[str, NDArray[np.int64]] = field(repr=False)

    def part(self, index: list[int], n_units: int) -> Change:
        """The change of some of its units."""
        place = np.full(n_units, -1)
        place[index] = np.arange(len(index))
        parts = {name: place[units] for name, units in self.units.items()}
        return ZeroEach({name: units[units >= 0] for name, units in parts.items()})

    def apply(self, values: torch.Tensor, around: Around) -> torch.Tensor:
        """See `Change.apply`. Raises EditError for a unit that the layer has not."""
        import torch

        n_units = values.shape[-1]
        gone = np.zeros((len(values), n_units), np.bool_)
        for row, item in enumerate(around.items()):
            units = self.units.get(item.id, np.zeros(0, np.int64))
            bad = units[(units < 0) | (units >= n_units)]
            if len(bad):
                raise EditError(f"Unit {bad[0]} for item '{item.id}' is out of range.", expected=f"0 to {n_units - 1}")
            gone[row, units] = True
        return values.masked_fill(torch.from_numpy(gone).to(values.device)[:, None], 0)


@dataclass(frozen=True, eq=False)
class Add(_Numbers):
    """Numbers are added to values."""

    numbers: NDArray[np.float32]

    def apply(self, values: torch.Tensor, around: Around) -> torch.Tensor:
        """See `Change.apply`."""
        return values + self.on(values)


@dataclass(frozen=True, eq=False)
class ProjectOut(Change):
    """Values less their projection on the span of orthonormal `axes` [k, D]: x - (x Q') Q."""

    axes: NDArray[np.float64]

    @classmethod
    def of(cls, directions: NDArray[np.float64]) -> ProjectOut:
        """From directions [k, D] of any length and angle. Raises EditError where they span nothing."""
        if directions.ndim != 2 or not directions.size or not np.isfinite(directions).all():
            raise EditError(f"Got directions of shape {directions.shape}.", expected="finite numbers [k, D]")
        _, sizes, axes = np.linalg.svd(directions, full_matrices=False)
        kept = axes[sizes > sizes[0] * 1e-10]
        if not sizes[0] > 0:
            raise EditError("The directions are zero, and span nothing.", expected="directions that are not zero")
        return cls(kept)

    def apply(self, values: torch.Tensor, around: Around) -> torch.Tensor:
        """See `Change.apply`."""
        import torch

        if values.shape[-1] != self.axes.shape[1]:
            raise EditError(
                f"Got directions of {self.axes.shape[1]} values.", expected=f"{values.shape[-1]}, the layer's"
            )
        axes = torch.from_numpy(self.axes).to(values.device, values.dtype)
        return values - (values @ axes.T) @ axes


@dataclass(frozen=True, eq=False)
class Resample(Change):
    """Values become those of a row of `pool` [S, U], drawn for each position."""

    pool: NDArray[np.float32]
    seed: int = 0

    def part(self, index: list[int], n_units: int) -> Change:
        """The change of some of its units."""
        return Resample(self.pool[:, index], self.seed)

    def apply(self, values: torch.Tensor, around: Around) -> torch.Tensor:
        """See `Change.apply`."""
        import torch

        if not len(self.pool):
            raise EditError("There are no sites to resample from.", expected="values at one site or more")
        if self.pool.shape[1] != values.shape[-1]:
            raise EditError(f"Got {self.pool.shape[1]} values for {values.shape[-1]} units.", expected="one a unit")
        chosen = mixed(around.keys() ^ mixed(np.array(self.seed, np.uint64))) % np.uint64(len(self.pool))
        drawn = self.pool[chosen.astype(np.int64)]
        return torch.from_numpy(drawn).to(values.device, values.dtype)


@dataclass(frozen=True, eq=False)
class Swap(Change):
    """Values become those of another input at the same position. `donors`: an item, or one by item id."""

    donors: Mapping[str, Item] | Item = field(repr=False)

    def donor(self, item: Item) -> Item | None:
        """Whose values an item takes."""
        return self.donors if isinstance(self.donors, Item) else self.donors.get(item.id)

    def apply(self, values: torch.Tensor, around: Around) -> torch.Tensor:
        """See `Change.apply`."""
        import torch

        donated, has = around.donated(self)
        return torch.where(has[..., None], donated.to(values.dtype), values)


def mixed(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers that look drawn, one to one (splitmix64; Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = np.asarray(keys, np.uint64) + _MIX[0]
        z = (z ^ (z >> np.uint64(30))) * _MIX[1]
        z = (z ^ (z >> np.uint64(27))) * _MIX[2]
        return np.asarray(z ^ (z >> np.uint64(31)), np.uint64)


def values_at(
    of: Any, layer: str, units: tuple[int, ...] | None, concept: str | None, sites: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """Values [S', U] of a layer's units at chosen sites: from an `Activations`, a `Captured` or a mapping by layer.

    Raises EditError for layers and units that are not there, and where no site is chosen.
    """
    if hasattr(of, "addresses") and hasattr(of, "columns"):
        values = _from_activations(of, layer, units)
        table = of.concepts
    else:
        table, values = None, _from_mapping(of, layer, units)
    chosen = np.ones(len(values), np.bool_) if sites is None else np.asarray(sites, np.bool_)
    if chosen.shape != (len(values),):
        raise EditError(f"Got 'sites' of shape {chosen.shape}.", expected=f"booleans [{len(values)}], one a site")
    if concept is not None:
        if table is None:
            raise EditError(f"These values have no concepts; got concept '{concept}'.", fix="Give 'sites' instead.")
        if concept not in table.names:
            raise EditError(f"There is no concept '{concept}'.", fix=closest(concept, table.names))
        held = np.zeros(len(values), np.bool_)
        held[table.sites_of(table.names.index(concept))] = True
        chosen = chosen & held
    if not chosen.any():
        raise EditError(f"No site of layer '{layer}' is chosen.", expected="one site or more")
    return values[chosen]


def _from_activations(of: Any, layer: str, units: tuple[int, ...] | None) -> NDArray[np.float32]:
    place = {address: at for at, address in enumerate(of.addresses)}
    if units is None:
        columns = [at for address, at in place.items() if address.rpartition(":")[0] == layer]
    else:
        columns = [place.get(f"{layer}:{unit}", -1) for unit in units]
    if not columns or min(columns) < 0:
        raise EditError(f"The values lack units of layer '{layer}'.", fix="Take values of the units that are edited.")
    return np.asarray(of.values(np.array(columns)), np.float32)


def _from_mapping(of: Any, layer: str, units: tuple[int, ...] | None) -> NDArray[np.float32]:
    known: Mapping[str, Any] = getattr(of, "values", {}) if not isinstance(of, Mapping) else of
    if not isinstance(known, Mapping) or layer not in known:
        names = list(known) if isinstance(known, Mapping) else []
        raise EditError(f"There are no values of layer '{layer}'.", fix=closest(layer, names))
    found = known[layer]
    values = np.asarray(found.detach().cpu().numpy() if hasattr(found, "detach") else found, np.float32)
    valid = getattr(of, "valid", None)
    if valid is not None:
        fitting = [mask for mask in valid.values() if len(mask) == len(values)]
        values = values[fitting[0]] if len(valid) == 1 and fitting else values
    if values.ndim != 2:
        raise EditError(f"Got values of shape {values.shape} for layer '{layer}'.", expected="[sites, units]")
    if units is None:
        return values
    if max(units) >= values.shape[1]:
        raise EditError(f"Unit '{layer}:{max(units)}' is out of range.", expected=f"0 to {values.shape[1] - 1}")
    return values[:, list(units)]
