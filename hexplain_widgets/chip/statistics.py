"""What a fit has gathered: sums, strongest images and counts, which add up in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..arguments import check_finite
from ..data.samples import Batch, picture_of_sample
from ..evidence import Layer
from ..fitting.exemplars import Exemplars, Strength
from ..fitting.passes import Extractor, Plan
from ..fitting.states import Settings
from ..fitting.statistics import Addend, Scope, Statistics, names_of, numbered
from ..network.classifier import Classifier
from ..network.gating import SIGMA, ForwardCache, LayerGates, gated, gates_for, proximity
from ..network.guest import visiting
from ..network.probe import Probe
from ..solvers.lasso import Quadratic
from ..solvers.moments import GatedScores, Moments, Weighting

Score = Literal["logit", "probability", "log-probability"]


@dataclass(frozen=True)
class ResponseBatch:
    """What one batch gave: rows by layer, the channels' means, predictions, and the images."""

    rows: Mapping[str, GatedScores]
    predicted: Int[np.ndarray, " n"]
    keys: tuple[bytes, ...]
    images: Batch

    def __len__(self) -> int:
        return len(self.images)

    def means(self, layer: str) -> Float[np.ndarray, "n k"]:
        """Return the spatial mean of every channel of a layer in every image."""
        return np.asarray(self.rows[layer].means.cpu())


class ResponseExtractor(Extractor[ResponseBatch]):
    """Asks a network about batches of images; `layers` are those gated, one after the other."""

    def __init__(
        self,
        probe: Probe,
        layers: Sequence[Layer],
        *,
        gates_per_image: int,
        score: Score,
        seed: int,
        sigma: float = SIGMA,
    ) -> None:
        self._probe = probe
        self._layers = tuple(layers)
        self._count = gates_per_image
        self._score, self._sigma = score, sigma
        self._seed = seed
        self._gates_of: dict[tuple[int, ...], LayerGates] = {}

    @property
    def classifier(self) -> Classifier:
        """The network that is asked."""
        return self._probe.classifier

    def _extract(self, batch: Batch) -> ResponseBatch:
        keys = tuple(s.key for s in batch.samples)
        with visiting(self.classifier.model), torch.no_grad():
            forward = self._gates(batch.x).take(batch.x)
            self.classifier.check_logits(forward.logits, batch.x)
            loyalty = _exact(self.classifier.probabilities(forward.logits.float()))
            rows = {n.name: self._rows(batch.x, forward, n, keys, loyalty) for n in self._layers}
        classes = chain.from_iterable(self.classifier.findings(forward.logits))
        return ResponseBatch(rows, np.array(list(classes), dtype=np.int64), keys, batch)

    def _joined(self, batch: Batch, first: ResponseBatch, second: ResponseBatch) -> ResponseBatch:
        rows = {
            name: GatedScores(
                *(
                    torch.cat([getattr(part.rows[name], f.name) for part in (first, second)])
                    for f in fields(GatedScores)
                )
            )
            for name in first.rows
        }
        predicted = np.concatenate([first.predicted, second.predicted])
        return ResponseBatch(rows, predicted, first.keys + second.keys, batch)

    def _gates(self, x: Tensor) -> LayerGates:
        shape = tuple(x.shape[1:])
        if shape not in self._gates_of:
            self._gates_of[shape] = gated(self._probe, x[:2], [n.name for n in self._layers])
        return self._gates_of[shape]

    def _rows(
        self, x: Tensor, forward: ForwardCache, layer: Layer, keys: Sequence[bytes], loyalty: Tensor
    ) -> GatedScores:
        maps = forward.maps[layer.name]
        drawn = [
            gates_for(k, layer.name, count=self._count, channels=layer.shape[0], seed=self._seed)
            for k in keys
        ]
        host = np.stack(drawn)
        gates = torch.from_numpy(host).to(maps.device)
        logits = self._gates(x).answers(forward, layer.name, gates)
        scores = _exact(self._scores(logits))
        means = _exact(maps.float().mean((2, 3)))
        check_finite(f"the layer {layer.name} gives", means)
        check_finite(f"the layer {layer.name} with closed channels leads to", scores)
        near = torch.from_numpy(proximity(host, self._sigma)).to(scores.device)
        return GatedScores(means, gates.to(scores.device), near, loyalty, scores)

    def _scores(self, logits: Float[Tensor, "n g c"]) -> Float[Tensor, "n g c"]:
        if self._score == "logit":
            return logits
        if self._score == "probability":
            return self.classifier.probabilities(logits.float())
        return self.classifier.log_probabilities(logits.float())


def _exact(values: Tensor) -> Tensor:
    """Return values in float64, on the CPU where the device has none."""
    return (values.cpu() if values.device.type == "mps" else values).double()


@dataclass(frozen=True)
class ResponseScope(Scope):
    """What sums belong to: only those of one network, its layers and one plan add up."""

    classes: int
    layers: tuple[Layer, ...]
    score: str
    weighting: str
    sigma: float = SIGMA

    def aspects(self) -> dict[str, object]:
        """Return by name what has to be the same for sums to add up."""
        # Names and channels of the layers: images of other sizes give other maps.
        layers = ", ".join(f"{n.name} ({n.shape[0]} channels)" for n in self.layers)
        return super().aspects() | {
            "choice of layers": layers,
            "number of classes": self.classes,
            "score": self.score,
            "weighting": self.weighting,
            "sigma": self.sigma,
        }

    @classmethod
    def _converted(cls, settings: Settings) -> Settings:
        return {"layers": tuple(map(Layer.of, settings["layers"]))}


