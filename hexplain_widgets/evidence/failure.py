"""A wrong decision: what speaks for the class that is named, and what for the right one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from .additive import FilterPortrait
from .base import Evidence, Layer, Prediction, Provenance
from .decisions import Decomposition


@dataclass(frozen=True, eq=False)
class Occlusion(Evidence):
    """What a network names where a region of the image is covered.

    `mask` says which cells of a grid over the image are covered, `fill` with what: the image's
    "mean" colour, or its own "blur". `image` is what the network then saw, for showing. `named` is
    the class that it names, `wrong` and `right` are the classes that are compared.
    """

    mask: Bool[np.ndarray, "g g"]
    fill: str
    image: UInt8[np.ndarray, "H W 3"]
    named: Prediction
    wrong: Prediction
    right: Prediction

    @property
    def share(self) -> float:
        """Which share of the image is covered."""
        return float(self.mask.mean())


@dataclass(frozen=True, eq=False)
class Failure(Evidence):
    """A misclassified image and the channels that decide for the wrong class (Fig. 11).

    `wrong` takes apart the class that is named, `right` the true one; None where its logit is not
    positive, for only a decision in favour can be taken apart. `true` is the true class as it is
    predicted. `contributions` are what each of `k` channels of `layer`, the deepest stage, adds to
    the wrong and to the right logit: gradient times activation, summed over the map, in the logits'
    units. `drops` are how far both logits truly fall without the channel, in the same units.

    `channels` are the `n` with the largest difference of contributions, largest first, and `maps`
    their own activations, in the layer's units. `alone` is what is named without each of them,
    `together` without it and all before it. `exemplars` are the images of a data set in which each
    of them is strongest, `labels` the names of these images' classes, empty where they have none;
    both are empty without a data set.
    """

    wrong: Decomposition
    right: Decomposition | None
    true: Prediction
    layer: Layer
    contributions: Float[np.ndarray, "2 k"]
    drops: Float[np.ndarray, "2 k"]
    channels: Int[np.ndarray, " n"]
    maps: Float[np.ndarray, "n h w"]
    alone: tuple[Prediction, ...]
    together: tuple[Prediction, ...]
    provenance: Provenance
    exemplars: tuple[FilterPortrait, ...] = ()
    labels: tuple[tuple[str, ...], ...] = ()
    occlusion: Occlusion | None = None
    notes: tuple[str, ...] = ()

    @property
    def image(self) -> UInt8[np.ndarray, "H W 3"]:
        """What the network saw, for showing."""
        return self.wrong.image

    @property
    def named(self) -> Prediction:
        """The class that the network names."""
        return self.wrong.target

    @property
    def differences(self) -> Float[np.ndarray, " k"]:
        """How much more each channel adds to the wrong logit than to the right one."""
        return self.contributions[0] - self.contributions[1]

    @property
    def deciding(self) -> int:
        """The channel that decides: the one with the largest difference."""
        return int(self.channels[0])

    @property
    def enough(self) -> int | None:
        """How many of `channels`, from the first on, are to go until the right class is named."""
        right = (i for i, named in enumerate(self.together, 1) if named.index == self.true.index)
        return next(right, None)
