"""Ablation as a method of attribution: what an output loses when a unit is taken out, measured and not estimated.

The attribution of a unit is F(x) - F(x with the unit at zero at every site of the item): one pass a unit. It is what
the gradient methods approximate, and what they are judged by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.causal.feeding import Place
from unitscope.causal.forward import Action
from unitscope.causal.methods import Found, Method, Work
from unitscope.causal.to_tokens import checked_units
from unitscope.models.probe import Tap


class Silence:
    """An action that sets units to zero: those where `keep` [B or 1, U] is 0, at every site."""

    def __init__(self, place: Place, keep: torch.Tensor, n_steps: Mapping[str, int]) -> None:
        self.place, self.keep, self.n_steps = place, keep, n_steps

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor without these units."""
        return tensor * _laid_out(self.place, self.keep.to(tensor), tensor, self.n_steps)


def _laid_out(place: Place, keep: torch.Tensor, tensor: torch.Tensor, n_steps: Mapping[str, int]) -> torch.Tensor:
    """A row a unit [B or 1, U] with the axes of a layer's tensor."""
    tap = place.tap
    if place.is_image:
        return keep.reshape(*keep.shape, *[1] * (tensor.dim() - 2))
    sites = (tap.batch_axis,) if tap.site_axis is None else (tap.batch_axis, tap.site_axis)
    units = [size for axis, size in enumerate(tensor.shape) if axis not in sites]
    if tap.site_axis is None:
        return keep.reshape(-1, *units).movedim(0, tap.batch_axis)
    if tap.site_axis == tap.batch_axis:
        rows = keep if len(keep) == 1 else keep.repeat_interleave(n_steps[tap.grid], dim=0)
        return rows.reshape(-1, *units).movedim(0, tap.batch_axis)
    return keep.reshape(-1, 1, *units).movedim((0, 1), sites)


@dataclass(frozen=True)
class Ablation(Method):
    """F(x) less F with one unit at zero, unit by unit. `units` by layer, all where a layer is not named.

    Units that were not asked for are NaN. Items as wholes: it does not say at which site the unit mattered.
    """

    units: Mapping[str, Sequence[int]] = field(default_factory=dict)
    name = "ablation"

    def of_batch(self, work: Work) -> Found:
        """See `Method`."""
        whole = work.plain()
        found = {}
        for place in work.places:
            lost = torch.full((len(whole), 1, place.layer.width), torch.nan, dtype=whole.dtype, device=whole.device)
            for unit in checked_units(self.units.get(place.address), place).tolist():
                keep = torch.ones(1, place.layer.width)
                keep[0, unit] = 0
                lost[:, 0, unit] = whole - work.plain([silenced(work, place, keep)])
            found[place] = lost
        return Found(found, by_position=False)

    def parameters(self) -> dict[str, Any]:
        """How many units of each layer were asked for."""
        return {"units": {address: len(units) for address, units in self.units.items()}}


def silenced(work: Work, place: Place, keep: torch.Tensor | NDArray[np.bool_]) -> tuple[Tap, Action]:
    """An action for a pass that sets units to zero where `keep` [B or 1, U] is 0."""
    return place.tap, Silence(place, torch.as_tensor(keep, dtype=torch.float32), work.fed.n_steps)
