"""SqueezeNet 1.1 (Iandola et al. 2016, arXiv 1602.07360), with the parameter names of torchvision's model.

A fire module squeezes its input to few channels by 1 x 1 convolutions and expands them by 1 x 1 and 3 x 3 ones side
by side. Input: [B, 3, H, W], red, green and blue, each less the mean and over the standard deviation of ImageNet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FIRES = ((64, 16, 64), (128, 16, 64), (128, 32, 128), (256, 32, 128))
WIDE_FIRES = ((256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256))
"""Channels that the fire modules take, squeeze to, and expand to on each side."""


class Fire(nn.Module):
    """Squeeze to `n_squeezed` channels, expand to twice `n_expanded`: [B, U, H, W] to [B, 2 n_expanded, H, W]."""

    def __init__(self, n_inputs: int, n_squeezed: int, n_expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(n_inputs, n_squeezed, 1)
        self.expand1x1 = nn.Conv2d(n_squeezed, n_expanded, 1)
        self.expand3x3 = nn.Conv2d(n_squeezed, n_expanded, 3, padding=1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Rectified expansions, the 1 x 1 ones first."""
        squeezed = torch.relu(self.squeeze(inputs))
        return torch.cat([torch.relu(self.expand1x1(squeezed)), torch.relu(self.expand3x3(squeezed))], 1)


class SqueezeNet(nn.Module):
    """Classifier of 1,000 kinds of things."""

    def __init__(self, n_classes: int = 1000) -> None:
        super().__init__()

        def pool() -> nn.MaxPool2d:
            return nn.MaxPool2d(3, 2, ceil_mode=True)

        early = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(), Fire(*FIRES[0]), Fire(*FIRES[1]), pool()]
        late = [Fire(*FIRES[2]), Fire(*FIRES[3]), pool(), *(Fire(*sizes) for sizes in WIDE_FIRES)]
        self.features = nn.Sequential(*early, *late)
        self.classifier = nn.Sequential(
            nn.Dropout(0.5), nn.Conv2d(512, n_classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1))
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Scores of the classes, [B, n_classes]."""
        return torch.flatten(self.classifier(self.features(inputs)), 1)


@dataclass(frozen=True)
class Pictures:
    """Pictures as SqueezeNet was trained on: 224 x 224 pixels, normalised."""

    size: tuple[int, int] = (224, 224)

    def encode_images(self, pixels: NDArray[np.float32]) -> Sequence[Any]:
        """Normalised pixels [B, 3, H, W]."""
        mean, deviation = (torch.tensor(each).reshape(3, 1, 1) for each in (MEAN, DEVIATION))
        return ((torch.from_numpy(pixels) - mean) / deviation,)
