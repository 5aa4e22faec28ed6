"""Weights of a safetensors file into a module of ours: the same names and shapes, or an error that says which not."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from unitscope.errors import ModelError


@torch.no_grad()
def load_weights(module: nn.Module, path: Path) -> None:
    """Fill all parameters and buffers of `module` from a file, as float32.

    Raises ModelError where the file cannot be read, or where a tensor is missing, unknown, or of another shape.
    """
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelError(f"No file '{path}'.", expected="a .safetensors file", fix="Check --weights.")
    try:
        found = load_file(path)
    except Exception as error:  # the library raises its own kinds of error for broken bytes
        raise ModelError(
            f"'{path.name}' is no safetensors file: {error}", fix="Convert pickled weights to safetensors first."
        ) from error
    wanted = module.state_dict()
    kind = type(module).__name__
    if missing := sorted(set(wanted) - set(found)):
        raise ModelError(f"'{path.name}' lacks {len(missing)} tensors of {kind}, as '{missing[0]}'.")
    if strange := sorted(set(found) - set(wanted)):
        raise ModelError(f"'{path.name}' has {len(strange)} tensors that {kind} has not, as '{strange[0]}'.")
    for name, tensor in sorted(found.items()):
        if tensor.shape != wanted[name].shape:
            raise ModelError(
                f"'{name}' in '{path.name}' has the shape {tuple(tensor.shape)}.",
                expected=str(tuple(wanted[name].shape)),
            )
        wanted[name].copy_(tensor)
