"""Weights as a whole: their hash, and fresh ones for an untrained copy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import nn


def digest(state: Sequence[tuple[str, torch.Tensor]]) -> str:
    """SHA-256 over names, shapes, types and bytes of tensors, in the order given, as hexadecimal."""
    total = hashlib.sha256()
    for name, tensor in state:
        data = tensor.detach().cpu().contiguous()
        total.update(f"{name}\0{tuple(data.shape)}\0{data.dtype}\0".encode())
        total.update(data.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def forked_devices(device: torch.device) -> list[int]:
    """Devices besides the CPU whose random state drawing weights would disturb."""
    return [device.index or 0] if device.type == "cuda" else []


@torch.no_grad()
def reset(module: nn.Module) -> None:
    """Draw fresh weights in place, from torch's random state.

    Modules are reset by their own `reset_parameters`; what no module resets is drawn from a normal distribution with
    the mean and standard deviation that the tensor has.
    """
    done: set[int] = set()
    for part in module.modules():
        own = getattr(part, "reset_parameters", None)
        if callable(own):
            own()
            done.update(id(parameter) for parameter in part.parameters(recurse=False))
    for parameter in module.parameters():
        if id(parameter) not in done and parameter.is_floating_point():
            spread = float(parameter.std()) if parameter.numel() > 1 else 0.0
            parameter.normal_(float(parameter.mean()), spread)
