"""What an additive explainer learns from: of each image all that stays the same over epochs."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int64, UInt8
from torch import Tensor

from ..arguments import check_finite, nearest
from ..data.samples import Batch
from ..evidence import Layer
from ..evidence.additive import FILTERS, HEADS
from ..evidence.files import TemporaryFolder
from ..fitting.passes import Extractor, Plan
from ..fitting.states import Arrays, Settings
from ..fitting.statistics import Scope, Statistics, names_of
from ..network.classifier import Classifier
from ..network.gating import LayerGates, gated
from ..network.guest import visiting
from ..network.probe import Probe
from ..network.segments import gradients_of
from .heads import Heads, Reader

UNLABELLED = -1
# Of an image that was said to show none of the classes.
NO_CLASS = 2**31 - 1
_MAPS = "maps"
_FIELDS = ("keys", "strengths", "priors", "scores", "labels")


class MapStore:
    """Maps `(n, K, H, W)` appended batch by batch; beyond `memory` bytes they lie in a file.

    The file is gone with the store.
    """

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self._parts: list[np.ndarray] = []
        self._folder: TemporaryFolder | None = None
        self._shape: tuple[int, ...] = ()
        self._written = 0

    def __len__(self) -> int:
        return self._written + sum(map(len, self._parts))

    @property
    def on_disk(self) -> bool:
        """Whether the maps lie in a file."""
        return self._folder is not None

    def draft(self) -> Self:
        """Return a copy to append to: this one stays as it is."""
        return copy.copy(self)

    def append(self, maps: Float32[np.ndarray, "n k h w"]) -> None:
        """Add the maps of a batch; raises ValueError for maps of another size."""
        shape = tuple(maps.shape[1:])
        if self._shape and shape != self._shape:
            raise ValueError(
                f"got feature maps of {shape} after maps of {self._shape}; images of one size were"
                " expected; give the classifier a transform that brings them to one"
            )
        self._shape = shape
        self._parts = [*self._parts, np.ascontiguousarray(maps, dtype=np.float32)]
        if self.on_disk or sum(p.nbytes for p in self._parts) > self.memory:
            self._write()

    def _write(self) -> None:
        if self._folder is None:
            self._folder = TemporaryFolder()
            (self._folder.path / _MAPS).touch()
        with (self._folder.path / _MAPS).open("rb+") as file:
            # Behind what this store wrote: a draft that was given up may have written more.
            file.seek(self._written * math.prod(self._shape) * np.dtype(np.float32).itemsize)
            for part in self._parts:
                file.write(part.data)
        self._written, self._parts = len(self), []

    def array(self) -> Float32[np.ndarray, "n k h w"]:
        """Return all maps, in the order they came; of a file as a view into it."""
        if self._folder is not None:
            file, shape = self._folder.path / _MAPS, (self._written, *self._shape)
            return np.memmap(file, np.float32, "r", shape=shape)
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0] if self._parts else np.zeros((0, 0, 0, 0), np.float32)


@dataclass(frozen=True)
class ScoreScope(Scope):
    """What rows belong to: one network, one output to explain, one layer, one list of elements.

    `output` says what is explained, `kind` whether elements are filters or heads, `identity` tells
    the heads from others.
    """

    layer: Layer
    output: str
    index: int
    kind: str
    elements: tuple[str, ...]
    identity: str

    @property
    def key(self) -> str:
        """A short name that equal scopes share."""
        told = json.dumps(replace(self, notes=()).settings(), sort_keys=True).encode()
        return hashlib.blake2b(told, digest_size=12).hexdigest()

    def aspects(self) -> dict[str, object]:
        """Return by name what has to be the same for rows to be of one kind."""
        return super().aspects() | {
            "layer": (self.layer.name, self.layer.shape),
            "output to explain": self.output,
            "list of concepts": (self.kind, self.elements, self.identity),
        }

    def settings(self) -> Settings:
        """Return the fields as JSON values; in files the names of classes are called `classes`."""
        settings = super().settings()
        return {"classes": settings.pop("names"), **settings}

    @classmethod
    def restored(cls, settings: Settings) -> Self:
        """Return what `settings` gave; raises what the conversion of its fields raises."""
        own = dict(settings)
        return super().restored({"names": own.pop("classes"), **own})

    @classmethod
    def _converted(cls, settings: Settings) -> Settings:
        return {
            "layer": Layer.of(settings["layer"]),
            "index": int(settings["index"]),
            "elements": tuple(map(str, settings["elements"])),
        }


@dataclass(frozen=True, eq=False)
class ScoreBatch:
    """What images gave: maps `x`, strengths `y_i`, priors `w_i`, scores `y_hat` (Eq. 1-5).

    Maps may lie elsewhere, or in another order.
    """

    keys: UInt8[np.ndarray, "n 16"]
    maps: Float32[np.ndarray, "m k h w"]
    strengths: Float[np.ndarray, "n e"]
    priors: Float[np.ndarray, "n e"]
    scores: Float[np.ndarray, " n"]
    labels: Int64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.keys)


class ScoreStatistics(Statistics[ScoreScope, ScoreBatch]):
    """The rows of all images seen so far; they add up in any order.

    `memory` bounds the bytes of maps that are not in a file.
    """

    KIND = "AdditiveRows"
    NAME = "rows"
    ADVICE = "start again without resume, or name another cache"
    SCOPE = ScoreScope
    COUNTS = ()
    LIMITS = ("memory",)
    PARTS = ("_maps",)

    def __init__(self, scope: ScoreScope, memory: int) -> None:
        super().__init__(scope)
        self.memory = memory
        self._maps = MapStore(memory)
        self._parts: list[ScoreBatch] = []
        self._saved = 0

    @property
    def may_save(self) -> bool:
        """Whether this is a time to save at: after twice as many images as the last time."""
        if self.images < max(64, 2 * self._saved):
            return False
        self._saved = self.images
        return True

    def _add(self, batch: ScoreBatch, classifier: Classifier) -> None:
        self._append(batch)

    def _append(self, batch: ScoreBatch) -> None:
        self._maps.append(batch.maps)
        self._parts = [*self._parts, replace(batch, maps=batch.maps[:0])]

    def _merge(self, other: Self) -> None:
        super()._merge(other)
        self.images += other.images
        maps, at = other._maps.array(), 0
        for part in other._parts:
            self._append(replace(part, maps=maps[at : at + len(part)]))
            at += len(part)

    def all(self) -> ScoreBatch:
        """Return all rows, ordered by image whatever order they came in; maps as they lie."""
        order = self.places()
        columns = {name: self._column(name)[order] for name in _FIELDS}
        return ScoreBatch(maps=self._maps.array(), **columns)

    def places(self) -> Int64[np.ndarray, " n"]:
        """Return where the maps of each of the ordered rows lie in `all().maps`."""
        return np.lexsort(self._column("keys").T[::-1]).astype(np.int64)

    def _column(self, name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in self._parts])

    def check_output(self, target: int | str | None) -> None:
        """Raise ValueError where another output is asked for than the rows explain."""
        if target is not None and target not in (self.scope.output, self.scope.index):
            raise ValueError(
                f"got rows of another output to explain ({self.scope.output!r}) for {target!r};"
                " the same was expected to go on with; start again without resume"
            )

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield everything as arrays by name, for saving."""
        if self._parts:
            yield from ((name, self._column(name)) for name in _FIELDS)
        yield "maps", self._maps.array()

    def restore(self, arrays: Arrays) -> None:
        """Take rows that were saved; raises ValueError and KeyError where they do not fit."""
        self.images = len(arrays["maps"])
        if self.images:
            self._append(_checked(ScoreBatch(**{n: arrays[n] for n in (*_FIELDS, "maps")})))


