"""Which places of a layer answer for which concepts, batch of images by batch (HINT, Alg. 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from ..arguments import check_finite
from ..data.samples import Batch
from ..evidence import Concept, Layer
from ..network.guest import visiting
from ..network.probe import Probe
from .responsible import Aggregate, LayerSaliency, Pairs, Saliency, responsibility


@dataclass(frozen=True)
class Finding:
    """How responsible regions are found, and how many vectors of each concept are kept."""

    saliency: Saliency
    aggregate: Aggregate
    threshold: float
    samples: int
    vectors: int
    seed: int


@dataclass(frozen=True)
class Origin:
    """What region vectors belong to: only those of one network, hierarchy and finding add up.

    In `multiplied` layers gradient times input stands for a gradient without a place.
    """

    network: str
    model: str
    names: tuple[str, ...]
    layers: tuple[Layer, ...]
    concepts: tuple[Concept, ...]
    finding: Finding
    multiplied: tuple[str, ...]

    @cached_property
    def member(self) -> Bool[np.ndarray, "e c"]:
        """Which classes each concept is."""
        found = np.zeros((len(self.concepts), len(self.names)), dtype=bool)
        for row, concept in zip(found, self.concepts, strict=True):
            row[list(concept.classes)] = True
        return found


@dataclass(frozen=True)
class InLayer:
    """A batch of images at one layer: a vector for each place, and which answer for which pair.

    `highest` are the channels' maxima, `places` where they are, as fractions `(y, x)`.
    """

    vectors: Float32[np.ndarray, "n s k"]
    responsible: Bool[np.ndarray, "p s"]
    highest: Float[np.ndarray, "n k"]
    places: Float[np.ndarray, "n k 2"]


@dataclass(frozen=True)
class Seen:
    """What one batch gave: `image` and `concept` of every pair, and what each layer holds."""

    image: Int[np.ndarray, " p"]
    concept: Int[np.ndarray, " p"]
    layers: Mapping[str, InLayer]
    keys: tuple[bytes, ...]
    batch: Batch


class RegionFinder:
    """Asks a network which places of its layers are responsible for the concepts of an image."""

    def __init__(self, probe: Probe, origin: Origin) -> None:
        self._probe = probe
        self._origin = origin
        finding = origin.finding
        self._saliency = LayerSaliency(
            probe, [n.name for n in origin.layers], finding.saliency, samples=finding.samples,
            seed=finding.seed, multiplied=origin.multiplied,
        )  # fmt: skip

    def of(self, batch: Batch) -> Seen:
        """Return the regions of a batch, half by half where it does not fit in memory.

        Raises ValueError for values that are not finite.
        """
        try:
            return self._of(batch)
        except torch.cuda.OutOfMemoryError:
            if len(batch) == 1:
                raise
        torch.cuda.empty_cache()
        return _joined(batch, [self.of(half) for half in batch.halves()])

    def _of(self, batch: Batch) -> Seen:
        keys = tuple(s.key for s in batch.samples)
        with visiting(self._probe.classifier.model):
            taken = self._saliency.take(batch.x)
            self._probe.classifier.check_logits(taken.logits, batch.x)
            image, concept = self._pairs(batch, taken.logits)
            pairs = Pairs(
                torch.from_numpy(image).to(batch.x.device),
                torch.from_numpy(self._origin.member[concept]).to(batch.x.device),
            )
            found = self._saliency.of(batch.x, keys, taken, pairs) if len(pairs) else {}
            layers = {n: self._in_layer(n, maps, found.get(n)) for n, maps in taken.maps.items()}
        return Seen(image, concept, layers, keys, batch)

    def _pairs(self, batch: Batch, logits: Tensor) -> tuple[np.ndarray, np.ndarray]:
        predicted = logits.argmax(1).tolist()
        labels = [p if s.label is None else s.label
                  for s, p in zip(batch.samples, predicted, strict=True)]  # fmt: skip
        image, concept = np.nonzero(self._origin.member[:, labels].T)
        return image, concept

    def _in_layer(self, name: str, maps: Tensor, saliency: Tensor | None) -> InLayer:
        check_finite(name, maps, saliency)
        finding = self._origin.finding
        flat = maps.float().flatten(2)
        highest, at = flat.max(2)
        rows, columns = maps.shape[2:]
        places = torch.stack([(at // columns + 0.5) / rows, (at % columns + 0.5) / columns], 2)
        if saliency is None:
            responsible = np.zeros((0, rows * columns), dtype=bool)
        else:
            scaled = responsibility(saliency, finding.aggregate).flatten(1)
            responsible = (scaled >= finding.threshold).cpu().numpy()
        vectors = flat.transpose(1, 2).contiguous().cpu().numpy()
        return InLayer(
            vectors, responsible, highest.double().cpu().numpy(), places.double().cpu().numpy()
        )


def _joined(batch: Batch, parts: Sequence[Seen]) -> Seen:
    first, second = parts
    layers = {
        name: InLayer(*(
            np.concatenate([getattr(one, f), getattr(second.layers[name], f)])
            for f in ("vectors", "responsible", "highest", "places")
        ))
        for name, one in first.layers.items()
    }  # fmt: skip
    image = np.concatenate([first.image, second.image + len(first.batch)])
    concept = np.concatenate([first.concept, second.concept])
    return Seen(image, concept, layers, first.keys + second.keys, batch)
