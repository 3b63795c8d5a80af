"""Whether inferred relations between concepts are those of the picture: the embedded world.

    python benchmarks/relations.py                 # 200 unseen scenes, harmonised on 400 others
    python benchmarks/relations.py --place 3       # places count more
    python benchmarks/relations.py --quick

In a scene, a concept rests on a concept of the next level where that is on at least one percent of
its pixels: *wall* on *brick*, *brick* on *red*. Every concept on at least 20 pixels is asked about,
whether or not a tree would come to it. CHAIN says how many concepts it rests on; every other answer
gives its strongest as many. Eq. 19 as printed knows no places, and says what speaks for a concept;
the control is what CHAIN's places say without its directions.
Precision is over all that was said, recall over all that is true, at most as many as the bound of
the level allows. Errors are those of the mean over scenes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.chain.harmonize import ConceptDirections
from hexplain_widgets.chain.inference import (
    ConceptPlaces,
    FewConcepts,
    PerturbationExtractor,
    candidates,
    inference_weights,
    place_of,
)
from hexplain_widgets.network.probe import Probe

LEVELS, BOUNDS = ("object", "part", "material", "color"), (5, 5, 1, 1)
SHARE, PIXELS = 0.01, 20
FITTED, UNSEEN = 11, 7
Answer = dict[str, list[int]]


@dataclass(frozen=True, eq=False)
class Asked:
    """A concept that is in a scene: what it truly rests on, and each answer."""

    level: str
    scene: int
    true: frozenset[int]
    answers: Answer


class World:
    """The classifier and its harmonised levels, ready to be asked about scenes."""

    def __init__(self, fitted: int, gates: int, place: float) -> None:
        self.classifier = hx.demo.classifier()
        chain = hx.Chain(gates=gates).fit(
            self.classifier, hx.demo.scenes(fitted, seed=FITTED, size=112).concepts()
        )
        self.levels, self.place = chain.harmonized_, place
        self.probe = Probe(self.classifier)
        names = [level.layer.name for level in self.levels]
        self.extractor = PerturbationExtractor(self.probe, names, count=gates, seed=0)
        self.few = [FewConcepts(n, b) for n, b in zip(self.levels, BOUNDS, strict=True)]
        labelled = hx.demo.scenes(min(fitted, 100), seed=FITTED, size=112)
        scenes = [labelled.scene(i).masks for i in range(len(labelled))]
        self.usual = [
            np.mean([np.bincount(m[n].ravel(), minlength=len(h.concepts) + 1) > 0 for m in scenes],
                    axis=0)[1:]
            for n, h in zip(LEVELS, self.levels, strict=True)
        ]  # fmt: skip

    def asked(self, number: int, scene: hx.demo.Scene) -> Iterator[Asked]:
        """Yield every concept of a scene with all answers."""
        x = self.classifier.prepare(scene.image).x
        cache = self.extractor.take(x)
        acts = [cache.maps[n.layer.name][0].double().numpy() for n in self.levels]
        for depth in range(1, len(LEVELS)):
            true = relations(scene.masks, LEVELS[depth - 1], LEVELS[depth])
            deep, shallow = self.levels[depth - 1], self.levels[depth]
            true = {e: some for e, some in true.items() if deep.usable[e]}
            rows = deep.weights[list(true)]
            one = self.extractor.perturb(x, cache, shallow.layer.name, deep.layer.name)
            weights = inference_weights([one], [rows], sparsity=0.01)[0].weights
            size = (acts[depth].shape[1], acts[depth].shape[2])
            maps, plain = self.few[depth].maps(acts[depth]), plain_maps(shallow, acts[depth])
            slopes = self.gradients(acts[depth], depth, rows)
            for e, w, gradient in zip(true, weights, slopes, strict=True):
                where = place_of(deep.map_of(acts[depth - 1], e), size)
                place = ConceptPlaces(where, maps, self.place) if self.place else None
                scores = self.simpler(depth, plain @ where, maps @ where, gradient)
                chain = np.flatnonzero(self.few[depth].subset(w, place).alpha > 0)
                printed = np.flatnonzero(self.few[depth].subset(w).alpha > 0)
                answers = {"CHAIN": chain.tolist(), "Eq. 19 as printed": printed.tolist()}
                answers |= {
                    name: np.argsort(-s, kind="stable")[: len(chain)].tolist()
                    for name, s in scores.items()
                }
                yield Asked(LEVELS[depth], number, true[e], answers)

    def simpler(
        self, depth: int, correlation: np.ndarray, contested: np.ndarray, gradient: np.ndarray
    ) -> Mapping[str, np.ndarray]:
        """How strongly each simpler answer holds every concept of a level."""
        level, some = self.levels[depth], candidates(self.levels[depth])
        units = level.weights / np.maximum(np.linalg.norm(level.weights, axis=1), 1e-12)[:, None]

        def offered_alone(values: np.ndarray) -> np.ndarray:
            found = np.full(len(some), -np.inf)
            found[some] = values
            return found

        return {
            "correlation of maps": offered_alone(correlation),
            "correlation, contested maps (control)": offered_alone(contested),
            "gradient · direction": np.where(some, units @ gradient, -np.inf),
            "most frequent": self.usual[depth],
        }

    def gradients(self, maps: np.ndarray, depth: int, rows: np.ndarray) -> np.ndarray:
        """The gradient of each concept's mean map by the means of the shallow channels."""
        stages = ("stage2", "stage3", "stage4", "stage5")
        first, last = (stages.index(self.levels[d].layer.name) for d in (depth, depth - 1))
        a = torch.from_numpy(maps).float()[None].requires_grad_()
        out = a
        for name in stages[first + 1 : last + 1]:
            out = self.classifier.model.get_submodule(name)(out)
        means = torch.from_numpy(rows).float() @ out.mean((2, 3))[0]
        found = [torch.autograd.grad(m, a, retain_graph=True)[0][0].mean((1, 2)) for m in means]
        return torch.stack(found).double().numpy()


