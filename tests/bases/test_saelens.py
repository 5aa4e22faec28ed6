"""Folders of SAELens: each kind against its formula, written out in numpy, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from unitscope.bases.saelens import saelens, write_saelens
from unitscope.errors import BasisError

D, M = 5, 9


def weights() -> dict[str, torch.Tensor]:
    made = torch.Generator().manual_seed(2)
    shapes = {"W_enc": (D, M), "W_dec": (M, D), "b_enc": (M,), "b_dec": (D,), "threshold": (M,)}
    found = {name: torch.randn(*shape, generator=made) for name, shape in shapes.items()}
    found["threshold"] = found["threshold"].abs()
    return found


def folder(path: Path, config: dict[str, Any], without: tuple[str, ...] = ()) -> Path:
    path.mkdir(exist_ok=True)
    (path / "cfg.json").write_text(json.dumps({"d_in": D, "d_sae": M, "dtype": "float32", **config}))
    save_file({name: t for name, t in weights().items() if name not in without}, path / "sae_weights.safetensors")
    return path


def naive(config: dict[str, Any], x: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Latents and reconstruction as SAELens defines them."""
    w = {name: tensor.double().numpy() for name, tensor in weights().items()}
    scale, shift = np.ones((len(x), 1)), np.zeros((len(x), 1))
    how = config.get("normalize_activations", "none")
    if how == "layer_norm":
        shift = x.mean(axis=1, keepdims=True)
        scale = (x - shift).std(axis=1, ddof=1, keepdims=True)
        x = (x - shift) / (scale + 1e-5)
    if how == "constant_norm_rescale":
        scale = np.linalg.norm(x, axis=1, keepdims=True) / D**0.5
        x = x / scale
    before = (x - (w["b_dec"] if config.get("apply_b_dec_to_input", True) else 0)) @ w["W_enc"] + w["b_enc"]
    norms = np.linalg.norm(w["W_dec"], axis=1)
    if config.get("rescale_acts_by_decoder_norm"):
        before = before * norms
    latents = np.maximum(before, 0)
    if config["architecture"] == "topk" or config.get("activation_fn_str") == "topk":
        k = config.get("k", 2)
        latents = np.where(before >= np.sort(before, axis=1)[:, [-k]], latents, 0)
    elif config["architecture"] in ("jumprelu", "batchtopk"):
        latents = np.where(before > w["threshold"], latents, 0)
    decoder = w["W_dec"] / (norms[:, None] if config.get("rescale_acts_by_decoder_norm") else 1)
    return latents, (latents @ decoder + w["b_dec"]) * scale + shift


@pytest.mark.parametrize(
    "config",
    [
        {"architecture": "standard"},
        {"architecture": "standard", "apply_b_dec_to_input": False},
        {"architecture": "standard", "normalize_activations": "layer_norm"},
        {"architecture": "jumprelu", "normalize_activations": "constant_norm_rescale"},
        {"architecture": "topk", "k": 3},
        {"architecture": "topk", "k": 3, "rescale_acts_by_decoder_norm": True},
        {"architecture": "standard", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}},
        {"architecture": "jumprelu"},
        {"architecture": "batchtopk"},
    ],
)
def test_latents_and_reconstruction_are_those_of_the_formula(tmp_path: Path, config: dict[str, Any]) -> None:
    basis = saelens(folder(tmp_path / "sae", config))
    x = torch.randn(20, D, generator=torch.Generator().manual_seed(1)) * 3
    latents, back = naive(config, x.double().numpy())
    np.testing.assert_allclose(basis.encode(x).numpy(), latents, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(basis.reconstruct(x).numpy(), back, rtol=1e-4, atol=1e-3)
    assert (basis.encode(x) == 0).any()


@pytest.mark.parametrize("config", [{"architecture": "topk", "k": 3}, {"architecture": "jumprelu"}])
def test_what_is_written_is_read_again(tmp_path: Path, config: dict[str, Any]) -> None:
    basis = saelens(folder(tmp_path / "sae", config))
    write_saelens(tmp_path / "again", basis, {"hook_name": "h.1"})
    again = saelens(tmp_path / "again")
    x = torch.randn(4, D, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(again.reconstruct(x), basis.reconstruct(x), rtol=0, atol=0)
    written = json.loads((tmp_path / "again" / "cfg.json").read_text())
    assert (written["architecture"], written["meta"]) == (config["architecture"], {"hook_name": "h.1"})


@pytest.mark.parametrize(
    ("config", "without", "message"),
    [
        ({"architecture": "gated"}, (), "of the kind 'gated'. Expected: one of standard, topk, jumprelu, batchtopk"),
        ({"architecture": "standard", "activation_fn_str": "tanh-relu"}, (), "uses the activation 'tanh-relu'"),
        ({"architecture": "jumprelu"}, ("threshold",), "has no 'threshold'"),
        ({"architecture": "standard"}, ("W_dec",), "has no matrix 'W_dec'"),
        ({"architecture": "standard", "d_sae": 8}, (), r"says d_sae = 8, but its W_enc is \(5, 9\)"),
        ({"architecture": "topk"}, (), "says k = None"),
        ({"architecture": "topk", "k": 10}, (), "Got k=10 of 9 units"),
        (
            {"architecture": "standard", "normalize_activations": "expected_average_only_in"},
            (),
            "scales its input by an average norm.*Fold it in SAELens",
        ),
        ({"architecture": "standard", "normalize_activations": "batch"}, (), "normalises by 'batch'"),
        ({"architecture": "standard", "finetuning_scaling_factor": True}, (), "scaling factor of its own"),
    ],
)
def test_what_would_give_other_numbers_is_refused(
    tmp_path: Path, config: dict[str, Any], without: tuple[str, ...], message: str
) -> None:
    with pytest.raises(BasisError, match=message):
        saelens(folder(tmp_path / "sae", config, without))


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(BasisError, match=r"'nowhere' is no folder of an autoencoder.*Check the path"):
        saelens(tmp_path / "nowhere")
    with pytest.raises(BasisError, match=r"has no cfg.json.*Save the autoencoder"):
        saelens(tmp_path)
    (tmp_path / "cfg.json").write_text("{")
    with pytest.raises(BasisError, match=r"'cfg.json' .* cannot be read"):
        saelens(tmp_path)
    (tmp_path / "cfg.json").write_text("[]")
    with pytest.raises(BasisError, match=r"is no JSON object"):
        saelens(tmp_path)
    (tmp_path / "cfg.json").write_text("{}")
    with pytest.raises(BasisError, match=r"There is no file 'sae_weights.safetensors'"):
        saelens(tmp_path)
