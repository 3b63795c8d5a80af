"""Neurons and concepts of one layer: classifiers, how good they are, and scores (HINT, Eq. 1-2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int8

from ..arguments import SlowBar, Stop, nearest, place_of_name
from ..data.hierarchy.hierarchy import note_on_missing
from ..evidence import (
    ClassifierQuality,
    Concept,
    ConceptScore,
    Faithfulness,
    Layer,
    NeuronConcepts,
    Provenance,
)
from ..evidence.faithfulness import faithfulness
from ..solvers.logistic import LinearClassifiers, fit_logistic
from ..solvers.shapley import NeuronScores, ablated, neuron_scores
from .statistics import RegionStatistics

# Rows that scores are taken over, and that absent neurons are drawn from.
SCORED = 2000
Relatives = Literal["left_out", "negatives"]
# The estimator that scores one neuron in a third of the time that all of them take.
SINGLY = "owen"


@dataclass(frozen=True)
class RegionTable:
    """Region vectors of all concepts and of the background: one row for each.

    `signs[e, r]` is 1 where row `r` is the concept's, -1 where it is another's or background, 0
    where it is an ancestor's or a descendant's, unless these are negatives too; `held_out` are rows
    of images kept for testing.
    """

    rows: Float32[np.ndarray, "r k"]
    signs: Int8[np.ndarray, "e r"]
    held_out: Bool[np.ndarray, " r"]

    def part(self, some: Bool[np.ndarray, " r"]) -> RegionTable:
        """Return some of the rows."""
        return RegionTable(self.rows[some], self.signs[:, some], self.held_out[some])

    def sample(self, most: int, seed: int) -> RegionTable:
        """Return at most so many rows, drawn without replacement."""
        count = len(self.rows)
        drawn = np.random.default_rng(seed).choice(count, min(most, count), replace=False)
        return self.part(np.isin(np.arange(count), drawn))


def region_table(
    regions: RegionStatistics, layer: str, relatives: Relatives = "left_out"
) -> RegionTable:
    """Return the region vectors of a layer as one table."""
    concepts = regions.scope.concepts
    own = [regions.concept(layer, i) for i in range(len(concepts))]
    every = [*own, regions.background(layer)]
    owner = np.repeat(np.arange(len(every)), [len(r) for r in every])
    relation = np.full((len(concepts), len(every)), -1, dtype=np.int8)
    for i, j in related(concepts) if relatives == "left_out" else ():
        relation[i, j] = 0
    np.fill_diagonal(relation, 1)
    return RegionTable(
        np.concatenate([r.vectors for r in every]),
        relation[:, owner],
        np.concatenate([r.held_out for r in every]),
    )


def related(concepts: tuple[Concept, ...]) -> set[tuple[int, int]]:
    """Return the pairs of concepts of which one is an ancestor of the other, both ways round."""
    number = {c.name: i for i, c in enumerate(concepts)}
    above: list[set[int]] = []
    for concept in concepts:
        parents = {number[p] for p in concept.parents}
        above.append(parents.union(*(above[p] for p in parents)))
    pairs = {(i, j) for i, ancestors in enumerate(above) for j in ancestors}
    return pairs | {(j, i) for i, j in pairs}


@dataclass(frozen=True)
class ClassifierSettings:
    """How classifiers are fitted and neurons scored.

    `relatives`, ancestors and descendants of a concept, are left out or negatives. `allowed[e, k]`
    says which neurons a concept's classifier may use; None is all.
    """

    estimator: str
    penalty: float
    seed: int
    allowed: Bool[np.ndarray, "e k"] | None = None
    relatives: Relatives = "left_out"
    intercept: bool = True

    @property
    def training(self) -> tuple[float, bool, bool]:
        """What classifiers of all neurons depend on beside the regions."""
        return self.penalty, self.relatives == "negatives", self.intercept


class Associations:
    """What the neurons of one layer do for the concepts; everything is worked out when asked for.

    Concepts without a vector to fit on, or without one of another concept, have no classifier:
    their weights are 0.
    """

    def __init__(
        self, regions: RegionStatistics, layer: Layer, settings: ClassifierSettings
    ) -> None:
        self.regions = regions
        self.layer = layer
        self.settings = settings
        self._single: dict[int, NeuronScores] = {}

    def using(self, settings: ClassifierSettings) -> Associations:
        """Return the same with other settings, on the same classifiers where that can be."""
        other = Associations(self.regions, self.layer, settings)
        own = self.settings
        if "table" in self.__dict__ and settings.relatives == own.relatives:
            other.__dict__["table"] = self.table
        same = settings.training == own.training and settings.allowed is own.allowed
        if same and "classifiers" in self.__dict__:
            other.__dict__["classifiers"] = self.classifiers
        return other

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """The concepts, parents first."""
        return self.regions.scope.concepts

    @cached_property
    def table(self) -> RegionTable:
        """All region vectors."""
        return region_table(self.regions, self.layer.name, self.settings.relatives)

    @cached_property
    def usable(self) -> Bool[np.ndarray, " e"]:
        """Which concepts have a classifier."""
        fitted = self.table.signs[:, ~self.table.held_out]
        return np.asarray((fitted > 0).any(1) & (fitted < 0).any(1))

    @cached_property
    def classifiers(self) -> LinearClassifiers:
        """The concepts' classifiers (Eq. 1), in units of the raw vectors.

        Those that were fitted on the same regions before, or saved with them, are taken as they
        are.
        """
        if self.settings.allowed is not None:
            return self._fitted_classifiers()
        name, training = self.layer.name, self.settings.training
        kept = self.regions.classifiers(name, training)
        if kept is None:
            kept = self._fitted_classifiers()
            self.regions.keep_classifiers(name, training, kept)
        return kept

    def _fitted_classifiers(self) -> LinearClassifiers:
        fitted, usable = self.table.part(~self.table.held_out), self.usable
        channels = self.layer.shape[0]
        weights = torch.zeros(len(usable), channels, dtype=torch.float64)
        bias = torch.zeros(len(usable), dtype=torch.float64)
        if usable.any():
            allowed, some = self.settings.allowed, torch.from_numpy(usable)
            what = f"HINT: classifiers at {self.layer.name}"
            with SlowBar(what, int(usable.sum()), "concept") as counted:
                solution = fit_logistic(
                    torch.from_numpy(fitted.rows),
                    torch.from_numpy(fitted.signs[usable]),
                    penalty=self.settings.penalty,
                    allowed=None if allowed is None else torch.from_numpy(allowed[usable]),
                    intercept=self.settings.intercept,
                    done=counted.update,
                )
            weights[some], bias[some] = solution.weights, solution.bias
        return LinearClassifiers(weights, bias)

    @cached_property
    def qualities(self) -> tuple[ClassifierQuality, ...]:
        """How well each classifier finds its concept on images that were held out."""
        counts = [self._counts(held_out) for held_out in (True, False)]
        return tuple(
            self._quality(i, *tested, *fitted)
            for i, (tested, fitted) in enumerate(zip(*counts, strict=True))
        )

    def _counts(self, held_out: bool) -> list[tuple[int, int, int, int]]:
        """Return right and wrong finds, and vectors that are and are not the concept's, of each."""
        part = self.table.part(self.table.held_out == held_out)
        logits = self.classifiers.logits(torch.from_numpy(part.rows)).numpy()
        positive = (logits > 0).T & self.usable[:, None]
        own, other = part.signs > 0, part.signs < 0
        columns = (positive & own, positive & other, own, other)
        return list(zip(*(c.sum(1).tolist() for c in columns), strict=True))

    def _quality(
        self, i: int, right: int, wrong: int, own: int, other: int, *fitted: int
    ) -> ClassifierQuality:
        precision = right / (right + wrong) if right + wrong else 0.0
        f1, chance = _f1(right, wrong, own), _f1(own, other, own)
        return ClassifierQuality(
            precision=precision,
            recall=right / own if own else 0.0,
            f1=f1,
            chance=chance,
            fitted_f1=_f1(fitted[0], fitted[1], fitted[2]),
            regions=own,
            others=other,
            flag=self._flag(i, own, other, f1, chance),
        )

    def _flag(self, i: int, own: int, other: int, f1: float, chance: float) -> str | None:
        images = int(self.regions.labelled[i])
        if not images:
            return "No image of this concept was seen."
        if not self.usable[i]:
            return self._unusable(i)
        if not own:
            return "No image of this concept was held out: nothing says how good the classifier is."
        if not other:
            return "Nothing but this concept was held out: nothing says how good the classifier is."
        if f1 <= chance:
            return f"The classifier is at chance: F1 {f1:.2f}, calling everything it {chance:.2f}."
        return None

    def _unusable(self, i: int) -> str:
        flat = int(self.regions.flat[self.regions.scope.layers.index(self.layer), i])
        if flat == self.regions.labelled[i]:
            return "No region was found: the saliency of its images is the same everywhere."
        return "Too few images: no vector of it, or none of anything else, was there to fit on."

    @cached_property
    def scores(self) -> NeuronScores:
        """What each neuron contributes to each concept (Eq. 2)."""
        return self.scored()

    def scored(
        self, stopped: Stop | None = None, only: Sequence[int] | None = None
    ) -> NeuronScores:
        """Return the scores, of `only` some neurons if given.

        Once `stopped` says yes, what sampling has found so far.
        """
        count = self.layer.shape[0] if only is None else len(only)
        usable, shape = self.usable, (count, len(self.usable))
        if not usable.any():
            return NeuronScores(np.zeros(shape), None, self.settings.estimator, None)
        few, classifiers = self.table.sample(SCORED, self.settings.seed), self.classifiers
        what = f"HINT: neurons of {self.layer.name}"
        with SlowBar(what, int(usable.sum()), "concept") as counted:
            scores = neuron_scores(
                self.settings.estimator,
                few.rows,
                classifiers.weights[usable],
                classifiers.bias[usable],
                background=few.rows,
                signs=few.signs[usable],
                seed=self.settings.seed,
                stopped=stopped,
                done=counted.update,
                only=only,
                penalty=self.settings.penalty,
                intercept=self.settings.intercept,
            )
        values, errors = (_widened(part, usable) for part in (scores.values, scores.errors))
        return replace(scores, values=values, errors=errors)

    def index(self, concept: str) -> int:
        """Return the place of a concept by name; raises ValueError for an unknown one."""
        names = [c.name for c in self.concepts]
        meant = place_of_name(concept, names)
        if meant is None:
            raise ValueError(
                f"got the concept {concept!r}; expected one of the {len(names)} that were fitted;"
                f" the nearest are {nearest(concept, names)}"
            )
        return meant

    def agreement(self, concept: int, scores: NeuronScores) -> Faithfulness | None:
        """Return how far a concept's scores agree with its classifier's neurons taken out.

        None where it has no classifier.
        """
        if not self.usable[concept]:
            return None
        rows = torch.from_numpy(self.table.sample(SCORED, self.settings.seed).rows).double()
        weights, bias = self.classifiers.weights[concept], self.classifiers.bias[concept]
        drops = ablated(rows, weights, bias, rows).numpy()
        return faithfulness(scores.values[:, concept], drops, parts="neurons")

    def neurons(self, concept: int, top: int) -> tuple[ConceptScore, ...]:
        """Return a concept's strongest neurons, in order."""
        strongest = np.argsort(-self.scores.values[:, concept], kind="stable")[:top]
        return tuple(self._score(int(k), concept, self.scores, int(k)) for k in strongest)

    def served(self, neuron: int, top: int) -> tuple[ConceptScore, ...]:
        """Return the concepts that a neuron contributes most to; raises IndexError."""
        if not 0 <= neuron < self.layer.shape[0]:
            raise IndexError(
                f"got the neuron {neuron}; expected one from 0 to {self.layer.shape[0] - 1} of"
                f" {self.layer.name}; see hint.layer_"
            )
        scores, row = self._with_neuron(neuron)
        strongest = np.argsort(-scores.values[row], kind="stable")[:top]
        return tuple(self._score(neuron, int(e), scores, row) for e in strongest)

    def _with_neuron(self, neuron: int) -> tuple[NeuronScores, int]:
        """Return scores that hold a neuron's, and its row: without sampling, its alone will do."""
        if "scores" in self.__dict__ or self.settings.estimator != SINGLY:
            return self.scores, neuron
        if neuron not in self._single:
            self._single[neuron] = self.scored(only=[neuron])
        return self._single[neuron], 0

    def _score(self, k: int, e: int, scores: NeuronScores, row: int) -> ConceptScore:
        error = None if scores.errors is None else float(scores.errors[row, e])
        return ConceptScore(k, self.concepts[e].name, float(scores.values[row, e]), error)

    def narrowed(self, top: int) -> Associations:
        """Return the same with each classifier fitted on its concept's `top` neurons only."""
        allowed = np.zeros(self.scores.values.T.shape, dtype=bool)
        strongest = np.argsort(-self.scores.values.T, axis=1, kind="stable")[:, :top]
        np.put_along_axis(allowed, strongest, True, axis=1)
        return self.using(replace(self.settings, allowed=allowed))


