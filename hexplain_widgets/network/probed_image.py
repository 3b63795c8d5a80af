"""One image inside a network: what it saw, its maps, gradients and heatmaps."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ..evidence import Layer, Prediction
from .ablation import ChannelAblation
from .classifier import Classifier
from .gradients import class_gradients, grad_cam, guided_backpropagation
from .guest import visiting
from .probe import Capture, Probe
from .segments import Unit

PLAIN = "The network has no ReLU on the way: this is the plain gradient, not a guided one."


class ProbedImage:
    """An image that went through the network once; every map comes from there.

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
    def notes(self) -> tuple[str, ...]:
        """What is to be known of the scores, of what they rest on and of the picture."""
        said = (*self._probe.classifier.score_notes, *self._capture.notes, *self.prepared.notes)
        return tuple(dict.fromkeys(said))

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

    def ranked_with(self, index: int) -> tuple[Prediction, float]:
        """Return the strongest class, and the probability of another."""
        logits, classifier = self._capture.logits[0], self._probe.classifier
        return classifier.ranked(logits, 1)[0], classifier.prediction(logits, index).probability

    def index_of(self, target: int | str | None) -> int:
        """Return the index of a class by name or index; the strongest class for None."""
        logits = self._capture.logits[0]
        if target is None:
            return int(logits.argmax())
        return self._probe.classifier.index_of(target, len(logits))

    def activations(self, layer: str) -> Float[np.ndarray, "k h w"]:
        """Return the maps of a layer's channels."""
        return numbers_of(self._capture.maps[layer][0])

    def weighted(self, weights: Float[np.ndarray, " k"], layer: str) -> Float[np.ndarray, "h w"]:
        """Return the sum of a layer's maps, each times its channel's weight (CHIP, Eq. 10)."""
        some = np.flatnonzero(weights)
        maps = numbers_of(self._capture.maps[layer][0, some.tolist()])
        return np.tensordot(weights[some], maps, 1)

    def gradients(self, layer: str | None, index: int) -> tuple[Tensor, Tensor]:
        """Return the gradient of a logit at a layer and the layer's maps, `(K, h, w)` each.

        At the image's pixels for None.
        """
        segment = self._probe.segment(self._capture, layer, None)
        with visiting(self._probe.classifier.model):
            return class_gradients(segment, index)

    def drops(self, layer: str, index: int) -> Float[np.ndarray, " k"]:
        """Return how far a logit falls without each of a layer's channels."""
        segment = self._probe.segment(self._capture, layer, None)
        removal = ChannelAblation(self._probe, self._capture, segment, layer, None)
        logit = float(self._capture.logits[0, index])
        with visiting(self._probe.classifier.model):
            return removal.drops(Unit(index, 0, 0), logit)

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
            ((logit, guided),) = guided_backpropagation(segment, [Unit(index, 0, 0)])
        return numbers_of(logit.gradients[0]) * logit.signs[0], guided


class ImageProbe:
    """Gives images inside one network, captured at some layers; the last one is kept."""

    def __init__(self, classifier: Classifier, layers: Collection[str]) -> None:
        self.classifier = classifier
        self._probe = Probe(classifier)
        self._layers = tuple(layers)
        self._last: ProbedImage | None = None

    def at(self, image: Any) -> ProbedImage:
        """Return an image inside the network; the same one again costs no pass."""
        prepared = self._probe.classifier.prepare(image)
        if self._last is None or not torch.equal(self._last.prepared.x, prepared.x):
            self._last = ProbedImage(self._probe, prepared, self._layers)
        return self._last


def numbers_of(tensor: Tensor) -> np.ndarray:
    """Return a tensor's values as float64, off the graph and off the device."""
    return np.asarray(tensor.detach().double().cpu())
