"""Networks of images: layers found, channels on their cells, against a plain forward."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from unitscope.models.images import ImageModel, interpolated
from unitscope.sites import Cells, Image, Item


class Pixels:
    size = (24, 32)

    def encode_images(self, pixels: np.ndarray) -> tuple[torch.Tensor]:
        return (torch.from_numpy(pixels),)


def _model() -> ImageModel:
    torch.manual_seed(0)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))
    return ImageModel(
        nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3, 2), head), Pixels()
    )


def _items(folder: Path, n: int) -> list[Item]:
    items = []
    for i in range(n):
        pixels = np.random.default_rng(i).integers(0, 256, (24, 32, 3)).astype(np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f"{i}.png")
        items.append(Item(str(i), "g", {"image": Image(str(folder / f"{i}.png"), 24, 32)}))
    return items


def test_channels_at_cells_are_those_of_a_plain_forward(tmp_path: Path) -> None:
    model, items = _model(), _items(tmp_path, 5)
    layers = {layer.address: layer for layer in model.layers()}
    assert layers["0"].cells == "11x15 cells of 2x2 from 1,1 in 24x32"
    assert (layers["2"].grid, layers["3"].grid) == ("image:5x7", "item")
    found = model.run(items, [layers["0"], layers["2"], layers["3"]], batch_size=2)
    for i, item in enumerate(items):
        pixels = np.asarray(PIL.Image.open(item.grids["image"].path), np.float32) / 255
        with torch.inference_mode():
            early = model.module[0](torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None])
            late = model.module[2](torch.relu(early))[0]
            last = model.module[3](late[None])[0]
        for row in range(5):
            for column in range(7):
                torch.testing.assert_close(
                    found.values["2"][i * 35 + row * 7 + column], late[:, row, column], rtol=1e-5, atol=1e-6
                )
        torch.testing.assert_close(found.values["0"][i * 165 + 16], early[0, :, 1, 1], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.values["3"][i], last, rtol=1e-5, atol=1e-6)
    assert model.untrained(1).weight_hash == _model().untrained(1).weight_hash != model.weight_hash


def test_interpolation_keeps_a_plane_and_its_own_cells() -> None:
    own = Cells(4, 4, 4.0, 4.0, 0.0, 0.0, 16, 16)
    at = torch.arange(4.0) * 4 + 2
    plane = (2 * at[:, None] + 3 * at[None, :])[None, None]
    assert torch.equal(interpolated(plane, own, own), plane)
    fine = interpolated(plane, own, Cells.even(8, 8, 16, 16))[0, 0]
    centre = torch.arange(8.0) * 2 + 1
    expected = 2 * centre[1:7, None] + 3 * centre[None, 1:7]
    assert fine[1:7, 1:7].numpy() == pytest.approx(expected.numpy(), abs=1e-4)
