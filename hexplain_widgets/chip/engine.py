"""CHIP: which channels of a layer matter for a class, over a whole data set."""

from __future__ import annotations

import copy
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import Dataset, Subset

from ..arguments import SlowBar, Stop, at_least_one, counted, never, positive, settled
from ..data.samples import batches, length_of, prepared_of
from ..evidence import (
    ChannelImportance,
    ChannelOverlap,
    ChannelPortrait,
    ClassHeatMaps,
    Faithfulness,
    HeatMap,
    HeatMapSheet,
    Layer,
    Localization,
    Prediction,
    Provenance,
)
from ..evidence.faithfulness import faithfulness
from ..fitting.engine import BaseEngine
from ..fitting.passes import until_stopped
from ..network.classifier import Classifier, PreparedImage
from ..network.localize import Truth, best_threshold, heat_region
from ..network.probed_image import ImageProbe, ProbedImage
from ..provenance import versions
from ..solvers.moments import Weighting
from .heatmaps import (
    DRAWINGS,
    HeatMapRequest,
    faithfulness_of,
    heatmap_of,
    localization_of,
    requests_of,
)
from .importance import Class, Importance, checked_sparsity
from .statistics import GatingPlan, ResponseStatistics, Score

METHODS = tuple(DRAWINGS)
THRESHOLD = 0.2  # of a map's maximum, until a calibration set has found a better one
GIBIBYTE = 2**30
_NOT_SAID = ("layers", "seed", "memory")


def class_agreement(
    gaze: ImageProbe,
    importance: Importance,
    data: Any,
    target: int,
    layer: str,
    *,
    images: int,
    stopped: Stop,
) -> Faithfulness:
    """Return how far a class's importances agree with its logit's mean drops without channels.

    An importance is a weight times the channel's mean activation. Drops are those in the first
    `images` images of the class. Raises ValueError where the data have none, CancelledError where
    `stopped` says yes.
    """
    start = time.perf_counter()
    some = islice(_of_the_class(data, target, gaze.classifier, stopped), images)
    drops = []
    with SlowBar(f"CHIP: {importance.classes[target]} without each channel", images) as bar:
        for x in some:
            drops.append(gaze.at(x).drops(layer, target))
            bar.update()
    if not drops:
        raise ValueError(
            f"got data without an image of {importance.classes[target]!r}; expected labelled images"
            f" with some of the class (label {target}); pass the data that the Chip was fitted on"
        )
    weighted = importance.weights(layer, [target])[0] * importance.statistics.means(layer)
    seconds = time.perf_counter() - start
    return faithfulness(weighted, np.mean(drops, axis=0), images=len(drops), seconds=seconds)


def _of_the_class(
    data: Any, target: int, classifier: Classifier, stopped: Stop
) -> Iterator[Tensor]:
    for batch in batches(_narrowed(data, target), classifier, size=1):
        if stopped():
            raise CancelledError
        if target in (batch.samples[0].labels or ()):
            yield batch.x


def _sheet_images(
    data: Any, classifier: Classifier, target: int | None, most: int
) -> tuple[list[tuple[int, PreparedImage]], list[str]]:
    """Return the first images, of labelled ones those of a class, with their places; and notes."""
    chosen: list[tuple[int, PreparedImage]] = []
    others = 0
    for place, batch in enumerate(batches(data, classifier, size=1)):
        labels = batch.samples[0].labels
        if target is not None and labels is not None and target not in labels:
            others += 1
        elif len(chosen) == most:
            more = f"The first {most} images are shown, and there are more (most=)."
            return chosen, [*_passed_over(others), more]
        else:
            chosen.append((place, prepared_of(batch, classifier)))
    if not chosen:
        raise ValueError(
            f"got no image{' of the class' if others else ''} ({others} of other classes); expected"
            " at least one; pass images of the class, or leave their labels out"
        )
    return chosen, _passed_over(others)


def _passed_over(others: int) -> list[str]:
    are = "is" if others == 1 else "are"
    return [f"{counted(others, 'image')} with another label {are} not shown."] if others else []


def _named_most(images: Sequence[PreparedImage], classifier: Classifier) -> int:
    """Return the class that most images are named, of several the first."""
    named = [int(classifier.logits(image.x)[0].argmax()) for image in images]
    return max(sorted(set(named)), key=named.count)


