"""Ablation as a method of attribution: what an output loses when a unit is taken out, measured and not estimated.

The attribution of a unit is F(x) - F(x with the unit at zero at every position of the item, special tokens among them):
an edit `zero(unit, where="everywhere")`. It is what the gradient methods approximate, and what they are judged by. Of a
recurrent layer the readout is edited, as that is where gradients are taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from unitscope import edits
from unitscope.causal.feeding import checked_units
from unitscope.causal.methods import Found, Method, Work


@dataclass(frozen=True)
class Ablation(Method):
    """F(x) less F with one unit at zero, unit by unit. `units` by layer, all where a layer is not named.

    Units that were not asked for are NaN. Items as wholes: it does not say at which site the unit mattered. What lies
    below a layer runs once for all of its units; see `unitscope.models.replay`.
    """

    units: Mapping[str, Sequence[int]] = field(default_factory=dict)
    name = "ablation"

    def of_batch(self, work: Work) -> Found:
        """See `Method`."""
        whole = work.plain()
        found = {}
        for place in work.places:
            units = checked_units(self.units.get(place.address), place)
            taken = [edits.zero((place.address, [unit]), where="everywhere", recurrence=False) for unit in units]
            lost = torch.full((len(whole), 1, place.layer.width), torch.nan, dtype=whole.dtype, device=whole.device)
            lost[:, 0, torch.from_numpy(units)] = (whole - work.under(taken)).T
            found[place] = lost
        return Found(found, by_position=False)

    def parameters(self) -> dict[str, Any]:
        """How many units of each layer were asked for."""
        return {"units": {address: len(units) for address, units in self.units.items()}}
