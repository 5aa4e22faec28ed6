"""Hugging Face models: encoders, decoders and encoder-decoders, loaded safely.

Nothing from a model's folder is executed: weights are read as safetensors only, and configurations that name code
of their own are refused. Every way a folder can be unfit ends in a `ModelError` that says how to mend it.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unitscope.errors import ModelError
from unitscope.models.folders import check_folder, first_line, looks_like_path, refuse_code
from unitscope.models.heads import head_of, token_texts
from unitscope.models.tokens import TokenFeed
from unitscope.models.torch import TorchModel

# Heads that no layer is read from, and that checkpoints of other heads leave out.
_MAY_BE_MISSING = ("pooler",)


class HuggingFaceModel(TorchModel):
    """A transformers model and its tokenizer; grids `source`, and `target` for the decoder of an encoder-decoder."""

    source: str | None = None
    """Folder or hub id that it was loaded from."""

    def head(self) -> tuple[torch.Tensor, torch.Tensor | None, bool]:
        """Output embedding [V, D], bias [V] or None, and whether it is the input embedding; see `heads.head_of`."""
        return head_of(self.module, self.source, self.name)

    def token_texts(self, numbers: Sequence[int]) -> list[str]:
        """Tokens as they stand in a text."""
        return token_texts(self.adapter.tokenizer, list(numbers))  # type: ignore[attr-defined]

    def untrained(self, seed: int) -> HuggingFaceModel:
        """The same architecture, initialised by its own rules with `seed`."""
        config = copy.deepcopy(self.module.config)
        with torch.random.fork_rng(devices=[]), quiet():
            torch.manual_seed(seed)
            module: nn.Module = type(self.module)._from_config(config)  # type: ignore[attr-defined]
        module = module.to(self.device, torch.float32)
        return HuggingFaceModel(module, self.adapter, name=f"{self.name} (untrained {seed})")


def from_objects(model: Any, tokenizer: Any, *, name: str | None = None) -> HuggingFaceModel:
    """A transformers model that is built already, and its tokenizer.

    `name` defaults to the model's type (`bert`). The model is put in eval mode.
    """
    config = model.config
    accepts = tuple(inspect.signature(model.forward).parameters)
    text = config.get_text_config()
    feed = TokenFeed(
        tokenizer,
        accepts,
        n_vocabulary=int(getattr(text, "vocab_size", 1)),
        max_positions=max_positions(model, tokenizer),
        decoder_start=_decoder_start(config, tokenizer) if config.is_encoder_decoder else None,
        pad=_first_int(getattr(tokenizer, "pad_token_id", None), getattr(config, "pad_token_id", None), 0),
    )
    return HuggingFaceModel(model, feed, name=name or str(config.model_type))


def from_pretrained(spec: str | Path, *, device: str = "cpu") -> HuggingFaceModel:
    """Load a folder, or a hub id, in float32.

    Raises ModelError when the folder is missing or incomplete, needs remote code, holds only pickled weights, or
    holds broken ones; and for a hub id that cannot be reached.
    """
    folder = Path(spec).expanduser()
    local = folder.is_dir()
    if local:
        check_folder(folder)
    elif looks_like_path(str(spec)):
        raise ModelError(
            f"Model folder '{spec}' does not exist.",
            expected="a folder with config.json, or a hub id such as 'bert-base-uncased'",
            fix="Check the path.",
        )
    source = str(folder) if local else str(spec)
    model, tokenizer = _load(source, local)
    try:
        model = model.to(device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"Device '{device}' cannot be used: {first_line(error)}", fix="Use --device cpu.") from error
    found = from_objects(model, tokenizer, name=_name(folder) if local else source)
    found.source = source
    return found


def _load(source: str, local: bool) -> tuple[Any, Any]:
    import transformers
    from safetensors import SafetensorError

    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            # Weights that the checkpoint leaves out are drawn; the same each time, or the weight hash would change.
            torch.manual_seed(0)
            found, _ = transformers.PretrainedConfig.get_config_dict(source)
            refuse_code(found, source)
            config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
            tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
            model, info = transformers.AutoModel.from_pretrained(
                source,
                config=config,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except ModelError:
        raise
    except (
        OSError,
        ValueError,
        RuntimeError,
        KeyError,
        TypeError,
        AttributeError,
        ImportError,
        SafetensorError,
    ) as error:
        if local:
            fix = "Save or download it again; it may be damaged or written by another version."
        else:
            fix = "Check the id and the network, or give a folder. Models without safetensors weights are refused."
        raise ModelError(f"Cannot load model '{source}': {first_line(error)}", fix=fix) from error
    missing = [key for key in info["missing_keys"] if not _may_be_missing(model, key)]
    if missing:
        raise ModelError(
            f"The weights of '{source}' lack {len(missing)} tensors of a {type(model).__name__}, such as "
            f"'{min(missing)}'.",
            fix="Save the whole model with save_pretrained, with the config it was trained with.",
        )
    return model, tokenizer


def _may_be_missing(model: nn.Module, key: str) -> bool:
    """Heads that nothing is read from, and sine waves of positions, which are worked out and never saved."""
    part = model.get_submodule(key.rpartition(".")[0])
    return any(name in key for name in _MAY_BE_MISSING) or "Sinusoidal" in type(part).__name__


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' log, progress bars and warnings, and restore all three."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def max_positions(model: Any, tokenizer: Any) -> int | None:
    """Longest row that the model and its tokenizer take, special tokens counted; None where nothing limits it."""
    config = model.config.get_text_config()
    limits = [getattr(config, name, None) for name in ("max_position_embeddings", "n_positions")]
    limits.append(getattr(tokenizer, "model_max_length", None))
    known = [int(limit) for limit in limits if isinstance(limit, (int, float)) and 0 < limit < 1e9]
    for name, part in model.named_modules():
        # RoBERTa and its kin count positions from behind the padding's index, so the first ones are never used.
        if isinstance(part, nn.Embedding) and name.endswith("position_embeddings") and part.padding_idx is not None:
            known.append(part.num_embeddings - part.padding_idx - 1)
    return min(known, default=None)


def _decoder_start(config: Any, tokenizer: Any) -> int:
    return _first_int(
        getattr(config, "decoder_start_token_id", None),
        getattr(tokenizer, "pad_token_id", None),
        getattr(config, "bos_token_id", None),
        0,
    )


def _first_int(*values: Any) -> int:
    return next(int(value) for value in values if isinstance(value, int))


def _name(folder: Path) -> str:
    """The folder's name; its parent's where it is only called `model`."""
    folder = folder.resolve()
    return folder.parent.name if folder.name == "model" else folder.name
