"""Recurrent modules step by step, so that an edited state is read on by the next step.

`nn.RNN`, `nn.GRU` and `nn.LSTM` run all steps in one fused call, where a state cannot be changed between them. Here the
same equations (PyTorch's documentation of the three modules) run a step at a time, in all layers and directions, with
packed sequences, projections and initial states. Before it is used, the stepwise form is compared with the fused one
on the very input, to a relative 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from unitscope.errors import EditError
from unitscope.models.structure import packed_like

TOLERANCE = 1e-5
Change = Callable[[torch.Tensor, int, int], torch.Tensor]
"""New state [B, H] of the last layer from the state, the step and the direction."""


def unchanged(state: torch.Tensor, step: int, direction: int) -> torch.Tensor:
    """The state as it is."""
    return state


def stepwise(module: nn.RNNBase, inputs: Any, start: Any, change: Change) -> tuple[Any, Any]:
    """What the module gives for `inputs` and the initial state `start`, with the last layer's states changed.

    Raises EditError for input without a batch axis.
    """
    packed = inputs if isinstance(inputs, PackedSequence) else None
    if packed is not None:
        values, lengths = pad_packed_sequence(packed)
        lengths = lengths.to(values.device)
    else:
        if inputs.dim() != 3:
            raise EditError(f"{type(module).__name__} was given input of {inputs.dim()} axes.", expected="a batch")
        values = inputs.transpose(0, 1) if module.batch_first else inputs
        lengths = torch.full((values.shape[1],), values.shape[0], device=values.device)
    n_directions = 2 if module.bidirectional else 1
    states, ends = values, []
    for layer in range(module.num_layers):
        found = [
            _direction(module, layer, side, states, lengths, _start(module, start, layer * n_directions + side, values))
            if layer + 1 < module.num_layers
            else _direction(
                module, layer, side, states, lengths, _start(module, start, layer * n_directions + side, values), change
            )
            for side in range(n_directions)
        ]
        states = torch.cat([each[0] for each in found], dim=-1)
        ends += [each[1] for each in found]
    last = tuple(torch.stack([end[k] for end in ends]) for k in range(len(ends[0])))
    state = last if isinstance(module, nn.LSTM) else last[0]
    if packed is not None:
        return packed_like(packed, states.transpose(0, 1)), state
    return (states.transpose(0, 1) if module.batch_first else states), state


def _start(module: nn.RNNBase, start: Any, index: int, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    n_rows, size = values.shape[1], module.hidden_size
    if start is not None:
        return tuple(part[index] for part in start) if isinstance(module, nn.LSTM) else (start[index],)
    state = values.new_zeros(n_rows, module.proj_size or size)
    return (state, values.new_zeros(n_rows, size)) if isinstance(module, nn.LSTM) else (state,)


def _direction(
    module: nn.RNNBase,
    layer: int,
    side: int,
    values: torch.Tensor,
    lengths: torch.Tensor,
    state: tuple[torch.Tensor, ...],
    change: Change = unchanged,
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """States [T, B, H] of one layer and direction, and the last ones; rows beyond their length stand still."""
    suffix = f"_l{layer}" + "_reverse" * side
    weights = {name.removesuffix(suffix): each for name, each in module.named_parameters() if name.endswith(suffix)}
    if not side:
        weights = {name: each for name, each in weights.items() if not name.endswith("_reverse")}
    given = values @ weights["weight_ih"].T
    if "bias_ih" in weights:
        given = given + weights["bias_ih"]
    n_steps = len(values)
    out: list[torch.Tensor] = [given.new_zeros(0)] * n_steps
    for step in reversed(range(n_steps)) if side else range(n_steps):
        new = _cell(module, given[step], state, weights)
        new = (change(new[0], step, side), *new[1:])
        on = (step < lengths)[:, None]
        state = tuple(torch.where(on, after, before) for after, before in zip(new, state))
        out[step] = torch.where(on, new[0], torch.zeros_like(new[0]))
    return torch.stack(out), state


def _cell(
    module: nn.RNNBase, given: torch.Tensor, state: tuple[torch.Tensor, ...], weights: Mapping[str, torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    h = state[0]
    own = h @ weights["weight_hh"].T
    if "bias_hh" in weights:
        own = own + weights["bias_hh"]
    if isinstance(module, nn.LSTM):
        i, f, g, o = (given + own).chunk(4, dim=-1)
        c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (h @ weights["weight_hr"].T if module.proj_size else h), c
    if isinstance(module, nn.GRU):
        (r, z, n), (own_r, own_z, own_n) = given.chunk(3, dim=-1), own.chunk(3, dim=-1)
        z = (z + own_z).sigmoid()
        n = (n + (r + own_r).sigmoid() * own_n).tanh()
        return ((1 - z) * n + z * h,)
    both = given + own
    return (both.tanh() if module.nonlinearity == "tanh" else both.relu(),)


def check(module: nn.RNNBase, inputs: Any, start: Any, fused: Any, name: str) -> None:
    """Compare the stepwise form with what the fused module gave. Raises EditError where they differ."""
    ours, _ = stepwise(module, inputs, start, unchanged)
    mine = ours.data if isinstance(ours, PackedSequence) else ours
    its = fused[0].data if isinstance(fused[0], PackedSequence) else fused[0]
    error = float((mine - its).abs().max()) / max(float(its.abs().max()), 1e-30) if its.numel() else 0.0
    if not error <= TOLERANCE:
        raise EditError(
            f"'{name}' run step by step differs from itself by {error:.1e}, relatively.",
            expected=f"at most {TOLERANCE:g}",
            fix="Edit its readout instead: recurrence=False.",
        )
