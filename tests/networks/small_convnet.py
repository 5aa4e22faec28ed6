"""A small random network of pictures. Not a test. Command lines import it as `python:small_convnet:network`."""

import numpy as np
import torch
from torch import nn

SIZE = 64


class Pixels:
    """Pictures as they are."""

    size = (SIZE, SIZE)

    def encode_images(self, pixels: np.ndarray) -> tuple[torch.Tensor]:
        return (torch.from_numpy(pixels),)


def network() -> tuple[nn.Module, Pixels]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.Conv2d(6, 8, 3, 2), nn.ReLU()), Pixels()
