"""The small trainer: it finds planted directions, and says the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unitscope.bases.train_sae import Training, train_sae
from unitscope.errors import BasisError


def planted(n: int = 6000, d: int = 16, m: int = 24) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Rows that are sums of about two of `m` directions, and the directions."""
    draw = np.random.default_rng(5)
    directions = draw.normal(size=(m, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    on = draw.random((n, m)) < 2 / m
    rows = (on * draw.uniform(1, 3, size=(n, m))) @ directions + 5
    return rows.astype(np.float32), directions


TRAINING = Training(n_latents=32, k=3, steps=500, batch=256, rate=1e-2)


def test_it_finds_planted_directions() -> None:
    rows, directions = planted()
    basis = train_sae(rows, TRAINING)
    assert basis.decoder is not None
    decoder = basis.decoder / np.linalg.norm(basis.decoder, axis=1, keepdims=True)
    found = (directions @ decoder.T).max(axis=1)
    assert (found > 0.9).mean() > 0.7, np.round(found, 2)
    values = torch.from_numpy(rows)
    left = basis.error(values).square().sum() / (values - values.mean(dim=0)).square().sum()
    assert left < 0.15
    assert ((basis.encode(values) > 0).sum(dim=1) <= 3).all()


def test_the_seed_makes_it() -> None:
    rows, _ = planted(600)
    few = Training(n_latents=20, k=2, steps=5, batch=128)
    one, same = train_sae(rows, few), train_sae(rows, few)
    other = train_sae(rows, Training(n_latents=20, k=2, steps=5, batch=128, seed=1))
    assert np.array_equal(one.encoder, same.encoder)
    assert not np.allclose(one.encoder, other.encoder)


def test_too_few_sites_and_a_k_that_makes_no_sense() -> None:
    rows, _ = planted(100)
    with pytest.raises(BasisError, match=r"Got 100 sites to train on. Expected: at least 256"):
        train_sae(rows, TRAINING)
    with pytest.raises(BasisError, match=r"Got k=40 of 32 latents"):
        train_sae(rows, Training(n_latents=32, k=40, batch=10))
