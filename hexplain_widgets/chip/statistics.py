"""What a fit has gathered: sums, strongest images and counts, which add up in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ..arguments import check_finite
from ..data.samples import Batch, picture_of_sample
from ..evidence import Layer
from ..fitting.exemplars import Exemplars
from ..fitting.passes import Range, joined
from ..fitting.states import Arrays, Settings, load_state, save_state
from ..network.classifier import Classifier
from ..network.gating import ForwardCache, LayerGates, gated, gates_for, proximity
from ..network.guest import visiting
from ..network.probe import Probe
from ..provenance import fingerprint
from ..solvers.lasso import Quadratic
from ..solvers.moments import GatedScores, Moments, Weighting

Score = Literal["logit", "probability", "log-probability"]
KIND = "Chip"


@dataclass(frozen=True)
class ResponseBatch:
    """What one batch gave: rows by layer, the channels' means, predictions, and the images."""

    rows: Mapping[str, GatedScores]
    predicted: Int[np.ndarray, " n"]
    keys: tuple[bytes, ...]
    batch: Batch

    def means(self, layer: str) -> Float[np.ndarray, "n k"]:
        """Return the spatial mean of every channel of a layer in every image."""
        return np.asarray(self.rows[layer].means.cpu())


class ResponseExtractor:
    """Asks a network about batches of images; `layers` are those gated, one after the other."""

    def __init__(
        self,
        probe: Probe,
        layers: Sequence[Layer],
        *,
        gates_per_image: int,
        score: Score,
        seed: int,
    ) -> None:
        self._probe = probe
        self._layers = tuple(layers)
        self._count = gates_per_image
        self._score = score
        self._seed = seed
        self._ways: dict[tuple[int, ...], LayerGates] = {}

    @property
    def classifier(self) -> Classifier:
        """The network that is asked."""
        return self._probe.classifier

    def of(self, batch: Batch) -> ResponseBatch:
        """Return the gated answers of a batch, half by half where it does not fit in memory.

        Raises ValueError for values that are not finite.
        """
        try:
            return self._of(batch)
        except torch.cuda.OutOfMemoryError:
            if len(batch) == 1:
                raise
        torch.cuda.empty_cache()
        return _joined(batch, [self.of(half) for half in batch.halves()])

    def _of(self, batch: Batch) -> ResponseBatch:
        keys = tuple(s.key for s in batch.samples)
        with visiting(self.classifier.model), torch.no_grad():
            taken = self._way(batch.x).take(batch.x)
            self.classifier.check_logits(taken.logits, batch.x)
            loyalty = _exact(_softmax(taken.logits.float()))
            rows = {n.name: self._rows(batch.x, taken, n, keys, loyalty) for n in self._layers}
        return ResponseBatch(rows, taken.logits.argmax(1).cpu().numpy(), keys, batch)

    def _way(self, x: Tensor) -> LayerGates:
        shape = tuple(x.shape[1:])
        if shape not in self._ways:
            self._ways[shape] = gated(self._probe, x[:2], [n.name for n in self._layers])
        return self._ways[shape]

    def _rows(
        self, x: Tensor, taken: ForwardCache, layer: Layer, keys: Sequence[bytes], loyalty: Tensor
    ) -> GatedScores:
        maps = taken.maps[layer.name]
        drawn = [
            gates_for(k, layer.name, count=self._count, channels=layer.shape[0], seed=self._seed)
            for k in keys
        ]
        host = np.stack(drawn)
        gates = torch.from_numpy(host).to(maps.device)
        logits = self._way(x).answers(taken, layer.name, gates)
        scores = _exact(self._scores(logits))
        means = _exact(maps.float().mean((2, 3)))
        check_finite(f"the layer {layer.name} gives", means)
        check_finite(f"the layer {layer.name} with closed channels leads to", scores)
        near = torch.from_numpy(proximity(host)).to(scores.device)
        return GatedScores(means, gates.to(scores.device), near, loyalty, scores)

    def _scores(self, logits: Float[Tensor, "n g c"]) -> Float[Tensor, "n g c"]:
        if self._score == "logit":
            return logits
        if self._score == "probability":
            return _softmax(logits.float())
        several = logits.shape[-1] > 1
        return logits.float().log_softmax(-1) if several else F.logsigmoid(logits.float())


def _joined(batch: Batch, parts: Sequence[ResponseBatch]) -> ResponseBatch:
    rows = {
        name: GatedScores(
            *(
                torch.cat([getattr(p.rows[name], f.name) for p in parts])
                for f in fields(GatedScores)
            )
        )
        for name in parts[0].rows
    }
    predicted = np.concatenate([p.predicted for p in parts])
    return ResponseBatch(rows, predicted, tuple(k for p in parts for k in p.keys), batch)


