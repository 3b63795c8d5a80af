"""A fitted additive explainer made by hand: same names, same kinds of answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hexplain_widgets.evidence import Contributions, Prediction, Provenance
from tests.widgets.made import MARKUP, lit
from tests.widgets.made_chip import bump

CONCEPTS = ("window", "wheel", "roof", "door", MARKUP, "shadow", "sky", "lamp", "fence", "path",
            "hedge", "chimney")  # fmt: skip
# what they add to the first image's score, in logits
VALUES = (1.9, 2.6, 0.8, -0.9, 0.45, -1.4, 0.3, 0.02, -0.01, 0.03, 0.15, 0.01)
PROVENANCE = Provenance("additive explainer", "Made", "house", {"beta": 10.0}, seed=0)


class MadeExplainer:
    """Deterministic contributions: a brighter image has larger ones; the bias is the same."""

    def __init__(
        self,
        names: Sequence[str] = CONCEPTS,
        values: Sequence[float] = VALUES,
        *,
        unexplained: float = 0.21,
        each: int = 20,
        cells: int = 7,
        notes: Sequence[str] = (),
    ) -> None:
        self.names_, self.values, self.notes = tuple(names), np.array(values), tuple(notes)
        self.unexplained, self.each, self.cells = unexplained, each, cells
        self.target_, self.layer_ = "house", "features.30"
        self.asked: list[tuple[tuple[int, ...], bool]] = []
        self.before_answer: Callable[[], None] = lambda: None

    def explain(self, image: Any, *, baseline: bool = False) -> Contributions:
        shown = np.asarray(image)
        if shown.ndim != 3 or shown.dtype != np.uint8:
            raise TypeError(f"got {type(image).__name__}; expected a picture; pass one")
        self.asked.append((shown.shape, baseline))
        self.before_answer()
        found = self._explained(shown, even=2.0)
        # plain distillation: the same score from one concept alone
        first = np.arange(len(self.names_)) == 0
        plain = replace(
            self._explained(shown, even=0.08), values=np.where(first, found.values.sum(), 0.0)
        )
        return replace(found, baseline=plain) if baseline else found

    def _explained(self, image: np.ndarray, *, even: float) -> Contributions:
        count, light = len(self.names_), float(image.mean()) / 128
        draw = np.random.default_rng([count, int(image.mean())])
        values = self.values * (0.6 + 0.4 * light)
        values[:3] *= draw.uniform(0.5, 1.2, len(values[:3]))
        parts = draw.dirichlet(np.full(self.each, even), count) * values[:, None]
        weights = draw.uniform(0.5, 2, parts.size)
        score = -0.7 + float(values.sum()) + self.unexplained
        maps = [v * bump(draw, (self.cells, self.cells)) for v in values]
        sums = [float(one.sum()) or 1.0 for one in maps]
        return Contributions(
            names=self.names_,
            values=values,
            bias=-0.7,
            unexplained=self.unexplained,
            score=score,
            target=self.target_,
            index=3,
            layer=self.layer_,
            kind="filters",
            weights=weights,
            strengths=parts.ravel() / weights,
            scales=np.ones(parts.size),
            owners=np.repeat(np.arange(count), self.each),
            elements=tuple(range(parts.size)),
            maps=np.array([m * v / s for m, v, s in zip(maps, values, sums, strict=True)]).reshape(
                count, self.cells, self.cells
            ),
            image=image,
            predictions=(Prediction(3, self.target_, 0.83, score),),
            provenance=PROVENANCE,
            deviation=0.031,
            span=11.4,
            notes=self.notes,
            attention=2.4 * light * bump(draw, (self.cells, self.cells)),
        )


def images(count: int = 2, side: int = 96) -> list[np.ndarray]:
    """Scenes of different light."""
    return lit(count, side)
