"""One layer's tensor under edits: from the tensor that a module takes or gives to the one that takes its place.

A batch may hold several copies of its rows after each other, each with an edit of its own; masks are made once for the
rows and serve all copies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.changes import Swap, mixed
from unitscope.edits import Step
from unitscope.errors import EditError
from unitscope.masks import Mask
from unitscope.models.base import Layer
from unitscope.models.probe import Tap
from unitscope.models.rows import Known
from unitscope.models.tiled import Delta, Tiled
from unitscope.models.units import BasisTap
from unitscope.sites import IMAGE, ITEM, Item, kind_of

MOST = 1 / 16
"""Edits of a larger share of a layer's units are no low-rank updates."""
Donors = Callable[[Swap, Layer, Tap, int, Known], torch.Tensor | None]
"""Values [T, U] of the donor of a row at a layer."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A step at a layer of a model, for the copy `copy` of the rows. `columns` are its units, None for all."""

    step: Step
    layer: Layer
    tap: Tap
    columns: tuple[int, ...] | None
    copy: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether it must see all units of the layer at once."""
        return self.columns is None or isinstance(self.tap, BasisTap)


@dataclass(eq=False)
class Masks:
    """Masks of one batch as tensors, by what they depend on; None where a mask holds everywhere."""

    known: Known
    _made: dict[Any, tuple[Mask, torch.Tensor | None]] = field(default_factory=dict)

    def at(self, placed: Placed, n_outputs: int, device: torch.device) -> torch.Tensor | None:
        """Boolean [B, T], or None for everywhere."""
        tap, mask = placed.tap, placed.step.where
        key = (id(mask), tap.grid, tap.stride, tap.offset, n_outputs, device)
        if key not in self._made:
            rows = self.known.rows(tap, n_outputs)
            found = np.stack([mask.at(row) for row in rows]) if rows else np.zeros((0, n_outputs), np.bool_)
            tensor = None if found.all() else torch.from_numpy(found).to(device)
            self._made[key] = (mask, tensor)  # the mask is kept, so that no other can get its id
        return self._made[key][1]


@dataclass(frozen=True, eq=False)
class Place:
    """`changes.Around` of one step: rows and positions, and the rows' donors."""

    known: Known
    placed: Placed
    positions: NDArray[np.int64]
    donors: Donors
    like: torch.Tensor

    def keys(self) -> NDArray[np.uint64]:
        """A number for each row and position [B, T], whatever the batch."""
        from zlib import crc32

        n = self.known.n_rows
        items = [self.known.item(row) for row in range(n)]
        names = [row if item is None else crc32(item.id.encode()) for row, item in enumerate(items)]
        rows = mixed(np.array(names, np.uint64))
        return np.asarray(mixed(rows[:, None] + mixed(self.positions.astype(np.uint64))), np.uint64)

    def items(self) -> list[Item]:
        """Each row's item. Raises EditError where they are not known."""
        found = [self.known.item(row) for row in range(self.known.n_rows)]
        if any(item is None for item in found):
            raise EditError(
                "An edit of other units in every item needs the items of the rows.",
                fix="Use model.run, or model.edited(edit, items=items).",
            )
        return [item for item in found if item is not None]

    def donated(self, change: Swap) -> tuple[torch.Tensor, torch.Tensor]:
        """Values [B, T, U] of donors, and where there are such [B, T]."""
        like = self.like
        values, has = torch.zeros_like(like), torch.zeros(like.shape[:2], dtype=torch.bool, device=like.device)
        for row in range(self.known.n_rows):
            found = self.donors(change, self.placed.layer, self.placed.tap, row, self.known)
            if found is None:
                continue
            columns = self.placed.columns
            mine = found if columns is None else found[:, list(columns)]
            kept = self.positions[self.positions < len(mine)]
            values[row, : len(kept)] = mine[kept].to(like.device, like.dtype)
            has[row, : len(kept)] = True
        return values, has


def sites_view(tensor: torch.Tensor, tap: Tap, n_positions: int) -> torch.Tensor:
    """View with axes (batch, site, units...), cells of pictures in reading order."""
    if tap.grid == ITEM:
        return tensor.flatten(1).unsqueeze(1)
    if kind_of(tap.grid) == IMAGE:
        return tensor.flatten(2).transpose(1, 2)
    return tap.canonical(tensor, n_positions)