def _softmax(logits: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
    return logits.softmax(-1) if logits.shape[-1] > 1 else logits.sigmoid()


def _exact(values: Tensor) -> Tensor:
    """Return values in float64, on the CPU where the device has none."""
    return (values.cpu() if values.device.type == "mps" else values).double()


@dataclass(frozen=True)
class ResponseScope:
    """What gathered sums belong to: only those of one network, its layers and one question add up.

    `network` is the hash of the weights.
    """

    network: str
    model: str
    names: tuple[str, ...]
    classes: int
    layers: tuple[Layer, ...]
    score: str
    weighting: str


class ResponseStatistics:
    """Everything a fit keeps of the data; its size does not depend on how many images there were.

    `labelled` and `predicted` count the images of each class by label and by the network's answer;
    `done` are the ranges of the data that are in, `memory` bounds the bytes of a layer's matrices.
    """

    def __init__(self, origin: ResponseScope, memory: int) -> None:
        self.origin = origin
        self.memory = memory
        self.images = 0
        self.done: list[Range] = []
        self.labelled: Int[np.ndarray, " c"] = np.zeros(origin.classes, dtype=np.int64)
        self.predicted: Int[np.ndarray, " c"] = np.zeros(origin.classes, dtype=np.int64)
        weighting: Any = origin.weighting
        self._moments = {
            n.name: Moments(weighting, n.shape[0], origin.classes, memory) for n in origin.layers
        }
        self._exemplars = {n.name: Exemplars(n.shape[0]) for n in origin.layers}

    def add(self, seen: ResponseBatch, classifier: Classifier) -> None:
        """Add what one batch gave."""
        for name, rows in seen.rows.items():
            self._moments[name].add(rows)
            self._exemplars[name].add(
                seen.means(name),
                seen.keys,
                lambda i: picture_of_sample(seen.batch.samples[i], classifier),
            )
        self._settle_together()
        labels = [s.label for s in seen.batch.samples if s.label is not None]
        np.add.at(self.labelled, np.array(labels, dtype=np.int64), 1)
        np.add.at(self.predicted, seen.predicted, 1)
        self.images += len(seen.batch)
        at = self.done[-1][1] if self.done else 0
        self.done = joined([*self.done, (at, at + len(seen.batch))])

    def _settle_together(self) -> None:
        """Let no layer's rows wait once another's are in, so that there are times to save at."""
        filed = [m for m in self._moments.values() if m.in_file]
        if any(m.settled for m in filed):
            for moments in filed:
                moments.settle()

    @property
    def settled(self) -> bool:
        """Whether nothing waits to be added to the matrices of the classes."""
        return all(m.settled for m in self._moments.values())

    def check_labels(self, batch: Batch) -> None:
        """Raise ValueError for a label that is no class of the network."""
        for label in (s.label for s in batch.samples):
            if label is not None and not 0 <= label < self.origin.classes:
                raise ValueError(
                    f"got the label {label}; expected a class index from 0 to"
                    f" {self.origin.classes - 1}; leave labels out if they are not the network's"
                )

    def merge(self, other: ResponseStatistics, *, same_data: bool = False) -> None:
        """Add what other data, or another part of the same, gave; raises like `check_same`."""
        self.check_same(other.origin)
        self.done = joined([*self.done, *other.done]) if same_data else self.done
        for name, moments in self._moments.items():
            moments.merge(other._moments[name])
            self._exemplars[name].merge(other._exemplars[name])
        self.labelled += other.labelled
        self.predicted += other.predicted
        self.images += other.images

    def check_same(self, other: ResponseScope) -> None:
        """Raise ValueError for the origin of another network, layer or question."""
        for what, of in _SAME:
            here, there = of(self.origin), of(other)
            if here != there:
                raise ValueError(
                    f"got statistics of another {what} ({there}); the same was expected ({here});"
                    " merge only what was fitted on one network with the same layers, score and"
                    " weighting"
                )

    def blocks(self, layer: str, classes: Sequence[int]) -> list[Sequence[int]]:
        """Return classes in blocks whose problems fit in memory at once."""
        step = self._moments[layer].at_once if self.origin.weighting == "loyal" else len(classes)
        return [classes[i : i + step] for i in range(0, len(classes), max(1, step))]

    def check_network(self, model: nn.Module) -> None:
        """Raise ValueError for a network of other weights."""
        self.check_same(replace(self.origin, network=fingerprint(model)))

    def quadratic(self, layer: str, classes: Sequence[int]) -> Quadratic:
        """Return the least-squares problem of some classes at a layer."""
        return self._moments[layer].quadratic(classes)

    def means(self, layer: str) -> np.ndarray:
        """Return the mean of every channel of a layer behind its gates."""
        return self._moments[layer].means()

    def exemplars(self, layer: str) -> Exemplars:
        """Return the strongest images of a layer's channels."""
        return self._exemplars[layer]

    def copy(self) -> ResponseStatistics:
        """Return the same, to which other data can be added without changing this."""
        found = ResponseStatistics(self.origin, self.memory)
        found.merge(self, same_data=True)
        return found

    def state(self) -> tuple[Settings, Arrays]:
        """Return everything as JSON values and arrays."""
        settings = {
            "origin": asdict(self.origin),
            "images": self.images,
            "memory": self.memory,
            "done": self.done,
        }
        return settings, dict(self._arrays())

    def _arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        yield "labelled", self.labelled
        yield "predicted", self.predicted
        for i, name in enumerate(self._moments):
            for part, array in self._moments[name].arrays():
                yield f"{i}.moments.{part}", array
            for part, array in self._exemplars[name].arrays():
                yield f"{i}.exemplars.{part}", array

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], arrays: Arrays) -> ResponseStatistics:
        """Return what `state` gave; raises ValueError for what does not fit together."""
        try:
            found = cls(_origin(settings["origin"]), int(settings["memory"]))
            found.images = int(settings["images"])
            found.done = [(int(a), int(b)) for a, b in settings["done"]]
            for name in ("labelled", "predicted"):
                getattr(found, name)[:] = arrays[name]
            for i, layer in enumerate(found._moments):
                found._moments[layer].restore(_below(arrays, f"{i}.moments."))
                found._exemplars[layer].restore(_below(arrays, f"{i}.exemplars."))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ValueError(
                f"cannot take up saved statistics: {error!r:.200}; those of a fit were expected;"
                " take another copy of the file, or fit again"
            ) from error
        return found

    def save(self, path: str | Path, settings: Mapping[str, Any]) -> Path:
        """Write everything and an engine's settings to a file in one step."""
        own, arrays = self.state()
        return save_state(path, KIND, {**own, "engine": dict(settings)}, arrays.items())

    @classmethod
    def load(cls, path: str | Path) -> tuple[ResponseStatistics, dict[str, Any]]:
        """Return what `save` wrote, and the engine's settings."""
        settings, arrays = load_state(path, KIND)
        engine = settings.get("engine")
        return cls.from_state(settings, arrays), engine if isinstance(engine, dict) else {}


