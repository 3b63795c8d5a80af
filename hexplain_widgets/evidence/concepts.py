"""Which neurons answer for which concepts of a hierarchy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from .base import Evidence, Layer, Provenance, as_table, ranking_of
from .heat import HeatMap


@dataclass(frozen=True, eq=False)
class Concept(Evidence):
    """One concept of a hierarchy: its parents and how many classes of the network it is.

    `classes` are indices of the network's classes below the concept, or its own.
    """

    name: str
    parents: tuple[str, ...]
    classes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ClassifierQuality(Evidence):
    """How well a concept's classifier finds its regions on images that it was not fitted on.

    `precision`, `recall` and `f1` are those at probability 0.5, `fitted_f1` the F1 on the images
    it was fitted on. `chance` is the F1 of calling everything the concept. `regions` and `others`
    count the held-out vectors that are and are not the concept's. `flag` says in words what makes
    the classifier doubtful: one that is flagged is no finding.
    """

    precision: float
    recall: float
    f1: float
    chance: float
    fitted_f1: float
    regions: int
    others: int
    flag: str | None = None


@dataclass(frozen=True, eq=False)
class NeuronPortrait(Evidence):
    """Where one neuron answers: the regions of the data set in which it is strongest.

    `images` are square thumbnails, strongest first, `values` the neuron's highest value in each,
    and `places` the `(y, x)` of that value as fractions of the thumbnail's height and width.
    `unclipped` are the values before the layer's upper clip, by which the images are ranked; None
    where nothing is clipped. `tied` says that another image is as strong as the last of these.
    """

    layer: str
    neuron: int
    images: UInt8[np.ndarray, "m h w 3"]
    values: Float[np.ndarray, " m"]
    places: Float[np.ndarray, "m 2"]
    unclipped: Float[np.ndarray, " m"] | None = None
    tied: bool = False

    @property
    def ranking(self) -> str:
        """What is to be known of the choice of these images; empty where nothing is."""
        return ranking_of(self.unclipped, self.tied)


@dataclass(frozen=True, eq=False)
class ConceptScore(Evidence):
    """What one neuron contributes to one concept, with the standard error of a sampled score.

    Unpacks as `(neuron, concept, score)`, and is its neuron where an index is expected.
    """

    neuron: int
    concept: str
    score: float
    error: float | None = None

    def __iter__(self) -> Iterator[int | str | float]:
        return iter((self.neuron, self.concept, self.score))

    def __index__(self) -> int:
        return self.neuron


@dataclass(frozen=True, eq=False)
class NeuronConcepts(Evidence):
    """What each neuron of a layer contributes to each concept (HINT, Eq. 2 and Fig. 2).

    `scores[k, e]` is the contribution of neuron `neurons[k]` to `concepts[e]` by `estimator`, in
    units of the classifier's probability (of its logit for "logit"; a coefficient times a standard
    deviation for "coefficient"); `errors` its standard error where it was sampled. `qualities[e]`
    is how well the layer's classifier knows the concept, `f1[l, e]` the held-out F1 at each of
    `layers`, deepest first. Concepts stand parents first. `maps` are concept maps on chosen images.
    `agreement[e]` is Pearson's correlation of all the layer's scores for a concept with what its
    classifier's probability loses when each neuron is taken out; None where it is undefined.
    `agreement_rests[e]` is the same without the neuron furthest from the others.
    """

    concepts: tuple[Concept, ...]
    neurons: tuple[int, ...]
    scores: Float[np.ndarray, "k e"]
    estimator: str
    qualities: tuple[ClassifierQuality, ...]
    layer: str
    layers: tuple[Layer, ...]
    f1: Float[np.ndarray, "l e"]
    provenance: Provenance
    errors: Float[np.ndarray, "k e"] | None = None
    portraits: tuple[NeuronPortrait, ...] = ()
    maps: tuple[HeatMap, ...] = ()
    notes: tuple[str, ...] = ()
    agreement: tuple[float | None, ...] = ()
    agreement_rests: tuple[float | None, ...] = ()


@dataclass(frozen=True, eq=False)
class ConceptUnits(Evidence):
    """The channels of a layer that make up a concept: its direction there (CHAIN, Eq. 1).

    `weights[i]` is what `channels[i]` has in the concept's map, the largest without its sign first;
    `total` the sum of all sizes and `used` how many of the layer's channels have one at all.
    `precision` is the average precision of the map on held-out pixels and `chance` that of a guess,
    None where no pixel of the concept is held out; `flag` says what makes it doubtful.
    """

    level: str
    concept: str
    layer: Layer
    channels: tuple[int, ...]
    weights: Float[np.ndarray, " n"]
    total: float
    used: int
    precision: float | None
    chance: float | None
    flag: str | None
    images: int
    provenance: Provenance
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        rows = [("channel", "weight")]
        rows += [(f"#{k}", f"{w:.4g}") for k, w in zip(self.channels, self.weights, strict=True)]
        return as_table(rows)
