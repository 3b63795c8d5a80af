"""The small five-stage CNN of the embedded world, and the door to its trained weights."""

from __future__ import annotations

from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..network.classifier import Classifier
from .vocabulary import SCENES

SIZE = 112
WIDTHS = ((3, 8), (8, 24), (24, 48, 48), (48, 96, 96), (96, 128, 256))
CONCEPTS = "concepts"  # key of their names in the weights file
MEAN, SPREAD = 0.45, 0.25


class SceneNet(nn.Module):
    """Five stages of 3x3 convolutions and ReLUs, halved in between, then the mean over positions.

    `forward` gives the `N x C` logits of the scene classes; `concepts` gives `N x E` logits of the
    objects and parts in `concept_names`, read off the same mean feature. On the 112-pixel input
    the stages end at 112, 56, 28, 14 and 7 cells.
    """

    def __init__(self, classes: int, concept_names: tuple[str, ...]) -> None:
        super().__init__()
        self.concept_names = concept_names
        self.stage1 = nn.Sequential(*_convolutions(WIDTHS[0]))
        self.stage2, self.stage3, self.stage4, self.stage5 = (
            nn.Sequential(nn.MaxPool2d(2), *_convolutions(widths)) for widths in WIDTHS[1:]
        )
        self.classify = nn.Linear(WIDTHS[-1][-1], classes)
        self.detect = nn.Linear(WIDTHS[-1][-1], len(concept_names))

    def stages(self, x: Float[Tensor, "n 3 h w"]) -> list[Tensor]:
        """Return the feature map at the end of each of the five stages."""
        maps = [self.stage1(x)]
        for stage in (self.stage2, self.stage3, self.stage4, self.stage5):
            maps.append(stage(maps[-1]))
        return maps

    def feature(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
        """Return the feature that classes and concepts share: stage 5's mean over positions."""
        return self.stages(x)[-1].mean((2, 3))

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c"]:
        """Return the logits of the scene classes."""
        logits: Tensor = self.classify(self.feature(x))
        return logits

    def concepts(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n e"]:
        """Return the logits of "this object or part is in the picture"."""
        logits: Tensor = self.detect(self.feature(x))
        return logits


def _convolutions(widths: tuple[int, ...]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
    return layers


def preprocess(image: Image.Image) -> Float[Tensor, "3 112 112"]:
    """Bring a picture to the network's size and range."""
    rgb = image.convert("RGB")
    if rgb.size != (SIZE, SIZE):
        box = Image.Resampling.BOX if min(rgb.size) > SIZE else Image.Resampling.BILINEAR
        rgb = rgb.resize((SIZE, SIZE), box)
    pixels = torch.from_numpy(np.asarray(rgb, dtype=np.float32).copy())
    return (pixels.permute(2, 0, 1) / 255 - MEAN) / SPREAD


def classifier() -> Classifier:
    """Return the shipped classifier of scenes: a trained `SceneNet`, its transform, its classes."""
    with resources.as_file(resources.files(__package__) / "weights.safetensors") as path:
        model = load(path)
    return Classifier(model, transform=preprocess, classes=SCENES)


def save(model: SceneNet, path: Path) -> None:
    """Write the weights in half precision, with the names of the concepts."""
    state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(state, path, {CONCEPTS: "\n".join(model.concept_names)})


def load(path: Path) -> SceneNet:
    """Read a network written by `save`, in eval mode and single precision."""
    with safe_open(path, "pt") as file:
        names = tuple(file.metadata()[CONCEPTS].split("\n"))
        state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    with torch.device("meta"):  # draws nothing from the random state
        model = SceneNet(len(SCENES), names)
    model.load_state_dict(state, assign=True)
    return model.eval()
