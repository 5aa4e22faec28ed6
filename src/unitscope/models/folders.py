"""Which model folders may be loaded: nothing in one is executed, and nothing may be missing.

Weights are read as safetensors only, since reading a pickle can run any code, and configurations that name code of
their own are refused. Each refusal says how to mend the folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unitscope.errors import ModelError

_PICKLES = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt")
_TOKENIZER_FILES = ("tokenizer*", "vocab*", "*.model", "*.spm", "spiece*", "merges.txt", "tekken.json")
_CONVERT = (
    "Convert it once, where you trust it: "
    "AutoModel.from_pretrained(FOLDER, use_safetensors=False).save_pretrained(FOLDER)"
)


def looks_like_path(spec: str) -> bool:
    """Whether a spec cannot be a hub id (`name` or `owner/name`) and so means a folder.

    >>> looks_like_path("./mine"), looks_like_path("a/b/c"), looks_like_path("google/bert")
    (True, True, False)
    """
    return spec.startswith((".", "/", "~")) or spec.count("/") > 1 or "\\" in spec or spec.endswith("/")


def check_folder(folder: Path) -> None:
    """Refuse a folder that transformers could only load unsafely or wrongly. Raises ModelError."""
    config = _read_json(folder / "config.json")
    if config is None:
        raise ModelError(
            f"Folder '{folder}' has no config.json.",
            expected="a folder written by save_pretrained",
            fix="Point to the folder that holds config.json and model.safetensors.",
        )
    refuse_code(config, folder)
    refuse_code(_read_json(folder / "tokenizer_config.json") or {}, folder)
    if not any(folder.glob("*.safetensors")):
        if any(path for pattern in _PICKLES for path in folder.glob(pattern)):
            raise ModelError(
                f"Folder '{folder}' has pickled weights only, which can run code when they are read.",
                expected="model.safetensors",
                fix=_CONVERT,
            )
        raise ModelError(
            f"Folder '{folder}' has no weights.", expected="model.safetensors", fix="Save the model again."
        )
    if not any(path for pattern in _TOKENIZER_FILES for path in folder.glob(pattern)):
        raise ModelError(
            f"Folder '{folder}' has no tokenizer.",
            expected="tokenizer.json, vocab.txt or the like",
            fix="Save it there: tokenizer.save_pretrained(FOLDER)",
        )


def _read_json(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"Cannot read '{path}': {first_line(error)}", fix="Save or download it again.") from error
    return found if isinstance(found, dict) else {}


def refuse_code(config: dict[str, Any], source: object) -> None:
    """Raise ModelError for a configuration that names code outside transformers."""
    if config.get("auto_map"):
        raise ModelError(
            f"Model '{source}' comes with code of its own (auto_map), which is not run.",
            fix="Build it yourself and pass it as python:module:factory, or use a model that transformers knows.",
        )


def first_line(error: BaseException) -> str:
    """First line of an error's message, or its class."""
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
