"""Images inferred level by level: what each wanted concept rests on at the next (Eq. 8 and 19)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor

from ..network.gating import Taken
from ..network.probe import Probe
from ..solvers.best_subset import Subset
from .few_concepts import FewConcepts, Place, placed
from .harmonize import Harmonized
from .inference import InferredWeights, Perturbed, Perturber, Stop, inference_weights

# At most so many images are solved together: their answers to all gates are in memory.
TOGETHER = 8


@dataclass(frozen=True, eq=False)
class Step:
    """What one concept rests on in an image: its inference weights, and concepts that give them.

    `estimates` are what each channel adds to it by its weight, which is times the channel's mean.
    `few.alpha[j]` is the contribution weight of concept `j` of the next level, 0 for most.
    """

    weights: Float[np.ndarray, " k"]
    estimates: Float[np.ndarray, " k"]
    few: Subset


@dataclass(frozen=True, eq=False)
class Inferred:
    """One image: the steps of each level below the output, and each level's maps.

    `steps[0]` has the target's step at 0, `steps[i]` those of concepts of level `i - 1`, both by
    number. `activations[i]` are the maps of the layer of level `i`.
    """

    steps: Sequence[Mapping[int, Step]]
    activations: Sequence[Float[np.ndarray, "_k _h _w"]]


class Weighed(NamedTuple):
    """One concept in an image: its unit inference weights, and what each channel adds to it."""

    unit: Float[np.ndarray, " k"]
    estimates: Float[np.ndarray, " k"]


@dataclass(frozen=True)
class Manner:
    """How inference goes: gates a layer, the sparsity of Eq. 8, how much places count in Eq. 19."""

    gates: int
    sparsity: float
    place: float
    seed: int


class Inferrer:
    """Infers images from the output down; `levels` are harmonised, coarse to fine.

    All images have the same gates on a layer, so that one matrix serves all of them. `most` is the
    bound of Eq. 19 at each level.
    """

    def __init__(
        self, probe: Probe, levels: Sequence[Harmonized], most: Sequence[int], manner: Manner
    ) -> None:
        names = [level.layer.name for level in levels]
        self._levels = tuple(levels)
        self._manner = manner
        self._perturber = Perturber(probe, names, count=manner.gates, seed=manner.seed)
        self._few = [FewConcepts(level, n) for level, n in zip(levels, most, strict=True)]

    def inferred(
        self, images: Sequence[Float[Tensor, "1 ch h w"]], targets: Sequence[int], stopped: Stop
    ) -> Iterator[Inferred]:
        """Yield images inferred down to the last level, or as far as `stopped` allows.

        Images that were not begun are left out.
        """
        for some in _blocks(len(images), stopped):
            yield from self._down(images[some], targets[some], stopped)

    def _down(
        self, images: Sequence[Tensor], targets: Sequence[int], stopped: Stop
    ) -> list[Inferred]:
        taken = [self._perturber.take(x) for x in images]
        found = [Inferred([], self._activations(t)) for t in taken]
        wanted = [[target] for target in targets]
        for level in range(len(self._levels)):
            pairs = zip(images, taken, strict=True)
            asked = [self._perturbed(x, t, level, stopped) for x, t in pairs]
            if stopped():
                break
            rows = [
                self._rows(one.answers.shape[1], some, level)
                for one, some in zip(asked, wanted, strict=True)
            ]
            solved = inference_weights(asked, rows, sparsity=self._manner.sparsity)
            found = [
                Inferred([*one.steps, self._steps(one, some, weights, level)], one.activations)
                for one, some, weights in zip(found, wanted, solved, strict=True)
            ]
            wanted = [sorted(_chosen(one.steps[-1])) for one in found]
        return found

    def weights(
        self,
        images: Sequence[Float[Tensor, "1 ch h w"]],
        numbers: Sequence[int],
        level: int,
        stopped: Stop,
    ) -> Iterator[Weighed]:
        """Yield the inference weights of one concept in each image (Eq. 20-25).

        `level` is that which is gated; `numbers[i]` is the place of image `i`'s concept in the one
        above, or of its class. Ends where `stopped` says so.
        """
        for some in _blocks(len(images), stopped):
            asked = [self._one(x, level, stopped) for x in images[some]]
            if stopped():
                return
            pairs = zip(asked, numbers[some], strict=True)
            rows = [self._rows(one.answers.shape[1], [number], level) for one, number in pairs]
            solved = inference_weights(asked, rows, sparsity=self._manner.sparsity)
            for one, found in zip(asked, solved, strict=True):
                yield Weighed(found.unit[0], found.weights[0] * one.means)

    def lost(
        self, x: Float[Tensor, "1 ch h w"], number: int, level: int, stopped: Stop
    ) -> Float[np.ndarray, " k"]:
        """Return what one concept loses in an image without each channel of a level's layer.

        Numbers and `level` are as in `weights`. Raises CancelledError where `stopped` says yes.
        """
        taken = self._perturber.take(x)
        losses = self._perturber.losses(x, taken, *self._layers_of(level), stopped)
        found: Float[np.ndarray, " k"] = losses @ self._rows(losses.shape[1], [number], level)[0]
        return found

    def _one(self, x: Tensor, level: int, stopped: Stop) -> Perturbed:
        return self._perturbed(x, self._perturber.take(x), level, stopped)

    def _activations(self, taken: Taken) -> list[np.ndarray]:
        return [
            taken.maps[level.layer.name][0].detach().double().cpu().numpy()
            for level in self._levels
        ]

    def _perturbed(self, x: Tensor, taken: Taken, level: int, stopped: Stop) -> Perturbed:
        return self._perturber.perturbed(x, taken, *self._layers_of(level), stopped)

    def _layers_of(self, level: int) -> tuple[str, str | None]:
        """The layer that is gated, and the one that answers; None are the logits."""
        deep = self._levels[level - 1].layer.name if level else None
        return self._levels[level].layer.name, deep

    def _rows(self, width: int, wanted: Sequence[int], level: int) -> Float[np.ndarray, "e d"]:
        """Concepts as rows over the channels, or the `width` logits, that answer."""
        if level:
            found: Float[np.ndarray, "e d"] = self._levels[level - 1].weights[list(wanted)]
            return found
        return np.eye(width)[list(wanted)]

    def _steps(
        self, image: Inferred, wanted: Sequence[int], solved: InferredWeights, level: int
    ) -> dict[int, Step]:
        places = self._places(image, wanted, level)
        few = self._few[level]
        means = image.activations[level].mean((1, 2))
        return {
            concept: Step(weights, weights * means, few.resting(weights, place))
            for concept, weights, place in zip(wanted, solved.weights, places, strict=True)
        }

    def _places(self, image: Inferred, wanted: Sequence[int], level: int) -> list[Place | None]:
        if level == 0 or self._manner.place == 0:
            return [None] * len(wanted)
        here, above = image.activations[level], image.activations[level - 1]
        size = (here.shape[1], here.shape[2])
        offered = self._few[level].maps(here)
        parents = (self._levels[level - 1].map_of(above, e) for e in wanted)
        return [Place(placed(one, size), offered, self._manner.place) for one in parents]


def _blocks(count: int, stopped: Stop) -> Iterator[slice]:
    for at in range(0, count, TOGETHER):
        if at and stopped():
            return
        yield slice(at, at + TOGETHER)


def _chosen(steps: Mapping[int, Step]) -> set[int]:
    return {int(j) for step in steps.values() for j in np.flatnonzero(step.few.alpha)}