def _channels(origin: ResponseScope) -> str:
    """Return names and channels of the layers: images of other sizes give other maps."""
    return ", ".join(f"{n.name} ({n.shape[0]} channels)" for n in origin.layers)


_SAME: tuple[tuple[str, Callable[[ResponseScope], object]], ...] = (
    ("network, by the hash of its weights", lambda o: o.network),
    ("choice of layers", _channels),
    ("number of classes", lambda o: o.classes),
    ("score", lambda o: o.score),
    ("weighting", lambda o: o.weighting),
)


def _below(arrays: Arrays, prefix: str) -> Arrays:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def _origin(value: Mapping[str, Any]) -> ResponseScope:
    layers = tuple(Layer.of(layer) for layer in value["layers"])
    return ResponseScope(**{**value, "layers": layers, "names": tuple(map(str, value["names"]))})


@dataclass(frozen=True)
class GatingPlan:
    """What every image is asked: gates on which layers, and how the answers are weighed.

    Raises ValueError for settings out of range.
    """

    layers: tuple[str, ...] | None
    gates_per_image: int
    score: Score
    weighting: Weighting
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

    def asker(self, probe: Probe, origin: ResponseScope) -> ResponseExtractor:
        """Return what asks the network."""
        return ResponseExtractor(
            probe,
            origin.layers,
            gates_per_image=self.gates_per_image,
            score=self.score,
            seed=self.seed,
        )

    def empty(self, origin: ResponseScope) -> ResponseStatistics:
        """Return sums without an image."""
        return ResponseStatistics(origin, self.memory)

    def restored(self, settings: Settings, arrays: Arrays) -> ResponseStatistics:
        """Return the sums of a saved state."""
        return ResponseStatistics.from_state(settings, arrays)

    def origin(self, probe: Probe, batch: Batch) -> ResponseScope:
        """Return what the answers belong to, found on a first image."""
        capture = probe.capture(batch.x[:1], self.layers)
        classifier, count = probe.classifier, capture.logits.shape[1]
        names = tuple(classifier.name(i) for i in range(count))
        return ResponseScope(
            network=fingerprint(classifier.model),
            model=type(classifier.model).__name__,
            names=names,
            classes=count,
            layers=capture.layers,
            score=self.score,
            weighting=self.weighting,
        )


def check_goes_on(settings: Mapping[str, Any], question: GatingPlan) -> None:
    """Raise ValueError where a checkpoint's images were asked for other gates."""
    for name in ("gates_per_image", "seed"):
        before, now = settings.get(name), getattr(question, name)
        if before != now:
            raise ValueError(
                f"got a checkpoint with {name}={before} to go on with at {name}={now}; the same was"
                f" expected; make Chip({name}={before}), or start again without resume"
            )
