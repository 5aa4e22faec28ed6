"""Putting an edited tensor back where it was found: in a tuple, list, mapping, or packed sequence.

The counterpart of `probe.elements`: places are numbered the same way. What a module gave is never changed; a new
structure holds the new tensor and otherwise the same objects.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence


def replaced(value: Any, place: int, tensor: torch.Tensor) -> Any:
    """The same structure with another tensor at a place; packed sequences take a padded one [B, T, ...]."""
    if isinstance(value, PackedSequence):
        return packed_like(value, tensor)
    if isinstance(value, torch.Tensor):
        return tensor
    if isinstance(value, Mapping):
        made: Any = copy.copy(value)
        key = list(value)[place]
        made[key] = _part(value[key], tensor)
        return made
    parts = list(value)
    parts[place] = _part(parts[place], tensor)
    if isinstance(value, list):
        return parts
    return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)


def _part(old: Any, tensor: torch.Tensor) -> Any:
    return packed_like(old, tensor) if isinstance(old, PackedSequence) else tensor


def given_again(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], place: int, tensor: torch.Tensor
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments with another tensor at a place, positional ones counted first."""
    if place < len(args):
        return tuple(replaced(args, place, tensor)), dict(kwargs)
    name = list(kwargs)[place - len(args)]
    return args, {**kwargs, name: _part(kwargs[name], tensor)}


def packed_like(old: PackedSequence, padded: torch.Tensor) -> PackedSequence:
    """A packed sequence with the order and lengths of `old`, and values of `padded` [B, T, ...]."""
    numbers = old._replace(data=torch.arange(1, len(old.data) + 1, device=old.data.device))
    places = pad_packed_sequence(numbers, batch_first=True)[0]
    there = places > 0
    data = torch.empty((len(old.data), *padded.shape[2:]), dtype=padded.dtype, device=padded.device)
    data = data.index_copy(0, places[there] - 1, padded[there])
    return old._replace(data=data)