def _narrowed(data: Any, target: int) -> Any:
    """The images of a class alone, where a data set tells labels without opening images."""
    labels = getattr(data, "targets", None)
    if not isinstance(data, Dataset) or labels is None or np.ndim(labels[0]):
        return data
    return Subset(data, [i for i, label in enumerate(labels) if int(label) == target])


class Chip(BaseEngine[ResponseStatistics]):
    """The importance of channels for classes, learned by closing channels at random.

    `layers` are named in any order (default: one per stage). `gates_per_image` gates are drawn for
    every image and layer: 100 of them at the last layer of MobileNetV2 take 0.2 s of a core, at
    all stages 10 s an image, for a gate runs all that lies behind it. `sparsity` is the penalty as
    a fraction of the smallest that zeroes everything. `sigma` is that of Eq. 7 over the root of the
    layer's number of channels. In a heatmap, each place counts as far as the class holds it against
    the image's `rivals` strongest other classes; 0 is Eq. 10 as printed, the plain sum.
    `score` is what the network's answer is measured by, `weighting` `"loyal"` (Eq. 11) or `"equal"`
    (all images count alike for every class). `intercept` fits a constant beside the weights, which
    Eq. 11 does not have. `memory` bounds the bytes of a layer's matrices.

    Of these, what is left out is that of `settings` (`hx.settings`): "default", which located best
    on three networks, or "paper": `gates_per_image=100, score="probability", weighting="loyal",
    intercept=False, rivals=0`, and, where the paper prints no number, `sparsity=0.01, sigma=0.75`.
    Raises ValueError for settings out of range.
    """

    STATISTICS = ResponseStatistics
    SETTINGS = (
        "layers",
        "gates_per_image",
        "settings",
        "sparsity",
        "sigma",
        "intercept",
        "rivals",
        "score",
        "weighting",
        "seed",
        "memory",
    )
    LATER = ("settings", "sigma", "intercept")
    LEARNED = MappingProxyType({"threshold": "threshold_"})

    def __init__(
        self,
        *,
        settings: str = "default",
        layers: Collection[str] | None = None,
        gates_per_image: int | None = None,
        sparsity: float | None = None,
        sigma: float | None = None,
        intercept: bool | None = None,
        rivals: int | None = None,
        score: Score | None = None,
        weighting: Weighting | None = None,
        seed: int = 0,
        memory: int = 2 * GIBIBYTE,
    ) -> None:
        used = settled("Chip", settings, locals())
        named = (layers,) if isinstance(layers, str) else layers
        self.settings = settings
        self.layers = None if named is None else tuple(named)
        self.gates_per_image: int = used["gates_per_image"]
        self.sparsity = checked_sparsity(used["sparsity"])
        self.sigma = positive("sigma", used["sigma"])
        self.intercept = bool(used["intercept"])
        self.rivals = _checked_rivals(used["rivals"])
        self.score: Score = used["score"]
        self.weighting: Weighting = used["weighting"]
        self.seed = seed
        self.memory = memory
        self.threshold_ = THRESHOLD
        self._plan()
        super().__init__()

    def __repr__(self) -> str:
        seen = "" if self._statistics is None else f", {counted(self._statistics.images, 'image')}"
        return self._called(f"sparsity={self.sparsity:g}, {self.weighting} {self.score}", seen)

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
        plan, guest = self._plan(), Classifier.of(classifier)
        before = self._going_on(plan, guest, checkpoint) if resume else None
        self._go_through(
            data, plan, guest, before, checkpoint=checkpoint, client=client, progress=progress
        )
        return self

    def _plan(self) -> GatingPlan:
        return GatingPlan(
            self.layers,
            self.gates_per_image,
            self.score,
            self.weighting,
            self.sigma,
            self.seed,
            self.memory,
        )

    def _begin(self, statistics: ResponseStatistics | None) -> None:
        super()._begin(statistics)
        self._solution: Importance | None = None
        self._gaze: ImageProbe | None = None

    @property
    def _importance(self) -> Importance:
        if self._solution is None:
            self._solution = Importance(self._fitted, self.sparsity, intercept=self.intercept)
        return self._solution

    @property
    def layers_(self) -> tuple[Layer, ...]:
        """The fitted layers, deepest first."""
        return self._importance.layers

    @property
    def classes_(self) -> tuple[str, ...]:
        """The names of all classes, by index."""
        return self._importance.classes

    def refit(self, *, sparsity: float) -> Chip:
        """Return a Chip of another sparsity on the same statistics, without the network."""
        other = copy.copy(self)
        other.sparsity = checked_sparsity(sparsity)
        other._solution = self._importance.at(sparsity)
        return other

    def merge(self, other: Chip) -> Chip:
        """Return a Chip fitted on both data sets, in whatever order.

        Raises ValueError where networks (by the hash of their weights), layers, score or weighting
        differ.
        """
        return self._merged(other)

    def save(self, path: str | Path) -> Path:
        """Write statistics and settings to a file; return its path. Raises OSError on failure."""
        return self._fitted.save(path, self._settings())

    @classmethod
    def load(cls, path: str | Path, model: nn.Module | Classifier | None = None) -> Chip:
        """Return a saved Chip; with the network it was fitted on, it explains images again.

        Raises FileNotFoundError, and ValueError for a damaged file or another network.
        """
        return cls._loaded(path, model)

    def on(self, model: nn.Module | Classifier) -> Chip:
        """Return this Chip with a network to explain images with; raises ValueError for another."""
        chip = self._on(model)
        chip._gaze = None
        return chip

    # importance

    def importance(self, layer: str | None = None) -> Float[np.ndarray, "c k"]:
        """Return the weight of every channel of a layer (default: the deepest) for every class.

        In score per unit of the channel's spatial mean (Eq. 11). Raises ValueError for a layer that
        was not fitted.
        """
        name = self._importance.layer(layer).name
        return self._importance.weights(name, range(len(self.classes_)))

    def penalties(self, layer: str | None = None) -> Float[np.ndarray, " c"]:
        """Return lambda of Eq. 11 for every class, which `sparsity` makes, at a fitted layer.

        Raises ValueError for a layer that was not fitted.
        """
        return self._importance.penalties(self._importance.layer(layer).name)

    def matrix(
        self, classes: Sequence[Class] | None = None, layer: str | None = None
    ) -> ChannelImportance:
        """Return the importance of channels for classes (Fig. 9), with fit and doubts."""
        name = self._importance.layer(layer).name
        importance = self._importance
        matrix = importance.matrix(name, importance.chosen(classes), self._provenance())
        return replace(matrix, notes=self._said)

    def frequent(self, count: int) -> tuple[int, ...]:
        """Return the indices of the classes most often labelled or predicted in the data, sorted.

        Of several as frequent the first are taken; raises ValueError for a count below 1.
        """
        seen = self._fitted.labelled + self._fitted.predicted
        most = np.argsort(-seen, kind="stable")[: at_least_one("count", count)]
        return tuple(sorted(map(int, most)))

    def overlap(
        self,
        classes: Sequence[Class],
        top: int | None = 10,
        threshold: float | None = None,
        layer: str | None = None,
    ) -> ChannelOverlap:
        """Return which important channels classes share (Fig. 10).

        Of each class the `top` with the largest weight times mean activation, or all above
        `threshold` times the largest; channels that speak against a class are never among them. A
        sparser fit (0.1) tells classes apart best. Raises ValueError for a class without any.
        """
        name = self._importance.layer(layer).name
        shared = self._importance.overlap(
            name,
            self._importance.chosen(classes),
            top=None if threshold is not None else top,
            threshold=threshold,
            provenance=self._provenance(),
        )
        return replace(shared, notes=(*self._said, *shared.notes))

    def portraits(
        self, channels: Sequence[int], layer: str | None = None, image: Any = None
    ) -> tuple[ChannelPortrait, ...]:
        """Return the strongest images of channels, and their maps on `image` if one is given."""
        name = self._importance.layer(layer).name
        maps = None if image is None else self._look(image).activations(name)
        return tuple(
            self._importance.portrait(name, k, None if maps is None else maps[k]) for k in channels
        )

    # images

    def explain(self, image: Any, target: Class | None = None, layer: str | None = None) -> HeatMap:
        """Return where channels that matter for a class fire in an image (Eq. 10), signed.

        Default target: the strongest class; default layer: the deepest. Raises ValueError where no
        channel is important, naming a sparsity at which some are, and without a network.
        """
        return self._draw("CHIP", image, target, layer)

    def refine(self, image: Any, target: Class | None = None) -> HeatMap:
        """Return the product of the first and last fitted layers' heatmaps at image size."""
        return self._draw("Refined CHIP", image, target, None)

    def guide(self, image: Any, target: Class | None = None, layer: str | None = None) -> HeatMap:
        """Return a heatmap times guided backpropagation, at image size, with its picture."""
        return self._draw("Guided CHIP", image, target, layer)

    def faithfulness(
        self,
        image: Any,
        target: Class | None = None,
        layer: str | None = None,
        *,
        method: str = "CHIP",
        rivals: int | None = None,
    ) -> Faithfulness:
        """Return how far what channels add to a heatmap agrees with what the class's logit loses.

        Of "CHIP" or "Grad-CAM": the other methods do not sum channels. `rivals` are those of the
        map (default: of this Chip, as in `explain`). Raises like `explain`.
        """
        return faithfulness_of(method, self._ask(self._look(image), target, layer, rivals))

    def agreement(
        self,
        target: Class,
        data: Any,
        layer: str | None = None,
        *,
        images: int = 8,
        stopped: Stop | None = None,
    ) -> Faithfulness:
        """Return how far a class's importances agree with what its logit loses without channels.

        In the mean over its first `images` images in labelled `data`. Raises ValueError where there
        is none, CancelledError once `stopped` says yes.
        """
        known, name = self._importance, self._importance.layer(layer).name
        return class_agreement(
            self._looking(),
            known,
            data,
            known.index(target),
            name,
            images=at_least_one("images", images),
            stopped=stopped or never,
        )

    def _draw(self, method: str, image: Any, target: Class | None, layer: str | None) -> HeatMap:
        asked = self._ask(self._look(image), target, layer)
        return self._said_of(heatmap_of(method, asked, self._provenance()))

    def _said_of(self, heat: HeatMap) -> HeatMap:
        """Return a map that says with which settings it was found."""
        if "CHIP" not in heat.method:
            return heat
        return replace(heat, notes=(*heat.notes, *self._notes_on_settings))

    def _ask(
        self,
        looked: ProbedImage,
        target: Class | None,
        layer: str | None,
        rivals: int | None = None,
    ) -> HeatMapRequest:
        index = looked.index_of(None) if target is None else self._importance.index(target)
        against = self.rivals if rivals is None else _checked_rivals(rivals)
        name = self._importance.layer(layer).name
        return HeatMapRequest(looked, self._importance, name, index, against)

    def localize(
        self,
        image: Any,
        target: Class | None = None,
        threshold: float | None = None,
        *,
        layer: str | None = None,
        truth: Truth | None = None,
        method: str = "CHIP",
        rivals: int = 0,
    ) -> Localization:
        """Return the largest connected part of a heatmap above `threshold` times its maximum.

        Of the plain sum, which finds outlines best; with `rivals` (`chip.rivals`) of the map that
        `explain` draws. The default threshold is what `calibrate` found, 0.2 before. `truth` is a
        box `(x0, y0, x1, y1)` or a mask `(H, W)` in pixels of what the network saw, to measure the
        IoU with. `method` is one of those of `heatmaps`, in words such as "refined", "guided" or
        "gradcam", too; their best thresholds differ (`hx.measure_localization` finds each). Raises
        like `explain`.
        """
        fraction = float(self.threshold_ if threshold is None else threshold)
        asked = self._ask(self._look(image), target, layer, rivals)
        return localization_of(method, asked, self._provenance(), threshold=fraction, truth=truth)

    def saliency(
        self,
        image: Any,
        target: Class | None = None,
        *,
        layer: str | None = None,
        method: str = "CHIP",
        rivals: int = 0,
    ) -> HeatMap:
        """Return the map that `localize` takes its region from (sec. III-B).

        `method`, `rivals` and errors are those of `localize`.
        """
        asked = self._ask(self._look(image), target, layer, rivals)
        return self._said_of(heatmap_of(method, asked, self._provenance()))

    def calibrate(
        self,
        examples: Iterable[tuple[Any, Class, Truth]],
        *,
        layer: str | None = None,
        method: str = "CHIP",
        rivals: int = 0,
    ) -> float:
        """Find the threshold whose regions agree best with known boxes or masks, and keep it.

        `examples` are `(image, target, truth)` with the truth in pixels of what the network saw;
        `method` and `rivals` are those of `localize` whose threshold is looked for.
        """
        maps, truths, size = [], [], (1, 1)
        with SlowBar("CHIP: maps to calibrate with", length_of(examples), "map") as bar:
            for image, target, truth in examples:
                heat = self.saliency(image, target, layer=layer, method=method, rivals=rivals)
                maps.append(heat.values)
                truths.append(truth)
                size = heat.image.shape[0], heat.image.shape[1]
                bar.update()
        self.threshold_ = best_threshold(maps, truths, size)
        return self.threshold_

    def heatmaps(
        self,
        image: Any,
        targets: Sequence[Class] | None = None,
        *,
        layers: Sequence[str] | None = None,
        methods: Sequence[str] = ("CHIP",),
        localize: bool = False,
        rivals: int | None = None,
        stopped: Stop | None = None,
    ) -> HeatMapSheet:
        """Return heatmaps of one image: classes, layers and methods side by side (Fig. 3-8).

        Default: the strongest class, all fitted layers, the `rivals` of this Chip. `localize` adds
        the box of each map. `stopped` is asked before each map; once it says yes, what has been
        drawn is returned.
        """
        looked, provenance = self._look(image), self._provenance()
        chosen = [self._importance.layer(n) for n in layers or [n.name for n in self.layers_]]
        classes = [looked.index_of(None)] if targets is None else self._importance.chosen(targets)
        maps, boxes = [], []
        ask, names = partial(self._ask, looked, rivals=rivals), [layer.name for layer in chosen]
        total = len(methods) * len(classes) * len(chosen)
        bar = SlowBar("CHIP: heatmaps", total, "map")
        with self._importance.until(stopped or never), suppress(CancelledError), bar:
            for method, asked in requests_of(methods, classes, names, ask, stopped):
                bar.update()
                one = self._said_of(heatmap_of(method, asked, provenance))
                maps.append(one)
                if localize:
                    size, at = looked.size, self.threshold_
                    boxes.append(heat_region(one, one.values, size, at, None))
        return HeatMapSheet(
            image=looked.image,
            predictions=looked.predictions(),
            layers=tuple(chosen),
            maps=tuple(maps),
            provenance=provenance,
            localizations=tuple(boxes),
        )

    def class_heatmaps(
        self,
        images: Any,
        target: Class | None = None,
        layer: str | None = None,
        *,
        method: str = "CHIP",
        most: int = 60,
        rivals: int | None = None,
        progress: bool = True,
        stopped: Stop | None = None,
    ) -> ClassHeatMaps:
        """Return where a class is in each of many images: a map of one layer and method each.

        `images` are any data, of which the first `most` are taken; where they have labels, those of
        the class. Default target: what the network names most of them; default layer: the deepest;
        default `rivals`: those of this Chip. An interrupt, or `stopped` saying so, ends it after
        the maps so far. Raises like `explain`, and ValueError where there is no image.
        """
        asked = None if target is None else self._importance.index(target)
        chosen, notes = _sheet_images(images, self._network, asked, at_least_one("most", most))
        index = _named_most([one for _, one in chosen], self._network) if asked is None else asked
        name, provenance = self._importance.layer(layer).name, self._provenance()
        bar = SlowBar("CHIP: heatmaps of images", len(chosen), shown=progress)

        def drawn() -> Iterator[tuple[int, HeatMap, Prediction, float]]:
            for place, image in chosen:
                looked = self._look(image)
                request = self._ask(looked, index, name, rivals)
                yield place, heatmap_of(method, request, provenance), *looked.ranked_with(index)
                bar.update()

        with self._importance.until(stopped or never), bar:
            rows = list(until_stopped(drawn(), stopped, notes))
        places, maps, first, likely = zip(*rows, strict=True)
        return ClassHeatMaps(
            target=self.classes_[index],
            index=index,
            layer=maps[0].layer,
            method=maps[0].method,
            maps=maps,
            places=np.array(places),
            predictions=first,
            probabilities=np.array(likely),
            provenance=provenance,
            notes=(*self._network.score_notes, *notes),
        )

    def _look(self, image: Any) -> ProbedImage:
        return self._looking().at(image)

    def _looking(self) -> ImageProbe:
        network = self._network
        if self._gaze is None:
            self._gaze = ImageProbe(network, [n.name for n in self.layers_])
        return self._gaze

    def _provenance(self) -> Provenance:
        settings = {n: getattr(self, n) for n in self.SETTINGS if n not in _NOT_SAID}
        return Provenance(
            method="CHIP",
            model=self._fitted.scope.model,
            target="all classes",
            seed=self.seed,
            versions=versions(),
            settings={**settings, "settings": self.settings_, "images": self.images_},
        )


def _checked_rivals(rivals: int) -> int:
    """Return a number of rivals if it is 0 or more; raises ValueError."""
    if rivals < 0:
        raise ValueError(
            f"got rivals={rivals}; expected 0 or more of the image's other classes; 0 draws"
            " Eq. 10 as printed, the default is 9"
        )
    return rivals
