"""Region vectors of concepts, gathered over any data into samples of one size (HINT, Alg. 1)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from jaxtyping import Int64

from ..data.hierarchy.hierarchy import Hierarchy
from ..data.samples import Batch, picture_of_sample
from ..fitting.exemplars import Exemplars, in_thumbnail
from ..fitting.passes import Plan
from ..fitting.states import Arrays
from ..fitting.statistics import Addend, Statistics, below, names_of, numbered
from ..network.classifier import Classifier
from ..network.probe import Probe
from ..solvers.logistic import LinearClassifiers
from ..solvers.reservoirs import Reservoir, hashes_of, image_number, packed, unpack
from .regions import (
    PLAIN,
    LayerRegions,
    RegionBatch,
    RegionExtractor,
    RegionScope,
    RegionSettings,
    layers_without_place,
)

# The background is every concept's negative: its sample is this many times as large as a concept's.
BACKGROUND = 4
# How classifiers are trained: their penalty, with relatives as negatives, with an intercept; and
# what files of before, which do not say the latter, were.
Training = tuple[float, bool, bool]
USUAL = (False, True)


class RegionSamples:
    """Samples of one layer's vectors: of every concept's regions, and of the background."""

    def __init__(self, size: int, channels: int, concepts: int) -> None:
        self.reservoirs = [Reservoir(size, channels) for _ in range(concepts)]
        self.reservoirs.append(Reservoir(BACKGROUND * size, channels))

    def add(self, regions: LayerRegions, batch: RegionBatch) -> None:
        """Take in the regions of a batch, and what is in none of them."""
        images = np.array([image_number(k) for k in batch.keys], dtype=np.int64)
        free = np.ones(regions.vectors.shape[:2], dtype=bool)
        pairs = list(zip(regions.responsible, batch.image, batch.concept, strict=True))
        for row, image, concept in pairs:
            self._put(int(concept), regions.vectors[image], row, images[image])
            free[image] &= ~row
        for image in sorted({int(image) for row, image, _ in pairs if row.any()}):
            last = len(self.reservoirs) - 1
            self._put(last, regions.vectors[image], free[image], images[image])

    def _put(self, index: int, vectors: np.ndarray, some: np.ndarray, image: np.int64) -> None:
        places = np.flatnonzero(some)
        images = np.full(len(places), image)
        hashes = hashes_of(images, places, salt=index + 1)
        wanted = self.reservoirs[index].wanted(hashes)
        if wanted.any():
            self.reservoirs[index].add(hashes[wanted], images[wanted], vectors[places[wanted]])

    def draft(self) -> Self:
        """Return a copy to add to: this one stays as it is."""
        draft = copy.copy(self)
        draft.reservoirs = [copy.copy(one) for one in self.reservoirs]
        return draft

    def merge(self, other: RegionSamples) -> None:
        """Take in what other data gave."""
        for one, more in zip(self.reservoirs, other.reservoirs, strict=True):
            one.merge(more)

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield everything as arrays by name, for saving."""
        return packed(self.reservoirs)

    def restore(self, arrays: Arrays) -> None:
        """Take samples that were saved; raises ValueError and KeyError where they do not fit."""
        unpack(self.reservoirs, arrays)


