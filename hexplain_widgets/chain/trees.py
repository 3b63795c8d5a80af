"""Inferred images as trees of concepts, and the trees of a class's images as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from ..evidence import InferredConcept, Prediction
from .harmonize import ConceptDirections
from .inference import ImageInference, InferenceStep

OUTPUT = "output"
# A class rests on what at least this share of its images rest on.
SHARED = 0.5
CUT_SHORT = "the search for the best few concepts was cut short; others may explain it better"
UNMOVED = "no channel of the next level's layer moves it in this image"
UNLIKE = "no concept of the next level points where its channels do"


@dataclass(frozen=True)
class TreeBuilder:
    """Builds the tree of an inferred image; `levels` are those below the output, named `root`."""

    levels: Sequence[ConceptDirections]
    root: str

    def tree(self, image: ImageInference, target: int, name: str) -> InferredConcept:
        """Return the decision and all that it rests on."""
        bare = InferredConcept(name, self.root, OUTPUT, 1.0, 1.0)
        return self._with_children(bare, image, 0, target)

    def _with_children(
        self, concept: InferredConcept, image: ImageInference, depth: int, number: int
    ) -> InferredConcept:
        if depth >= len(image.steps):
            return concept
        step = image.steps[depth][number]
        children = [
            self._child(image, depth, int(j), float(step.few.alpha[j]))
            for j in np.argsort(-step.few.alpha, kind="stable")
            if step.few.alpha[j] != 0
        ]
        return replace(
            concept,
            unexplained=step.few.unexplained,
            estimates=step.estimates,
            children=with_shares(children),
            flag=concept.flag or _flag(step),
        )

    def _child(
        self, image: ImageInference, depth: int, number: int, weight: float
    ) -> InferredConcept:
        level = self.levels[depth]
        name = level.concepts[number]
        heat = level.map_of(image.activations[depth], number).astype(np.float32)
        bare = InferredConcept(
            name,
            level.level,
            level.layer.name,
            weight,
            1.0,
            heatmap=heat,
            precision=_number(level.precision[number]),
            chance=_number(level.chance[number]),
            flag=level.flags.get(name),
        )
        return self._with_children(bare, image, depth + 1, number)


def _mean(estimates: Sequence[Float[np.ndarray, " k"] | None]) -> Float[np.ndarray, " k"] | None:
    known = [one for one in estimates if one is not None]
    return np.mean(known, axis=0) if known else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _flag(step: InferenceStep) -> str | None:
    if not step.weights.any():
        return UNMOVED
    if not step.few.alpha.any():
        return UNLIKE
    return None if step.few.exact else CUT_SHORT


def with_shares(children: Sequence[InferredConcept]) -> tuple[InferredConcept, ...]:
    """Return siblings with the share each has of the weights of its sign."""
    totals = {
        sign: sum(abs(c.weight) for c in children if (c.weight > 0) == sign)
        for sign in (True, False)
    }
    return tuple(replace(c, share=abs(c.weight) / totals[c.weight > 0]) for c in children)


def class_tree(trees: Sequence[InferredConcept]) -> InferredConcept:
    """Return what a class's images rest on in common (CHAIN, Section III-C).

    A concept stands in the tree where at least half of all images have it in that place; its
    weight is the mean over these images, which `found_in` numbers.
    """
    return _common(dict(enumerate(trees)), len(trees))


def mean_prediction(predictions: Sequence[Prediction]) -> Prediction:
    """Return what is said of a class in its images, as one: means of probability and logit."""
    chance, logit = (
        float(np.mean([getattr(p, n) for p in predictions])) for n in ("probability", "logit")
    )
    return replace(predictions[0], probability=chance, logit=logit)


def _common(trees: Mapping[int, InferredConcept], images: int) -> InferredConcept:
    places: dict[str, dict[int, InferredConcept]] = {}
    for image, one in trees.items():
        for child in one.children:
            places.setdefault(child.concept, {})[image] = child
    shared = [_common(some, images) for some in places.values() if len(some) >= SHARED * images]
    every = tuple(trees.values())
    left = [one.unexplained for one in every if one.unexplained is not None]
    return replace(
        every[0],
        weight=float(np.mean([one.weight for one in every])),
        share=1.0,
        heatmap=None,
        unexplained=float(np.mean(left)) if left else None,
        estimates=_mean([one.estimates for one in every]),
        found_in=tuple(trees),
        flag=next((one.flag for one in every if one.flag), None),
        children=with_shares(sorted(shared, key=lambda one: -one.weight)),
    )