def _widened(part: np.ndarray | None, usable: Bool[np.ndarray, " e"]) -> Any:
    """Return columns of some concepts among those of all, 0 for the others."""
    if part is None:
        return None
    wide = np.zeros((len(part), len(usable)))
    wide[:, usable] = part
    return wide


def _f1(right: int, wrong: int, own: int) -> float:
    return 2 * right / (right + wrong + own) if right else 0.0


def linked(
    layers: Mapping[str, Associations],
    shown: str,
    concepts: Sequence[str] | None,
    top: int,
    stopped: Stop | None = None,
) -> NeuronConcepts:
    """Return what the `top` neurons of each concept contribute to all of these concepts.

    Raises ValueError for an unknown concept.
    """
    associations = layers[shown]
    chosen = (
        range(len(associations.concepts)) if concepts is None else map(associations.index, concepts)
    )
    order = sorted(set(chosen))
    scores = associations.scored(stopped) if stopped else associations.scores
    strongest = np.argsort(-scores.values[:, order], axis=0, kind="stable")[:top]
    few = np.unique(strongest).tolist()
    places = np.ix_(few, order)
    checked = [associations.agreement(e, scores) for e in order]
    return NeuronConcepts(
        concepts=among([associations.concepts[e] for e in order], associations.concepts),
        neurons=tuple(few),
        scores=scores.values[places],
        estimator=scores.estimator,
        qualities=tuple(associations.qualities[e] for e in order),
        layer=shown,
        layers=associations.regions.scope.layers,
        f1=np.array([[a.qualities[e].f1 for e in order] for a in layers.values()]),
        provenance=Provenance("HINT", associations.regions.scope.model, "all concepts"),
        errors=None if scores.errors is None else scores.errors[places],
        notes=notes_on(associations.regions, shown),
        agreement=tuple(None if one is None else one.pearson for one in checked),
        agreement_rests=tuple(None if one is None else one.rest for one in checked),
    )


