"""CHIP: which channels of a layer matter for a class, over a whole data set."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from ..classifier import Classifier, nearest
from ..evidence import (
    ChannelImportance,
    ChannelOverlap,
    ChannelPortrait,
    HeatMap,
    HeatMapSheet,
    Layer,
    Localization,
    Provenance,
)
from ..fitting import Gathering, Question
from ..gathering import Gathered
from ..heatmaps import DRAWINGS, OF_THE_IMAGE, Looked, located
from ..importance import Class, Importance, checked_sparsity
from ..localize import Truth, best_threshold
from ..moments import Weighting
from ..probe import Probe
from ..provenance import fingerprint, versions
from ..responses import Score

METHODS = tuple(DRAWINGS)
THRESHOLD = 0.2  # of a map's maximum, until a calibration set has found a better one
GIBIBYTE = 2**30
Stop = Callable[[], bool]


class Chip:
    """The importance of channels for classes, learned by closing channels at random.

    `layers` are named in any order (default: one per stage). `gates_per_image` gates are drawn for
    every image and layer. `sparsity` is the penalty as a fraction of the smallest that zeroes
    everything. `score` is what the network's answer is measured by, `weighting` `"loyal"` (Eq. 11)
    or `"equal"` (all images count alike for every class). `memory` bounds the bytes of a layer's
    matrices. Raises ValueError for settings out of range.
    """

    def __init__(
        self,
        *,
        layers: Collection[str] | None = None,
        gates_per_image: int = 100,
        sparsity: float = 0.01,
        score: Score = "logit",
        weighting: Weighting = "equal",
        seed: int = 0,
        memory: int = 2 * GIBIBYTE,
    ) -> None:
        named = (layers,) if isinstance(layers, str) else layers
        self.layers = None if named is None else tuple(named)
        self.gates_per_image = gates_per_image
        self.sparsity = checked_sparsity(sparsity)
        self.score = score
        self.weighting = weighting
        self.seed = seed
        self.memory = memory
        self._question()
        self.classifier_: Classifier | None = None
        self.threshold_ = THRESHOLD
        self._importance: Importance | None = None
        self._probe: Probe | None = None
        self._last: Looked | None = None

    def __repr__(self) -> str:
        seen = "" if self._importance is None else f", {self._importance.gathered.images} images"
        return f"Chip(sparsity={self.sparsity:g}, {self.weighting} {self.score}{seen})"

    def fit(
        self,
        classifier: nn.Module | Classifier,
        data: Any,
        *,
        resume: bool = False,
        checkpoint: str | Path | None = None,
        client: Any = None,
        progress: bool = True,
    ) -> Chip:
        """Learn from a Dataset, DataLoader or iterable of `(image, label)`; labels may be missing.

        An interrupt keeps what has been gathered, and `resume=True` goes on from there, or from the
        file `checkpoint`, which is written after every batch. `client` is a
        `dask.distributed.Client` on whose workers the data are gone through in shards. Raises
        ValueError for empty data, wrong labels, values that are not finite and a checkpoint of
        another network; TypeError for what is no data; OSError where no checkpoint can be written.
        """
        guest = Classifier.of(classifier)
        before = self._taken_up(checkpoint) if resume else None
        if before is not None:
            _check_network(before, guest)
        self.classifier_ = guest
        self._begin(before)
        save = None if checkpoint is None else lambda g: g.save(checkpoint, self._settings())
        gathering = Gathering(self._question(), guest, before, save=save, begun=self._begin)
        if client is None:
            gathering.run(data, progress=progress)
        else:
            gathering.run_on(client, data, progress=progress)
        return self

    def _question(self) -> Question:
        return Question(
            self.layers, self.gates_per_image, self.score, self.weighting, self.seed, self.memory
        )

    def _taken_up(self, checkpoint: str | Path | None) -> Gathered | None:
        if checkpoint is None or not Path(checkpoint).is_file():
            # A copy: a refitted Chip may stand on the same sums.
            return None if self._importance is None else self._importance.gathered.copy()
        return Gathered.load(checkpoint)[0]

    def _begin(self, gathered: Gathered | None) -> None:
        self._importance = None if gathered is None else Importance(gathered, self.sparsity)
        self._probe, self._last = None, None

    @property
    def _fitted(self) -> Importance:
        if self._importance is None or not self._importance.gathered.images:
            raise ValueError(
                "this Chip has not seen any data; a fitted one was expected; call"
                " chip.fit(classifier, data), or open a saved one with Chip.load(path)"
            )
        return self._importance

    @property
    def layers_(self) -> tuple[Layer, ...]:
        """The fitted layers, deepest first."""
        return self._fitted.layers

    @property
    def classes_(self) -> tuple[str, ...]:
        """The names of all classes, by index."""
        return self._fitted.classes

    @property
    def images_(self) -> int:
        """How many images were seen."""
        return self._fitted.gathered.images

    def refit(self, *, sparsity: float) -> Chip:
        """Return a Chip of another sparsity on the same statistics, without the network."""
        other = copy.copy(self)
        other.sparsity = checked_sparsity(sparsity)
        other._importance = self._fitted.at(sparsity)
        return other

    def merge(self, other: Chip) -> Chip:
        """Return a Chip fitted on both data sets, in whatever order.

        Raises ValueError where networks (by the hash of their weights), layers, score or weighting
        differ.
        """
        gathered = self._fitted.gathered.copy()
        gathered.merge(other._fitted.gathered)
        found = copy.copy(self)
        found.classifier_ = self.classifier_ or other.classifier_
        found._begin(gathered)
        return found

    def save(self, path: str | Path) -> Path:
        """Write statistics and settings to a file; return its path. Raises OSError on failure."""
        return self._fitted.gathered.save(path, self._settings())

    @classmethod
    def load(cls, path: str | Path, model: nn.Module | Classifier | None = None) -> Chip:
        """Return a saved Chip; with the network it was fitted on, it explains images again.

        Raises FileNotFoundError, and ValueError for a damaged file or another network.
        """
        gathered, settings = Gathered.load(path)
        try:
            found = cls(**{n: _tuple(settings[n]) for n in _SETTINGS})
            found.threshold_ = float(settings["threshold"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"cannot load {path}: its settings are not a Chip's ({error}); a file written by"
                " Chip.save was expected; take another copy, or fit again"
            ) from error
        found._begin(gathered)
        return found if model is None else found.on(model)

    def on(self, model: nn.Module | Classifier) -> Chip:
        """Return this Chip with a network to explain images with; raises ValueError for another."""
        classifier = Classifier.of(model)
        _check_network(self._fitted.gathered, classifier)
        found = copy.copy(self)
        found.classifier_, found._probe, found._last = classifier, None, None
        return found

    def _settings(self) -> dict[str, Any]:
        return {n: getattr(self, n) for n in _SETTINGS} | {"threshold": self.threshold_}

    # importance

    def importance(self, layer: str | None = None) -> Float[np.ndarray, "c k"]:
        """Return the weight of every channel of a layer (default: the deepest) for every class.

        In score per unit of the channel's spatial mean (Eq. 11). Raises ValueError for a layer that
        was not fitted.
        """
        name = self._fitted.layer(layer).name
        return self._fitted.weights(name, range(len(self.classes_)))

    def matrix(
        self, classes: Sequence[Class] | None = None, layer: str | None = None
    ) -> ChannelImportance:
        """Return the importance of channels for classes (Fig. 9), with fit and doubts."""
        name = self._fitted.layer(layer).name
        return self._fitted.matrix(name, self._chosen(classes), self._provenance("classes", name))

    def overlap(
        self,
        classes: Sequence[Class],
        top: int | None = 10,
        threshold: float | None = None,
        layer: str | None = None,
    ) -> ChannelOverlap:
        """Return which important channels classes share (Fig. 10).

        Of each class the `top` with the largest weight times mean activation, or all above
        `threshold` times the largest; channels that speak against a class are never among them.
        Raises ValueError for a class without any.
        """
        name = self._fitted.layer(layer).name
        return self._fitted.overlap(
            name, self._chosen(classes), top=None if threshold is not None else top,
            threshold=threshold, provenance=self._provenance("classes", name),
        )  # fmt: skip

    def portraits(
        self, channels: Sequence[int], layer: str | None = None, image: Any = None
    ) -> tuple[ChannelPortrait, ...]:
        """Return the strongest images of channels, and their maps on `image` if one is given."""
        name = self._fitted.layer(layer).name
        maps = None if image is None else self._look(image).activations(name)
        return tuple(
            self._fitted.portrait(name, k, None if maps is None else maps[k]) for k in channels
        )

    def _chosen(self, classes: Sequence[Class] | None) -> list[int]:
        if classes is None:
            return list(range(len(self.classes_)))
        if isinstance(classes, str) or not len(classes):
            raise ValueError(
                f"got classes={classes!r}; expected a list of at least one name or index; see"
                " chip.classes_"
            )
        return [self._fitted.index(c) for c in dict.fromkeys(classes)]

    # images

    def explain(self, image: Any, target: Class | None = None, layer: str | None = None) -> HeatMap:
        """Return where channels that matter for a class fire in an image (Eq. 10).

        Default target: the strongest class; default layer: the deepest. Raises ValueError where no
        channel is important, naming a sparsity at which some are, and without a network.
        """
        return self._map("CHIP", self._look(image), target, layer)

    def refine(self, image: Any, target: Class | None = None) -> HeatMap:
        """Return the product of the first and last fitted layers' heatmaps at image size."""
        return self._map("Refined CHIP", self._look(image), target, None)

    def guide(self, image: Any, target: Class | None = None, layer: str | None = None) -> HeatMap:
        """Return a heatmap times guided backpropagation, at image size, with its picture."""
        return self._map("Guided CHIP", self._look(image), target, layer)

    def localize(
        self,
        image: Any,
        target: Class | None = None,
        threshold: float | None = None,
        *,
        layer: str | None = None,
        truth: Truth | None = None,
    ) -> Localization:
        """Return the largest connected part of the heatmap above `threshold` times its maximum.

        The default threshold is what `calibrate` found, 0.2 before. `truth` is a box `(x0, y0, x1,
        y1)` or a mask `(H, W)` in pixels of what the network saw, to measure the IoU with.
        """
        fraction = self.threshold_ if threshold is None else threshold
        return located(self.explain(image, target, layer), float(fraction), truth)

    def calibrate(
        self, examples: Iterable[tuple[Any, Class, Truth]], *, layer: str | None = None
    ) -> float:
        """Find the threshold whose regions agree best with known boxes or masks, and keep it.

        `examples` are `(image, target, truth)` with the truth in pixels of what the network saw.
        """
        pairs = [(self.explain(image, c, layer), truth) for image, c, truth in examples]
        size = pairs[0][0].image.shape[:2] if pairs else (1, 1)
        maps, truths = [h.values for h, _ in pairs], [t for _, t in pairs]
        self.threshold_ = best_threshold(maps, truths, (size[0], size[1]))
        return self.threshold_

    def heatmaps(
        self,
        image: Any,
        targets: Sequence[Class] | None = None,
        *,
        layers: Sequence[str] | None = None,
        methods: Sequence[str] = ("CHIP",),
        localize: bool = False,
        stopped: Stop | None = None,
    ) -> HeatMapSheet:
        """Return heatmaps of one image: classes, layers and methods side by side (Fig. 3-8).

        Default: the strongest class, all fitted layers. `stopped` is asked before each map; once it
        says yes, what has been drawn is returned.
        """
        looked = self._look(image)
        names = [self._fitted.layer(n).name for n in layers or [n.name for n in self.layers_]]
        maps = []
        for method, target, layer in self._cells(looked, targets, names, methods):
            if stopped is not None and stopped():
                break
            maps.append(self._map(method, looked, target, layer))
        return HeatMapSheet(
            image=looked.image, predictions=looked.predictions(),
            layers=tuple(self._fitted.layer(n) for n in names), maps=tuple(maps),
            provenance=self._provenance("heatmaps", ""),
            localizations=tuple(located(m, self.threshold_) for m in maps) if localize else (),
        )  # fmt: skip

    def _cells(
        self,
        looked: Looked,
        targets: Sequence[Class] | None,
        layers: Sequence[str],
        methods: Sequence[str],
    ) -> Iterator[tuple[str, int, str]]:
        classes = [looked.index_of(None)] if targets is None else self._chosen(targets)
        for method, target in product(methods, classes):
            for layer in layers[:1] if method in OF_THE_IMAGE else layers:
                yield method, target, layer

    def _map(self, method: str, looked: Looked, target: Class | None, layer: str | None) -> HeatMap:
        if method not in DRAWINGS:
            raise ValueError(
                f"got the method {method!r}; expected one of {', '.join(DRAWINGS)}; the nearest is"
                f" {nearest(method, DRAWINGS)}"
            )
        name = self._fitted.layer(layer).name
        index = looked.index_of(None) if target is None else self._fitted.index(target)
        drawn = DRAWINGS[method](looked, self._fitted, name, index)
        return HeatMap(
            values=drawn.values, layer=drawn.layer, target=self.classes_[index], method=method,
            image=looked.image, index=index, picture=drawn.picture, notes=drawn.notes,
            provenance=self._provenance(self.classes_[index], drawn.layer, method),
        )  # fmt: skip

    def _look(self, image: Any) -> Looked:
        if self.classifier_ is None:
            raise ValueError(
                "this Chip was loaded without its network; one was expected to explain an image;"
                " open it with Chip.load(path, model), or chip.on(model)"
            )
        if self._probe is None:
            self._probe = Probe(self.classifier_)
        prepared = self.classifier_.prepare(image)
        if self._last is None or not torch.equal(self._last.prepared.x, prepared.x):
            self._last = Looked(self._probe, prepared, [n.name for n in self.layers_])
        return self._last

    def _provenance(self, target: str, layer: str, method: str = "CHIP") -> Provenance:
        origin = self._fitted.gathered.origin
        settings = {n: getattr(self, n) for n in _SETTINGS if n not in ("layers", "seed", "memory")}
        return Provenance(
            method=method, model=origin.model, target=target, seed=self.seed, versions=versions(),
            settings={**settings, "layer": layer, "images": self.images_},
        )  # fmt: skip


_SETTINGS = ("layers", "gates_per_image", "sparsity", "score", "weighting", "seed", "memory")


def _check_network(gathered: Gathered, classifier: Classifier) -> None:
    network = fingerprint(classifier.model)
    gathered.check_same(replace(gathered.origin, network=network))


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
