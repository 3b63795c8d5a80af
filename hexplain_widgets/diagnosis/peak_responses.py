"""Peak responses: how strongly the channels that matter for a class answer to an image."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from ..decomposition.decisions import estimated
from ..evidence import Layer
from ..network.classifier import Classifier
from ..network.guest import visiting
from ..network.probe import Capture, Probe
from ..network.segments import Segment, Unit


@dataclass(frozen=True)
class Deepest:
    """One image at the deepest stage of a network; `bound` is the stage's upper clip, if any."""

    classifier: Classifier
    capture: Capture
    segment: Segment
    bound: float | None

    @property
    def layer(self) -> Layer:
        """The deepest stage."""
        return self.capture.layers[0]

    @cached_property
    def peaks(self) -> Float[np.ndarray, " k"]:
        """The largest value of each channel's own map, in the layer's units (Fig. 12 b)."""
        maps = self.capture.maps[self.layer.name][0]
        found: Float[np.ndarray, " k"] = maps.detach().float().amax((1, 2)).cpu().numpy()
        return found

    def contributions(self, index: int) -> Float[np.ndarray, " k"]:
        """Return what each channel adds to the logit of a class (Eq. 4)."""
        height, width = self.segment.full
        with visiting(self.classifier.model):
            (decided,) = self.segment.decide([Unit(index, 0, 0)])
        maps = decided.gradients * decided.activations * decided.signs[0]
        found: Float[np.ndarray, " k"] = (
            estimated(maps, height * width).contributions[0].float().cpu().numpy()
        )
        return found

    def probability(self, index: int) -> float:
        """Return the softmax probability of a class."""
        return self.classifier.prediction(self.capture.logits[0], index).probability


class DeepestStage:
    """Looks at the deepest stage of a network, image by image.

    `layers` are names as for a decomposition: the deepest of them counts.
    """

    def __init__(self, classifier: Classifier, layers: Collection[str] | None = None) -> None:
        self.classifier = classifier
        self._layers = layers
        self._probe = Probe(classifier)

    def at(self, x: Float[Tensor, "1 c h w"]) -> Deepest:
        """Return one prepared image at that stage; raises ValueError like `Probe.capture`."""
        capture = self._probe.capture(x, self._layers)
        name = capture.layers[0].name
        segment = self._probe.segment(capture, name, None)
        return Deepest(self.classifier, capture, segment, self._probe.bound(capture, name))


@dataclass(frozen=True)
class Compared:
    """Channels of `c` classes and their peaks in two images.

    `channels` and `contributions` are `(c, n)`, `peaks` `(2, c, n)`, `probabilities` `(2, c)`.
    """

    channels: Int[np.ndarray, "c n"]
    contributions: Float[np.ndarray, "c n"]
    peaks: Float[np.ndarray, "2 c n"]
    probabilities: Float[np.ndarray, "2 c"]


def compared(before: Deepest, after: Deepest, named: tuple[int, int], top: int) -> Compared:
    """Return the peaks of the channels of the classes named before and after (Fig. 12 b).

    The channels of each class are those of the image that it is named in. Where both images are
    named the same there is one class, with its channels in the original.
    """
    pairs = list(zip((before, after), named, strict=True))[: len(set(named))]
    added = [image.contributions(index) for image, index in pairs]
    channels = np.stack([_strongest(each, top) for each in added])
    return Compared(
        channels,
        np.take_along_axis(np.stack(added), channels, 1),
        np.stack([image.peaks[channels] for image in (before, after)]),
        np.array([[image.probability(i) for _, i in pairs] for image in (before, after)]),
    )


def _strongest(contributions: Float[np.ndarray, " k"], top: int) -> Int[np.ndarray, " n"]:
    """Return the `top` channels that add most, strongest first; fewer where there are fewer."""
    return np.asarray(np.argsort(-contributions, kind="stable")[:top], dtype=np.int64)
