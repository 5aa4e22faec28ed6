"""Any `torch.nn.Module` that reads images as a model: channels on their feature grids.

Layers are found by probing, as for text: the module runs on two batch sizes and two picture sizes. An output
[B, U, rows, columns] that follows both is a layer on the grid `image:ROWSxCOLUMNS` of its size at the adapter's input;
one [B, U] is on the grid `item`. From two sizes follow the stride, and what a convolution leaves out, which is shared
by both ends: cell (i, j) stands for the pixels around its receptive field's centre. Where a module takes pictures of
one size only, cells share the input evenly.

A layer may be read on other cells than its own (`on_cells`): its values are then interpolated bilinearly between the
centres of its cells, and held constant beyond the outermost.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unitscope.errors import ModelError, UnknownLayerError, closest
from unitscope.models.adapters import ImageAdapter
from unitscope.models.address import Address, select
from unitscope.models.base import Captured, Layer, LongItems, Resampling
from unitscope.models.capture import read_layers
from unitscope.models.probe import Tap, Trace, trace
from unitscope.models.rows import Announced, announced
from unitscope.models.weights import digest, forked_devices, reset
from unitscope.pixels import pixels_of
from unitscope.sites import IMAGE, ITEM, Cells, Image, Item

if TYPE_CHECKING:
    from unitscope.edits import Edit
    from unitscope.models.editing import Editing

BLOCK, CONVOLUTION = "block output", "convolution"


@dataclass(frozen=True)
class _Place:
    """A layer, and how it is read."""

    tap: Tap
    layer: Layer
    cells: Cells | None


class ImageModel:
    """A module and its image adapter, as `unitscope.models.base.Model`. The module is put in eval mode."""

    def __init__(self, module: nn.Module, adapter: ImageAdapter, *, name: str = "module") -> None:
        self.module = module.eval()
        self.adapter = adapter
        self._name = name
        self._hashed: tuple[tuple[Any, ...], str] | None = None
        size = tuple(int(each) for each in adapter.size)
        if len(size) != 2 or min(size) < 1:
            raise ModelError(f"The adapter of '{name}' has size {adapter.size}.", expected="(height, width) in pixels")
        self.size = (size[0], size[1])

    @property
    def name(self) -> str:
        """Short name for tables and manifests."""
        return self._name

    @property
    def grids(self) -> tuple[str, ...]:
        """Grids of a corpus that the network reads."""
        return (IMAGE,)

    @property
    def device(self) -> torch.device:
        """Where the module is."""
        tensor = next(chain(self.module.parameters(), self.module.buffers()), None)
        return torch.device("cpu") if tensor is None else tensor.device

    @property
    def weight_hash(self) -> str:
        """SHA-256 of the state dict and of the input's size; kept until the weights change."""
        state = sorted(self.module.state_dict(keep_vars=True).items())
        key = tuple((name, t.data_ptr(), t._version) for name, t in state)
        if self._hashed is None or self._hashed[0] != key:
            self._hashed = (key, digest([*state, ("input size", torch.tensor(self.size))]))
        return self._hashed[1]

    def layers(self) -> list[Layer]:
        """All layers, in order of execution."""
        return [place.layer for place in self._places.values()]

    def resolve(self, patterns: Sequence[str]) -> list[Layer]:
        """Layers matched by addresses or globs; see `unitscope.models.base.Model.resolve`."""
        known = list(self._places)
        listed = [address for address in known if "@in" not in address]
        return [self._places[address].layer for address in select(patterns, known, listed, self.name)]

    def on_cells(self, layer: Layer, rows: int, columns: int) -> Layer:
        """The layer read on a grid of `rows` x `columns` that share the picture evenly; others stay as they are."""
        if not layer.cells or layer.pooled_from:
            return layer
        return replace(layer, grid=f"{IMAGE}:{rows}x{columns}", cells=str(Cells.even(rows, columns, *self.size)))

    def thinned(self, layer: Layer, most: int) -> Layer:
        """The layer read at every k-th row and column of its cells, with the least k that leaves at most `most` cells.

        A cell that is left keeps its value, and stands for the area of k x k cells around it.
        """
        if not layer.cells or layer.pooled_from:
            return layer
        own = Cells.parse(layer.cells)
        step = 1
        while -(-own.rows // step) * -(-own.columns // step) > most:
            step += 1
        if step == 1:
            return layer
        cells = every(own, step)
        size = layer.grid.partition(":")[2]
        return replace(layer, grid=f"{IMAGE}:{cells.rows}x{cells.columns}of{size}", cells=str(cells))

    @cached_property
    def _places(self) -> Mapping[str, _Place]:
        height, width = self.size
        base, batch = self._trace(2, height, width), self._trace(3, height, width)
        try:
            larger: Trace | None = self._trace(2, 2 * height, 2 * width)
        except ModelError:
            larger = None  # a network for pictures of one size
        found: dict[str, _Place] = {}
        names: dict[str, Cells] = {}
        events = []
        for (module, side, element), seen in base.seen.items():
            for one in seen:
                call = one.call if base.n_calls[module, side] > 1 else None
                address = Address(module, side, element, call)
                others = [_same(run, (module, side, element), one.call) for run in (batch, larger) if run is not None]
                if all(other is not None for other in others) and side == "out":
                    shapes = [other for other in others if other is not None]
                    place = self._place(address, one.shape, shapes[0], shapes[1] if larger else None, names)
                    if place is not None:
                        events.append((one.event, element, place))
        for order, (_, _, place) in enumerate(sorted(events, key=lambda each: each[:2])):
            tap, layer = replace(place.tap, order=order), replace(place.layer, order=order)
            found[layer.address] = _Place(tap, layer, place.cells)
        if not found:
            raise ModelError(
                f"{self.name} has no layer with channels.", expected="outputs [batch, units, rows, columns]"
            )
        return _with_roles(found, self.module)

    def _place(
        self,
        address: Address,
        shape: tuple[int, ...],
        in_batch: tuple[int, ...],
        larger: tuple[int, ...] | None,
        names: dict[str, Cells],
    ) -> _Place | None:
        if shape[:1] != (2,) or in_batch[:1] != (3,) or shape[1:] != in_batch[1:] or len(shape) not in (2, 4):
            return None
        if len(shape) == 4 and shape[2:] != (1, 1):
            if larger is not None and (len(larger) != 4 or larger[1] != shape[1]):
                return None
            cells = self._cells(shape[2], shape[3], larger[2:] if larger else None)
            grid = _named(cells, names)
            tap = Tap(address, grid, shape[1], 0, 2)
            return _Place(tap, Layer(str(address), shape[1], grid, cells=str(cells)), cells)
        width = prod(shape[1:])
        return _Place(Tap(address, ITEM, width, 0, 1), Layer(str(address), width, ITEM), None)

    def _cells(self, rows: int, columns: int, larger: tuple[int, ...] | None) -> Cells:
        height, width = self.size
        if larger is None or min(larger[0] - rows, larger[1] - columns) < 1:
            return Cells.even(rows, columns, height, width)
        tall, wide = round(height / (larger[0] - rows)), round(width / (larger[1] - columns))
        if min(tall, wide) < 1:
            return Cells.even(rows, columns, height, width)
        top, left = (height - tall * rows) / 2, (width - wide * columns) / 2
        return Cells(rows, columns, float(tall), float(wide), top, left, height, width)

    def _trace(self, n_rows: int, height: int, width: int) -> Trace:
        pixels = np.full((n_rows, 3, height, width), 0.5, np.float32)
        try:
            return trace(self.module, self._arguments(pixels), {}, n_rows, {IMAGE: height})
        except Exception as error:  # whatever a foreign module raises, the user should hear which module it was
            raise ModelError(
                f"{self.name} does not run on pictures of {height} x {width}: {type(error).__name__}: {error}",
                fix="Check the size of its adapter.",
            ) from error

    def _arguments(self, pixels: NDArray[np.float32]) -> tuple[Any, ...]:
        found = self.adapter.encode_images(pixels)
        return tuple(each.to(self.device) if isinstance(each, torch.Tensor) else each for each in found)

    def run(
        self,
        items: Sequence[Item],
        layers: Sequence[Layer],
        *,
        resample: Resampling = "last",
        batch_size: int = 32,
        long_items: LongItems = "window",
        also: Mapping[Resampling, Mapping[str, NDArray[np.int64]]] | None = None,
        only: Mapping[str, tuple[int, int]] | None = None,
    ) -> Captured:
        """Activations of images at layers; see `unitscope.models.base.Model.run`. Every cell is a valid site.

        Pictures have no positions to resample, so `resample`, `long_items` and `also` change nothing.
        """
        places = [self._known(layer) for layer in layers]
        n_cells = [1 if layer.grid == ITEM else _n_cells(layer) for layer in layers]
        values = {
            layer.address: torch.empty(len(items) * n, layer.width) for layer, n in zip(layers, n_cells, strict=True)
        }
        steps = {place.tap.grid: 1 for place in places}
        by_tap = {place.tap: (place, layer, n) for place, layer, n in zip(places, layers, n_cells, strict=True)}

        for start in range(0, len(items), batch_size):
            batch = items[start : start + batch_size]

            def sink(tap: Tap, tensor: torch.Tensor, start: int = start, n_items: int = len(batch)) -> None:
                place, layer, n = by_tap[tap]
                rows = values[layer.address][start * n : (start + n_items) * n]
                _store(tensor.movedim(1, tap.site_axis or 1), place, layer, rows.view(n_items, n, layer.width))

            pixels = np.stack([self._pixels(item) for item in batch])
            try:
                with announced(Announced(tuple(batch), {}, max((tap.order for tap in by_tap), default=-1))):
                    read_layers(self.module, self._arguments(pixels), {}, list(by_tap), sink, steps)
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                raise ModelError(
                    f"{self.name} failed on item '{batch[0].id}' and {len(batch) - 1} more: "
                    f"{type(error).__name__}: {error}",
                    fix="Use a smaller batch where memory ran out.",
                ) from error
        values |= {address: values[address][:, start:stop] for address, (start, stop) in (only or {}).items()}
        valid = {layer.grid: np.ones(len(items) * n, np.bool_) for layer, n in zip(layers, n_cells, strict=True)}
        return Captured(values, valid, {})

    def fed(self, items: Sequence[Item], copies: int = 1) -> tuple[tuple[Any, ...], dict[str, Any], Announced]:
        """Arguments of the module for pictures as one batch, `copies` times after each other, and what the rows are."""
        pixels = np.stack([self._pixels(item) for item in items])
        return self._arguments(np.concatenate([pixels] * copies)), {}, Announced(tuple(items), {})

    def edited(self, edit: Edit, *, items: Sequence[Item] | None = None) -> Editing:
        """The model under an edit, as a context manager and a function; see `unitscope.models.editing`."""
        from unitscope.models.editing import edited_model

        return edited_model(self, edit, items=items)

    def tap(self, address: str) -> Tap:
        """How a layer is read. Raises UnknownLayerError for a layer of another model."""
        place = self._places.get(address)
        if place is None:
            raise UnknownLayerError(f"Layer '{address}' not in {self.name}.", fix=closest(address, self._places))
        return place.tap

    def arguments(self, items: Sequence[Item]) -> tuple[Any, ...]:
        """What the module is called with for a batch of pictures, on its device."""
        return self._arguments(np.stack([self._pixels(item) for item in items]))

    def _known(self, layer: Layer) -> _Place:
        place = self._places.get(layer.address)
        if place is None:
            raise UnknownLayerError(
                f"Layer '{layer.address}' not in {self.name}.", fix=closest(layer.address, self._places)
            )
        return place

    def _pixels(self, item: Item) -> NDArray[np.float32]:
        if IMAGE not in item.grids:
            raise ModelError(f"Item '{item.id}' has no image, which {self.name} reads.", expected="a folder of images")
        return scaled_pixels(item.grids[IMAGE], self.size)

    def normalise(self, words: Sequence[str]) -> list[str]:
        """Images have no words; what is given comes back."""
        return list(words)

    def n_subwords(self, words: Sequence[str]) -> list[int]:
        """Images have no words: 1 each."""
        return [1] * len(words)

    def untrained(self, seed: int) -> ImageModel:
        """A copy with fresh weights; see `unitscope.models.weights.reset`."""
        module = copy.deepcopy(self.module)
        with torch.random.fork_rng(devices=forked_devices(self.device)):
            torch.manual_seed(seed)
            reset(module)
        return ImageModel(module, self.adapter, name=f"{self.name} (untrained {seed})")


def scaled_pixels(image: Image, size: tuple[int, int]) -> NDArray[np.float32]:
    """Pixels of a picture scaled to (height, width) by Pillow's bilinear filter, [3, height, width] in [0, 1]."""
    import PIL.Image

    pixels = pixels_of(image.path)
    if pixels.shape[:2] != size:
        picture = PIL.Image.fromarray(pixels).resize((size[1], size[0]), PIL.Image.Resampling.BILINEAR)
        pixels = np.asarray(picture, np.uint8)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float32) / np.float32(255)