def _checked(batch: ScoreBatch) -> ScoreBatch:
    counts: Sequence[int] = [len(getattr(batch, name)) for name in (*_FIELDS, "maps")]
    if len(set(counts)) > 1 or batch.strengths.shape != batch.priors.shape:
        raise ValueError(f"rows of {counts} images, with equally many of each expected")
    return batch


@dataclass(frozen=True)
class ScorePlan(Plan[ScoreStatistics]):
    """Which output is explained, by what: the filters of a layer, or heads on it.

    `chosen` are those of the heads that explain (default: all but the output itself).
    """

    STATISTICS = ScoreStatistics

    target: int | str | None
    layer: str | None
    heads: Heads | None
    chosen: tuple[str, ...] | None
    memory: int
    cache: Path | None = None

    def scope(self, probe: Probe, batch: Batch) -> ScoreScope:
        """Return what the rows belong to, found on a first image.

        Raises ValueError for an unknown target or layer, and for several outputs without a target.
        """
        capture = probe.capture(batch.x[:1], None if self.layer is None else [self.layer])
        layer = capture.layers[0]
        probe.segment(capture, layer.name, None)
        count = capture.logits.shape[1]
        output, index = self._output(probe.classifier, count)
        return ScoreScope(
            *names_of(probe.classifier, count),
            layer=layer,
            output=output,
            index=index,
            kind=FILTERS if self.heads is None else HEADS,
            elements=self._elements(layer, output, index),
            identity="" if self.heads is None else self.heads.identity,
        )

    def _output(self, classifier: Classifier, count: int) -> tuple[str, int]:
        """Return the output's name and its class, or minus one less than its number as a head."""
        if self.target is None:
            if classifier.read_as_two:
                return classifier.name(1), 1
            if count > 1:
                raise ValueError(
                    f"the network has {count} outputs and no target was given; the name or index"
                    " of the one to explain was expected; pass fit(..., target=...)"
                )
            return classifier.name(0), 0
        own = () if self.heads is None else self.heads.names
        named = classifier.classes or ()
        if isinstance(self.target, str) and self.target not in named and own:
            if self.target not in own:
                raise ValueError(
                    f"got the target {self.target!r}, which is neither a class nor a concept head;"
                    " expected one of them; the nearest is"
                    f" {nearest(self.target, [*named, *own])}"
                )
            return self.target, -1 - own.index(self.target)
        index = classifier.index_of(self.target, count)
        return classifier.name(index), index

    def _elements(self, layer: Layer, output: str, index: int) -> tuple[str, ...]:
        if self.heads is None:
            return tuple(str(k) for k in range(layer.shape[0]))
        chosen = self.heads.names if self.chosen is None else self.chosen
        elements = tuple(n for n in chosen if index >= 0 or n != output)
        if not elements:
            raise ValueError(
                f"no concept is left to explain {output!r} by; at least one other than itself was"
                " expected; name more concepts"
            )
        return elements

    def extractor(self, probe: Probe, scope: ScoreScope) -> ScoreExtractor:
        """Return what asks the network."""
        return ScoreExtractor(probe, scope, self.heads, known_rows(self.cache, scope))

    def check_goes_on(
        self, statistics: ScoreStatistics, settings: Settings, classifier: Classifier
    ) -> None:
        """Raise ValueError for the rows of another network or output."""
        super().check_goes_on(statistics, settings, classifier)
        statistics.check_output(self.target)