@dataclass(frozen=True, eq=False)
class KeptClassifiers:
    """Classifiers of a layer's concepts, and of how many images they know.

    `training` is by what penalty, whether relatives are negatives, whether with an intercept.
    """

    training: Training
    images: int
    fitted: LinearClassifiers

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield everything as arrays by name, for saving."""
        yield "penalty", np.array(self.training[:1])
        yield "kind", np.array(self.training[1:])
        yield "weights", self.fitted.weights.numpy()
        yield "bias", self.fitted.bias.numpy()

    @classmethod
    def restored(cls, arrays: Arrays, images: int, shape: tuple[int, ...]) -> KeptClassifiers:
        """Return what was saved; raises ValueError or KeyError where it does not fit."""
        weights, bias = (np.array(arrays[name], np.float64) for name in ("weights", "bias"))
        if weights.shape != shape or bias.shape != shape[:1] or not np.isfinite(weights).all():
            raise ValueError(f"the classifiers are not finite numbers of the shape {shape}")
        fitted = LinearClassifiers(torch.from_numpy(weights), torch.from_numpy(bias))
        negatives, intercept = map(bool, arrays.get("kind", USUAL))
        return cls((float(arrays["penalty"][0]), negatives, intercept), images, fitted)


class RegionStatistics(Statistics[RegionScope, RegionBatch]):
    """Samples of every concept's region vectors and of the background, at each layer.

    Of one size however many images there were. `unplaced` counts images whose label is in no
    concept; `labelled[e]` counts a concept's images, `flat[l, e]` those of them in which no place
    of layer `l` is more responsible than others.
    """

    KIND = "Hint"
    NAME = "regions"
    ADVICE = (
        "merge only what was fitted on one network with the same hierarchy, layers and settings"
    )
    SCOPE = RegionScope
    SUMS = ("labelled", "flat")
    PARTS = ("_samples", "_exemplars")
    COUNTS = ("images", "unplaced")

    def __init__(self, scope: RegionScope) -> None:
        super().__init__(scope)
        self.unplaced = 0
        size, count = scope.finding.vectors, len(scope.concepts)
        self.labelled: Int64[np.ndarray, " e"] = np.zeros(count, dtype=np.int64)
        self.flat: Int64[np.ndarray, "l e"] = np.zeros((len(scope.layers), count), dtype=np.int64)
        self._samples = {n.name: RegionSamples(size, n.shape[0], count) for n in scope.layers}
        self._exemplars = {n.name: Exemplars(n.shape[0]) for n in scope.layers}
        self._classifiers: dict[str, KeptClassifiers] = {}

    def classifiers(self, layer: str, training: Training) -> LinearClassifiers | None:
        """Return the classifiers of a layer's concepts that were kept, None for other data."""
        kept = self._classifiers.get(layer)
        same = kept is not None and (kept.training, kept.images) == (training, self.images)
        return kept.fitted if kept is not None and same else None

    def keep_classifiers(self, layer: str, training: Training, fitted: LinearClassifiers) -> None:
        """Keep classifiers that were fitted on what is here now; they are saved with it."""
        self._classifiers = {
            **self._classifiers,
            layer: KeptClassifiers(training, self.images, fitted),
        }

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield everything as arrays by name, classifiers where some were fitted on it."""
        yield from super().arrays()
        for i, layer in enumerate(self.scope.layers):
            kept = self._classifiers.get(layer.name)
            if kept is not None and kept.images == self.images:
                yield from ((f"{i}.classifiers.{n}", a) for n, a in kept.arrays())

    def restore(self, arrays: Arrays) -> None:
        """Take what was saved; raises ValueError or KeyError where it does not fit."""
        super().restore(arrays)
        for i, layer in enumerate(self.scope.layers):
            own = below(arrays, f"{i}.classifiers.")
            if own:
                shape = len(self.scope.concepts), layer.shape[0]
                kept = KeptClassifiers.restored(own, self.images, shape)
                self._classifiers[layer.name] = kept

    def parts(self) -> Mapping[str, Addend]:
        """Return the samples and the strongest images of each layer."""
        return numbered(kept=self._samples, exemplars=self._exemplars)

    def _add(self, batch: RegionBatch, classifier: Classifier) -> None:
        size = batch.images.x.shape[2:]
        for i, (name, regions) in enumerate(batch.layers.items()):
            self._samples[name].add(regions, batch)
            np.add.at(self.flat[i], batch.concept[~regions.responsible.any(1)], 1)
            self._exemplars[name].add(
                regions.highest,
                batch.keys,
                lambda at: picture_of_sample(batch.images.samples[at], classifier),
                in_thumbnail(regions.places, (size[0], size[1])),
            )
        np.add.at(self.labelled, batch.concept, 1)
        self.unplaced += len(batch) - len(np.unique(batch.image))

    def concept(self, layer: str, index: int) -> Reservoir:
        """Return the sample of a concept's region vectors at a layer."""
        return self._samples[layer].reservoirs[index]

    def background(self, layer: str) -> Reservoir:
        """Return the sample of vectors that no concept of their image is responsible for."""
        return self._samples[layer].reservoirs[-1]

    def exemplars(self, layer: str) -> Exemplars:
        """Return the images in which a layer's channels are strongest."""
        return self._exemplars[layer]


@dataclass(frozen=True)
class RegionPlan(Plan[RegionStatistics]):
    """What every image is asked: which places of which layers are responsible for its concepts."""

    STATISTICS = RegionStatistics

    layers: tuple[str, ...] | None
    hierarchy: Hierarchy
    finding: RegionSettings
    only_last: bool

    def scope(self, probe: Probe, batch: Batch) -> RegionScope:
        """Return what the regions belong to, found on a first image."""
        capture = probe.capture(batch.x[:1], self.layers)
        layers = capture.layers[:1] if self.only_last else capture.layers
        for layer in layers:
            probe.segment(capture, layer.name, None)
        network = names_of(probe.classifier, capture.logits.shape[1])
        plain = self.finding.saliency in PLAIN
        listed = [n.name for n in layers]
        return RegionScope(
            *network,
            layers=layers,
            concepts=self.hierarchy.matched(network[-1]).concepts,
            finding=self.finding,
            multiplied=layers_without_place(probe, batch.x[:1], listed) if plain else (),
        )

    def extractor(self, probe: Probe, scope: RegionScope) -> RegionExtractor:
        """Return what asks the network."""
        return RegionExtractor(probe, scope)
