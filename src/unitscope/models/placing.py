"""Where an edit's steps are in a model: their layers and taps, and the units' indices there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from torch import nn

from unitscope.edits import Edit, Step
from unitscope.errors import EditError
from unitscope.models.address import POOLED
from unitscope.models.applying import Placed
from unitscope.models.base import Layer
from unitscope.models.mass import MassTap
from unitscope.models.units import BasisTap

if TYPE_CHECKING:
    from unitscope.models.images import ImageModel
    from unitscope.models.torch import TorchModel

Editable: TypeAlias = "TorchModel | ImageModel"


def place_all(model: Editable, edit: Edit, copy: int = 0) -> list[Placed]:
    """Steps at the model's layers, all calls of shared ones. Raises EditError for units that are not there."""
    found = []
    for step in edit.steps:
        address = step.target.layer
        if address.endswith(POOLED):
            raise EditError(
                f"Layer '{address}' is pooled over an item's sites.", fix=f"Edit '{address[: -len(POOLED)]}'."
            )
        for layer in model.resolve([address]):
            tap = model.tap(layer.address)
            if isinstance(tap, MassTap):
                raise EditError(
                    f"Attention masses ('{address}') are read, and cannot be set.", fix="Edit heads: head(...)."
                )
            found.append(Placed(step, layer, tap, columns_of(step, layer), copy))
    return found


def columns_of(step: Step, layer: Layer) -> tuple[int, ...] | None:
    """Indices of a step's units in a layer; None for all."""
    target = step.target
    if target.heads is not None:
        if not layer.n_heads:
            raise EditError(
                f"The units of layer '{layer.address}' are not known to split into attention heads.",
                expected="the input of an attention's output projection (layers.3.self_attn.o_proj@in)",
            )
        size = layer.width // layer.n_heads
        _in_range(target.heads, layer.n_heads, f"Head {{}} of layer '{layer.address}'")
        return tuple(unit for each in target.heads for unit in range(each * size, (each + 1) * size))
    if target.units is not None:
        _in_range(target.units, layer.width, f"Unit '{layer.address}:{{}}'")
    return target.units


def _in_range(numbers: Sequence[int], n: int, what: str) -> None:
    for number in numbers:
        if not 0 <= number < n:
            raise EditError(f"{what.format(number)} is out of range.", expected=f"0 to {n - 1}")


def narrowed(placed: Placed, columns: list[int], mine: list[int], size: int, side: int) -> Placed:
    """The part of a step that is on one direction of a recurrent layer, as the units of a step of time."""
    change = placed.step.change.part([columns.index(unit) for unit in mine], len(columns))
    tap = replace(placed.tap, batch_axis=0, site_axis=None)
    return replace(
        placed, tap=tap, columns=tuple(unit - side * size for unit in mine), step=replace(placed.step, change=change)
    )


def is_inside(part: nn.Module, placed: Placed) -> bool:
    """Whether a step acts on the states of a recurrent module as it runs, and not on what it gives."""
    plain = (
        placed.tap.address.side == "out" and placed.tap.address.element == 0 and not isinstance(placed.tap, BasisTap)
    )
    return isinstance(part, nn.RNNBase) and placed.step.recurrence and plain
