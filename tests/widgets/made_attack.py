"""Attacks made by hand: what a view shows of them, without a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from torch import Tensor

from hexplain_widgets.evidence import (
    AttackedDecision,
    AttackedSet,
    Decomposition,
    HeatMap,
    Layer,
    Prediction,
    Provenance,
)
from tests.widgets.made import MARKUP, made_decomposition, scene

LAYER = Layer("features.29", "ReLU", (512, 14, 14), 5, (212, 212))
PGD = {"attack": "PGD", "budget": 8 / 255, "steps": 20, "target": None, "channels": 4}


def tree(name: str, index: int, probability: float, seed: int = 0) -> Decomposition:
    made = made_decomposition(levels=2, side=64, seed=seed)
    target = Prediction(index, name, probability, 6.0)
    return replace(made, target=target, predictions=(target, *made.predictions[1:]))


def made_attack(after: str = "lake", *, norm: str = "linf", size: float = 8 / 255, **fields):
    """A house that is named otherwise after an attack: what falls and what rises is round."""
    change = np.zeros((64, 64, 3), np.float32)
    change[20:40, 20:40, 0] = size
    found = AttackedDecision(
        before=tree("house", 0, 0.92),
        after=tree(after, 5, 0.97, 1),
        change=change,
        layer=LAYER,
        channels=np.array([[181, 146, 100, 499], [33, 440, 188, 466]]),
        contributions=np.array([[0.4, 0.3, 0.2, 0.1], [0.5, 0.4, 0.2, 0.1]]),
        peaks=np.array(
            [[[20, 18, 12, 14], [4, 3, 2, 3]], [[10, 6, 6, 10], [8, 6, 5, 5]]], np.float32
        ),
        probabilities=np.array([[0.92, 0.004], [0.02, 0.97]]),
        size=size,
        norm=norm,
        provenance=Provenance("peaks", "VGG", f"house -> {after}", {**PGD, "norm": norm}, 0),
    )
    return replace(found, **fields)


def withstood(goal: str | None = None) -> AttackedDecision:
    """An image that is still a house."""
    one = made_attack()
    aim = (Prediction(7, goal, 0.001, 0.1), Prediction(7, goal, 0.2, 3.0)) if goal else ()
    return replace(
        one, after=tree("house", 0, 0.61, 1), goal=aim,
        channels=one.channels[:1], contributions=one.contributions[:1], peaks=one.peaks[:, :1],
        probabilities=one.probabilities[:, :1],
    )  # fmt: skip


def made_set(images: int = 6, left_out: int = 2) -> AttackedSet:
    """Images whose peaks of the class before fall from 4 to 1, those of the class after rise."""
    draw = np.random.default_rng(0)
    means = np.array([[4.0, 2.0], [1.0, 6.0]])[:, :, None]
    peaks = means + draw.normal(0, 0.5, (images, 2, 2, 4))
    return AttackedSet(
        peaks=peaks.astype(np.float32),
        named=np.tile([0, 1], (images, 1)),
        sizes=np.full(images, 8 / 255, np.float32),
        classes=("house", MARKUP),
        layer=LAYER,
        norm="linf",
        withstood=left_out,
        provenance=Provenance("peaks", "VGG", "images", {**PGD, "norm": "linf"}, 0),
    )


class MadeFinder:
    """Stands where a fitted Hint is: the n-th map it is asked for has n at its strongest place."""

    def __init__(self, names: tuple[str, ...] = ("animal", "plant", MARKUP)) -> None:
        self.names, self.images = names, []
        self.asked: list[str] = []
        self.before_answer: Callable[[], object] = list

    def explainable(self) -> tuple[str, ...]:
        return self.names

    def explain(self, image: Tensor, concept: str) -> HeatMap:
        self.asked.append(concept)
        self.before_answer()
        if concept not in self.names:
            raise ValueError(f"got the concept {concept!r}; expected 'animal'; choose that")
        self.images.append(image)
        return made_concept(len(self.images), name=concept)[0]


def made_concept(*strongest: float, name: str = "animal") -> tuple[HeatMap, ...]:
    """Concept maps of both images that are highest in the middle."""
    return tuple(
        HeatMap(
            np.array([[-1, 0, -1], [0, top, 0], [-1, 0, -1]], np.float32),
            "features.29", name, "HINT", scene(64), Provenance("HINT", "VGG", name),
        )
        for top in strongest
    )  # fmt: skip
