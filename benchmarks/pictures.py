"""The networks and pictures that localisation is measured on, each with its truth.

The embedded world needs nothing; photographs and weights are found through HEXPLAIN_DATA.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.demo.vocabulary import LEGEND, SCENES
from hexplain_widgets.network.localize import Box, box_of
from tests.real.cases import CASES, MEAN, STD, classifier_of

# What makes a scene the scene it is: objects that are found there more often than in all others.
THINGS = {
    "beach": ("shore", "parasol", "towel", "palm"),
    "farm": ("barn", "silo", "tractor", "hay bale", "field"),
    "harbor": ("ship", "pier", "crane", "lighthouse", "sailboat"),
    "house": ("house", "pool"),
    "lake": ("water", "rock", "rowboat"),
    "orchard": ("tree", "ladder", "crate"),
    "park": ("path", "bench", "flowerbed", "fountain"),
    "pasture": ("horse", "cow", "sheep", "fence"),
    "playground": ("sandbox", "slide", "swing", "ball"),
    "street": ("road", "building", "sidewalk", "car", "van"),
}
CAR_CLASSES = (656, 817, 717, 436, 627)  # minivan, sports car, pickup, beach wagon, limousine
FIT_SEED, CALIBRATION_SEED, UNSEEN_SEED, GRID_SEED = 900, 901, 902, 903
TINY = 64  # pixels of a side of Tiny ImageNet


@dataclass(frozen=True)
class Network:
    """A classifier with the layers that maps are taken from, and its sizes of input in pixels.

    `grid` is the side of the picture that four photographs make together.
    """

    name: str
    classifier: hx.Classifier
    last: str
    middle: str
    first: str
    size: int
    grid: int


@dataclass(frozen=True)
class Picture:
    """What a network sees, a class, and where that class is.

    `cell` is `(row, column)` in a grid of 2 x 2; `box` and `mask` are in pixels of `size`.
    """

    x: Tensor
    target: int
    size: tuple[int, int]
    cell: tuple[int, int] | None = None
    box: Box | None = None
    mask: np.ndarray | None = None


def world() -> Network:
    """The embedded world."""
    return Network("embedded world", hx.demo.classifier(), "stage5", "stage4", "stage1", 112, 224)


def photographed(data: Path) -> list[Network]:
    """MobileNetV2 and SqueezeNet 1.1 with weights of ImageNet."""
    layers = {
        "MobileNetV2": ("features.18", "features.14.conv.0", "features.0", 449),
        "SqueezeNet 1.1": ("features.12", "features.7", "features.1", 454),
    }
    return [
        Network(c.name, classifier_of(c, data), *layers[c.name][:3], c.size, layers[c.name][3])
        for c in CASES
        if c.name in layers
    ]


def grid_of(tiles: Sequence[Tensor], side: int) -> Tensor:
    """Four prepared images of one size as one, row by row, cut to `side` pixels."""
    rows = [torch.cat([tiles[i], tiles[i + 1]], 3) for i in (0, 2)]
    return torch.cat(rows, 2)[..., :side, :side].contiguous()


def _grids(
    network: Network, images: Sequence[tuple[Any, int]], count: int, seed: int
) -> Iterator[Picture]:
    """`count` grids of four different classes, every cell asked for; images are not reused."""
    waiting = [int(i) for i in np.random.default_rng(seed).permutation(len(images))]
    for _ in range(count):
        chosen: list[int] = []
        for i in waiting:
            if images[i][1] not in {images[j][1] for j in chosen} and len(chosen) < 4:
                chosen.append(i)
        waiting = [i for i in waiting if i not in chosen]
        x = grid_of([network.classifier.prepare(images[i][0]).x for i in chosen], network.grid)
        for cell, i in enumerate(chosen):
            yield Picture(x, images[i][1], (network.grid, network.grid), cell=divmod(cell, 2))


def photograph_grids(network: Network, data: Path, most: int) -> list[Picture]:
    """Grids of ImageNet samples that the network names rightly, of Tiny ImageNet's 200 classes."""
    classes = sorted({int(row["class_index"]) for row in _boxes(data)})
    files = sorted((data / "imagenet" / "images").iterdir())
    right = [(files[c], c) for c in classes if network.classifier.predict(files[c], 1)[0][0] == c]
    return list(_grids(network, right, min(most, len(right) // 4), 1))


def scene_grids(network: Network, count: int) -> list[Picture]:
    """Grids of scenes of unseen seeds."""
    unseen = hx.demo.scenes(max(40, 6 * count), seed=GRID_SEED)
    return list(_grids(network, [unseen[i] for i in range(len(unseen))], count, 0))


def scenes(network: Network, count: int, seed: int) -> list[Picture]:
    """Scenes with the mask and the box of the things that make them what they are."""
    data = hx.demo.scenes(count, seed=seed)
    return [_of_scene(network, data.scene(i), i % len(SCENES)) for i in range(count)]


def _of_scene(network: Network, scene: hx.demo.Scene, target: int) -> Picture:
    wanted = [LEGEND["object"].index(name) for name in THINGS[scene.label]]
    mask = np.isin(scene.masks["object"], wanted)
    x = network.classifier.prepare(scene.image).x
    return Picture(x, target, mask.shape, box=box_of(mask), mask=mask)


def _boxes(data: Path) -> list[dict[str, str]]:
    with (data / "tiny_imagenet" / "boxes.csv").open() as file:
        return list(csv.DictReader(file))


def boxed(network: Network, data: Path, part: int, step: int = 1) -> Iterator[Picture]:
    """Tiny ImageNet with its boxes, in its own 64 pixels: part 0 to calibrate on, 1 to score."""
    for picture, target, box in boxed_files(data, part, step):
        yield Picture(_at(network, picture), target, (TINY, TINY), box=box)


def boxed_files(
    data: Path, part: int, step: int = 1
) -> Iterator[tuple[Image.Image, int, tuple[int, int, int, int]]]:
    """Tiny ImageNet as a user has it: pictures of 64 pixels, classes, boxes in these pixels."""
    for row in _boxes(data)[part :: 2 * step]:
        with Image.open(data / "tiny_imagenet" / "images" / row["file"]) as opened:
            picture = opened.convert("RGB")
        x0, y0, x1, y1 = (int(row[k]) for k in ("x_min", "y_min", "x_max", "y_max"))
        yield picture, int(row["class_index"]), (x0, y0, x1 + 1, y1 + 1)


def whole_pictures(network: Network) -> hx.Classifier:
    """The network with a transform that shows it whole pictures, at its size."""
    classifier = network.classifier
    return hx.Classifier(
        classifier.model, transform=lambda p: _at(network, p)[0], classes=classifier.classes
    )


def _at(network: Network, picture: Image.Image) -> Tensor:
    """The whole picture at the network's size: its transform would crop the border away."""
    sized = picture.resize((network.size, network.size), Image.Resampling.BICUBIC)
    return _normalised(sized)


def _normalised(picture: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.asarray(picture, dtype=np.float32).copy()).permute(2, 0, 1) / 255
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    return ((pixels - mean) / std)[None]


def cars(network: Network, data: Path, count: int) -> Iterator[Picture]:
    """Cars with the union of their labelled parts; the class is the likeliest kind of car."""
    files = sorted((data / "car_parts" / "labels").iterdir())
    for label in files[:: max(1, len(files) // count)][:count]:
        image = next((data / "car_parts" / "images").glob(f"{label.stem}.*"))
        with Image.open(image) as picture, Image.open(label) as parts:
            x, mask = _at(network, picture.convert("RGB")), np.asarray(parts) > 0
        logits = network.classifier.logits(x)[0]
        target = max(CAR_CLASSES, key=lambda c: float(logits[c]))
        yield Picture(x, target, mask.shape, mask=mask)


class Labelled(Sequence[tuple[Tensor, int]]):
    """Pictures to fit on, `(image, class)`, each made when it is asked for."""

    def __init__(self, network: Network, data: Path | None, part: int | None) -> None:
        self._network, self._data = network, data
        self._rows = _boxes(data)[slice(part, None, None if part is None else 2)] if data else []
        self._scenes = hx.demo.scenes(400, seed=FIT_SEED)

    def __len__(self) -> int:
        return len(self._rows) if self._data else len(self._scenes)

    def __getitem__(self, index: Any) -> Any:
        if self._data is None:
            image, target = self._scenes[index]
            return self._network.classifier.prepare(image).x[0], target
        row = self._rows[index]
        with Image.open(self._data / "tiny_imagenet" / "images" / row["file"]) as opened:
            return _at(self._network, opened.convert("RGB"))[0], int(row["class_index"])
