"""The methods that localisation is measured with: `map(classifier, x, class) -> (h, w)` each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import captum.attr
import numpy as np
import pytorch_grad_cam
import torch
from pictures import Network
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.chip.heatmaps import contested
from hexplain_widgets.network.gradients import grad_cam, hires_cam, layer_cam
from hexplain_widgets.network.localize import upsampled
from hexplain_widgets.network.probe import Probe
from hexplain_widgets.network.probed_image import ProbedImage

Method = Callable[[hx.Classifier, Tensor, int], np.ndarray]
REFERENCE = "Grad-CAM"


@dataclass(frozen=True)
class Setting:
    """One way to fit CHIP; every `reading` of it is a method of its own.

    Shallow layers cost far more than the last one: `every` fits on each n-th image only.
    """

    score: Literal["logit", "probability", "log-probability"]
    weighting: Literal["loyal", "equal"]
    sparsities: tuple[float, ...]
    readings: tuple[str, ...] = ("map",)
    every: int = 1
    named: Literal["default", "paper"] = "default"

    @property
    def name(self) -> str:
        own = f"{self.weighting} {self.score}"
        return own if self.named == "default" else f"{self.named}: {own}"


# The first is the default, whose "share" is what `explain` draws; the third has the paper's score
# and weights, but an intercept; the fourth is the paper's whole.
SETTINGS = (
    Setting("logit", "equal", (0.003, 0.01), ("map", "share")),
    Setting("probability", "equal", (0.003,)),
    Setting("probability", "loyal", (0.01,)),
    Setting("probability", "loyal", (0.003, 0.01, 0.1), named="paper"),
    Setting("logit", "equal", (0.01,), ("two layers", "refined"), every=20),
)
RIVALS = 9


class Sight:
    """The image in front of all methods: it goes through the network once."""

    def __init__(self, network: Network) -> None:
        self._probe = Probe(network.classifier)
        self._layers = [network.last, network.middle]
        self._x: Tensor | None = None
        self._gradients: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}

    def looked(self, x: Tensor) -> ProbedImage:
        if self._x is not x:
            self._x, self._gradients = x, {}
            self._looked = ProbedImage(self._probe, x, self._layers)
        return self._looked

    def rivals(self, x: Tensor, index: int) -> list[int]:
        """The strongest other classes of the image."""
        strongest = self.looked(x).predictions(RIVALS + 1)
        return [p.index for p in strongest if p.index != index][:RIVALS]

    def gradients(self, x: Tensor, layer: str, index: int) -> tuple[Tensor, Tensor]:
        looked = self.looked(x)
        if (layer, index) not in self._gradients:
            self._gradients[layer, index] = looked.gradients(layer, index)
        return self._gradients[layer, index]


def gradient_methods(network: Network, sight: Sight) -> dict[str, Method]:
    """Grad-CAM and its relatives, ours and those of the libraries that others use."""

    def at(layer: str, rule: Callable[[Tensor, Tensor], np.ndarray]) -> Method:
        return lambda _, x, index: rule(*sight.gradients(x, layer, index))

    def share(_: hx.Classifier, x: Tensor, index: int) -> np.ndarray:
        classes = [index, *sight.rivals(x, index)]
        return contested([grad_cam(*sight.gradients(x, network.last, c)) for c in classes])

    def guided(_: hx.Classifier, x: Tensor, index: int) -> np.ndarray:
        gradient, _notes = sight.looked(x).guided(index)
        heat = grad_cam(*sight.gradients(x, network.last, index))
        return np.abs(gradient).max(0) * upsampled(np.maximum(heat, 0), gradient.shape[1:])

    return {
        REFERENCE: at(network.last, grad_cam),
        "Grad-CAM, Captum": partial(_captum_grad_cam, network),
        "Grad-CAM, pytorch-grad-cam": partial(_library_grad_cam, network),
        "Grad-CAM squared (control)": at(network.last, lambda g, a: grad_cam(g, a).clip(0) ** 2),
        "Grad-CAM, share (ten backward passes)": share,
        "Grad-CAM, middle layer": at(network.middle, grad_cam),
        "HiResCAM": at(network.last, hires_cam),
        "LayerCAM": at(network.last, layer_cam),
        "guided Grad-CAM": guided,
        "plain gradient, Captum": _captum_gradient,
    }


def _captum_grad_cam(
    network: Network, classifier: hx.Classifier, x: Tensor, index: int
) -> np.ndarray:
    module = classifier.model.get_submodule(network.last)
    found: Any = captum.attr.LayerGradCam(classifier.model, module).attribute(x, target=index)
    return found[0, 0].detach().double().numpy()


def _library_grad_cam(
    network: Network, classifier: hx.Classifier, x: Tensor, index: int
) -> np.ndarray:
    layer = classifier.model.get_submodule(network.last)
    with pytorch_grad_cam.GradCAM(classifier.model, [layer]) as method:
        return np.asarray(method(x, [ClassifierOutputTarget(index)])[0], dtype=np.float64)


def _captum_gradient(classifier: hx.Classifier, x: Tensor, index: int) -> np.ndarray:
    found: Any = captum.attr.Saliency(classifier.model).attribute(
        x.clone().requires_grad_(), target=index
    )
    return found[0].amax(0).double().numpy()


def blind_methods(network: Network, sight: Sight) -> dict[str, Method]:
    """What knows nothing of the class, or not even of the image."""

    def activation(_: hx.Classifier, x: Tensor, index: int) -> np.ndarray:
        return sight.looked(x).activations(network.last).sum(0)

    return {
        "activation sum (class-blind)": activation,
        "centre box": lambda _, x, index: 1 - np.maximum(*_distances(x)),
        "centre Gaussian": lambda _, x, index: np.exp(-2 * sum(d**2 for d in _distances(x))),
        "whole image": lambda _, x, index: _whole(x),
    }


def _distances(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = (np.abs(np.linspace(-1, 1, n)) for n in x.shape[2:])
    y, x_ = np.meshgrid(rows, columns, indexing="ij")
    return y, x_


def _whole(x: Tensor) -> np.ndarray:
    # a map that is the same everywhere has no region; a slope has one at any threshold below 0.9
    return np.broadcast_to(np.linspace(1, 0.9, x.shape[3]), tuple(x.shape[2:])).copy()


def chip_methods(
    network: Network, sight: Sight, data: Sequence[Any], *, gates: int, settings: Sequence[Setting]
) -> dict[str, Method]:
    """CHIP fitted on `data`, one pass for each setting."""
    found: dict[str, Method] = {}
    for setting in settings:
        deeper = ("middle", "first") if "refined" in setting.readings else ()
        chip = hx.Chip(
            layers=[network.last, *(getattr(network, name) for name in deeper)],
            gates_per_image=gates, score=setting.score, weighting=setting.weighting,
            settings=setting.named,
        ).fit(network.classifier, _every(data, setting.every), progress=False)  # fmt: skip
        for sparsity in setting.sparsities:
            other = chip.refit(sparsity=sparsity)
            for reading in setting.readings:
                name = f"CHIP {setting.name} {sparsity:g}, {reading}"
                found[name] = partial(READINGS[reading], network, sight, other)
    return found


def _every(data: Sequence[Any], step: int) -> Sequence[Any]:
    return data if step == 1 else [data[i] for i in range(0, len(data), step)]


def _map(
    network: Network, sight: Sight, chip: hx.Chip, _: hx.Classifier, x: Tensor, index: int
) -> np.ndarray:
    return _heat(network, sight, chip, x, index)


def _heat(
    network: Network, sight: Sight, chip: hx.Chip, x: Tensor, index: int, layer: str | None = None
) -> np.ndarray:
    name = layer or network.last
    weights = chip.matrix([index], name).values[0]
    return sight.looked(x).weighted(weights, name)


def _share(
    network: Network, sight: Sight, chip: hx.Chip, _: hx.Classifier, x: Tensor, index: int
) -> np.ndarray:
    """The map where it is positive, times its share among those of the image's other classes."""
    classes = [index, *sight.rivals(x, index)]
    weights = chip.matrix(classes, network.last).values
    return contested([sight.looked(x).weighted(w, network.last) for w in weights])


def _refined(
    network: Network, sight: Sight, chip: hx.Chip, _: hx.Classifier, x: Tensor, index: int
) -> np.ndarray:
    return chip.refine(x, index).values


def _two_layers(
    network: Network, sight: Sight, chip: hx.Chip, _: hx.Classifier, x: Tensor, index: int
) -> np.ndarray:
    maps = [_heat(network, sight, chip, x, index, n) for n in (network.last, network.middle)]
    deep, shallow = (upsampled(np.maximum(m, 0), (x.shape[2], x.shape[3])) for m in maps)
    return deep * shallow


READINGS: Mapping[str, Callable[..., np.ndarray]] = {
    "map": _map, "share": _share, "refined": _refined, "two layers": _two_layers,
}  # fmt: skip


def methods_of(
    network: Network, data: Sequence[Any], *, gates: int, chips: Sequence[str]
) -> dict[str, Method]:
    """All of them, Grad-CAM first; of CHIP the settings with these names, all for none."""
    settings = [s for s in SETTINGS if s.name in chips or not chips]
    torch.manual_seed(0)
    sight = Sight(network)
    return {
        **gradient_methods(network, sight),
        **blind_methods(network, sight),
        **chip_methods(network, sight, data, gates=gates, settings=settings),
    }
