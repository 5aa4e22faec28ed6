"""One forward pass in which chosen tensors are looked at or replaced on their way, with or without gradients.

On a layer of a basis, actions see the basis' units [B, T, U]; its reconstruction error stays what it is.

Hooks sit on the modules asked for and are always removed. What an action returns is what the network goes on with:
returning a copy keeps the tensor that was noted safe from operations that later change theirs in place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from unitscope.errors import AttributionError, ModelError
from unitscope.models.address import Side
from unitscope.models.probe import Tap, elements, given
from unitscope.models.units import BasisTap

Action = Callable[[torch.Tensor], torch.Tensor]
"""Takes a layer's tensor as the network has it; the network goes on with what it returns."""


class _Enough(Exception):  # noqa: N818 - a signal to leave the forward, never seen outside this module
    """All tensors asked for have passed."""


class Keep:
    """An action that notes what passes. With `leaf`, gradients begin there unless they have begun before."""

    def __init__(self, leaf: bool = False) -> None:
        self.leaf = leaf
        self.tensors: list[torch.Tensor] = []

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        """Note the tensor; the network goes on with a copy."""
        if self.leaf and not tensor.requires_grad:
            tensor = tensor.detach().requires_grad_()
        self.tensors.append(tensor)
        return tensor.clone()


class Replace:
    """An action that puts given tensors, one a call, in place of what passes."""

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        self.tensors = iter(tensors)

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        """The next of the given tensors."""
        wanted = next(self.tensors)
        # Something later may change it in place; what is given must stay as it is.
        return wanted.clone() if wanted.shape == tensor.shape else wanted.expand_as(tensor).clone()


def run(
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    actions: Sequence[tuple[Tap, Action]],
    n_steps: Mapping[str, int],
    *,
    stop: bool = False,
) -> Any:
    """The module's output with actions applied, in their order where they share a tap.

    With `stop` the pass ends as soon as every tap has been passed, and gives None. Raises ModelError where a tap is
    not passed at all.
    """
    passed = _Passed(actions, n_steps, stop)
    places: dict[tuple[str, Side], list[Tap]] = defaultdict(list)
    for tap in dict.fromkeys(tap for tap, _ in actions):
        places[tap.address.module, tap.address.side].append(tap)
    handles = [_hook(module.get_submodule(name), name, side, taps, passed) for (name, side), taps in places.items()]
    output: Any = None
    try:
        output = module(*args, **kwargs)
    except _Enough:
        pass
    finally:
        for handle in handles:
            handle.remove()
    missed = [tap for tap in passed.actions if not passed.seen[tap]]
    if missed:
        first = min(missed, key=lambda tap: tap.order)
        raise ModelError(
            f"Layer '{first.address}' was not reached by a forward pass, though it was when the model was probed.",
            fix="A module whose path depends on its input cannot be read here; ask for another layer.",
        )
    return output


class _Passed:
    """Counts calls of modules and applies the actions of those meant."""

    def __init__(self, actions: Sequence[tuple[Tap, Action]], n_steps: Mapping[str, int], stop: bool) -> None:
        self.actions: dict[Tap, list[Action]] = defaultdict(list)
        for tap, action in actions:
            self.actions[tap].append(action)
        self.n_steps, self.stop = n_steps, stop
        self.n_calls: dict[tuple[str, Side], int] = defaultdict(int)
        self.seen: dict[Tap, int] = dict.fromkeys(self.actions, 0)

    def through(self, name: str, side: Side, taps: Sequence[Tap], value: Any) -> dict[int, torch.Tensor]:
        """New tensors by element of `value`."""
        call = self.n_calls[name, side]
        self.n_calls[name, side] += 1
        found = dict(elements(value))
        changed: dict[int, torch.Tensor] = {}
        for tap in taps:
            element = tap.address.element
            if element not in found or (tap.site_axis is not None and (tap.address.call or 0) != call):
                continue
            _refuse_packed(tap, value)
            tensor = changed.get(element, found[element])
            if isinstance(tap, BasisTap):
                changed[element] = in_basis(tensor, tap, self.actions[tap], self.n_steps[tap.grid])
            else:
                for action in self.actions[tap]:
                    tensor = action(tensor)
                changed[element] = tensor
            self.seen[tap] += 1
        if self.stop and all(self.is_done(tap) for tap in self.actions):
            raise _Enough
        return changed

    def is_done(self, tap: Tap) -> bool:
        return self.seen[tap] >= (1 if tap.site_axis is not None else self.n_steps[tap.grid])


def in_basis(tensor: torch.Tensor, tap: BasisTap, actions: Sequence[Action], n_positions: int) -> torch.Tensor:
    """A layer's tensor after actions on the units [B, T, U] of a basis on it, with the reconstruction error kept.

    h becomes h + decode(z') - decode(z), with z what the basis makes of h and z' what the actions make of z. So the
    value is h where nothing is changed, and what depends on h does so as before: gradients of z' pass through the
    decoder, those of h do not see that it was taken apart.
    """
    basis = tap.basis
    assert basis is not None
    view = tap.canonical(tensor, n_positions)
    block = view.flatten(2)
    units = basis.encode(block)
    if any(getattr(action, "leaf", False) for action in actions):
        units = units.detach()
    new = units.clone()
    for action in actions:
        new = action(new)
    moved = basis.decode(new, of=block.detach()) - basis.decode(units, of=block.detach())
    added = moved.to(block.dtype).reshape(view.shape)
    if tap.site_axis is None:
        return tensor + added[:, 0].movedim(0, tap.batch_axis)
    if tap.site_axis == tap.batch_axis:
        return tensor + added.flatten(0, 1).movedim(0, tap.batch_axis)
    return tensor + added.movedim((0, 1), (tap.batch_axis, tap.site_axis))


def _refuse_packed(tap: Tap, value: Any) -> None:
    parts = value if isinstance(value, (tuple, list)) and not isinstance(value, PackedSequence) else (value,)
    if any(isinstance(part, PackedSequence) for part in parts):
        raise AttributionError(
            f"'{tap.address}' gives a packed sequence, which cannot be attributed to.",
            fix="Ask for a layer before or after the recurrent one.",
        )


def _hook(part: nn.Module, name: str, side: Side, taps: Sequence[Tap], passed: _Passed) -> Any:
    if side == "in":

        def before(_: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
            changed = passed.through(name, side, taps, given(inputs, named))
            if not changed:
                return None
            new = tuple(changed.get(at, each) for at, each in enumerate(inputs))
            keys = {len(inputs) + at: key for at, key in enumerate(named)}
            return new, {**named, **{keys[at]: tensor for at, tensor in changed.items() if at in keys}}

        return part.register_forward_pre_hook(before, with_kwargs=True)

    def after(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        return put(output, passed.through(name, side, taps, output))

    return part.register_forward_hook(after)


def put(value: Any, changed: Mapping[int, torch.Tensor]) -> Any:
    """`value` (a tensor, tuple, list or mapping) with tensors at some places replaced; itself where there are none."""
    if not changed:
        return value
    if isinstance(value, torch.Tensor):
        return changed[0]
    if isinstance(value, Mapping):
        items = {key: changed.get(at, each) for at, (key, each) in enumerate(value.items())}
        return type(value)(**items) if type(value) is not dict else items
    parts = [changed.get(at, each) for at, each in enumerate(value)]
    if isinstance(value, tuple):
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return parts


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Let no parameter ask for gradients meanwhile: then nothing is kept for them. All is put back at the end."""
    asking = [parameter for parameter in module.parameters() if parameter.requires_grad]
    try:
        for parameter in asking:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in asking:
            parameter.requires_grad_(True)
