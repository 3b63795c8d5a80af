"""What the kept files were made with: scenes of 16 pixels, and two networks that see them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import hexplain_widgets as hx

SIDE = 16
CLASSES = ("house", "street", "beach")
LEVELS = {"scene": None, "object": "4", "color": "1"}
MISTAKEN = 3  # a street that the small network takes for something else
HIERARCHY = {"scene": {"built": ["house", "street"], "open": ["beach"]}}
HEAD = torch.tensor([
    [31.6, 1.1, 1.3, -13.6, 2.9, 5.6, 5.4],
    [-22.2, -12.1, -0.5, 17.2, -27.2, -23.5, 3.7],
    [-9.4, 11.0, -0.8, -3.6, 24.3, 17.8, -5.1],
])  # fmt: skip
CONCEPTS = {"low": [0, 1, 2], "high": [3, 4]}


def prepared(image: Image.Image) -> Tensor:
    pixels = np.asarray(image.convert("RGB").resize((SIDE, SIDE)), np.float32)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255


def network() -> nn.Module:
    """Two stages of four and six channels; the head names most scenes rightly."""
    made = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, stride=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3),
    )  # fmt: skip
    for p in made.parameters():
        steps = torch.arange(p.numel(), dtype=torch.float64).reshape(p.shape)
        size = (3 / p[0].numel()) ** 0.5 if p.ndim > 1 else 0.05
        drawn = size * torch.sin(12.9898 * (steps + 1) + p.ndim)
        p.data = drawn.round(decimals=3).float()  # the same bits on every machine
    made[7].weight.data, made[7].bias.data = HEAD[:, :6].clone(), HEAD[:, 6].clone()
    return made.eval()


def classifier() -> hx.Classifier:
    """The small network, which every kept engine was fitted on."""
    return hx.Classifier(network(), transform=prepared, classes=CLASSES)


@cache
def trained() -> hx.Classifier:
    """The embedded world's network, on pictures of a seventh of its side."""
    whole = hx.demo.classifier()

    def smaller(image: Image.Image) -> Tensor:
        return F.interpolate(whole.transform(image)[None], (SIDE, SIDE), mode="area")[0]

    return hx.Classifier(whole.model, transform=smaller, classes=whole.classes)


def picture(name: str, seed: int = 0) -> Image.Image:
    return hx.demo.scene(name, seed=seed, size=SIDE).image


def pictures(count: int = 3) -> list[tuple[Image.Image, int]]:
    """So many scenes of each class, with their labels."""
    return [(picture(name, seed), i) for seed in range(count) for i, name in enumerate(CLASSES)]


class Labelled:
    """The same scenes as a concept set, with labels at all five levels."""

    def __init__(self, count: int = 3) -> None:
        self.count = count
        of_all = hx.demo.scenes(1).concepts()
        self.levels, self.names, self.skipped = of_all.levels, of_all.names, of_all.skipped

    def __len__(self) -> int:
        return self.count * len(CLASSES)

    def __iter__(self) -> Iterator[object]:
        return (self[at] for at in range(len(self)))

    def __getitem__(self, at: int) -> object:
        if not 0 <= at < len(self):
            raise IndexError(at)
        return hx.demo.scene(CLASSES[at % 3], seed=at // 3, size=SIDE)