def among(some: Sequence[Concept], every: Sequence[Concept]) -> tuple[Concept, ...]:
    """Return some of the concepts, each with its nearest ancestors among them as parents."""
    names, by_name = {c.name for c in some}, {c.name: c for c in every}

    def nearest_named(name: str) -> list[str]:
        return (
            [name]
            if name in names
            else [p for up in by_name[name].parents for p in nearest_named(up)]
        )

    return tuple(
        replace(c, parents=tuple(dict.fromkeys(a for p in c.parents for a in nearest_named(p))))
        for c in some
    )


def notes_on(regions: RegionStatistics, layer: str) -> tuple[str, ...]:
    """Return in words what had to be assumed or left out when regions were gathered."""
    scope, notes = regions.scope, []
    if layer in scope.multiplied:
        notes.append(
            f"Behind {layer} places are not told apart, so its gradient knows none: times the"
            " layer's maps it finds the regions."
        )
    missing = note_on_missing(np.flatnonzero(~scope.member.any(0)).tolist(), scope.names)
    if missing:
        notes.append(missing)
    if regions.unplaced:
        notes.append(
            f"{regions.unplaced} of {regions.images} images are of classes that the hierarchy does"
            " not hold: they were left out."
        )
    unseen = [c.name for c, n in zip(scope.concepts, regions.labelled, strict=True) if not n]
    if unseen:
        notes.append(f"No image was seen of {', '.join(unseen)}.")
    return tuple(notes)
