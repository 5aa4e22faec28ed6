"""Items as batches that a network takes, for passes that need its gradients: which positions are real, which words.

A text longer than the network takes is cut, not read in windows: an output belongs to one pass. Rows of a batch have
about one length; padding is known and left out of every sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.errors import AttributionError
from unitscope.models.base import Layer, Model
from unitscope.models.images import ImageModel
from unitscope.models.mass import MassTap
from unitscope.models.passes import Pass
from unitscope.models.probe import Tap
from unitscope.models.resample import covered, places
from unitscope.models.rows import Announced
from unitscope.models.torch import TorchModel
from unitscope.models.units import BasisTap
from unitscope.sites import IMAGE, Item

Ints = NDArray[np.int64]
Network = TorchModel | ImageModel
Again = Callable[[Sequence[Item], int], tuple[Any, dict[str, Any], Announced]]
"""As `model.fed`: arguments for so many copies of items, and what the rows are."""


@dataclass(frozen=True)
class Place:
    """A layer and how it is read and replaced. Tensors of a layer come as a list: one a call, where calls are time.

    A layer of a basis comes as its units, [B, T, U].
    """

    tap: Tap
    layer: Layer
    is_image: bool = False

    @property
    def address(self) -> str:
        """The layer's address."""
        return self.layer.address

    def positions(self, tensors: Sequence[torch.Tensor], n_steps: Mapping[str, int]) -> torch.Tensor:
        """Values [B, T, U] of a layer's positions; cells of a picture in reading order; T = 1 for whole items."""
        if self.is_image:
            tensor = tensors[0]
            spatial = tensor.dim() == 4
            return tensor.flatten(2).transpose(1, 2) if spatial else tensor.flatten(1).unsqueeze(1)
        n, is_basis = n_steps[self.tap.grid], isinstance(self.tap, BasisTap)
        parts = [tensor if is_basis else self.tap.canonical(tensor, n).flatten(2) for tensor in tensors]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


@dataclass(frozen=True)
class Fed:
    """One batch of B rows.

    `rows` [B] are the items' indices; `args` and `kwargs` what the module is called with; `n_steps` the padded length
    of each text grid; `items` are the rows' items, of which `again` makes such arguments; `real[grid]` [B, T] where a
    position is no padding; `spans[grid]` [B, T, 2] characters of positions, (0, 0) for special ones; `words[grid]` the
    spans of each row's words.
    """

    rows: Ints
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    n_steps: Mapping[str, int]
    items: tuple[Item, ...] = ()
    again: Again | None = field(default=None, repr=False, compare=False)
    real: Mapping[str, torch.Tensor] = field(default_factory=dict)
    spans: Mapping[str, Ints] = field(default_factory=dict)
    words: Mapping[str, Sequence[Ints]] = field(default_factory=dict)

    def real_of(self, place: Place, n_positions: int) -> torch.Tensor | None:
        """Where a layer's positions [B, n_positions] are no padding; None where there is none."""
        if place.is_image:
            return None
        real = self.real[place.tap.grid]
        if place.tap.is_direct:
            return real[:, :n_positions]
        found = torch.zeros(len(real), n_positions, dtype=torch.bool, device=real.device)
        for at in range(n_positions):
            low = max(0, at * place.tap.stride + place.tap.offset)
            found[:, at] = real[:, low : low + place.tap.stride].any(dim=1)
        return found

    def word_places(self, place: Place, n_positions: int) -> WordPlaces:
        """Which positions of a layer make up which words."""
        if place.is_image:
            row = np.repeat(np.arange(len(self.rows)), n_positions)
            at = np.tile(np.arange(n_positions), len(self.rows))
            return WordPlaces(row, at, at, np.ones(len(row)))
        grid = place.tap.grid
        spans = covered(self.spans[grid], place.tap, n_positions)
        keep = [np.arange(len(words)) for words in self.words[grid]]
        where, present = places(spans, self.words[grid], keep)
        start = np.concatenate([[0], np.cumsum([len(words) for words in self.words[grid]])])
        word = present[where.words] - start[where.rows]
        n = Counter(zip(where.rows.tolist(), where.positions.tolist(), strict=True))
        share = np.array([1 / n[key] for key in zip(where.rows.tolist(), where.positions.tolist(), strict=True)])
        return WordPlaces(where.rows, where.positions, word, share)


@dataclass(frozen=True)
class WordPlaces:
    """Entries: position `position` of row `row` is part of word `word`; a position of several words is shared out."""

    row: Ints
    position: Ints
    word: Ints
    share: NDArray[np.float64]


