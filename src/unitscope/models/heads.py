"""The output embedding of a language model, read from its checkpoint: the network itself is loaded without its head."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unitscope.errors import ModelError

_HEADS = ("lm_head", "embed_out", "output", "language_model.lm_head")
_LANGUAGE_MODELS = ("ForCausalLM", "LMHeadModel")


def head_of(module: nn.Module, source: str | None, name: str) -> tuple[torch.Tensor, torch.Tensor | None, bool]:
    """Output embedding [V, D], bias [V] or None, and whether it is the input embedding.

    From the module where it has its head, else from the weights in `source`. Raises ModelError where the checkpoint
    is of no causal language model.
    """
    device = next(module.parameters()).device
    own: Any = getattr(module, "get_output_embeddings", lambda: None)()
    if own is not None:
        inner: Any = module.get_input_embeddings()  # type: ignore[operator]
        bias = getattr(own, "bias", None)
        return own.weight.detach(), None if bias is None else bias.detach(), own.weight is inner.weight
    config: Any = getattr(module, "config", None)
    kinds = [str(each) for each in getattr(config, "architectures", None) or [type(module).__name__]]
    if not any(kind.endswith(_LANGUAGE_MODELS) for kind in kinds):
        raise ModelError(f"{name} is the checkpoint of a {kinds[0]}, which has no output embedding of its own.")
    files = _files(source) if source else {}
    for head in _HEADS:
        if f"{head}.weight" in files:
            weight = _read(files[f"{head}.weight"], f"{head}.weight")
            bias = _read(files[f"{head}.bias"], f"{head}.bias") if f"{head}.bias" in files else None
            return weight.to(device), None if bias is None else bias.to(device), False
    if not getattr(config.get_text_config(), "tie_word_embeddings", False):
        raise ModelError(f"The checkpoint of {name} has no output embedding ({', '.join(_HEADS)}).")
    return module.get_input_embeddings().weight.detach(), None, True  # type: ignore[operator]


def _files(source: str) -> dict[str, Path]:
    """The file of every tensor of a checkpoint."""
    from safetensors import safe_open
    from transformers.utils.hub import cached_file

    options = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    index = cached_file(source, "model.safetensors.index.json", **options)
    if index is not None:
        shards = json.loads(Path(index).read_text("utf-8"))["weight_map"]
        paths = {shard: cached_file(source, shard) for shard in sorted(set(shards.values()))}
        return {name: Path(str(paths[shard])) for name, shard in shards.items()}
    whole = cached_file(source, "model.safetensors", **options)
    if whole is None:
        return {}
    with safe_open(whole, "pt") as file:
        return dict.fromkeys(file.keys(), Path(whole))


def _read(path: Path, name: str) -> torch.Tensor:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        tensor: torch.Tensor = file.get_tensor(name)
    return tensor.to(torch.float32)


def token_texts(tokenizer: Any, numbers: list[int]) -> list[str]:
    """Tokens as they stand in a text, with the blank before them; a token's own name where it decodes to nothing."""
    names = tokenizer.convert_ids_to_tokens(numbers)
    found = []
    for number, name in zip(numbers, names, strict=True):
        text = tokenizer.decode([number], clean_up_tokenization_spaces=False)
        marked = isinstance(name, str) and name.startswith("▁") and not text.startswith(" ")
        found.append(f" {text}" if marked else text or str(name))
    return found
