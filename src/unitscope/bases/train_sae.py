"""A small TopK autoencoder, trained in minutes on a CPU: for comparisons and tests, not a rival of training libraries.

After Gao et al. 2024, "Scaling and evaluating sparse autoencoders": the k greatest latents reconstruct a site's
values, decoder rows have unit norm and start as the encoder's, the centre starts as the mean, and latents that have
long been silent are trained on what the others leave over. Same values and seed, same bytes (at equal threads).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.bases.base import Basis
from unitscope.errors import BasisError
from unitscope.models.base import Layer, Model, Resampling
from unitscope.sites import Item

SILENT = 20
"""Latents that were off for so many steps count as silent."""
AUXILIARY = 1 / 32


@dataclass(frozen=True)
class Training:
    """How an autoencoder is trained: number of latents, how many are on at a site, steps, rows a step, rate, seed."""

    n_latents: int = 1536
    k: int = 32
    steps: int = 600
    batch: int = 1024
    rate: float = 1e-3
    seed: int = 0


def layer_values(
    model: Model, layer: Layer, items: Iterable[Item], *, resample: Resampling = "last", chunk: int = 256
) -> NDArray[np.float32]:
    """Values of a layer at the words of items, [S, D]; words without a position are left out."""
    found: list[NDArray[np.float32]] = [np.zeros((0, layer.width), np.float32)]
    waiting: list[Item] = []

    def flush() -> None:
        if waiting:
            captured = model.run(waiting, [layer], resample=resample)
            found.append(captured.values[layer.address].numpy()[captured.valid[layer.grid]])
            waiting.clear()

    for item in items:
        waiting.append(item)
        if len(waiting) == chunk:
            flush()
    flush()
    return np.concatenate(found)


def train_sae(
    values: NDArray[np.float32], training: Training, tick: Callable[[int, int], None] = lambda done, of: None
) -> Basis:
    """Train on rows of values [S, D]. Raises BasisError where there are fewer rows than one step takes."""
    n_latents, k = training.n_latents, training.k
    if not 0 < k <= n_latents:
        raise BasisError(f"Got k={k} of {n_latents} latents.", expected=f"a whole number from 1 to {n_latents}")
    if len(values) < training.batch:
        raise BasisError(f"Got {len(values)} sites to train on.", expected=f"at least {training.batch}")
    made = torch.Generator().manual_seed(training.seed)
    mean = values.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = float(np.sqrt(np.square(values - mean, dtype=np.float64).mean())) or 1.0
    rows = torch.from_numpy((values - mean) / np.float32(scale))
    start = torch.nn.functional.normalize(torch.randn(n_latents, rows.shape[1], generator=made), dim=1)
    with torch.inference_mode(False), torch.enable_grad():
        net = _Net(start, k)
        _train(net, rows, training, made, tick)
    encoder, decoder = net.encoder.detach().numpy(), net.decoder.detach().numpy()
    center = mean + np.float32(scale) * net.center.detach().numpy()
    return Basis(
        np.ascontiguousarray(encoder / np.float32(scale)),
        bias=net.bias.detach().numpy().copy(),
        center=center,
        decoder=np.ascontiguousarray(decoder * np.float32(scale)),
        offset=center,
        nonlinearity="topk",
        k=k,
    )


class _Net:
    """Parameters in the units of rows with mean zero and mean square one."""

    def __init__(self, start: torch.Tensor, k: int) -> None:
        self.encoder = start.T.clone().requires_grad_()
        self.decoder = start.clone().requires_grad_()
        self.bias = torch.zeros(len(start), requires_grad=True)
        self.center = torch.zeros(start.shape[1], requires_grad=True)
        self.k = k

    @property
    def parameters(self) -> list[torch.Tensor]:
        return [self.encoder, self.decoder, self.bias, self.center]

    def before(self, rows: torch.Tensor) -> torch.Tensor:
        return (rows - self.center) @ self.encoder + self.bias

    def decode(self, indices: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        found = torch.nn.functional.embedding_bag(indices, self.decoder, per_sample_weights=latents, mode="sum")
        return found + self.center


def _train(
    net: _Net, rows: torch.Tensor, training: Training, made: torch.Generator, tick: Callable[[int, int], None]
) -> None:
    optimiser = torch.optim.Adam(net.parameters, lr=training.rate, betas=(0.9, 0.999))
    silent = torch.zeros(training.n_latents)
    order, at = torch.randperm(len(rows), generator=made), 0
    for step in range(training.steps):
        for group in optimiser.param_groups:  # warmed up, and brought down to zero over the last fifth
            left = (training.steps - step) / max(1.0, training.steps / 5)
            group["lr"] = training.rate * min(1.0, (step + 1) / 20, left)
        if at + training.batch > len(rows):
            order, at = torch.randperm(len(rows), generator=made), 0
        batch = rows[order[at : at + training.batch]]
        at += training.batch
        loss = _loss(net, batch, silent, training.batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.no_grad():
            net.decoder /= net.decoder.norm(dim=1, keepdim=True).clamp(min=1e-8)
        if not math.isfinite(float(loss.detach())):
            raise BasisError("Training the autoencoder diverged.", fix="Lower its rate.")
        tick(step + 1, training.steps)


def _loss(net: _Net, batch: torch.Tensor, silent: torch.Tensor, n_rows: int) -> torch.Tensor:
    """Mean square error as a share of the variance, and the silent latents' share in what is left over."""
    before = net.before(batch)
    top = before.topk(net.k, dim=1, sorted=False)
    latents = top.values.relu()
    rest = batch - net.decode(top.indices, latents)
    loss = rest.square().mean()
    fired = torch.zeros_like(silent)
    fired[top.indices[latents > 0]] = 1
    silent += 1
    silent[fired > 0] = 0
    dead = silent > SILENT
    n_dead = int(dead.sum())
    if n_dead:
        k = min(n_dead, 2 * net.k)
        others = before.masked_fill(~dead, -torch.inf).topk(k, dim=1, sorted=False)
        again = net.decode(others.indices, others.values.relu()) - net.center
        loss = loss + AUXILIARY * (rest.detach() - again).square().mean()
    return loss