def cached(folder: Path, scope: ScoreScope) -> Path:
    """Return the file in a cache folder that rows of this scope lie in."""
    return folder / f"{scope.key}.hx"


def keep_rows(folder: Path | None, rows: ScoreStatistics) -> None:
    """Leave rows in a cache folder for the next fit, where it does not hold all of them."""
    if folder is None:
        return
    known = known_rows(folder, rows.scope)
    if not all(key.tobytes() in known.at for key in rows.all().keys):
        folder.mkdir(parents=True, exist_ok=True)
        rows.save(cached(folder, rows.scope))


def known_rows(folder: Path | None, scope: ScoreScope) -> KnownRows:
    """Return what a cache folder knows already; nothing without a folder or a file."""
    path = None if folder is None else cached(folder, scope)
    return (
        KnownRows()
        if path is None or not path.is_file()
        else KnownRows.of(ScoreStatistics.load(path)[0])
    )


@dataclass(frozen=True, eq=False)
class KnownRows:
    """Rows of an earlier fit, by image."""

    rows: ScoreBatch | None = None
    places: np.ndarray | None = None
    at: dict[bytes, int] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: ScoreStatistics) -> KnownRows:
        """Return rows ready to be looked up."""
        batch = rows.all()
        return cls(batch, rows.places(), {key.tobytes(): i for i, key in enumerate(batch.keys)})

    def of_batch(self, batch: Batch, index: int) -> ScoreBatch | None:
        """Return the rows of a batch if every one of its images is known; labels beside a class."""
        keys = [s.key for s in batch.samples]
        if self.rows is None or self.places is None or not all(k in self.at for k in keys):
            return None
        some = np.array([self.at[k] for k in keys])
        return ScoreBatch(
            self.rows.keys[some],
            np.array(self.rows.maps[self.places[some]]),
            self.rows.strengths[some],
            self.rows.priors[some],
            self.rows.scores[some],
            _labels(batch, index),
        )


