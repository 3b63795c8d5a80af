"""A network that takes a green dog for a cat, for it has a red ear: which channel decides is known.

Two stages; the channels of the deeper one copy red, green and blue, the fourth is 0.1 everywhere.
A cat is three times red, a dog 1.2 times green, a bird blue less 1.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.failures import GRID

CLASSES = ("cat", "dog", "bird")
RED, GREEN, BLUE, EVEN = range(4)


def network() -> nn.Sequential:
    made = nn.Sequential(
        nn.Conv2d(3, 3, 1, bias=False), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip
    made[0].weight.data = torch.eye(3).view(3, 3, 1, 1)
    made[3].weight.data = torch.cat([torch.eye(3), torch.zeros(1, 3)]).view(4, 3, 1, 1)
    made[3].bias.data = torch.tensor([0.0, 0, 0, 0.1])
    made[7].weight.data = torch.tensor([[3.0, 0, 0, 0], [0, 1.2, 0, 0], [0, 0, 1.0, 0]])
    made[7].bias.data = torch.tensor([0.0, 0, -1])
    return made.eval()


def classifier() -> hx.Classifier:
    return hx.Classifier(network(), classes=CLASSES)


def dog(side: int = 16) -> Tensor:
    """Green 0.6, but red 1 in the upper left quarter: cat 0.75, dog 0.54."""
    x = torch.zeros(1, 3, side, side)
    x[0, 1] = 0.6
    x[0, :, : side // 2, : side // 2] = torch.tensor([1.0, 0, 0]).view(3, 1, 1)
    return x


def ear() -> np.ndarray:
    """The ear as a mask: the upper left quarter of the grid."""
    mask = np.zeros((GRID, GRID), dtype=bool)
    mask[: GRID // 2, : GRID // 2] = True
    return mask