class ResponseStatistics(Statistics[ResponseScope, ResponseBatch]):
    """Everything a fit keeps of the data; its size does not depend on how many images there were.

    `labelled` and `predicted` count the images of each class by label and by the network's answer;
    `memory` bounds the bytes of a layer's matrices.
    """

    KIND = "Chip"
    NAME = "statistics"
    ADVICE = "merge only what was fitted on one network with the same layers, score and weighting"
    SCOPE = ResponseScope
    SUMS = ("labelled", "predicted")
    PARTS = ("_moments", "_exemplars")
    LIMITS = ("memory",)

    def __init__(self, scope: ResponseScope, memory: int) -> None:
        super().__init__(scope)
        self.memory = memory
        self.labelled: Int[np.ndarray, " c"] = np.zeros(scope.classes, dtype=np.int64)
        self.predicted: Int[np.ndarray, " c"] = np.zeros(scope.classes, dtype=np.int64)
        weighting: Any = scope.weighting
        self._moments = {
            n.name: Moments(weighting, n.shape[0], scope.classes, memory) for n in scope.layers
        }
        self._exemplars = {n.name: Exemplars(n.shape[0]) for n in scope.layers}

    def parts(self) -> Mapping[str, Addend]:
        """Return the sums and the strongest images of each layer."""
        return numbered(moments=self._moments, exemplars=self._exemplars)

    def _add(self, batch: ResponseBatch, classifier: Classifier) -> None:
        for name, rows in batch.rows.items():
            self._moments[name].add(rows)
            self._exemplars[name].add(
                Strength(batch.means(name)),
                batch.keys,
                lambda i: picture_of_sample(batch.images.samples[i], classifier),
            )
        labels = chain.from_iterable(s.labels or () for s in batch.images.samples)
        np.add.at(self.labelled, np.array(list(labels), dtype=np.int64), 1)
        np.add.at(self.predicted, batch.predicted, 1)

    def _settle(self) -> None:
        """Add what waits for the matrices of classes where that pays by now.

        No layer's rows wait once another's are in, so that there are times to save at.
        """
        for moments in self._moments.values():
            if moments.due:
                moments.settle()
        filed = [m for m in self._moments.values() if m.in_file]
        if any(m.settled for m in filed):
            for moments in filed:
                moments.settle()

    @property
    def may_save(self) -> bool:
        """Whether nothing waits to be added to the matrices of the classes."""
        return all(m.settled for m in self._moments.values())

    def blocks(self, layer: str, classes: Sequence[int]) -> list[Sequence[int]]:
        """Return classes in blocks whose problems fit in memory at once."""
        step = self._moments[layer].at_once if self.scope.weighting == "loyal" else len(classes)
        return [classes[i : i + step] for i in range(0, len(classes), max(1, step))]

    def quadratic(self, layer: str, classes: Sequence[int], *, intercept: bool) -> Quadratic:
        """Return the least-squares problem of some classes at a layer."""
        return self._moments[layer].quadratic(classes, intercept=intercept)

    def variations(self, layer: str, classes: Sequence[int]) -> Float[np.ndarray, " c"]:
        """Return how much the scores of some classes vary at a layer, in weighted squares."""
        return self._moments[layer].variations(classes)

    def means(self, layer: str) -> np.ndarray:
        """Return the mean of every channel of a layer behind its gates."""
        return self._moments[layer].means()

    def exemplars(self, layer: str) -> Exemplars:
        """Return the strongest images of a layer's channels."""
        return self._exemplars[layer]


@dataclass(frozen=True)
class GatingPlan(Plan[ResponseStatistics]):
    """What every image is asked: gates on which layers, and how the answers are weighed.

    Raises ValueError for settings out of range.
    """

    STATISTICS = ResponseStatistics

    layers: tuple[str, ...] | None
    gates_per_image: int
    score: Score
    weighting: Weighting
    sigma: float
    seed: int
    memory: int

    def __post_init__(self) -> None:
        if self.gates_per_image < 2:
            raise ValueError(
                f"got gates_per_image={self.gates_per_image}; expected at least 2, of which one"
                " leaves all channels open; the paper's is 100"
            )
        if self.memory < 1:
            raise ValueError(f"got memory={self.memory}; expected bytes; try 2 * 2**30")
        for name, kind in (("score", Score), ("weighting", Weighting)):
            if getattr(self, name) not in get_args(kind):
                known = ", ".join(map(repr, get_args(kind)))
                raise ValueError(
                    f"got {name}={getattr(self, name)!r}; expected {known}; choose one of these"
                )

    def scope(self, probe: Probe, batch: Batch) -> ResponseScope:
        """Return what the answers belong to, found on a first image."""
        capture = probe.capture(batch.x[:1], self.layers)
        classes = capture.logits.shape[1]
        return ResponseScope(
            *names_of(probe.classifier, classes),
            classes=classes,
            layers=capture.layers,
            score=self.score,
            weighting=self.weighting,
            sigma=self.sigma,
        )

    def extractor(self, probe: Probe, scope: ResponseScope) -> ResponseExtractor:
        """Return what asks the network."""
        return ResponseExtractor(
            probe,
            scope.layers,
            gates_per_image=self.gates_per_image,
            score=self.score,
            sigma=self.sigma,
            seed=self.seed,
        )

    def check_goes_on(
        self, statistics: ResponseStatistics, settings: Settings, classifier: Classifier
    ) -> None:
        """Raise ValueError for the statistics of another network or of other gates."""
        kept = {n: getattr(statistics.scope, n) for n in ("score", "weighting", "sigma")}
        for name in ("gates_per_image", "seed", *kept):
            before, now = kept.get(name, settings.get(name)), getattr(self, name)
            if before != now:
                raise ValueError(
                    f"got a checkpoint with {name}={before} to go on with at {name}={now}; the same"
                    f" was expected; make Chip({name}={before!r}), or start again without resume"
                )
        super().check_goes_on(statistics, settings, classifier)