def _n_cells(layer: Layer) -> int:
    cells = Cells.parse(layer.cells)
    return cells.rows * cells.columns


def _store(tensor: torch.Tensor, place: _Place, layer: Layer, rows: torch.Tensor) -> None:
    """Values of a batch [B, U, h, w] (or [B, U]) into rows [B, sites, U], on the layer's cells."""
    if place.cells is None:
        rows.copy_(tensor.reshape(len(rows), 1, -1))
        return
    wanted = Cells.parse(layer.cells)
    if wanted != place.cells:
        tensor = interpolated(tensor, place.cells, wanted)
    rows.copy_(tensor.flatten(2).transpose(1, 2))


def every(own: Cells, step: int) -> Cells:
    """Cells of `step` x `step` of others each, around every step-th of them; what is left over is shared by both ends.

    >>> str(every(Cells.parse("55x55 cells of 4x4 from 2,2 in 224x224"), 3))
    '19x19 cells of 12x12 from -2,-2 in 224x224'
    """

    def axis(n: int, size: float, start: float) -> tuple[int, float, float]:
        first = (n - 1) % step // 2
        return -(-(n - first) // step), size * step, start + size * (first + 0.5) - size * step / 2

    (rows, tall, top), (columns, wide, left) = axis(own.rows, own.tall, own.top), axis(own.columns, own.wide, own.left)
    return Cells(rows, columns, tall, wide, top, left, own.height, own.width)


def interpolated(values: torch.Tensor, own: Cells, wanted: Cells) -> torch.Tensor:
    """Values [B, U, rows, columns] on `own` cells, bilinear at the centres of `wanted` ones of the same input."""

    def weights(n: int, size: float, start: float, n_own: int, own_size: float, own_start: float) -> torch.Tensor:
        centre = (start + size * (np.arange(n) + 0.5) - own_start) / own_size - 0.5
        at = np.clip(centre, 0, n_own - 1)
        low = np.minimum(at.astype(int), max(n_own - 2, 0))
        found = np.zeros((n, n_own), np.float32)
        found[np.arange(n), np.minimum(low + 1, n_own - 1)] = at - low
        found[np.arange(n), low] += 1 - (at - low)
        return torch.from_numpy(found).to(values.device)

    step = round(wanted.tall / own.tall)
    if step > 1 and wanted == every(own, step):
        first = [(n - 1) % step // 2 for n in (own.rows, own.columns)]
        return values[:, :, first[0] :: step, first[1] :: step]
    down = weights(wanted.rows, wanted.tall, wanted.top, own.rows, own.tall, own.top)
    across = weights(wanted.columns, wanted.wide, wanted.left, own.columns, own.wide, own.left)
    return down @ (values.to(torch.float32) @ across.T)


def _same(run: Trace, key: tuple[str, Any, int], call: int) -> tuple[int, ...] | None:
    return next((one.shape for one in run.seen.get(key, ()) if one.call == call), None)


def _named(cells: Cells, names: dict[str, Cells]) -> str:
    """The grid's name: its size, and a running letter where layers of one size lie differently on the input."""
    name = f"{IMAGE}:{cells.rows}x{cells.columns}"
    for suffix in ("", *"bcdefghijklmnopqrstuvwxyz"):
        if names.setdefault(name + suffix, cells) == cells:
            return f"{name}{suffix}"
    raise ModelError(f"Too many layers of {cells.rows} x {cells.columns} cells lie differently on the input.")


def _with_roles(found: Mapping[str, _Place], module: nn.Module) -> dict[str, _Place]:
    """Roles by what a module is: a composite one that is no mere sequence is a block; a convolution is one."""
    parts = dict(module.named_modules())
    roles = {}
    for address, place in found.items():
        part = parts[place.tap.address.module]
        plain = isinstance(part, (nn.Sequential, nn.ModuleList))
        block = place.cells is not None and not plain and any(True for _ in part.children())
        role = BLOCK if block else CONVOLUTION if isinstance(part, nn.Conv2d) and place.cells is not None else ""
        roles[address] = replace(place, layer=replace(place.layer, role=role))
    return roles
