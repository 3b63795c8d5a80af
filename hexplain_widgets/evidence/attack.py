"""A decision before and after an attack on its image, over one image and over a set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from .base import Evidence, Layer, Prediction, Provenance
from .decisions import Decomposition
from .heat import HeatMap


@dataclass(frozen=True, eq=False)
class AttackedDecision(Evidence):
    """What an attack did inside a network (Hierarchical Decomposition, Fig. 12 a and b).

    `before` and `after` take apart the class that is named in the original and in the adversarial
    image. The `c` compared classes are those two, or the one where the same is named in both.
    `channels` are the strongest of `layer`, the deepest stage, for each of them, by `contributions`
    (Eq. 4, in the logit's units) in the image that it is named in, strongest first. `peaks` are the
    largest values of these channels' own maps, in the layer's units, and `probabilities` those of
    the classes, first in the original, then in the adversarial image.

    `change` is what was added to the image as it looks, in pixel values -1..1. `size` is the change
    in `norm` ("linf": the largest of a pixel, "l2": the Euclidean length), in pixel values 0..1.
    `goal` is the class that the attack went for, as it is predicted in both images, or nothing.
    `concept` are HINT's maps of one concept on both images, or none.
    """

    before: Decomposition
    after: Decomposition
    change: Float[np.ndarray, "H W 3"]
    layer: Layer
    channels: Int[np.ndarray, "c n"]
    contributions: Float[np.ndarray, "c n"]
    peaks: Float[np.ndarray, "2 c n"]
    probabilities: Float[np.ndarray, "2 c"]
    size: float
    norm: str
    provenance: Provenance
    goal: tuple[Prediction, ...] = ()
    concept: tuple[HeatMap, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the compared classes: before and after, or the one that is named in both."""
        named = (self.before.target.name, self.after.target.name)
        return named[: len(self.channels)]

    @property
    def came_through(self) -> bool:
        """Whether another class is named than before: the goal, where there is one."""
        named = self.after.target.index
        reached = all(named == each.index for each in self.goal)
        return reached and named != self.before.target.index

    @property
    def largest(self) -> float:
        """The largest change of a pixel as it looks, in pixel values 0..1."""
        return float(np.abs(self.change).max(initial=0))


@dataclass(frozen=True, eq=False)
class AttackedSet(Evidence):
    """Peak responses over the images of a set whose attack came through (Fig. 12 c).

    `peaks` are, for each of `n` images, before and after the attack, for the class named before and
    the class named after, the largest values of the maps of that class's `k` strongest channels of
    `layer`, in the layer's units. `named` are the indices of both classes in `classes`. `sizes` are
    the changes in `norm`, in pixel values 0..1. `withstood` counts the images whose attack did not
    come through: they are in none of the figures.
    """

    peaks: Float[np.ndarray, "n 2 2 k"]
    named: Int[np.ndarray, "n 2"]
    sizes: Float[np.ndarray, " n"]
    classes: tuple[str, ...]
    layer: Layer
    norm: str
    withstood: int
    provenance: Provenance
    notes: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """How many images were attacked."""
        return len(self.peaks) + self.withstood

    @property
    def means(self) -> Float[np.ndarray, "2 2 k"]:
        """The mean peak by image, class and rank; NaN where no attack came through."""
        return (
            self.peaks.mean(0, dtype=np.float64)
            if len(self.peaks)
            else np.full(self.peaks.shape[1:], np.nan)
        )

    @property
    def errors(self) -> Float[np.ndarray, "2 2 k"]:
        """The standard error of each mean; NaN for fewer than two images."""
        count = len(self.peaks)
        if count < 2:
            return np.full(self.peaks.shape[1:], np.nan)
        return self.peaks.std(0, ddof=1, dtype=np.float64) / np.sqrt(count)
