"""A basis from a file: a matrix, with a bias, a centre and a nonlinearity where it has them.

The file is safetensors with `weight` (or `W`) [units, layer's units], and optionally `bias` [units], `center` [layer's
units] taken off first, `decoder` [units, layer's units] and `offset` [layer's units] for the way back (else the
pseudo-inverse), `threshold` [units]. Its metadata may say `nonlinearity`: `identity`, `relu`, `topk` with `k`, or
`jumprelu`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.bases.base import Basis
from unitscope.errors import BasisError

_NAMES = ("bias", "center", "decoder", "offset", "threshold")


def read_tensors(path: Path) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
    """All tensors of a safetensors file as float32, and its metadata. Raises BasisError when it is none."""
    import torch
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise BasisError(f"There is no file '{path.name}'.", expected="a .safetensors file", fix="Check the path.")
    try:
        with safe_open(path, framework="pt") as file:
            found = {name: file.get_tensor(name).to(torch.float32).numpy() for name in file.keys()}  # noqa: SIM118
            return found, dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise BasisError(
            f"'{path.name}' cannot be read as safetensors: {error}.",
            fix="Save it with safetensors.torch.save_file; pickled weights are refused.",
        ) from error


def matrix(path: Path) -> Basis:
    """The basis that a file holds. Raises BasisError when it has no weight, or shapes that do not fit."""
    arrays, meta = read_tensors(path)
    weight = arrays.get("weight", arrays.get("W"))
    if weight is None:
        raise BasisError(
            f"'{path.name}' holds {', '.join(sorted(arrays)) or 'nothing'}.",
            expected="a tensor 'weight' (or 'W') with one row a unit",
        )
    if weight.ndim != 2:
        raise BasisError(f"'weight' of '{path.name}' has shape {weight.shape}.", expected="[units, units of the layer]")
    rest: dict[str, Any] = {name: arrays[name] for name in _NAMES if name in arrays}
    k = meta.get("k", "0")
    if not k.isdecimal():
        raise BasisError(f"The metadata of '{path.name}' says k='{k}'.", expected="a whole number")
    return Basis(
        np.ascontiguousarray(weight.T),
        nonlinearity=meta.get("nonlinearity", "identity"),  # type: ignore[arg-type]
        k=int(k),
        **rest,
    )
