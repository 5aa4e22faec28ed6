"""Discovery of layers: run a module on dummy inputs of two batch sizes and two lengths, and look at the shapes.

The axis that follows the batch size is the batch, the one that follows the length of the source (or target) text is
the site axis, what stays constant are units. So LSTMs, batch-second outputs, channels-first convolutions with a
stride, and cells called once a time step are found without knowing any architecture by name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from unitscope.models.address import Address, Side

if TYPE_CHECKING:
    from unitscope.models.base import Resampling
    from unitscope.models.resample import Gather

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tap:
    """How to read a layer from a tensor that a module takes or gives.

    `batch_axis` and `site_axis` are axes of the tensor, all others are units (flattened, `width` in all);
    `site_axis` is None where the module's calls are the time axis, and equals `batch_axis` where both are one axis
    (rows after each other). Position j of the layer stands for the network's input positions
    [j * stride + offset, (j + 1) * stride + offset) of `grid`. `order` ranks taps by execution.
    """

    address: Address
    grid: str
    width: int
    batch_axis: int
    site_axis: int | None
    stride: int = 1
    offset: int = 0
    order: int = 0

    @property
    def is_direct(self) -> bool:
        """Whether layer positions are input positions."""
        return self.stride == 1 and self.offset == 0

    def canonical(self, tensor: torch.Tensor, n_positions: int) -> torch.Tensor:
        """View with axes (batch, site, units...); `n_positions` is the length of the batch's rows."""
        if self.site_axis is None:
            return tensor.movedim(self.batch_axis, 0).unsqueeze(1)
        if self.site_axis == self.batch_axis:
            rows = tensor.movedim(self.batch_axis, 0)
            return rows.reshape(-1, n_positions, *rows.shape[1:])
        return tensor.movedim((self.batch_axis, self.site_axis), (0, 1))

    def rows(
        self,
        tensor: torch.Tensor,
        gather: Gather,
        how: Resampling,
        columns: torch.Tensor | None,
        part: tuple[int, int] | None,
    ) -> torch.Tensor:
        """One row a word from the canonical view: of chosen units, of a range of them, or of all."""
        rows = gather.reduce(tensor, how, columns)
        return rows if part is None or columns is not None else rows[:, slice(*part)]


@dataclass(frozen=True)
class Seen:
    """A tensor that passed a module: at which event of the run, in which call of the module, of what shape."""

    event: int
    call: int
    shape: Shape


@dataclass(frozen=True)
class Trace:
    """Tensors that passed each module in one run, by (module, side, element), and calls by (module, side).

    `n_batch` rows were run; `lengths` are the rows' lengths by grid.
    """

    seen: Mapping[tuple[str, Side, int], Sequence[Seen]]
    n_calls: Mapping[tuple[str, Side], int]
    n_batch: int
    lengths: Mapping[str, int]


def elements(value: Any) -> Iterator[tuple[int, torch.Tensor]]:
    """Floating tensors in what a module gives (a tensor, tuple, list, mapping or packed sequence), by place."""
    if isinstance(value, PackedSequence):
        value = pad_packed_sequence(value, batch_first=True)[0]
    if isinstance(value, torch.Tensor):
        parts: Sequence[Any] = (value,)
    elif isinstance(value, Mapping):
        parts = tuple(value.values())
    elif isinstance(value, (tuple, list)):
        parts = value
    else:
        parts = ()
    for place, part in enumerate(parts):
        unpacked = pad_packed_sequence(part, batch_first=True)[0] if isinstance(part, PackedSequence) else part
        if isinstance(unpacked, torch.Tensor) and unpacked.is_floating_point():
            yield place, unpacked


