"""What a read of a task may look at: a layer's values in the edited network, word by word.

A layer below the network's end is read by a hook that hands its tensor on beside what the module gives, so that it is
taken apart with it into the copies that run under one edit each; see `unitscope.models.replay`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unitscope.causal.targets import hidden_state
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.adapters import SOURCE
from unitscope.models.base import Resampling
from unitscope.models.mass import MassTap
from unitscope.models.placing import place_all
from unitscope.models.probe import Tap, elements
from unitscope.models.resample import Gather, covered, places
from unitscope.models.torch import TorchModel
from unitscope.models.units import BasisTap
from unitscope.sites import Item


class Beside(NamedTuple):
    """What a module gave, and a layer's tensor [B, T, ...] of the same forward."""

    output: Any
    values: torch.Tensor


def tap_of(model: TorchModel, layer: str) -> Tap:
    """How a layer can be read in a forward. Raises TaskError for one that a hook on one module cannot give."""
    address = model.resolve([layer])[0].address
    tap = model.tap(address)
    odd = isinstance(tap, (BasisTap, MassTap)) or tap.address.side == "in" or tap.site_axis is None
    if odd or tap.site_axis == tap.batch_axis:
        raise TaskError(
            f"'{address}' cannot be read in an edited forward.", expected="the output of a module, as encoder.layer.5"
        )
    return tap


def check_above(model: TorchModel, tap: Tap, edited: Iterable[str]) -> None:
    """Raise TaskError unless a layer lies above all that are edited."""
    for address in edited:
        if model.tap(address).order >= tap.order:
            raise TaskError(
                f"The probe's layer '{tap.address}' does not lie above '{address}', which is edited.",
                expected="a layer that the edited units feed into",
                fix="Probe a later layer, or 'last'.",
            )


def edited_layers(model: TorchModel, edits: Sequence[Edit]) -> list[str]:
    """Addresses of the layers that edits act on."""
    return list(dict.fromkeys(placed.layer.address for edit in edits for placed in place_all(model, edit)))


@contextmanager
def beside(model: TorchModel, tap: Tap) -> Iterator[None]:
    """While open, the module gives a `Beside`: its output, and the layer's tensor with axes (batch, site, ...)."""
    seen: list[torch.Tensor] = []
    n_calls = 0

    def start(_: nn.Module, args: Any) -> None:
        nonlocal n_calls
        seen.clear()
        n_calls = 0

    def note(_: nn.Module, args: Any, output: Any) -> None:
        nonlocal n_calls
        if n_calls == (tap.address.call or 0):
            tensor = dict(elements(output)).get(tap.address.element)
            if tensor is not None:
                seen.append(tap.canonical(tensor, tensor.shape[tap.site_axis or 1]))
        n_calls += 1

    def end(_: nn.Module, args: Any, output: Any) -> Any:
        if not seen:
            raise TaskError(f"Layer '{tap.address}' was not reached by a forward.", fix="Probe another layer.")
        return Beside(output, seen[0].clone())

    part = model.module.get_submodule(tap.address.module)
    handles = [
        model.module.register_forward_pre_hook(start),
        part.register_forward_hook(note),
        model.module.register_forward_hook(end),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True, eq=False)
class WordReader:
    """Values of words from a batch's output: each word's positions reduced to one row, as an atlas has them.

    `tap` is the layer's, None for the last hidden state; `grid` the text whose words they are. Which positions a word
    has is worked out once a batch.
    """

    model: TorchModel
    grid: str
    tap: Tap | None
    resample: Resampling
    spans: dict[str, NDArray[np.int64]]
    _known: dict[tuple[str, ...], tuple[Gather, NDArray[np.int64]]]

    @classmethod
    def of(
        cls, model: TorchModel, items: Sequence[Item], grid: str, tap: Tap | None, resample: Resampling
    ) -> WordReader:
        """A reader for items that the model can take whole."""
        rows = model.feed.rows(grid, [item.grids[grid] for item in items])
        spans = {item.id: row.spans for item, row in zip(items, rows, strict=True)}
        return cls(model, grid, tap, resample, spans, {})

    def rows(self, output: Any, batch: Sequence[Item]) -> tuple[torch.Tensor, NDArray[np.int64]]:
        """Values [W, U] of the words that have a position, and which they are among the batch's words in turn."""
        values = hidden_state(output) if self.tap is None else output.values.flatten(2)
        gather, present = self._gather(batch, values.shape[1], values.device)
        return gather.reduce(values, self.resample), present

    def _gather(
        self, batch: Sequence[Item], n_positions: int, device: torch.device
    ) -> tuple[Gather, NDArray[np.int64]]:
        key = tuple(item.id for item in batch)
        if key not in self._known:
            own = [self.spans[name] for name in key]
            longest = max(len(each) for each in own)
            padded = np.zeros((len(own), longest, 2), np.int64)
            for row, each in enumerate(own):
                padded[row, : len(each)] = each
            if self.tap is not None:
                padded = covered(padded, self.tap, n_positions)
            texts = [item.grids[self.grid] for item in batch]
            words = [np.array(text.spans, np.int64).reshape(-1, 2) for text in texts]
            where, present = places(padded, words, [np.arange(len(each)) for each in words])
            self._known[key] = (Gather(where, device), present)
        return self._known[key]


def grid_of(model: TorchModel, tap: Tap | None) -> str:
    """The text whose words a layer (or with None the last hidden state) has values of."""
    return model.grids[-1] if tap is None and len(model.grids) > 1 else SOURCE if tap is None else tap.grid