def plain_maps(level: ConceptDirections, activations: np.ndarray) -> np.ndarray:
    """Maps of the offered concepts as they are, centred and of unit length."""
    found = np.tensordot(level.weights[candidates(level)], activations, 1)
    flat = found.reshape(len(found), -1)
    flat = flat - flat.mean(1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)


def relations(masks: Mapping[str, np.ndarray], deep: str, shallow: str) -> dict[int, frozenset]:
    """What every concept of a level that is there rests on, numbered from 0."""
    above, below = masks[deep].ravel(), masks[shallow].ravel()
    found = {}
    for label in np.unique(above[above > 0]).tolist():
        own = below[above == label]
        counts = np.bincount(own)
        if len(own) >= PIXELS:
            many = np.flatnonzero(counts >= SHARE * len(own))
            found[label - 1] = frozenset(int(c) - 1 for c in many if c > 0)
    return found


def figures(asked: list[Asked], answer: str, bound: int) -> tuple[float, float, float, float]:
    """Precision, recall, F1 and its standard error over scenes (jackknife)."""
    rows = np.array([
        [a.scene, len(a.true & set(a.answers[answer])), len(a.answers[answer]),
         min(len(a.true), bound)]
        for a in asked
    ])  # fmt: skip
    total = rows[:, 1:].sum(0)
    scenes = np.unique(rows[:, 0])
    left = np.array([total - rows[rows[:, 0] == s, 1:].sum(0) for s in scenes])
    f1 = 2 * left[:, 0] / (left[:, 1] + left[:, 2])
    error = np.sqrt((len(scenes) - 1) / len(scenes) * ((f1 - f1.mean()) ** 2).sum())
    hit, said, true = total
    return hit / said, hit / true, 2 * hit / (said + true), float(error)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--place", type=float, default=hx.Chain().place)
    parser.add_argument("--seed", type=int, default=UNSEEN, help="of the unseen scenes")
    given = parser.parse_args()
    count, fitted, gates = (20, 60, 200) if given.quick else (200, 400, 1000)
    start = time.perf_counter()
    world = World(fitted, gates, given.place)
    data = hx.demo.scenes(count, seed=given.seed, size=112)
    asked = [a for i in range(count) for a in world.asked(i, data.scene(i))]
    print(f"{count} scenes, place {given.place}, {time.perf_counter() - start:.0f} s")
    for depth in range(1, len(LEVELS)):
        some = [a for a in asked if a.level == LEVELS[depth]]
        said = sum(len(a.answers["CHAIN"]) for a in some) / len(some)
        print(f"\n{LEVELS[depth - 1]} -> {LEVELS[depth]}: {len(some)} asked, {said:.1f} said each")
        for answer in some[0].answers:
            p, r, f, error = figures(some, answer, BOUNDS[depth])
            print(f"  {answer:38s} precision {p:.3f}  recall {r:.3f}  F1 {f:.3f} ± {error:.3f}")


if __name__ == "__main__":
    main()
