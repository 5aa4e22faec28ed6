"""Attribution in a network of pictures: cells as sites, the picture itself on the line, rectifiers in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from unitscope.causal.ablation import Ablation
from unitscope.causal.methods import Conductance, GradientXActivation, IntegratedGradients
from unitscope.causal.targets import ClassLogit
from unitscope.causal.to_tokens import attribute_tokens
from unitscope.causal.to_units import attribute_units
from unitscope.errors import AttributionError
from unitscope.models.images import ImageModel
from unitscope.sites import Image, Item

SIZE = 16


class Pixels:
    size = (SIZE, SIZE)

    def encode_images(self, pixels: Any) -> tuple[torch.Tensor]:
        return (torch.from_numpy(pixels),)


@pytest.fixture(scope="module")
def model() -> ImageModel:
    torch.manual_seed(4)
    layers = (nn.Conv2d(3, 5, 3, 2), nn.ReLU(inplace=True), nn.Conv2d(5, 6, 3), nn.ReLU(inplace=True))
    return ImageModel(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)), Pixels())


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    folder, draw, found = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0), []
    for at in range(3):
        path: Path = folder / f"{at}.png"
        PIL.Image.fromarray(draw.integers(0, 255, (SIZE, SIZE, 3)).astype(np.uint8)).save(path)
        found.append(Item(f"p{at}", "g", {"image": Image(str(path), SIZE, SIZE)}))
    return found


@pytest.mark.parametrize("method", [Conductance(50), Conductance(30, "tangents"), IntegratedGradients(50)], ids=repr)
def test_a_layer_explains_the_logit(model: ImageModel, items: list[Item], method: Any) -> None:
    found = attribute_units(model, items, layers=["0", "2"], target=ClassLogit(None), method=method, keep_sites=True)
    for address, n_cells, width in (("0", 49, 5), ("2", 25, 6)):
        assert found.relative_gap(address) < 0.03
        assert found.at_sites[address].shape == (3 * n_cells, width)
        cells = found.at_sites[address].reshape(3, n_cells, width)
        np.testing.assert_allclose(cells.sum(axis=1), found.totals[address], rtol=1e-3, atol=1e-5)


def test_gradient_and_ablation_by_hand(model: ImageModel, items: list[Item]) -> None:
    pixels = torch.stack([model.arguments([item])[0][0] for item in items])
    chosen = model.module(pixels).argmax(dim=1)
    hidden = model.module[:3](pixels).detach().requires_grad_()  # type: ignore[index]
    logits = model.module[3:](hidden.clone()).gather(1, chosen[:, None])[:, 0]  # type: ignore[index]
    (gradient,) = torch.autograd.grad(logits.sum(), hidden)
    found = attribute_units(model, items, layers=["2"], target=ClassLogit(None), method=GradientXActivation())
    np.testing.assert_allclose(found.totals["2"], (hidden * gradient).sum(dim=(2, 3)).detach(), rtol=1e-4, atol=1e-6)
    without = hidden.detach().clone()
    without[:, 4] = 0
    lost = logits - model.module[3:](without).gather(1, chosen[:, None])[:, 0]  # type: ignore[index]
    taken = attribute_units(model, items, layers=["2"], target=ClassLogit(None), method=Ablation({"2": [4]}))
    np.testing.assert_allclose(taken.totals["2"][:, 4], lost.detach(), rtol=1e-4, atol=1e-6)


def test_pictures_have_no_tokens(model: ImageModel, items: list[Item]) -> None:
    with pytest.raises(AttributionError, match="reads pictures, which have no tokens"):
        list(attribute_tokens(model, items, "2"))
    with pytest.raises(AttributionError, match="Pictures have no baseline 'pad'"):
        attribute_units(model, items, layers=["2"], target=ClassLogit(0), baseline="pad")
