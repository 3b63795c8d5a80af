"""A network whose first filters fire exactly on a part, and labelled images of these parts."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

import hexplain_widgets as hx
from hexplain_widgets.data.concept_sets import LabelledPicture
from tests.networks import pointwise

SIDE = 56
COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
PARTS = ("red", "green", "blue")
LAYER = "1"
NETWORK_FILTERS = 4
SILENT = 3


def network() -> hx.Classifier:
    """Filters 0 to 2 fire on red, green and blue; filter 3 never does."""
    weights = torch.full((NETWORK_FILTERS, 3), -1.0)
    weights[:3] += 2 * torch.eye(3)
    model = pointwise(weights, torch.eye(2, NETWORK_FILTERS))
    steps = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    return hx.Classifier(model, transform=steps, classes=["one", "other"])


class Patches:
    """Grey images with one square of some colors, each labelled as a part."""

    skipped = ()
    names = MappingProxyType({"part": ("none", *PARTS), "object": ("none", "patch")})

    def __init__(self, count: int = 6, level: str = "part", stop: int | None = None) -> None:
        self.count, self.levels, self.stop = count, (level,), stop

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[LabelledPicture]:
        for i in range(self.count):
            if i == self.stop:
                raise KeyboardInterrupt
            yield self[i]

    def __getitem__(self, i: int) -> LabelledPicture:
        pixels = np.full((SIDE, SIDE, 3), 100 + i, np.uint8)
        labels = np.zeros((SIDE, SIDE), np.int32)
        color = i % 3
        rows = slice(8 * (i % 6), 8 * (i % 6) + 8)
        columns = slice(4 + i, 14 + i)
        pixels[rows, columns] = COLORS[color]
        labels[rows, columns] = color + 1
        if self.levels == ("object",):
            labels = (labels > 0).astype(np.int32)
        return LabelledPicture(str(i), Image.fromarray(pixels), {self.levels[0]: [labels]})
