"""A comparison of inferences made by hand: one set apart, two that overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hexplain_widgets.evidence import (
    ConceptInference,
    Faithfulness,
    InferenceComparison,
    Provenance,
)
from hexplain_widgets.evidence.faithfulness import faithfulness
from tests.widgets.made import scene
from tests.widgets.made_inference import CHANNELS, MadeChain, draw, made_inference

SETS = ("pool", "hedge", "curb")
CENTRES = {
    "pool": (0.46, 0.05, -0.04),
    "hedge": (-0.2, 0.16, 0.05),
    "curb": (-0.22, 0.09, -0.02),
    "orchard": (-0.3, -0.5, 0.3),
}


def cloud(name: str, count: int) -> np.ndarray:
    numbers = draw(name, "cloud")
    stretched = numbers.normal(size=(count, 3)) * (0.1, 0.07, 0.06)
    return np.array(CENTRES.get(name, numbers.uniform(-0.5, 0.5, 3))) + stretched


def made_comparison(
    names: tuple[str, ...] = SETS,
    counts: tuple[int, ...] | int = 20,
    *,
    tested: bool = True,
    images: bool = True,
    inferences: bool = False,
    **fields: Any,
) -> InferenceComparison:
    """Sets of points around centres, their distances, and thumbnails of another tint per set."""
    sizes = (counts,) * len(names) if isinstance(counts, int) else counts
    sets = np.repeat(np.arange(len(names)), sizes)
    points = np.concatenate([cloud(n, c) for n, c in zip(names, sizes, strict=True)])
    distances = between_and_within(points, sets, len(names))
    made = {
        "points": points,
        "sets": sets,
        "names": names,
        "concepts": ("house",) * len(names),
        "level": "scene",
        "distances": distances,
        "explained_variance": np.array([0.41, 0.18, 0.09]),
        "provenance": Provenance("CHAIN", "VGG", "house", {"gates": 1000}, seed=0),
        "p_values": p_values(distances) if tested else None,
        "images": tuple(picture(i, int(s)) for i, s in enumerate(sets)) if images else (),
        "estimates": draw("estimates").normal(size=(len(sets), CHANNELS)),
        "inferences": tuple(made_inference(name=names[s]) for s in sets) if inferences else (),
    }
    return InferenceComparison(**(made | fields))


def between_and_within(points: np.ndarray, sets: np.ndarray, count: int) -> np.ndarray:
    """Distances as Eq. 23-25 have them, of the points as they are."""
    centres = np.stack([points[sets == s].mean(0) for s in range(count)])
    found = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    for s in range(count):
        found[s, s] = np.linalg.norm(points[sets == s] - centres[s], axis=1).mean()
    return found


def p_values(distances: np.ndarray) -> np.ndarray:
    found = np.where(distances > 0.3, 0.0005, 0.012)
    np.fill_diagonal(found, 1.0)
    return found


def picture(i: int, place: int) -> np.ndarray:
    tint = np.eye(3)[place % 3] * 0.35 + 0.65
    return (scene(64) * tint * draw(str(i)).uniform(0.7, 1)).astype(np.uint8)


class LevelChain(MadeChain):
    """A made Chain that knows its levels, and what it was asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.levels_ = dict.fromkeys(("scene", "object", "part", "material", "color"))
        self.targets: list[int | str | None] = []

    def explain(
        self, image: Any, target: int | str | None = None, stopped: Callable[[], bool] | None = None
    ) -> ConceptInference:
        self.targets.append(target)
        return super().explain(image, target, stopped)

    def agreement(
        self, comparison: InferenceComparison, point: int, image: Any,
        stopped: Callable[[], bool] | None = None,
    ) -> Faithfulness:  # fmt: skip
        self.asked.append(f"agreement {point}")
        estimates = comparison.estimates[point]
        noise = draw("agreement", str(point)).normal(size=CHANNELS)
        return faithfulness(
            estimates, estimates + (5.0 if point == 3 else 0.4) * noise, seconds=0.01
        )
