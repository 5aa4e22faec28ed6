"""Reading layers while a module runs, and stopping the run as soon as the last of them has been read.

Hooks sit only on the modules asked for. What they see is handed at once to a sink that copies what it needs, so
that operations which later change a tensor in place cannot reach the result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from unitscope.errors import ModelError
from unitscope.models.address import Side
from unitscope.models.probe import Tap, elements, given

Sink = Callable[[Tap, torch.Tensor], None]
"""Takes a tap and its tensor with axes (batch, site, units...)."""


class _Finished(Exception):  # noqa: N818 - a signal to leave the forward, never seen outside this module
    """All layers asked for have been read."""


class _Reader:
    """Counts calls of the tapped modules and hands what is asked for to the sink."""

    def __init__(self, taps: Sequence[Tap], sink: Sink, n_steps: Mapping[str, int]) -> None:
        self.sink = sink
        self.n_steps = n_steps
        self.pending = set(taps)
        self.steps: dict[Tap, list[torch.Tensor]] = defaultdict(list)
        self.n_calls: dict[tuple[str, Side], int] = defaultdict(int)

    def read(self, module: str, side: Side, taps: Sequence[Tap], value: Any) -> None:
        call = self.n_calls[module, side]
        self.n_calls[module, side] += 1
        tensors = dict(elements(value))
        for tap in taps:
            tensor = tensors.get(tap.address.element)
            if tensor is None or tap not in self.pending:
                continue
            if tap.site_axis is None:
                self._step(tap, tensor)
            elif (tap.address.call or 0) == call:
                self.pending.discard(tap)
                self.sink(tap, tap.canonical(tensor, self.n_steps[tap.grid]))
        if not self.pending:
            raise _Finished

    def _step(self, tap: Tap, tensor: torch.Tensor) -> None:
        steps = self.steps[tap]
        steps.append(tap.canonical(tensor, 1).clone())
        if len(steps) == self.n_steps[tap.grid]:
            self.flush(tap)

    def flush(self, tap: Tap) -> None:
        self.pending.discard(tap)
        self.sink(tap, torch.cat(self.steps.pop(tap), dim=1))


def read_layers(
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    taps: Sequence[Tap],
    sink: Sink,
    n_steps: Mapping[str, int],
) -> None:
    """Run `module` until every tap has been read; hooks are always removed.

    `n_steps[grid]` is the length of the batch's rows, which is how often a time-stepping module is called.
    Raises ModelError when the forward ends without passing a tap.
    """
    reader = _Reader(taps, sink, n_steps)
    places: dict[tuple[str, Side], list[Tap]] = defaultdict(list)
    for tap in taps:
        places[tap.address.module, tap.address.side].append(tap)
    handles = [_hook(module.get_submodule(name), name, side, found, reader) for (name, side), found in places.items()]
    try:
        with torch.inference_mode():
            module(*args, **kwargs)
            for tap in [tap for tap in reader.pending if reader.steps.get(tap)]:
                reader.flush(tap)
    except _Finished:
        pass
    finally:
        for handle in handles:
            handle.remove()
    if reader.pending:
        missed = min(reader.pending, key=lambda tap: tap.order)
        raise ModelError(
            f"Layer '{missed.address}' was not reached by a forward pass, though it was when the model was probed.",
            fix="A module whose path depends on its input cannot be read here; ask for another layer.",
        )


def _hook(part: nn.Module, name: str, side: Side, taps: Sequence[Tap], reader: _Reader) -> Any:
    if side == "in":

        def before(_: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            reader.read(name, side, taps, given(inputs, named))

        return part.register_forward_pre_hook(before, with_kwargs=True)

    def after(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        reader.read(name, side, taps, output)

    return part.register_forward_hook(after)
