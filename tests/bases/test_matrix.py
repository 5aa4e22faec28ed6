"""Bases from safetensors files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from unitscope.bases.matrix import matrix
from unitscope.errors import BasisError


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("name", ["weight", "W"])
def test_a_weight_alone_is_a_linear_map(tmp_path: Path, name: str) -> None:
    save_file({name: drawn(4, 6).half()}, tmp_path / "m.safetensors")
    basis = matrix(tmp_path / "m.safetensors")
    torch.testing.assert_close(basis.encode(drawn(3, 6)), drawn(3, 6) @ drawn(4, 6).half().float().T)
    assert (basis.n_inputs, basis.width) == (6, 4)
    # The pseudo-inverse gives back the part of the values that the rows of the matrix span.
    again = basis.encode(basis.reconstruct(drawn(3, 6)))
    torch.testing.assert_close(again, basis.encode(drawn(3, 6)), rtol=1e-3, atol=1e-4)


def test_bias_centre_and_nonlinearity(tmp_path: Path) -> None:
    tensors = {"weight": drawn(4, 6), "bias": drawn(4), "center": drawn(6)}
    save_file(tensors, tmp_path / "m.safetensors", metadata={"nonlinearity": "topk", "k": "2"})
    before = (drawn(3, 6) - drawn(6)) @ drawn(4, 6).T + drawn(4)
    kept = before.topk(2).indices
    expected = torch.zeros_like(before).scatter(1, kept, before.gather(1, kept).relu())
    torch.testing.assert_close(matrix(tmp_path / "m.safetensors").encode(drawn(3, 6)), expected)


def test_errors_say_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with pytest.raises(BasisError, match=r"There is no file 'm.safetensors'.*Check the path"):
        matrix(path)
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(BasisError, match=r"cannot be read as safetensors.*pickled weights are refused"):
        matrix(path)
    save_file({"other": drawn(2, 2)}, path)
    with pytest.raises(BasisError, match=r"holds other. Expected: a tensor 'weight'"):
        matrix(path)
    save_file({"weight": drawn(2)}, path)
    with pytest.raises(BasisError, match=r"has shape \(2,\)"):
        matrix(path)
    save_file({"weight": drawn(2, 2)}, path, metadata={"k": "two"})
    with pytest.raises(BasisError, match=r"k='two'"):
        matrix(path)
    save_file({"weight": drawn(2, 2)}, path, metadata={"nonlinearity": "sine"})
    with pytest.raises(BasisError, match=r"Unknown nonlinearity 'sine'"):
        matrix(path)
