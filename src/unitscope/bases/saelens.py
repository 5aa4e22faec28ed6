"""Sparse autoencoders as SAELens saves them: a folder with `cfg.json` and `sae_weights.safetensors`.

Read here without the package. ReLU (`standard`), TopK and JumpReLU autoencoders are known, and BatchTopK ones, which
are JumpReLU when they are used. What would give other numbers than SAELens' own is refused: gated encoders,
transcoders, scaling that is only known while training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.bases.base import Basis
from unitscope.bases.matrix import read_tensors
from unitscope.errors import BasisError

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
_NONLINEARITY = {
    "standard": "relu",
    "topk": "topk",
    "jumprelu": "jumprelu",
    "batchtopk": "jumprelu",
    "matryoshka_batchtopk": "jumprelu",
}
_KNOWN = "standard, topk, jumprelu, batchtopk"


def saelens(folder: Path) -> Basis:
    """The autoencoder in a folder. Raises BasisError saying what is missing, unknown or does not fit."""
    config = _config(folder)
    arrays, _ = read_tensors(folder / WEIGHTS)
    return from_parts(config, arrays, folder.name)


def from_parts(config: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]], name: str) -> Basis:
    """The autoencoder of a configuration and its weights; `name` is for errors."""
    kind = _kind(config, name)
    for need in ("W_enc", "W_dec"):
        if need not in arrays or arrays[need].ndim != 2:
            raise BasisError(f"The autoencoder '{name}' has no matrix '{need}'.", expected="W_enc and W_dec")
    encoder, decoder = arrays["W_enc"], arrays["W_dec"]
    for key, size in (("d_in", encoder.shape[0]), ("d_sae", encoder.shape[1])):
        if key in config and config[key] != size:
            raise BasisError(
                f"The autoencoder '{name}' says {key} = {config[key]}, but its W_enc is {encoder.shape}.",
                fix="Download it again; configuration and weights are not of one autoencoder.",
            )
    threshold = arrays.get("threshold", arrays.get("topk_threshold"))
    if kind == "jumprelu":
        if threshold is None:
            raise BasisError(f"The autoencoder '{name}' has no 'threshold'.", expected="one number a latent")
        threshold = np.broadcast_to(threshold, (encoder.shape[1],)).astype(np.float32)
    offset = arrays.get("b_dec", np.zeros(encoder.shape[0], np.float32))
    rescale = None
    if config.get("rescale_acts_by_decoder_norm"):
        rescale = np.linalg.norm(decoder, axis=1).astype(np.float32)
    return Basis(
        np.ascontiguousarray(encoder),
        bias=arrays.get("b_enc"),
        center=offset if config.get("apply_b_dec_to_input", True) else None,
        decoder=np.ascontiguousarray(decoder),
        offset=offset,
        nonlinearity=kind,  # type: ignore[arg-type]
        k=_k(config) if kind == "topk" else 0,
        threshold=threshold if kind == "jumprelu" else None,
        rescale=rescale,
        normalisation=_normalisation(config, name),
    )


def _config(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BasisError(
            f"'{folder.name}' is no folder of an autoencoder: it has no {CONFIG}.",
            expected=f"a folder with {CONFIG} and {WEIGHTS}, as SAELens saves it",
            fix="Check the path." if not folder.is_dir() else "Save the autoencoder with SAE.save_model.",
        ) from None
    except (OSError, ValueError) as error:
        raise BasisError(f"'{CONFIG}' in '{folder.name}' cannot be read: {error}.", fix="Save it again.") from error
    if not isinstance(found, dict):
        raise BasisError(f"'{CONFIG}' in '{folder.name}' is no JSON object.", fix="Save it again.")
    return found


def _kind(config: Mapping[str, Any], name: str) -> str:
    architecture = str(config.get("architecture", "standard"))
    if str(config.get("activation_fn_str", config.get("activation_fn", "relu"))) == "topk":
        architecture = "topk"  # as earlier versions wrote it
    if architecture not in _NONLINEARITY:
        raise BasisError(f"The autoencoder '{name}' is of the kind '{architecture}'.", expected=f"one of {_KNOWN}")
    activation = str(config.get("activation_fn_str", "relu"))
    if activation not in ("relu", "topk"):
        raise BasisError(f"The autoencoder '{name}' uses the activation '{activation}'.", expected="relu or topk")
    if config.get("finetuning_scaling_factor"):
        raise BasisError(
            f"The autoencoder '{name}' has a scaling factor of its own for its output.",
            fix="Fold it into the weights with a version of SAELens that knows it, and save again.",
        )
    return _NONLINEARITY[architecture]


def _k(config: Mapping[str, Any]) -> int:
    nested = config.get("activation_fn_kwargs") or {}
    k = config.get("k", nested.get("k") if isinstance(nested, Mapping) else None)
    if not isinstance(k, (int, float)) or k < 1:
        raise BasisError(f"A TopK autoencoder says k = {k}.", expected="a whole number of 1 or more")
    return int(k)


def _normalisation(config: Mapping[str, Any], name: str) -> Any:
    found = config.get("normalize_activations", "none")
    found = {True: "expected_average_only_in", False: "none", None: "none"}.get(found, found)
    if found == "expected_average_only_in":
        raise BasisError(
            f"The autoencoder '{name}' scales its input by an average norm that its file does not hold.",
            fix="Fold it in SAELens (sae.fold_activation_norm_scaling_factor(factor)) and save again.",
        )
    if found not in ("none", "layer_norm", "constant_norm_rescale"):
        raise BasisError(
            f"The autoencoder '{name}' normalises by '{found}'.",
            expected="none, layer_norm or constant_norm_rescale",
        )
    return found


def write_saelens(folder: Path, basis: Basis, about: Mapping[str, Any] | None = None) -> None:
    """Save an autoencoder as SAELens would, for use there or here. `about` goes into the configuration's `meta`."""
    import torch
    from safetensors.torch import save_file

    from unitscope.store import write_json

    architecture = {"relu": "standard", "topk": "topk", "jumprelu": "jumprelu"}.get(basis.nonlinearity)
    if architecture is None or basis.decoder is None or basis.chosen is not None or basis.floor is not None:
        raise BasisError("This basis is no autoencoder.", expected="ReLU, TopK or JumpReLU with a decoder")
    folder.mkdir(parents=True, exist_ok=True)
    d, m = basis.encoder.shape
    offset = basis.offset if basis.offset is not None else np.zeros(d, np.float32)
    arrays = {"W_enc": basis.encoder, "W_dec": basis.decoder, "b_dec": offset}
    arrays["b_enc"] = basis.bias if basis.bias is not None else np.zeros(m, np.float32)
    if basis.threshold is not None:
        arrays["threshold"] = basis.threshold
    config: dict[str, Any] = {
        "architecture": architecture,
        "d_in": d,
        "d_sae": m,
        "dtype": "float32",
        "apply_b_dec_to_input": basis.center is not None,
        "normalize_activations": basis.normalisation,
        "meta": dict(about or {}),
    }
    if architecture == "topk":
        config["k"] = basis.k
    if basis.rescale is not None:
        config["rescale_acts_by_decoder_norm"] = True
    save_file({name: torch.from_numpy(array.copy()) for name, array in arrays.items()}, folder / WEIGHTS)
    write_json(folder / CONFIG, config)
