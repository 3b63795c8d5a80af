"""The networks and photographs on disk, and how far contributions agree with ablation on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_file
from torch import nn
from torchvision.transforms import v2

import hexplain_widgets as hx
from hexplain_widgets.decomposition.decisions import ContributionFinder
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from hexplain_widgets.network.segments import Unit
from tests.real.cifar import resnet20, resnet56

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CIFAR_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A network with its weights' file, input size and stages, deepest first."""

    name: str
    make: Callable[[], nn.Module]
    weights: str
    size: int
    layers: tuple[str, ...]

    @property
    def cifar(self) -> bool:
        return self.size == 32


CASES = (
    Case("SqueezeNet 1.1", torchvision.models.squeezenet1_1, "squeezenet1_1_imagenet", 227,
         ("features.12", "features.7", "features.4", "features.1")),
    Case("MobileNetV2", torchvision.models.mobilenet_v2, "mobilenet_v2_imagenet", 225,
         ("features.18", "features.13", "features.6", "features.3", "features.1")),
    Case("resnet20", resnet20, "cifar10_resnet20", 32, ("layer3", "layer2", "layer1")),
    Case("resnet56", resnet56, "cifar10_resnet56", 32, ("layer3", "layer2", "layer1")),
)  # fmt: skip


def classifier_of(case: Case, data: Path, *, shrink: int = 1) -> hx.Classifier:
    """The network of a case with its weights, transform and class names.

    Photographs of few pixels may be given with so many times fewer a side than it takes.
    """
    model = case.make()
    model.load_state_dict(load_file(data / "weights" / f"{case.weights}.safetensors"))
    steps = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    crop = [] if case.cifar else [v2.Resize(256 // shrink), v2.CenterCrop(case.size // shrink)]
    names = CIFAR_CLASSES if case.cifar else _imagenet_names(data)
    return hx.Classifier(model.eval(), transform=v2.Compose([*crop, *steps]), classes=names)


def _imagenet_names(data: Path) -> list[str]:
    index = json.loads((data / "imagenet" / "imagenet_class_index.json").read_text())
    return [index[str(i)][1] for i in range(1000)]


def photographs_of(case: Case, data: Path, count: int) -> list[Path]:
    """Photographs spread evenly over the classes."""
    folder = data / ("cifar10" if case.cifar else "imagenet/images")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return files[:: len(files) // count][:count]


def correlations(classifier: hx.Classifier, path: Path) -> list[float]:
    """Agreement of alpha with the drops at each step, down the strongest channels."""
    probe = Probe(classifier)
    capture = probe.capture(classifier.prepare(path).x)
    finder = ContributionFinder(probe, capture)
    unit, deep, found = Unit(int(capture.logits.argmax()), 0, 0), None, []
    for layer in capture.layers:
        segment = probe.segment(capture, layer.name, deep)
        with visiting(classifier.model):
            (decision,) = segment.decide([unit])
            r = finder.faithfulness(segment, (layer.name, deep), decision).pearson
        found.append(float("nan") if r is None else r)
        maps = (decision.gradients * decision.activations)[0]
        best = int(maps.sum((1, 2)).argmax())
        y, x = divmod(int(maps[best].argmax()), maps.shape[2])
        unit = Unit(best, y + decision.offsets[0][0], x + decision.offsets[0][1])
        deep = layer.name
    return found