def network(model: Model) -> Network:
    """The model as one whose module can be reached. Raises AttributionError for other backends."""
    if not isinstance(model, (TorchModel, ImageModel)):
        raise AttributionError(
            f"{model.name} is a {type(model).__name__}, whose gradients cannot be reached.",
            expected="a model of unitscope.load_model",
        )
    return model


def place_of(model: Network, layer: Layer) -> Place:
    """How a layer is reached. Raises AttributionError for layers that are computed beside the network."""
    if layer.pooled_from:
        raise AttributionError(f"'{layer.address}' is pooled over sites.", fix=f"Ask for '{layer.address[:-5]}'.")
    if isinstance(model, ImageModel):
        return Place(model.tap(layer.address), layer, is_image=True)
    tap = model.tap(layer.address)
    if isinstance(tap, MassTap):
        raise AttributionError(
            f"'{layer.address}' is computed beside the network; no gradient passes through it.",
            expected="a layer of the network itself",
        )
    return Place(tap, layer)


def layers_of(model: Network, patterns: Sequence[str]) -> list[Place]:
    """Places of the layers that patterns mean, in order of execution."""
    return [place_of(model, layer) for layer in model.resolve(patterns)]


def checked_units(units: Sequence[int] | None, place: Place) -> NDArray[np.int64]:
    """Units of a layer as indices. Raises AttributionError for one that is not there."""
    width = place.layer.width
    chosen = np.arange(width) if units is None else np.asarray(list(units), np.int64)
    bad = chosen[(chosen < 0) | (chosen >= width)]
    if len(bad) or not len(chosen):
        what = f"unit {int(bad[0])}" if len(bad) else "no unit"
        raise AttributionError(f"Got {what} of '{place.address}'.", expected=f"a unit from 0 to {width - 1}")
    return chosen


def batches(model: Network, items: Sequence[Item], batch_size: int, counts: Counter[str]) -> Iterator[Fed]:
    """Batches of items; `counts` is told how many texts were cut."""
    if isinstance(model, ImageModel):
        yield from _of_images(model, items, batch_size)
        return
    layers = model.layers()
    narrow = [min((each for each in layers if each.grid == g), key=lambda each: each.width) for g in model.grids]
    job = Pass(model, items, [model.tap(layer.address) for layer in narrow], "last", {}, {})
    for batch in job.batches(batch_size, "truncate"):
        rows = {grid: [piece.parts[grid].row for piece in batch] for grid in job.read}
        fed = model.feed.collate(rows)
        args, kwargs = model.moved(fed)
        n_steps = {grid: spans.shape[1] for grid, spans in fed.spans.items()}
        lengths = {grid: torch.tensor([row.n_positions for row in rows[grid]]) for grid in job.read}
        real = {
            grid: (torch.arange(n_steps[grid])[None] < lengths[grid][:, None]).to(model.device) for grid in job.read
        }
        words = {grid: [job.words[grid][piece.item] for piece in batch] for grid in job.read}
        own = tuple(items[piece.item] for piece in batch)
        again = _Cut(model, {id(item): at for at, item in enumerate(own)}, rows)
        index = np.array([piece.item for piece in batch])
        yield Fed(index, args, kwargs, n_steps, own, again, real, fed.spans, words)
    counts.update({key: job.counts[key] for key in ("truncated_items", "truncated_words")})


@dataclass(frozen=True)
class _Cut:
    """Arguments for items of a batch once more, cut where the batch has cut them: see `Again`."""

    model: TorchModel
    place: Mapping[int, int]
    rows: Mapping[str, Sequence[Any]]

    def __call__(self, items: Sequence[Item], copies: int = 1) -> tuple[Any, dict[str, Any], Announced]:
        """See `Again`."""
        at = [self.place[id(item)] for item in items]
        fed = self.model.feed.collate({grid: [rows[each] for each in at] * copies for grid, rows in self.rows.items()})
        args, kwargs = self.model.moved(fed)
        return args, kwargs, Announced(tuple(items), {grid: each[: len(at)] for grid, each in fed.spans.items()})


def _of_images(model: ImageModel, items: Sequence[Item], batch_size: int) -> Iterator[Fed]:
    steps = {IMAGE: model.size[0]}
    for start in range(0, len(items), batch_size):
        batch = tuple(items[start : start + batch_size])
        yield Fed(np.arange(start, start + len(batch)), model.arguments(batch), {}, steps, batch, model.fed)
