"""A fitted Hint made by hand: same names, same kinds of answers, numbers from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hexplain_widgets.evidence import (
    ClassifierQuality,
    Concept,
    HeatMap,
    Layer,
    NeuronConcepts,
    NeuronPortrait,
    Provenance,
)
from tests.widgets.made import MARKUP, lit, tinted
from tests.widgets.made_chip import Eyes, bump

LAYERS = (
    Layer("features.30", "ReLU", (512, 7, 7), 5, (212, 212)),
    Layer("features.20", "ReLU", (256, 14, 14), 4, (100, 100)),
    Layer("features.10", "ReLU", (128, 28, 28), 3, (44, 44)),
)
# a concept and its parents, parents first; a guide dog is a dog and a helper
SMALL = {
    "whole": (), "animal": ("whole",), "helper": ("whole",), "plant": ("whole",),
    "mammal": ("animal",), "bird": ("animal",), "dog": ("mammal",), "cat": ("mammal",),
    "husky": ("dog",), "guide dog": ("dog", "helper"), "tree": ("plant",), MARKUP: ("plant",),
}  # fmt: skip
AT_CHANCE = "cat"
KINDS = ("animal", "plant", "vehicle", "building")
PROVENANCE = Provenance("HINT", "Made", "", {"top": 10}, seed=0)


def large(concepts: int = 60) -> dict[str, tuple[str, ...]]:
    """So many concepts on five levels below one root, ten of them with a second parent."""
    found: dict[str, tuple[str, ...]] = {"whole": ()} | dict.fromkeys(KINDS, ("whole",))
    draw = np.random.default_rng(3)
    while len(found) < concepts:
        n = len(found)
        names = list(found)[1:]
        parent = names[int(draw.integers(0, min(len(names), 26)))]
        kind = parent.split(" ")[0]
        second = names[int(draw.integers(0, 4))]
        more = (second,) if n % 6 == 0 and second != kind else ()
        found[f"{kind} {n}"] = (parent, *more)
    return found


class MadeHint:
    """Deterministic scores: a concept's neurons are partly its parent's, the rest its own."""

    def __init__(
        self,
        graph: dict[str, tuple[str, ...]] = SMALL,
        *,
        neurons: int | None = None,
        layer: int = 0,
        estimator: str = "owen",
        flagged: Sequence[str] = (AT_CHANCE,),
    ) -> None:
        self.graph, self.flagged, self._neurons = graph, tuple(flagged), neurons
        self.layers_, self.layer_ = LAYERS, LAYERS[layer]
        self.estimator = estimator
        self.classifier_: Eyes | None = Eyes()
        self.asked: list[str] = []
        self.before_answer: Callable[[], None] = lambda: None

    def _turned(self, **changes: Any) -> MadeHint:
        self.before_answer()
        kept = {"layer": LAYERS.index(self.layer_), "estimator": self.estimator}
        made = MadeHint(self.graph, neurons=self._neurons, flagged=self.flagged, **(kept | changes))
        made.asked, made.before_answer = self.asked, self.before_answer
        made.classifier_ = self.classifier_
        return made

    def at(self, layer: str) -> MadeHint:
        self.asked.append(f"at {layer}")
        return self._turned(layer=[one.name for one in LAYERS].index(layer))

    def using(self, estimator: str) -> MadeHint:
        self.asked.append(f"using {estimator}")
        if estimator == "retrained":
            raise ValueError(
                "got the estimator 'retrained' without region vectors; expected those of fit;"
                " fit again"
            )
        return self._turned(estimator=estimator)

    def associations(
        self,
        concepts: Sequence[str] | None = None,
        top: int = 10,
        images: Sequence[Any] = (),
        maps_of: Sequence[str] = (),
        stopped: Callable[[], bool] | None = None,
    ) -> NeuronConcepts:
        self.asked.append("associations")
        names = list(self.graph) if concepts is None else self._known(concepts)
        scores = self._scores()[:, [list(self.graph).index(name) for name in names]]
        kept = sorted({int(k) for row in np.argsort(-scores, axis=0)[:top].T for k in row})
        return NeuronConcepts(
            concepts=tuple(Concept(n, self.graph[n], (i,)) for i, n in enumerate(names)),
            neurons=tuple(kept),
            scores=scores[kept],
            estimator=self.estimator,
            qualities=tuple(self._quality(name, LAYERS.index(self.layer_)) for name in names),
            layer=self.layer_.name,
            layers=self.layers_,
            f1=np.array([[self._quality(n, i).f1 for n in names] for i in range(len(LAYERS))]),
            provenance=PROVENANCE,
            errors=scores[kept] * 0.04 + 1e-4 if self.estimator == "permutation" else None,
            portraits=self.portraits(kept),
            maps=tuple(self.explain(image, name) for name in maps_of for image in images),
        )

    def portraits(self, neurons: Sequence[int]) -> tuple[NeuronPortrait, ...]:
        self.asked.append("portraits")
        return tuple(portrait(self.layer_, k) for k in neurons)

    def explain(self, image: np.ndarray, concept: str) -> HeatMap:
        self.asked.append(f"explain {concept}")
        self.before_answer()
        (name,) = self._known([concept])
        draw = np.random.default_rng([len(name), *image[0, 0].tolist()])
        cells = self.layer_.shape[1:]
        values = 2 * bump(draw, cells) - 1.5 * bump(draw, cells) - 0.4
        return HeatMap(values.astype(np.float32), self.layer_.name, name, "HINT", image, PROVENANCE)

    def _known(self, names: Sequence[str]) -> list[str]:
        for name in names:
            if name not in self.graph:
                raise ValueError(f"got the concept {name!r}; expected 'animal'; choose that")
        return [name for name in self.graph if name in names]

    def _scores(self) -> np.ndarray:
        place = LAYERS.index(self.layer_)
        draw = np.random.default_rng([place, len(self.estimator)])
        count = self._neurons or self.layer_.shape[0]
        # among many neurons some serve many concepts
        talent = draw.gamma(0.5, 2.0, count) if self._neurons is None else np.ones(count)
        scores = np.zeros((count, len(self.graph)))
        names = list(self.graph)
        for e, name in enumerate(names):
            own = draw.gamma(0.35, 0.02, count) * talent
            above = [scores[:, names.index(parent)] for parent in self.graph[name]]
            scores[:, e] = 0.6 * np.mean(above, axis=0) + own if above else own
        return scores

    def _quality(self, name: str, place: int) -> ClassifierQuality:
        draw = np.random.default_rng(len(name))
        f1 = float(draw.uniform(0.55, 0.95)) * (1 - 0.3 * place)
        chance = float(draw.uniform(0.05, 0.2))
        if name not in self.flagged:
            return ClassifierQuality(f1 * 0.96, f1 * 1.04, f1, chance, f1 * 1.03, 240, 4100)
        flag = f"at chance: F1 {chance:.2f} on held-out images"
        return ClassifierQuality(chance, 0.5, chance, chance, 0.4, 12, 4100, flag)


def portrait(layer: Layer, neuron: int) -> NeuronPortrait:
    draw = np.random.default_rng(neuron)
    return NeuronPortrait(
        layer=layer.name,
        neuron=neuron,
        images=np.stack([tinted(draw) for _ in range(4)]),
        values=np.sort(draw.gamma(2, 1, 4))[::-1].copy(),
        places=draw.uniform(0.15, 0.85, (4, 2)),
    )


def images(count: int = 3) -> list[np.ndarray]:
    """Scenes of different light, 64 pixels a side."""
    return lit(count, 64)