def edited(tensor: torch.Tensor, steps: Sequence[Placed], masks: Masks, donors: Donors, call: int) -> torch.Tensor:
    """A new tensor with the steps done in order. `call` counts calls of the module, where those are its time axis."""
    n_rows = masks.known.n_rows
    if isinstance(tensor, Tiled):
        shell = _as_deltas(tensor, steps, masks, donors)
        if shell is not None:
            return shell
        new, tensor.full = tensor.whole().contiguous(), None  # nobody else's: a shell can make another
    else:
        new = tensor.clone(memory_format=torch.contiguous_format)
    for placed in steps:
        tap = placed.tap
        view = sites_view(new, tap, masks.known.length(tap.grid) or 1)
        rows = view[placed.copy * n_rows : (placed.copy + 1) * n_rows]
        block = rows.flatten(2)  # a copy where units lie on several axes
        step_wise = tap.site_axis is None
        _step(block, placed, masks, donors, call if step_wise else None)
        if not _shares(block, rows):
            rows.copy_(block.reshape(rows.shape))
    return new


def _as_deltas(shell: Tiled, steps: Sequence[Placed], masks: Masks, donors: Donors) -> Tiled | None:
    """The shell with a few units changed in each copy; None where copies must be changed as a whole."""
    tap, base = steps[0].tap, shell.base
    picture = kind_of(tap.grid) == IMAGE
    plain = tap.batch_axis == 0 and (tap.grid == ITEM or picture or tap.site_axis == 1)
    if (
        shell.copies < 2
        or shell.axis
        or shell.deltas
        or not plain
        or base.dim() != (4 if picture else 2 + (tap.grid != ITEM))
    ):
        return None
    if len({placed.copy for placed in steps}) < len(steps) or any(
        placed.columns is None or placed.is_whole or len(placed.columns) > MOST * placed.layer.width for placed in steps
    ):
        return None
    block = sites_view(base, tap, masks.known.length(tap.grid) or 1)
    deltas: list[Delta | None] = [None] * shell.copies
    for placed in steps:
        assert placed.columns is not None
        values = _taken(block, placed)
        change = changed(values, block, placed, masks, donors) - values
        if picture:
            change = change.transpose(1, 2).reshape(len(base), -1, *base.shape[2:])
        elif tap.grid == ITEM:
            change = change[:, 0]
        deltas[placed.copy] = Delta(placed.columns, change)
    return Tiled.of(base, 0, shell.copies, shell.memo, deltas, 1 if picture else -1)


def _shares(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.numel() == 0 or one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def _step(block: torch.Tensor, placed: Placed, masks: Masks, donors: Donors, call: int | None) -> None:
    """Change values [B, T, U] in place."""
    values = _taken(block, placed)
    new = changed(values, block, placed, masks, donors, call)
    if placed.is_whole:
        block.copy_(new)
        return
    assert placed.columns is not None
    if len(placed.columns) == 1:
        block[..., placed.columns[0]] = new[..., 0]
    else:
        block[..., list(placed.columns)] = new


def changed(
    values: torch.Tensor, block: torch.Tensor, placed: Placed, masks: Masks, donors: Donors, call: int | None = None
) -> torch.Tensor:
    """New values [B, T, U'] of what `_taken` gave; the layer's own values for the units of a basis."""
    tap = placed.tap
    first = masks.known.first(tap.grid)
    n_outputs = block.shape[1] if call is None else max(masks.known.length(tap.grid), call + 1)
    positions = first + (np.arange(block.shape[1]) if call is None else np.array([call]))
    around = Place(masks.known, placed, positions, donors, values)
    new = placed.step.change.apply(values, around)
    if isinstance(tap, BasisTap):
        new = _through_basis(block, values, new, placed, tap)
        values = block
    mask = masks.at(placed, n_outputs, block.device)
    if mask is not None:
        mask = mask if call is None else mask[:, call : call + 1]
        new = torch.where(mask[..., None], new.to(values.dtype), values)
    return new.to(block.dtype)


def _taken(block: torch.Tensor, placed: Placed) -> torch.Tensor:
    if isinstance(placed.tap, BasisTap):
        assert placed.tap.basis is not None
        units = None if placed.columns is None else torch.tensor(placed.columns)
        return placed.tap.basis.encode(block, units)
    if placed.columns is None:
        return block.clone()
    if len(placed.columns) == 1:
        return block[..., placed.columns[0] : placed.columns[0] + 1].clone()
    return block[..., list(placed.columns)]


def _through_basis(
    block: torch.Tensor, values: torch.Tensor, new: torch.Tensor, placed: Placed, tap: BasisTap
) -> torch.Tensor:
    """The layer's values [B, T, D] with some units of the basis changed and the reconstruction error kept."""
    assert tap.basis is not None
    if placed.columns is None:
        return tap.basis.replace(block, new)
    units = tap.basis.encode(block).clone()
    units[..., list(placed.columns)] = new.to(units.dtype)
    return tap.basis.replace(block, units)
