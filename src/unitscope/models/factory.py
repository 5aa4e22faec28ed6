"""Models written as Python code: `python:pkg.module:factory`.

The factory is called without arguments and returns a `torch.nn.Module` with an attribute `adapter`, or a tuple of
module and adapter, or of a transformers model and its tokenizer. The current folder is importable meanwhile.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from unitscope.errors import ModelError, closest
from unitscope.models.images import ImageModel
from unitscope.models.torch import TorchModel

_FORM = "python:pkg.module:factory"


def from_factory(path: str, *, device: str = "cpu") -> TorchModel | ImageModel:
    """Build the model that `pkg.module:factory` names, in float32 on `device`.

    Raises ModelError when the module or factory cannot be found, fails, or returns something else than a model.
    """
    module_name, _, factory_name = path.partition(":")
    if not module_name or not factory_name:
        raise ModelError(f"Cannot read 'python:{path}'.", expected=_FORM)
    with _importable(os.getcwd()):
        built = _call(module_name, factory_name)
    return _model(built, f"{module_name}:{factory_name}", device)


@contextmanager
def _importable(folder: str) -> Iterator[None]:
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _call(module_name: str, factory_name: str) -> Any:
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ModelError(
            f"No module '{error.name}' to import for 'python:{module_name}:{factory_name}'.",
            fix="Run from the folder that holds it, or install it.",
        ) from error
    except Exception as error:  # foreign code may raise anything; the user should hear where
        raise ModelError(f"Importing '{module_name}' failed: {type(error).__name__}: {error}") from error
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise ModelError(f"Module '{module_name}' has no function '{factory_name}'.", fix=closest(factory_name, names))
    try:
        return factory()
    except Exception as error:  # as above
        raise ModelError(f"'{module_name}:{factory_name}' failed: {type(error).__name__}: {error}") from error


def _model(built: Any, name: str, device: str) -> TorchModel | ImageModel:
    module, adapter = (
        built if isinstance(built, tuple) and len(built) == 2 else (built, getattr(built, "adapter", None))
    )
    if not isinstance(module, nn.Module) or adapter is None:
        raise ModelError(
            f"'{name}' returned a {type(built).__name__}"
            + (" without 'adapter'." * isinstance(built, nn.Module) or "."),
            expected="a torch.nn.Module with an attribute 'adapter', or a tuple (module, adapter)",
        )
    try:
        module = module.to(device).float()
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"Device '{device}' cannot be used: {error}", fix="Use --device cpu.") from error
    if hasattr(module, "config") and hasattr(adapter, "convert_ids_to_tokens"):
        from unitscope.models.huggingface import from_objects

        return from_objects(module, adapter, name=name)
    if hasattr(adapter, "encode_images"):
        return ImageModel(module, adapter, name=name)
    return TorchModel(module, adapter, name=name)
