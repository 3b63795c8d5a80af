"""A fitted Chain made by hand: five levels, numbers from names alone, one image as another."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hexplain_widgets.arguments import SlowBar
from hexplain_widgets.evidence import (
    ConceptInference,
    Faithfulness,
    InferredConcept,
    Layer,
    Prediction,
    Provenance,
)
from hexplain_widgets.evidence.faithfulness import faithfulness
from tests.widgets.made import MARKUP, scene, tinted

CHANNELS = 24
LONG = "a rather long name of a concept that nobody would want to read twice on one card"
LEVELS = ("scene", "object", "part", "material", "color")
CLASSES = ("house", "orchard", "pasture", "street", MARKUP)
LAYERS = {
    "object": Layer("features.29", "ReLU", (512, 14, 14), 5, (212, 212)),
    "part": Layer("features.22", "ReLU", (512, 28, 28), 4, (100, 100)),
    "material": Layer("features.15", "ReLU", (256, 56, 56), 3, (44, 44)),
    "color": Layer("features.8", "ReLU", (128, 112, 112), 2, (16, 16)),
}
# object: (weight, what it rests on); a part: (weight, material, color)
Parts = dict[str, tuple[float, str, str]]
HOUSE: dict[str, tuple[float, Parts]] = {
    "house": (0.42, {
        "roof": (0.31, "tile", "brown"), "window": (0.24, "glass", "blue"),
        "door": (0.15, "wood", "brown"), "chimney": (0.08, "brick", "red"),
        "wheel": (-0.09, "rubber", "black"),
    }),
    "swimming pool": (0.27, {
        "water surface": (0.5, "water", "blue"), "rim": (0.2, "stone", "gray"),
        "ladder": (0.06, "metal", "gray"), MARKUP: (0.05, MARKUP, "white"),
        LONG: (0.04, LONG, "pink"),
    }),
    "hedge": (0.19, {
        "plant": (0.4, "foliage", "green"), "crown": (0.22, "foliage", "green"),
        "trunk": (0.11, "bark", "brown"), "leaf": (0.07, "foliage", "yellow"),
        "patch": (0.03, "grass", "green"),
    }),
    "sky": (0.08, {
        "clear sky": (0.35, "air", "blue"), "cloud": (0.2, "vapor", "white"),
        "slope": (0.09, "rock", "gray"), "peak": (0.05, "snow", "white"),
        "step": (0.02, "stone", "beige"),
    }),
    "car": (-0.12, {
        "wheel": (0.4, "rubber", "black"), "window": (0.28, "glass", "gray"),
        "bumper": (0.13, "metal", "gray"), "door": (0.07, "metal", "red"),
        "hub": (0.05, "metal", "white"),
    }),
}  # fmt: skip
CURB = {
    "curb": (0.24, {
        "paving": (0.33, "concrete", "gray"), "lane": (0.24, "asphalt", "black"),
        "marking": (0.08, "plastic", "white"),
    }),
}  # fmt: skip
WITHOUT = {
    "pool": ("hedge",),
    "hedge": ("swimming pool", "sky"),
    "curb": ("swimming pool", "hedge"),
}
DOUBTFUL = {"chimney": "only 12 labelled cells in 3 images"}


def made_inference(
    target: str = "house", name: str = "", *, image: np.ndarray | None = None, images: int = 0
) -> ConceptInference:
    """An inference of one image, or of a class over so many images; `name` picks surroundings."""
    shown = scene(160) if image is None else image
    known = {**HOUSE, **(CURB if name == "curb" else {})}
    below = {k: v for k, v in known.items() if k not in WITHOUT.get(name, ())}
    whole = len(WITHOUT.get(name, ())) == 0
    roots = children("object", {k: w for k, (w, _) in below.items()}, (target, name), images)
    objects = tuple(
        replace(
            one,
            children=tuple(
                replace(part, children=(material(part, *below[one.concept][1][part.concept][1:]),))
                for part in children(
                    "part", {k: v[0] for k, v in below[one.concept][1].items()}, (name,), images
                )
            ),
        )
        for one in roots
    )
    root = InferredConcept(
        target, "scene", "classifier", 1.0, 1.0, unexplained=0.18 if whole else 0.27,
        estimates=draw(target, name).normal(size=CHANNELS), children=objects,
        found_in=tuple(range(max(1, images))),
    )  # fmt: skip
    return ConceptInference(
        shown, Prediction(CLASSES.index(target), target, 0.83, 9.41), LEVELS, LAYERS, root,
        Provenance("CHAIN", "VGG", target, {"gates": 1000}, seed=0),
        tuple(tinted(draw(str(i)), least=0.5) for i in range(images)),
        name, ("gates of scene labels cover the whole image",),
    )  # fmt: skip


def children(
    level: str, weights: dict[str, float], context: tuple[str, ...], images: int
) -> tuple[InferredConcept, ...]:
    numbers = {k: w * draw(k, *context).uniform(0.8, 1.2) for k, w in weights.items()}
    sums = {
        sign: sum(abs(w) for w in numbers.values() if (w > 0) == sign) for sign in (True, False)
    }
    made = [concept(k, level, w, abs(w) / sums[w > 0], images) for k, w in numbers.items()]
    return tuple(sorted(made, key=lambda one: -one.weight))


def material(part: InferredConcept, name: str, color: str) -> InferredConcept:
    images = 0 if part.heatmap is not None else part.count
    last = concept(color, "color", draw(name, color).uniform(0.2, 0.9), 1.0, images)
    made = concept(name, "material", draw(part.concept, name).uniform(0.2, 0.9), 1.0, images)
    return replace(made, children=(replace(last, unexplained=None, estimates=None),))


def concept(name: str, level: str, weight: float, share: float, images: int) -> InferredConcept:
    numbers = draw(name, level)
    return InferredConcept(
        name, level, LAYERS[level].name, weight, share,
        heatmap=None if images else bump(numbers, LAYERS[level].shape[1:]),
        unexplained=float(numbers.uniform(0.08, 0.55)),
        precision=float(numbers.uniform(0.25, 0.95)), chance=float(numbers.uniform(0.01, 0.2)),
        found_in=tuple(range(int(numbers.integers(images // 2, images + 1)) if images else 1)),
        flag=DOUBTFUL.get(name), estimates=numbers.normal(size=CHANNELS),
    )  # fmt: skip


def draw(*words: str) -> np.random.Generator:
    digest = hashlib.sha256(" ".join(words).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def bump(numbers: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] / shape[0]
    cy, cx, size = *numbers.uniform(0.25, 0.8, 2), numbers.uniform(0.01, 0.05)
    distance = (y - cy) ** 2 + (x - cx) ** 2
    values = 2 * np.exp(-distance / size) - 0.5 * np.exp(-distance / (6 * size))
    return values.astype(np.float32)


class Eyes:
    """Stands where the classifier is: it knows the names of the classes."""

    classes = CLASSES


class MadeChain:
    """Deterministic inferences; `wait` seconds each, asking at times whether to stop."""

    def __init__(self) -> None:
        self.classifier_: Eyes | None = Eyes()
        self.asked: list[str] = []
        self.before_answer: Callable[[Callable[[], bool]], None] = lambda stopped: None
        self.wait = 0.0

    def explain(
        self, image: Any, target: int | str | None = None, stopped: Callable[[], bool] | None = None
    ) -> ConceptInference:
        self._work("explain", stopped)
        return made_inference(self._name(target), image=image)

    def explain_class(
        self,
        images: Sequence[Any],
        target: int | str,
        name: str = "",
        stopped: Callable[[], bool] | None = None,
    ) -> ConceptInference:
        self._work("explain_class", stopped)
        return made_inference(self._name(target), name, image=images[0], images=len(images))

    def faithfulness(
        self, inference: ConceptInference, images: Any, path: tuple[int, ...] = (),
        stopped: Callable[[], bool] | None = None,
    ) -> Faithfulness:  # fmt: skip
        self.asked.append("faithfulness")
        estimates = inference.node(path).estimates
        if estimates is None:
            raise ValueError("got a concept that was not inferred further; choose one above it")
        noise = draw(inference.node(path).concept, *map(str, path)).normal(size=CHANNELS)
        return faithfulness(estimates, estimates + (0.2 + 0.25 * len(path)) * noise, seconds=0.01)

    def _work(self, kind: str, stopped: Callable[[], bool] | None) -> None:
        self.asked.append(kind)
        self.before_answer(stopped or (lambda: False))
        begun = time.monotonic()
        with SlowBar("gates", 100, "gate") as counted:
            while (passed := time.monotonic() - begun) < self.wait and not (stopped and stopped()):
                counted.update(int(100 * passed / self.wait) - counted.n)
                time.sleep(0.02)

    def _name(self, target: int | str | None) -> str:
        if target is None:
            return CLASSES[0]
        if isinstance(target, str) and target not in CLASSES:
            raise ValueError(f"got the class {target!r}; expected 'house'; choose that")
        return target if isinstance(target, str) else CLASSES[target]
