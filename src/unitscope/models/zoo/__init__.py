"""Networks that come as code, one a file; their weights are a safetensors file that the user names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unitscope.errors import ModelError, closest

if TYPE_CHECKING:
    from unitscope.models.images import ImageModel

NAMES = ("squeezenet",)


def from_zoo(name: str, weights: str | None, *, device: str = "cpu") -> ImageModel:
    """The network `NAME` (or `NAME:FILE`) with the weights of a safetensors file.

    Raises ModelError for an unknown name, without weights, and where they do not fit.
    """
    name, _, file = name.partition(":")
    weights = weights or file
    if name not in NAMES:
        raise ModelError(f"There is no model 'zoo:{name}'.", expected=", ".join(NAMES), fix=closest(name, NAMES))
    if not weights:
        raise ModelError(f"'zoo:{name}' needs its weights.", fix=f"Name a file: zoo:{name} --weights FILE.safetensors")
    from unitscope.models.images import ImageModel
    from unitscope.models.zoo import squeezenet
    from unitscope.models.zoo.files import load_weights

    module = squeezenet.SqueezeNet()
    load_weights(module, Path(weights))
    try:
        module = module.to(device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"Device '{device}' cannot be used: {error}", fix="Use --device cpu.") from error
    return ImageModel(module, squeezenet.Pictures(), name=name)
