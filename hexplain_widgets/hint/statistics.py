"""Region vectors of concepts, gathered over any data into samples of one size (HINT, Alg. 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import Int64
from torch import nn

from ..arguments import at_least_one, one_of, share
from ..data.hierarchy.hierarchy import Hierarchy
from ..data.samples import Batch, picture_of_sample
from ..evidence import Concept, Layer
from ..fitting.exemplars import Exemplars, in_thumbnail
from ..fitting.passes import Range, joined
from ..fitting.states import Arrays, Settings, load_state, save_state
from ..network.classifier import Classifier
from ..network.probe import Probe
from ..provenance import fingerprint
from ..solvers.reservoirs import Reservoir, hashes_of, image_number, packed, unpack
from .regions import (
    PLAIN,
    Aggregate,
    LayerRegions,
    RegionBatch,
    RegionFinder,
    RegionScope,
    RegionSettings,
    Saliency,
    layers_without_place,
)

KIND = "Hint"
# The background is every concept's negative: its sample is this many times as large as a concept's.
BACKGROUND = 4


class RegionStatistics:
    """Samples of every concept's region vectors and of the background, at each layer.

    Of one size however many images there were. `images` counts all, `unplaced` those whose label
    is in no concept; `labelled[e]` counts a concept's images, `flat[l, e]` those of them in which
    no place of layer `l` is more responsible than others.
    """

    def __init__(self, origin: RegionScope) -> None:
        self.origin = origin
        self.images = 0
        self.unplaced = 0
        self.done: list[Range] = []
        count = len(origin.concepts)
        self.labelled: Int64[np.ndarray, " e"] = np.zeros(count, dtype=np.int64)
        self.flat: Int64[np.ndarray, "l e"] = np.zeros((len(origin.layers), count), dtype=np.int64)
        self._kept = {n.name: self._reservoirs(n.shape[0]) for n in origin.layers}
        self._exemplars = {n.name: Exemplars(n.shape[0]) for n in origin.layers}

    def _reservoirs(self, channels: int) -> list[Reservoir]:
        size = self.origin.finding.vectors
        own = [Reservoir(size, channels) for _ in self.origin.concepts]
        return [*own, Reservoir(BACKGROUND * size, channels)]

    @property
    def settled(self) -> bool:
        """Whether this is a time to save at: after every batch."""
        return True

    def add(self, seen: RegionBatch, classifier: Classifier) -> None:
        """Add what one batch gave."""
        images = np.array([image_number(k) for k in seen.keys], dtype=np.int64)
        size = seen.batch.x.shape[2:]
        for i, (name, found) in enumerate(seen.layers.items()):
            self._keep(self._kept[name], found, seen, images)
            flat = seen.concept[~found.responsible.any(1)]
            np.add.at(self.flat[i], flat, 1)
            self._exemplars[name].add(
                found.highest,
                seen.keys,
                lambda at: picture_of_sample(seen.batch.samples[at], classifier),
                in_thumbnail(found.places, (size[0], size[1])),
            )
        np.add.at(self.labelled, seen.concept, 1)
        self.unplaced += len(seen.batch) - len(np.unique(seen.image))
        self.images += len(seen.batch)
        at = self.done[-1][1] if self.done else 0
        self.done = joined([*self.done, (at, at + len(seen.batch))])

    def _keep(
        self, kept: list[Reservoir], found: LayerRegions, seen: RegionBatch, images: np.ndarray
    ) -> None:
        free = np.ones(found.vectors.shape[:2], dtype=bool)
        for row, image, concept in zip(found.responsible, seen.image, seen.concept, strict=True):
            _put(kept[concept], found.vectors[image], row, images[image], salt=int(concept) + 1)
            free[image] &= ~row
        placed = {int(i) for i, row in zip(seen.image, found.responsible, strict=True) if row.any()}
        for image in sorted(placed):
            _put(kept[-1], found.vectors[image], free[image], images[image], salt=len(kept))

    def check_labels(self, batch: Batch) -> None:
        """Raise ValueError for a label that is no class of the network."""
        for label in (s.label for s in batch.samples):
            if label is not None and not 0 <= label < len(self.origin.names):
                raise ValueError(
                    f"got the label {label}; expected a class index from 0 to"
                    f" {len(self.origin.names) - 1}; leave labels out if they are not the"
                    " network's"
                )

    def merge(self, other: RegionStatistics, *, same_data: bool = False) -> None:
        """Add what other data, or another part of the same, gave; raises like `check_same`."""
        self.check_same(other.origin)
        self.done = joined([*self.done, *other.done]) if same_data else self.done
        for name, kept in self._kept.items():
            for one, more in zip(kept, other._kept[name], strict=True):
                one.merge(more)
            self._exemplars[name].merge(other._exemplars[name])
        self.labelled += other.labelled
        self.flat += other.flat
        self.images += other.images
        self.unplaced += other.unplaced

    def check_same(self, other: RegionScope) -> None:
        """Raise ValueError for the origin of another network, hierarchy or question."""
        for what, of in _SAME:
            here, there = of(self.origin), of(other)
            if here != there:
                raise ValueError(
                    f"got regions of another {what} ({there}); the same was expected ({here});"
                    " merge only what was fitted on one network with the same hierarchy, layers"
                    " and settings"
                )

    def check_network(self, model: nn.Module) -> None:
        """Raise ValueError for a network of other weights."""
        self.check_same(replace(self.origin, network=fingerprint(model)))

    def concept(self, layer: str, index: int) -> Reservoir:
        """Return the sample of a concept's region vectors at a layer."""
        return self._kept[layer][index]

    def background(self, layer: str) -> Reservoir:
        """Return the sample of vectors that no concept of their image is responsible for."""
        return self._kept[layer][-1]

    def exemplars(self, layer: str) -> Exemplars:
        """Return the images in which a layer's channels are strongest."""
        return self._exemplars[layer]

    def copy(self) -> RegionStatistics:
        """Return the same, to which other data can be added without changing this."""
        found = RegionStatistics(self.origin)
        found.merge(self, same_data=True)
        return found

    def state(self) -> tuple[Settings, Arrays]:
        """Return everything as JSON values and arrays."""
        settings = {
            "origin": asdict(self.origin),
            "images": self.images,
            "unplaced": self.unplaced,
            "done": self.done,
        }
        return settings, dict(self._arrays())

    def _arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        yield "labelled", self.labelled
        yield "flat", self.flat
        for i, name in enumerate(self._kept):
            for part, array in packed(self._kept[name]):
                yield f"{i}.kept.{part}", array
            for part, array in self._exemplars[name].arrays():
                yield f"{i}.exemplars.{part}", array

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], arrays: Arrays) -> RegionStatistics:
        """Return what `state` gave; raises ValueError for what does not fit together."""
        try:
            found = cls(_origin(settings["origin"]))
            found.images, found.unplaced = int(settings["images"]), int(settings["unplaced"])
            found.done = [(int(a), int(b)) for a, b in settings["done"]]
            found.labelled = _counts(arrays["labelled"], found.labelled.shape)
            found.flat = _counts(arrays["flat"], found.flat.shape)
            for i, layer in enumerate(found._kept):
                unpack(found._kept[layer], _below(arrays, f"{i}.kept."))
                found._exemplars[layer].restore(_below(arrays, f"{i}.exemplars."))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ValueError(
                f"cannot take up saved regions: {error!r:.200}; those of a fit were expected; take"
                " another copy of the file, or fit again"
            ) from error
        return found

    def save(self, path: str | Path, settings: Mapping[str, Any]) -> Path:
        """Write everything and an engine's settings to a file in one step."""
        own, arrays = self.state()
        return save_state(path, KIND, {**own, "engine": dict(settings)}, arrays.items())

    @classmethod
    def load(cls, path: str | Path) -> tuple[RegionStatistics, dict[str, Any]]:
        """Return what `save` wrote, and the engine's settings."""
        settings, arrays = load_state(path, KIND)
        engine = settings.get("engine")
        return cls.from_state(settings, arrays), engine if isinstance(engine, dict) else {}


