"""Bases on layers: units that are directions or latents of a layer instead of its own coordinates.

One kind a file: `matrix`, `rotation`, `pca`, `sae` (latents of sparse autoencoders, read by `saelens`). `base` has
what they have in common, `specs` how they are written, `gate` cuts units to one density so that bases can be compared.
Importing this package imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unitscope.bases.specs import BasisSpec, parse_bases

if TYPE_CHECKING:
    from unitscope.bases.base import Basis
    from unitscope.bases.train_sae import train_sae

__all__ = ["Basis", "BasisSpec", "parse_bases", "train_sae"]


def __getattr__(name: str) -> Any:
    if name == "Basis":
        from unitscope.bases.base import Basis

        return Basis
    if name == "train_sae":
        from unitscope.bases.train_sae import train_sae

        return train_sae
    raise AttributeError(f"module 'unitscope.bases' has no attribute '{name}'")
