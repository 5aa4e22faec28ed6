"""Models: networks as named layers, and activations of items at their sites.

`load_model` opens a Hugging Face folder or hub id, or any `torch.nn.Module` with an input adapter. Importing this
package imports neither torch nor transformers.
"""

from __future__ import annotations

from unitscope.errors import ModelError
from unitscope.models.adapters import Adapter, Encoded, ImageAdapter
from unitscope.models.base import Captured, Layer, LongItems, Model, Resampling

__all__ = [
    "Adapter",
    "Captured",
    "Encoded",
    "ImageAdapter",
    "Layer",
    "LongItems",
    "Model",
    "Resampling",
    "load_model",
]


def load_model(spec: str, *, device: str = "cpu", threads: int | None = None, weights: str | None = None) -> Model:
    """Load the model that `spec` names, in eval mode and float32, on `device`.

    `spec` is a Hugging Face folder or hub id, or `python:pkg.module:factory` (a function without arguments that
    returns a module with an attribute `adapter`, or a tuple of module and adapter), or `zoo:NAME` with a file of
    `weights` (also written `zoo:NAME:FILE`). `threads` sets how many threads torch computes with.

    Raises ModelError for whatever cannot be loaded, or only unsafely.
    """
    if not spec:
        raise ModelError("No model was named.", expected="a folder, a hub id, or python:pkg.module:factory")
    if weights is not None and not spec.startswith("zoo:"):
        raise ModelError(
            f"Got weights beside the model '{spec}'.", expected="weights for a model of the zoo (zoo:NAME)"
        )
    if threads is not None:
        if threads < 1:
            raise ModelError(f"Got {threads} threads.", expected="1 or more")
        import torch

        torch.set_num_threads(threads)
    if spec.startswith("zoo:"):
        from unitscope.models.zoo import from_zoo

        return from_zoo(spec.removeprefix("zoo:"), weights, device=device)
    if spec.startswith("python:"):
        from unitscope.models.factory import from_factory

        return from_factory(spec.removeprefix("python:"), device=device)
    from unitscope.models.huggingface import from_pretrained

    return from_pretrained(spec, device=device)
