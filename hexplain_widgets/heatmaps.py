"""One image inside a network, and the heatmaps that can be drawn of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from .evidence import HeatMap, Layer, Localization, Prediction
from .guest import visiting
from .importance import Importance
from .localize import Truth, agreement, box_of, note_on, region, upsampled
from .probe import Capture, Probe
from .saliency import class_gradients, grad_cam, guided_backpropagation, picture_of_gradient
from .segments import Unit

PLAIN = "The network has no ReLU on the way: this is the plain gradient, not a guided one."


class Looked:
    """An image that went through the network once; every map is drawn from there.

    `layers` are captured, deepest first. Raises what `Probe.capture` raises.
    """

    def __init__(self, probe: Probe, image: Any, layers: Collection[str]) -> None:
        self._probe = probe
        self.prepared = probe.classifier.prepare(image)
        self._capture: Capture = probe.capture(self.prepared.x, layers)
        self._guided = cache(self._backpropagated)

    @property
    def image(self) -> UInt8[np.ndarray, "h w 3"]:
        """What the network saw."""
        return self.prepared.shown

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The captured layers, deepest first."""
        return self._capture.layers

    def predictions(self, top: int = 5) -> tuple[Prediction, ...]:
        """Return the strongest classes, likeliest first."""
        return tuple(self._probe.classifier.ranked(self._capture.logits[0], top))

    def index_of(self, target: int | str | None) -> int:
        """Return the index of a class by name or index; the strongest class for None."""
        logits = self._capture.logits[0]
        if target is None:
            return int(logits.argmax())
        return self._probe.classifier.index_of(target, len(logits))

    def activations(self, layer: str) -> Float[np.ndarray, "k h w"]:
        """Return the maps of a layer's channels."""
        found: Float[np.ndarray, "k h w"] = _numbers(self._capture.maps[layer][0])
        return found

    def weighted(self, weights: Float[np.ndarray, " k"], layer: str) -> Float[np.ndarray, "h w"]:
        """Return the sum of a layer's maps, each times its channel's weight (CHIP, Eq. 10)."""
        some = np.flatnonzero(weights)
        maps = _numbers(self._capture.maps[layer][0, some.tolist()])
        found: Float[np.ndarray, "h w"] = np.tensordot(weights[some], maps, 1)
        return found

    def gradients(self, layer: str, index: int) -> tuple[Tensor, Tensor]:
        """Return the gradient of a logit at a layer and the layer's maps, `(K, h, w)` each."""
        segment = self._probe.segment(self._capture, layer, None)
        with visiting(self._probe.classifier.model):
            return class_gradients(segment, index)

    def grad_cam(self, layer: str, index: int) -> Float[np.ndarray, "h w"]:
        """Return Grad-CAM of a class at a layer, signed."""
        return grad_cam(*self.gradients(layer, index))

    def guided(self, index: int) -> tuple[Float[np.ndarray, "c H W"], tuple[str, ...]]:
        """Return guided backpropagation of a logit to the pixels, and what is to be said of it."""
        gradient, guided = self._guided(index)
        return gradient, () if guided else (PLAIN,)

    def _backpropagated(self, index: int) -> tuple[Float[np.ndarray, "c H W"], bool]:
        segment = self._probe.segment(self._capture, None, None)
        with visiting(self._probe.classifier.model):
            ((decided, guided),) = guided_backpropagation(segment, [Unit(index, 0, 0)])
        return _numbers(decided.gradients[0]) * decided.signs[0], guided


def _numbers(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().double().cpu())


@dataclass(frozen=True)
class Drawn:
    """A heatmap before it becomes evidence: signed values, whose layer, a picture, remarks."""

    values: Float[np.ndarray, "h w"]
    layer: str
    picture: UInt8[np.ndarray, "H W 3"] | None = None
    notes: tuple[str, ...] = ()


Draw = Callable[[Looked, Importance, str, int], Drawn]


def chip(looked: Looked, importance: Importance, layer: str, index: int) -> Drawn:
    """Draw where channels that matter for a class fire (CHIP, Eq. 10)."""
    return Drawn(looked.weighted(importance.strong(layer, index), layer), layer)


def refined_chip(looked: Looked, importance: Importance, _: str, index: int) -> Drawn:
    """Draw the product of the first and the last layer's heatmaps at image size."""
    names = importance.layers[-1].name, importance.layers[0].name
    if len(importance.layers) == 1:
        raise ValueError(
            f"Refined CHIP takes two layers, and only {names[0]} was fitted; the first and the last"
            " were expected; fit Chip() with layers=None, or name both"
        )
    maps = [chip(looked, importance, name, index).values for name in names]
    return Drawn(_product(maps, looked.size), " × ".join(names))


def guided_chip(looked: Looked, importance: Importance, layer: str, index: int) -> Drawn:
    """Draw guided backpropagation times the heatmap, as Guided Grad-CAM does."""
    gradient, notes = looked.guided(index)
    heat = chip(looked, importance, layer, index).values
    found = gradient * upsampled(np.maximum(heat, 0), looked.size)
    return Drawn(_strength(found), layer, picture_of_gradient(found), notes)


def grad_cam_of(looked: Looked, importance: Importance, layer: str, index: int) -> Drawn:
    """Draw Grad-CAM at a layer."""
    return Drawn(looked.grad_cam(layer, index), layer)


def guided_alone(looked: Looked, importance: Importance, layer: str, index: int) -> Drawn:
    """Draw guided backpropagation of the class's logit at the pixels."""
    gradient, notes = looked.guided(index)
    return Drawn(_strength(gradient), layer, picture_of_gradient(gradient), notes)


DRAWINGS: dict[str, Draw] = {
    "CHIP": chip,
    "Refined CHIP": refined_chip,
    "Guided CHIP": guided_chip,
    "Grad-CAM": grad_cam_of,
    "guided backpropagation": guided_alone,
}
# Methods that give one map for all layers.
OF_THE_IMAGE = ("Refined CHIP", "guided backpropagation")


def _product(maps: Sequence[Float[np.ndarray, "_ _"]], size: tuple[int, int]) -> np.ndarray:
    product = np.ones(size)
    for one in maps:
        product *= upsampled(np.maximum(one, 0), size)
    return product


def _strength(gradient: Float[np.ndarray, "c H W"]) -> Float[np.ndarray, "H W"]:
    """Return the size of a gradient at every pixel: the largest of its colours."""
    found: Float[np.ndarray, "H W"] = np.abs(gradient).max(axis=0)
    return found


def located(heat: HeatMap, threshold: float, truth: Truth | None = None) -> Localization:
    """Return the region a heatmap points at, with its IoU where the truth is known."""
    mask = region(upsampled(heat.values, heat.image.shape[:2]), threshold)
    note = note_on(heat.values)
    return Localization(
        mask=mask,
        box=box_of(mask),
        threshold=threshold,
        target=heat.target,
        layer=heat.layer,
        image=heat.image,
        provenance=heat.provenance,
        iou=None if truth is None else agreement(mask, truth),
        notes=heat.notes + ((note,) if note else ()),
    )
