"""Inferred images as trees of concepts, and the trees of a class's images as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .evidence import InferredConcept
from .harmonize import Harmonized
from .inferring import Inferred, Step

OUTPUT = "output"
# A class rests on what at least this share of its images rest on.
SHARED = 0.5
CUT_SHORT = "the search for the best few concepts was cut short; others may explain it better"
UNMOVED = "no channel of the next level's layer moves it in this image"


@dataclass(frozen=True)
class Grown:
    """Grows the tree of an inferred image; `levels` are those below the output, named `root`."""

    levels: Sequence[Harmonized]
    root: str

    def tree(self, image: Inferred, target: int, name: str) -> InferredConcept:
        """Return the decision and all that it rests on."""
        bare = InferredConcept(name, self.root, OUTPUT, 1.0, 1.0)
        return self._with_children(bare, image, 0, target)

    def _with_children(
        self, concept: InferredConcept, image: Inferred, depth: int, number: int
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
            concept, unexplained=step.few.unexplained, children=shared_out(children),
            flag=concept.flag or _flag(step),
        )  # fmt: skip

    def _child(self, image: Inferred, depth: int, number: int, weight: float) -> InferredConcept:
        level = self.levels[depth]
        name = level.concepts[number]
        heat = level.map_of(image.activations[depth], number).astype(np.float32)
        bare = InferredConcept(
            name, level.level, level.layer.name, weight, 1.0, heatmap=heat,
            precision=_number(level.precision[number]), chance=_number(level.chance[number]),
            flag=level.flags.get(name),
        )  # fmt: skip
        return self._with_children(bare, image, depth + 1, number)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _flag(step: Step) -> str | None:
    if not step.weights.any():
        return UNMOVED
    return None if step.few.exact else CUT_SHORT


def shared_out(children: Sequence[InferredConcept]) -> tuple[InferredConcept, ...]:
    """Return siblings with the share each has of the weights of its sign."""
    totals = {
        sign: sum(abs(c.weight) for c in children if (c.weight > 0) == sign)
        for sign in (True, False)
    }
    return tuple(replace(c, share=abs(c.weight) / totals[c.weight > 0]) for c in children)


def of_a_class(trees: Sequence[InferredConcept]) -> InferredConcept:
    """Return what a class's images rest on in common (CHAIN, Section III-C).

    A concept stands in the tree where at least half of all images have it in that place; its
    weight is the mean over these images. `count` says how many they are.
    """
    return _common(trees, len(trees))


def _common(found: Sequence[InferredConcept], images: int) -> InferredConcept:
    places: dict[str, list[InferredConcept]] = {}
    for one in found:
        for child in one.children:
            places.setdefault(child.concept, []).append(child)
    shared = [_common(some, images) for some in places.values() if len(some) >= SHARED * images]
    left = [one.unexplained for one in found if one.unexplained is not None]
    return replace(
        found[0], weight=float(np.mean([one.weight for one in found])), share=1.0, heatmap=None,
        unexplained=float(np.mean(left)) if left else None, count=len(found),
        flag=next((one.flag for one in found if one.flag), None),
        children=shared_out(sorted(shared, key=lambda one: -one.weight)),
    )  # fmt: skip