class ScoreExtractor(Extractor[ScoreBatch]):
    """Asks a network for the rows of batches of images."""

    def __init__(
        self, probe: Probe, scope: ScoreScope, heads: Heads | None, known: KnownRows | None = None
    ) -> None:
        self._probe, self._scope, self._heads = probe, scope, heads
        self._known = known or KnownRows()
        self._gates: tuple[LayerGates, Reader | None] | None = None
        self.asked = 0
        names = () if heads is None else heads.names
        self._some = [] if heads is None else [names.index(n) for n in scope.elements]

    def extract(self, batch: Batch) -> ScoreBatch:
        """Return the rows of a batch, those that are known without asking.

        Raises ValueError for values that are not finite.
        """
        known = self._known.of_batch(batch, self._scope.index)
        return super().extract(batch) if known is None else known

    def _joined(self, batch: Batch, first: ScoreBatch, second: ScoreBatch) -> ScoreBatch:
        return ScoreBatch(
            **{n: np.concatenate([v, getattr(second, n)]) for n, v in first.__dict__.items()}
        )

    def _extract(self, batch: Batch) -> ScoreBatch:
        with visiting(self._probe.classifier.model):
            inside = self.look(batch.x)
            self.asked += len(batch)
            strengths, priors = inside.strengths_and_priors()
        source = f"the layer {self._scope.layer.name} gives"
        values = (inside.maps, strengths, priors, inside.score)
        check_finite(source, *values, of="values or gradients")
        return ScoreBatch(
            keys=np.stack([np.frombuffer(s.key, np.uint8) for s in batch.samples]),
            maps=inside.maps.detach().float().cpu().numpy(),
            strengths=_numbers(strengths),
            priors=_numbers(priors),
            scores=_numbers(inside.score),
            labels=_labels(batch, self._scope.index),
        )

    def look(self, x: Float[Tensor, "n ch h w"]) -> MapBatch:
        """Return images inside the network; call it inside `guest.visiting`."""
        gates, reader = self._ready(x)
        forward = gates.take(x)
        self._probe.classifier.check_logits(forward.logits, x)
        read = None if reader is None else reader.take(x)
        maps = forward.maps[self._scope.layer.name].detach().clone().requires_grad_()
        return MapBatch(self, forward, read, maps)

    def _ready(self, x: Tensor) -> tuple[LayerGates, Reader | None]:
        if self._gates is None:
            layer = self._scope.layer.name
            reader = None if self._heads is None else self._heads.on(self._probe, x, layer)
            self._gates = gated(self._probe, x, [layer]), reader
        return self._gates

    def answers(
        self, look: MapBatch, image: Int[Tensor, " r"], maps: Tensor
    ) -> Float[Tensor, " r"]:
        """Return the explained output for other maps in the place of the layer's."""
        gates, reader = self._ready(look.maps)
        if self._scope.index >= 0:
            logits = gates.behind(look.forward, self._scope.layer.name, image, maps)
            return logits[:, self._scope.index]
        return self._read(reader, look, image, maps)[:, -1 - self._scope.index]

    def concepts(self, look: MapBatch, image: Int[Tensor, " r"], maps: Tensor) -> Tensor:
        """Return the scores of the heads that explain, `(r, e)`."""
        _, reader = self._ready(look.maps)
        return self._read(reader, look, image, maps)[:, self._some]

    def _read(self, reader: Any, look: MapBatch, image: Tensor, maps: Tensor) -> Tensor:
        return reader.read(look.read, image, maps)