def _put(
    reservoir: Reservoir, vectors: np.ndarray, some: np.ndarray, image: np.int64, *, salt: int
) -> None:
    places = np.flatnonzero(some)
    images = np.full(len(places), image)
    hashes = hashes_of(images, places, salt=salt)
    wanted = reservoir.wanted(hashes)
    if wanted.any():
        reservoir.add(hashes[wanted], images[wanted], vectors[places[wanted]])


_SAME: tuple[tuple[str, Callable[[RegionScope], object]], ...] = (
    ("network, by the hash of its weights", lambda o: o.network),
    ("choice of layers", lambda o: [(n.name, n.shape[0]) for n in o.layers]),
    ("hierarchy", lambda o: [(c.name, c.parents, c.classes) for c in o.concepts]),
    ("way of finding regions", lambda o: o.finding),
    ("choice of layers whose gradient has no place", lambda o: o.multiplied),
)


def _below(arrays: Arrays, prefix: str) -> Arrays:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def _counts(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape != shape:
        raise ValueError(f"counts of {shape} were expected, not of {array.shape}")
    return np.array(array, dtype=np.int64)


def _origin(value: Mapping[str, Any]) -> RegionScope:
    return RegionScope(
        network=str(value["network"]),
        model=str(value["model"]),
        names=tuple(map(str, value["names"])),
        layers=tuple(Layer.of(layer) for layer in value["layers"]),
        concepts=tuple(
            Concept(str(c["name"]), tuple(map(str, c["parents"])), tuple(map(int, c["classes"])))
            for c in value["concepts"]
        ),
        finding=_finding(value["finding"]),
        multiplied=tuple(map(str, value["multiplied"])),
    )


def _finding(value: Mapping[str, Any]) -> RegionSettings:
    return RegionSettings(
        saliency=one_of("saliency", value["saliency"], get_args(Saliency)),
        aggregate=one_of("aggregate", value["aggregate"], get_args(Aggregate)),
        threshold=share("threshold", value["threshold"]),
        samples=at_least_one("samples", value["samples"]),
        vectors=at_least_one("vectors", value["vectors"]),
        seed=int(value["seed"]),
    )


@dataclass(frozen=True)
class RegionPlan:
    """What every image is asked: which places of which layers are responsible for its concepts."""

    layers: tuple[str, ...] | None
    hierarchy: Hierarchy
    finding: RegionSettings
    only_last: bool

    def origin(self, probe: Probe, batch: Batch) -> RegionScope:
        """Return what the regions belong to, found on a first image."""
        capture = probe.capture(batch.x[:1], self.layers)
        layers = capture.layers[:1] if self.only_last else capture.layers
        for layer in layers:
            probe.segment(capture, layer.name, None)
        classifier = probe.classifier
        names = tuple(classifier.name(i) for i in range(capture.logits.shape[1]))
        plain = self.finding.saliency in PLAIN
        listed = [n.name for n in layers]
        return RegionScope(
            network=fingerprint(classifier.model),
            model=type(classifier.model).__name__,
            names=names,
            layers=layers,
            concepts=self.hierarchy.matched(names).concepts,
            finding=self.finding,
            multiplied=layers_without_place(probe, batch.x[:1], listed) if plain else (),
        )

    def asker(self, probe: Probe, origin: RegionScope) -> RegionFinder:
        """Return what asks the network."""
        return RegionFinder(probe, origin)

    def empty(self, origin: RegionScope) -> RegionStatistics:
        """Return regions without an image."""
        return RegionStatistics(origin)

    def restored(self, settings: Settings, arrays: Arrays) -> RegionStatistics:
        """Return the regions of a saved state."""
        return RegionStatistics.from_state(settings, arrays)