def given(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a module was called with, positional arguments first."""
    return (*args, *kwargs.values())


def trace(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], n_batch: int, lengths: Mapping[str, int]
) -> Trace:
    """Run the module once and note every shape that passes its submodules. Hooks are removed, also after errors."""
    seen: dict[tuple[str, Side, int], list[Seen]] = defaultdict(list)
    n_calls: dict[tuple[str, Side], int] = defaultdict(int)
    clock = iter(range(1 << 62))
    handles = []

    def note(name: str, side: Side, value: Any) -> None:
        event = next(clock)
        for place, tensor in elements(value):
            seen[name, side, place].append(Seen(event, n_calls[name, side], tuple(tensor.shape)))
        n_calls[name, side] += 1

    def listen(name: str, part: nn.Module) -> None:
        def before(_: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            note(name, "in", given(inputs, named))

        def after(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            note(name, "out", output)

        handles.append(part.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(part.register_forward_hook(after))

    try:
        for name, part in module.named_modules():
            if name:
                listen(name, part)
        with torch.inference_mode():
            module(*args, **kwargs)
    finally:
        for handle in handles:
            handle.remove()
    return Trace(dict(seen), dict(n_calls), n_batch, lengths)


def infer(base: Trace, batch: Trace, by_grid: Mapping[str, Trace]) -> dict[str, Tap]:
    """Layers by address, in order of execution.

    `batch` differs from `base` in the number of rows only, `by_grid[grid]` in the length of that grid's rows only.
    """
    found: list[tuple[int, Tap]] = []
    for (module, side, element), seen in base.seen.items():
        key = (module, side, element)
        others = [batch.seen.get(key, ()), *(run.seen.get(key, ()) for run in by_grid.values())]
        if all(len(other) == len(seen) for other in others):
            for index, one in enumerate(seen):
                address = Address(module, side, element, one.call if base.n_calls[module, side] > 1 else None)
                shapes = {grid: run.seen[key][index].shape for grid, run in by_grid.items()}
                tap = _from_axes(address, one.shape, batch.seen[key][index].shape, shapes, base, by_grid)
                if tap is not None:
                    found.append((one.event, tap))
        else:
            tap = _from_calls(Address(module, side, element), base, batch, by_grid)
            if tap is not None:
                found.append((seen[0].event, tap))
    # The position of an element within one event keeps the order total.
    found.sort(key=lambda pair: (pair[0], pair[1].address.element))
    return {str(tap.address): replace(tap, order=rank) for rank, (_, tap) in enumerate(found)}


def settle(taps: Mapping[str, Tap], runs: Mapping[str, Sequence[Trace]]) -> dict[str, Tap]:
    """The same layers with the offsets of strided ones made exact.

    Two lengths cannot tell what a convolution leaves out at both ends from a remainder that is cut at the end; over
    `runs[grid]`, whose lengths leave all remainders by the stride, the least surplus is what it leaves out.
    """
    return {at: _settled(tap, runs[tap.grid]) if tap.stride > 1 else tap for at, tap in taps.items()}


def _settled(tap: Tap, runs: Sequence[Trace]) -> Tap:
    key = (tap.address.module, tap.address.side, tap.address.element)
    surplus = []
    for run in runs:
        for one in run.seen.get(key, ()):
            if tap.address.call in (None, one.call) and tap.site_axis is not None and len(one.shape) > tap.site_axis:
                surplus.append(run.lengths[tap.grid] - tap.stride * one.shape[tap.site_axis])
    return replace(tap, offset=max(0, min(surplus)) // 2) if surplus else tap


def _from_axes(
    address: Address,
    shape: Shape,
    in_batch: Shape,
    in_grids: Mapping[str, Shape],
    base: Trace,
    by_grid: Mapping[str, Trace],
) -> Tap | None:
    if any(len(other) != len(shape) for other in (in_batch, *in_grids.values())):
        return None
    batch_axes = _changed(shape, in_batch)
    site_axes = [(grid, axis) for grid, other in in_grids.items() for axis in _changed(shape, other)]
    if len(batch_axes) != 1 or len(site_axes) != 1:
        return None
    batch_axis, (grid, site_axis) = batch_axes[0], site_axes[0]
    if len(shape) <= len({batch_axis, site_axis}):
        return None
    lengths = (base.lengths[grid], by_grid[grid].lengths[grid])
    cover: tuple[int, int] | None = (1, 0)
    if batch_axis != site_axis:
        cover = _cover(lengths, (shape[site_axis], in_grids[grid][site_axis]))
        rows = base.n_batch
    else:
        rows = base.n_batch * lengths[0]
        if in_grids[grid][site_axis] != base.n_batch * lengths[1]:
            return None
    if cover is None or shape[batch_axis] != rows:
        return None
    width = prod(size for axis, size in enumerate(shape) if axis not in (batch_axis, site_axis))
    return Tap(address, grid, width, batch_axis, site_axis, *cover)


def _from_calls(address: Address, base: Trace, batch: Trace, by_grid: Mapping[str, Trace]) -> Tap | None:
    """A module called once a position: its calls are the site axis, in the order of the text."""
    key = (address.module, address.side, address.element)
    seen = base.seen[key]
    grids = [grid for grid, run in by_grid.items() if len(run.seen.get(key, ())) != len(seen)]
    if len(grids) != 1 or len(batch.seen.get(key, ())) != len(seen):
        return None
    grid = grids[0]
    longer = by_grid[grid].seen.get(key, ())
    if len(seen) != base.lengths[grid] or len(longer) != by_grid[grid].lengths[grid]:
        return None
    shape, in_batch = seen[0].shape, batch.seen[key][0].shape
    if len(shape) < 2 or len(in_batch) != len(shape) or longer[0].shape != shape:
        return None
    batch_axes = _changed(shape, in_batch)
    if len(batch_axes) != 1 or shape[batch_axes[0]] != base.n_batch:
        return None
    width = prod(size for axis, size in enumerate(shape) if axis != batch_axes[0])
    return Tap(address, grid, width, batch_axes[0], None)


def _changed(shape: Shape, other: Shape) -> list[int]:
    return [axis for axis, (a, b) in enumerate(zip(shape, other)) if a != b]


def _cover(inputs: tuple[int, int], outputs: tuple[int, int]) -> tuple[int, int] | None:
    """Stride and offset of a layer's positions on the input's, from two lengths of each; None where no stride fits.

    A layer that pads its input to some multiple, for instance, has no stride: which of its positions are padding
    cannot be told from shapes. Strides that the two lengths cannot tell apart (above 10, at the lengths that
    `TorchModel` probes with) are not guessed either.

    >>> _cover((17, 48), (17, 48)), _cover((17, 48), (13, 44)), _cover((17, 48), (8, 24)), _cover((17, 48), (20, 48))
    ((1, 0), (1, 2), (2, 0), None)
    """
    longer, more = inputs[1] - inputs[0], outputs[1] - outputs[0]
    # Positions are cut off at the end, fewer than one stride of them.
    strides = [stride for stride in range(1, longer + 1) if abs(longer - stride * more) < stride]
    if len(strides) != 1:
        return None
    stride = strides[0]
    # What a convolution without padding leaves out is shared by both ends; a remainder is cut at the end: see `settle`.
    surplus = min(length - stride * n for length, n in zip(inputs, outputs))
    return stride, surplus // 2 if stride == 1 else max(0, surplus) // 2
