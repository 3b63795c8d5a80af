"""A network whose every concept rests on one concept below, and pictures with complete labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset

import hexplain_widgets as hx
from hexplain_widgets.data.concept_sets import LabelledPicture

SIDE = 16
COLORS = ("red", "green", "blue", "white")
MATERIALS = ("brick", "grass", "water", "snow")
PARTS = ("wall", "lawn", "surface", "slope")
OBJECTS = ("house", "garden", "lake", "mountain")
CLASSES = ("village", "valley")
RGB = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)], np.uint8)
LEVELS: dict[str, str | None] = {
    "scene": None, "object": "7", "part": "5", "material": "3", "color": "1",
}  # fmt: skip
NAMES = {
    "scene": ("none", *CLASSES), "object": ("none", *OBJECTS), "part": ("none", *PARTS),
    "material": ("none", *MATERIALS), "color": ("none", *COLORS),
}  # fmt: skip
# Channel `k` of a layer is fed by channel `ORDERS[level][k]` of the layer below, times GAINS.
ORDERS = {"material": (1, 2, 3, 0), "part": (3, 0, 2, 1), "object": (2, 3, 1, 0)}
GAINS = {"material": (2.0, 0.5, 1.0, 3.0), "part": (1.0, 2.0, 0.5, 1.5),
         "object": (0.5, 1.0, 2.0, 1.0)}  # fmt: skip
VOTES = np.array([[3.0, 1.0, 0.0, -2.0], [0.0, -1.0, 2.0, 1.0]])  # classes by channels of "7"


def mixing(rows: np.ndarray, bias: Sequence[float] | None = None) -> nn.Conv2d:
    conv = nn.Conv2d(rows.shape[1], len(rows), 1)
    conv.weight.data = torch.tensor(rows, dtype=torch.float32)[:, :, None, None]
    conv.bias.data = torch.tensor(bias or [0.0] * len(rows))
    return conv


def step(level: str) -> nn.Conv2d:
    return mixing(np.eye(4)[list(ORDERS[level])] * np.array(GAINS[level])[:, None])


def network() -> nn.Module:
    """Four layers of one cell's sight: colors, materials, parts, objects; then two classes."""
    eyes = mixing(
        np.array([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, 1]]), [0.0, 0.0, 0.0, -2.0]
    )
    layers: list[nn.Module] = [eyes, nn.ReLU()]
    for level in ("material", "part", "object"):
        layers += [step(level), nn.ReLU()]
    head = nn.Linear(4, 2, bias=False)
    head.weight.data = torch.tensor(VOTES, dtype=torch.float32)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()


def prepared(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image.convert("RGB"), np.float32)).permute(2, 0, 1) / 255


def classifier() -> hx.Classifier:
    return hx.Classifier(network(), transform=prepared, classes=CLASSES)


def channel_of(level: str, color: int) -> int:
    """The channel at a level that a color ends in; its concept has the same number."""
    if level == "color":
        return color
    below = {"material": "color", "part": "material", "object": "part"}[level]
    return ORDERS[level].index(channel_of(below, color))


def item(number: int, colors: Sequence[int] | None = None) -> LabelledPicture:
    """A picture of blocks of color on black, each in its quarter, labelled at four levels."""
    draw = np.random.default_rng(number)
    found = np.full((SIDE, SIDE), -1)
    for color in draw.permutation(4)[:3].tolist() if colors is None else colors:
        y, x = draw.integers(0, 3, 2) + np.array(divmod(color, 2)) * SIDE // 2
        found[y : y + 5, x : x + 5] = color
    pixels = np.where((found >= 0)[..., None], RGB[found], 0).astype(np.uint8)
    masks = {
        level: [np.array([0, *(1 + channel_of(level, c) for c in range(4))])[found + 1]]
        for level in ("object", "part", "material", "color")
    }
    return LabelledPicture(f"item {number}", Image.fromarray(pixels), masks)


class Pictures(Dataset):
    """A concept set of such pictures."""

    levels = tuple(NAMES)
    names = NAMES
    skipped = ()

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = list(numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, at: int) -> LabelledPicture:
        return item(self.numbers[at])

    def __iter__(self) -> Iterator[LabelledPicture]:
        return (self[i] for i in range(len(self)))


def chain(**settings: object) -> hx.Chain:
    made: dict = {"levels": LEVELS, "gates": 60, "sparsity": 1e-4, **settings}
    return hx.Chain(**made)


@cache
def fitted() -> hx.Chain:
    """A Chain fitted on the planted network, for tests that only ask it."""
    return chain().fit(classifier(), Pictures(range(20)), progress=False)
