"""Heads of Hugging Face checkpoints, put on top of what the network without them gives.

Models are loaded as base networks, which all layers belong to. A head is the rest of the checkpoint: its whole model is
loaded, its base network taken out, and it runs on outputs that are there already, in its own way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from unitscope.errors import TaskError
from unitscope.models.editing import Editable
from unitscope.sites import Item

AUTO = {
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForTokenClassification": "AutoModelForTokenClassification",
    "ForConditionalGeneration": "AutoModelForSeq2SeqLM",
    "MTModel": "AutoModelForSeq2SeqLM",
}
"""How a checkpoint's architecture ends, and what loads all of it."""


def kind_of(model: Editable) -> str:
    """How the architecture of the model's checkpoint ends, among `AUTO`; empty for others."""
    config: Any = getattr(model.module, "config", None)
    names = [str(each) for each in getattr(config, "architectures", None) or []]
    return next((end for end in AUTO for name in names if name.endswith(end)), "")


def whole(model: Editable) -> Any:
    """The checkpoint's whole model, in eval mode. Raises TaskError where it has no head of a kind in `AUTO`."""
    import transformers
    from safetensors import SafetensorError

    from unitscope.models.huggingface import quiet

    source, kind = getattr(model, "source", None), kind_of(model)
    if source is None or not kind:
        raise TaskError(f"{model.name} has no head of its own.", expected=", ".join(f"a model {each}" for each in AUTO))
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            found, info = getattr(transformers, AUTO[kind]).from_pretrained(
                source, trust_remote_code=False, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise TaskError(
            f"The head of '{source}' cannot be loaded: {error}", fix="Save the whole model again."
        ) from error
    if info["missing_keys"]:
        raise TaskError(f"The checkpoint '{source}' lacks '{min(info['missing_keys'])}', a part of its head.")
    return found.to(model.device).eval()


class Head:
    """What is left of a model without its base network: scores from outputs of that network."""

    def __init__(self, model: Editable) -> None:
        self.model = model
        self.whole = whole(model)
        self.stub = _Stub()
        self._inputs: dict[tuple[str, ...], dict[str, Any]] = {}
        setattr(self.whole, self.whole.base_model_prefix, self.stub)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in order."""
        return names_of(self.whole.config)

    def logits(self, output: Any, batch: Sequence[Item]) -> torch.Tensor:
        """Scores [B, C] or [B, T, C] for an output of the network. Raises TaskError where the head fails."""
        key = tuple(item.id for item in batch)
        if key not in self._inputs:
            fed = self.model.fed(batch)[1]
            self._inputs[key] = {name: fed[name] for name in ("input_ids", "attention_mask") if name in fed}
        self.stub.output = output
        try:
            with torch.no_grad():
                logits: torch.Tensor = self.whole(**self._inputs[key]).logits
        except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
            raise TaskError(f"The head of {self.model.name} failed: {type(error).__name__}: {error}") from error
        finally:
            self.stub.output = None
        return logits


class _Stub(nn.Module):
    """Stands where the base network was, and gives what that gave."""

    output: Any = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Whatever it was told to give."""
        return self.output


def names_of(config: Any) -> tuple[str, ...]:
    """Class names of a configuration, in order of their indices; empty where it has none."""
    labels = getattr(config, "id2label", None) or {}
    return tuple(str(labels[at]) for at in sorted(labels, key=int))
