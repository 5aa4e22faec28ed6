"""Rotations turn and do nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unitscope.bases import rotation as module
from unitscope.bases.rotation import rotation


@pytest.mark.parametrize("most", [4, 1024])
def test_it_is_orthogonal_and_reconstructs(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", most)
    basis = rotation(10, 3, "h.0")
    np.testing.assert_allclose(basis.encoder.T @ basis.encoder, np.eye(10), atol=1e-5)
    x = torch.randn(5, 10, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(basis.reconstruct(x), x, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(basis.encode(x).norm(dim=1), x.norm(dim=1))
    assert np.count_nonzero(basis.encoder) == (34 if most == 4 else 100)


def test_seed_and_layer_make_it() -> None:
    assert np.array_equal(rotation(6, 1, "a").encoder, rotation(6, 1, "a").encoder)
    assert not np.allclose(rotation(6, 1, "a").encoder, rotation(6, 2, "a").encoder)
    assert not np.allclose(rotation(6, 1, "a").encoder, rotation(6, 1, "b").encoder)
