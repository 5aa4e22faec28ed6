"""How bases are written, and how they meet their layers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from unitscope.bases import parse_bases
from unitscope.bases.base import Basis
from unitscope.bases.specs import Given, Pca, Rotation
from unitscope.errors import BasisError


def test_specs_are_read(tmp_path: Path) -> None:
    save_file({"weight": np.eye(3, dtype=np.float32)}, tmp_path / "a=b.safetensors")
    given = Basis(np.eye(3, dtype=np.float32))
    found = parse_bases(
        [
            "h.*=pca",
            "h.1=pca:4",
            "h.1=rotation",
            "h.1=rotation:7",
            f"h.1=matrix:{tmp_path}/a=b.safetensors",
            ("x", given),
        ]
    )
    assert found[:4] == [("h.*", Pca()), ("h.1", Pca(4)), ("h.1", Rotation(0)), ("h.1", Rotation(7))]
    assert [spec.name for _, spec in found] == ["pca", "pca", "rotation", "rotation7", "matrix", "given"]
    assert [spec.width(3, "h.1") for _, spec in found[2:]] == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("h.1", r"Got basis 'h.1'. Expected: GLOB=pca\[:COMPONENTS\]"),
        ("=pca", "Got basis '=pca'"),
        ("h.1=", "Got basis 'h.1='"),
        ("h.1=pcaa:3", "Closest: 'pca'"),
        ("h.1=pca:0", "Got '0' in basis 'h.1=pca:0'. Expected: a whole number of 1 or more"),
        ("h.1=rotation:x", "Got 'x' in basis 'h.1=rotation:x'"),
        ("h.1=matrix", "Got basis 'h.1=matrix'"),
        ("h.1=sae", "Got basis 'h.1=sae'"),
        ("h.1=sae:hub:one", "Got autoencoder 'hub:one'. Expected: sae:hub:RELEASE/ID"),
        ("h.1=sae:/nowhere/sae", "'sae' is no folder of an autoencoder"),
    ],
)
def test_what_is_written_wrongly_is_told(spec: str, message: str) -> None:
    with pytest.raises(BasisError, match=message):
        parse_bases([spec])


def test_autoencoders_of_the_hub_need_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sae_lens", None)
    with pytest.raises(BasisError, match=r"pip install 'unitscope\[sae\]'"):
        parse_bases(["h.1=sae:hub:release/id"])


def test_a_basis_of_another_width_is_refused() -> None:
    with pytest.raises(BasisError, match=r"'m' reads 3 values, but layer 'h.1' has 4 units.*unitscope layers MODEL"):
        Given("matrix", Basis(np.eye(3, dtype=np.float32)), "'m'").width(4, "h.1")
    with pytest.raises(BasisError, match=r"Got 9 principal components of layer 'h.1'. Expected: at most 4"):
        Pca(9).width(4, "h.1")


def test_a_description_changes_with_anything_that_changes_a_bit() -> None:
    one = Basis(np.eye(3, dtype=np.float32))
    others = [Basis(2 * np.eye(3, dtype=np.float32)), Basis(one.encoder, bias=np.zeros(3, np.float32))]
    others.append(Basis(one.encoder, nonlinearity="relu"))
    found = {Given("given", basis).describe() for basis in (one, *others)}
    assert len(found) == 4
    assert Given("given", Basis(np.eye(3, dtype=np.float32))).describe() in found


def test_importing_specs_imports_no_torch() -> None:
    import subprocess

    code = "import sys, unitscope.bases.specs, unitscope.api; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
