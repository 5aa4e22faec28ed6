"""Layers beside a module's own: units of a basis on a layer, read where the layer is read.

A basis acts on positions, before they become words, and on the model's device. Its layer is called after the layer
it is on: `encoder.layer.3~pca`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from unitscope.bases.specs import MARK
from unitscope.errors import ModelError, UnknownLayerError
from unitscope.models.address import Address
from unitscope.models.base import Model, Resampling
from unitscope.models.probe import Tap

if TYPE_CHECKING:
    import torch

    from unitscope.bases.base import Basis
    from unitscope.models.resample import Gather


@dataclass(frozen=True)
class UnitsAddress(Address):
    """Where the values are read; it is called after what is made of them."""

    shown: str = ""

    def __str__(self) -> str:
        return self.shown


@dataclass(frozen=True)
class BasisTap(Tap):
    """Reads a layer and gives the units of a basis on it."""

    basis: Basis | None = None

    def rows(
        self,
        tensor: torch.Tensor,
        gather: Gather,
        how: Resampling,
        columns: torch.Tensor | None,
        part: tuple[int, int] | None,
    ) -> torch.Tensor:
        """One row a word: of chosen units, of a range of them, or of all."""
        basis = self.basis
        assert basis is not None
        wanted = part if columns is None else columns
        return gather.reduce(tensor, how, each=lambda rows, *_: basis.encode(rows, wanted))


def source_of(address: str) -> str:
    """The layer that a basis' layer is on.

    >>> source_of("encoder.layer.3~pca")
    'encoder.layer.3'
    """
    return address.rpartition(MARK)[0]


def with_bases(model: Model, bases: Mapping[str, Basis]) -> Model:
    """The same model with further layers: `bases` by address, as `encoder.layer.3~pca`. The model stays as it is.

    Raises ModelError for a model of another kind than this package's, UnknownLayerError for a layer that is not there,
    and BasisError where the widths differ.
    """
    from unitscope.bases.specs import Given
    from unitscope.models.torch import TorchModel

    if not bases:
        return model
    if not isinstance(model, TorchModel):
        raise ModelError(
            f"{model.name} is a {type(model).__name__}, on whose layers there can be no bases.",
            expected="a model of unitscope.load_model, or a unitscope.models.torch.TorchModel",
        )
    extended = copy.copy(model)
    extended.further = dict(model.further)
    for address, basis in bases.items():
        if MARK not in address:
            raise UnknownLayerError(f"Got '{address}' for a basis.", expected="LAYER~NAME, as encoder.layer.3~pca")
        source = model.resolve([source_of(address)])[0]
        width = Given("given", basis).width(source.width, source.address)
        tap = model.tap(source.address)
        parts = {field.name: getattr(tap, field.name) for field in fields(Tap)}
        at = {field.name: getattr(tap.address, field.name) for field in fields(Address)}
        made = BasisTap(**parts | {"address": UnitsAddress(**at, shown=address), "width": width, "basis": basis})
        extended.further[address] = (replace(source, address=address, width=width, role="", n_heads=0), made)
    return extended