class MapBatch:
    """A batch of images inside the network; `maps` `(n, K, H, W)` are what gradients are of."""

    def __init__(self, extractor: ScoreExtractor, forward: Any, read: Any, maps: Tensor) -> None:
        self._extractor, self.forward = extractor, forward
        self.read, self.maps = read, maps
        self._each = torch.arange(len(maps), device=maps.device)
        with torch.enable_grad():
            score = extractor.answers(self, self._each, maps)
            (self.gradient,) = gradients_of(score.sum(), maps)
        self.score: Tensor = score.detach()

    def strengths_and_priors(self) -> tuple[Float[Tensor, "n e"], Float[Tensor, "n e"]]:
        """Return `y_i` and the prior weights `w_i` of all elements (Eq. 5, or section 3.1)."""
        if self._extractor._heads is None:
            return self.maps.detach().sum((2, 3)), self.gradient.mean((2, 3))
        strengths, gradients = self.of_heads()
        return strengths, torch.stack([self._weight(j) for j in gradients], 1)

    def of_heads(self) -> tuple[Float[Tensor, "n e"], list[Tensor]]:
        """Return the heads' scores and the gradient of each at the layer, `(n, K, H, W)`."""
        with torch.enable_grad():
            scores = self._extractor.concepts(self, self._each, self.maps)
            each = scores.sum(0)
            gradients = [
                torch.autograd.grad(one, self.maps, retain_graph=True, allow_unused=True)[0]
                for one in each
            ]
        nothing = torch.zeros_like(self.maps)
        return scores.detach(), [nothing if g is None else g for g in gradients]

    def _weight(self, gradient: Tensor) -> Float[Tensor, " n"]:
        """Return the change of the output per change of a concept, pushed along the concept."""
        own, both = gradient.square().sum((1, 2, 3)), (gradient * self.gradient).sum((1, 2, 3))
        return torch.where(own > 0, both / own.clamp(min=torch.finfo(own.dtype).tiny), 0.0)

    def without(self, groups: list[list[int]]) -> Float[Tensor, "n p"]:
        """Return the output with the filters of each group removed."""
        scores = []
        with torch.no_grad():
            for group in groups:
                maps = self.maps.detach().clone()
                maps[:, group] = 0
                scores.append(self._extractor.answers(self, self._each, maps))
        return torch.stack(scores, 1)


def _labels(batch: Batch, index: int) -> np.ndarray:
    """Return each image's label beside the class that is explained; of none at all, `NO_CLASS`."""
    each = [
        UNLABELLED if s.labels is None else NO_CLASS if not s.labels else s.label_for(index)
        for s in batch.samples
    ]
    return np.array(each, dtype=np.int64)


def _numbers(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().double().cpu())
