"""What decisions rest on beside their object, and how far their channels belong to one class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..arguments import SlowBar, Stop, counted, nearest, one_of, plain
from ..data.concept_sets import ConceptSet, LabelledImage, concept_set, label_maps
from ..data.label_maps import Framing, nearest_label, shares, shifted_masks
from ..data.samples import Batch, Sample, batches, length_of
from ..decomposition.decisions import (
    Part,
    as_asked,
    checked_top_k,
    estimated,
    splits_of,
    strongest,
)
from ..evidence import ContextSummary, DegreeSummary, Layer, LayerDegrees, Provenance
from ..fitting.passes import until_stopped
from ..network.classifier import Classifier
from ..network.gating import drawing
from ..network.guest import visiting
from ..network.probe import Capture, Probe
from ..network.segments import Unit
from ..provenance import versions

# Shuffles of the images' classes over which the chance level is averaged.
SHUFFLES = 10
# Random places at which each map is put to know what chance gives.
DRAWS = 10
# What N_c of Eq. 13 counts: images that select a channel, or decisions in them that do.
COUNTED = ("images", "decisions")
Item = TypeVar("Item")
Counts = TypeVar("Counts")


def degrees(counts: Int[np.ndarray, "c k"]) -> Float[np.ndarray, " s"]:
    """Return D = max_c N_c / sum_c N_c of every channel that is selected at all (Eq. 13)."""
    some = counts[:, counts.sum(0) > 0]
    return some.max(0) / some.sum(0)


def shuffles(classes: Int[np.ndarray, " n"], seed: int) -> list[Int[np.ndarray, " n"]]:
    """Return the images' classes, `SHUFFLES` times dealt out anew between the images."""
    draw = np.random.default_rng(seed)
    return [draw.permutation(classes) for _ in range(SHUFFLES)]


def layer_degrees(
    layer: Layer,
    chosen: Sequence[Mapping[int, int]],
    classes: Int[np.ndarray, " n"],
    shuffled: Sequence[Int[np.ndarray, " n"]],
) -> LayerDegrees:
    """Return the degrees of a layer's channels, and what they are for shuffled classes.

    `chosen` says of each image how often it counts for which channel; `classes` run from 0.
    """
    shape = int(classes.max()) + 1, layer.shape[0]
    own = _class_counts(chosen, classes, shape)
    mine = degrees(own)
    if not len(mine):
        return LayerDegrees(layer, own, 0.0, 0.0, 0.0, 0.0)
    chance = np.array([degrees(_class_counts(chosen, other, shape)).mean() for other in shuffled])
    error = float(mine.std(ddof=1) / len(mine) ** 0.5) if len(mine) > 1 else 0.0
    return LayerDegrees(
        layer, own, float(mine.mean()), error, float(chance.mean()), float(chance.std())
    )


def _class_counts(
    chosen: Sequence[Mapping[int, int]], classes: Int[np.ndarray, " n"], shape: tuple[int, int]
) -> Int[np.ndarray, "c k"]:
    counts = np.zeros(shape, dtype=np.int64)
    for index, one in zip(classes.tolist(), chosen, strict=True):
        for channel, times in one.items():
            counts[index, channel] += times
    return counts


@dataclass(frozen=True)
class Selection:
    """The channels of one layer that the decisions above it select, decision by decision.

    A decision that several paths of the tree lead to is taken apart once; `paths` counts, for each
    of `parts`, how many lead there.
    """

    layer: Layer
    parts: tuple[Part, ...]
    paths: tuple[int, ...]

    @property
    def channels(self) -> frozenset[int]:
        """The channels that are selected at all."""
        return frozenset(part.unit.channel for part in self.parts)


def selections(
    probe: Probe, capture: Capture, index: int, top_k: int, *, merge_iou: float = 1.0
) -> Iterator[Selection]:
    """Yield what the decision for a class is made of at each captured layer, from the deepest down.

    Each decision selects its `top_k` channels of largest contribution (Eq. 4) and goes on from
    their peaks (Eq. 5). Maps that overlap are not merged unless `merge_iou` is below 1: merging is
    for pictures (sec. 4.1). Call it inside `guest.visiting`.
    """
    frontier, deep = {Unit(index, 0, 0): 1}, None
    for layer in capture.layers:
        selected = list(_selected(probe, capture, (layer.name, deep), frontier, top_k, merge_iou))
        parts, paths = tuple(part for part, _ in selected), tuple(count for _, count in selected)
        yield Selection(layer, parts, paths)
        frontier, deep = {}, layer.name
        for part, count in selected:
            frontier[part.unit] = frontier.get(part.unit, 0) + count


def _selected(
    probe: Probe,
    capture: Capture,
    names: tuple[str, str | None],
    frontier: dict[Unit, int],
    top_k: int,
    merge_iou: float,
) -> Iterator[tuple[Part, int]]:
    if not frontier:
        return
    segment = probe.segment(capture, *names)
    for decided in segment.decide(list(frontier)):
        decision = decided if names[1] else as_asked(decided, capture.logits[0])
        maps = decision.gradients * decision.activations
        weights = estimated(maps, segment.full[0] * segment.full[1])
        top, also = strongest(maps, weights.contributions, top_k, merge_iou)
        for unit, split in splits_of(decision, maps, weights, top, also).items():
            yield from ((part, frontier[unit]) for part in split.parts)


def binarised(part: Part, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Return where a channel's activation map has at least half of its maximum (sec. 4.1).

    `size` is the layer's, outside the window of the map nothing is. Nowhere where the map is not
    positive.
    """
    mask = np.zeros(size, dtype=bool)
    largest = float(part.patch.max())
    if largest > 0:
        (top, left), (h, w) = part.offset, part.patch.shape
        mask[top : top + h, left : left + w] = part.patch >= largest / 2
    return mask


@dataclass(frozen=True)
class _MapCounts:
    """What one image's maps lie on: how many on each label (0: on none), there and by chance.

    The image counts for the class `index`, and the network names it `named`.
    """

    index: int
    named: int
    labels: Int[np.ndarray, " n"]
    chance: Int[np.ndarray, " m"]
    present: Int[np.ndarray, " p"]


@dataclass(frozen=True, eq=False)
class _ImageDecisions:
    """An image inside the network, a class, and what the decision for it is made of, by layer.

    `chosen` is empty where the network speaks against every class.
    """

    capture: Capture
    index: int | None
    chosen: tuple[Selection, ...]


@dataclass(frozen=True)
class _SelectionCounts:
    """What one image's decisions select: by layer, how often each channel."""

    key: bytes
    index: int
    chosen: tuple[Counter[int], ...]


def measure_context(
    model: nn.Module | Classifier,
    images: Any,
    *,
    level: str,
    layer: str | None = None,
    target: int | str | None = None,
    top_k: int = 3,
    own: Mapping[int | str, str] | None = None,
    labels: Any = None,
    seed: int = 0,
    progress: bool = True,
    stopped: Stop | None = None,
) -> ContextSummary:
    """Return which labelled regions the maps of a network's decisions lie on (Fig. 13-14).

    `images` is a concept set that is labelled at `level`. An image counts for the class that it is
    labelled with: by `labels`, a mapping from the keys of items, or by the item's own `label` where
    it has one. Without a label it counts for `target`, or for the class that the network names.
    `target`, or else the class that an image counts for, is taken apart down to `layer` (default:
    the stage before the last, conv4_3 in VGG-16), each decision into its `top_k` channels. Every
    activation map, at half of its maximum, is given the label of the region with the largest IoU. A
    label of the class's own name is its object, and the others its context; `own` says which label
    that is where the names differ. The paper leaves open at which threshold maps are binarised
    (half, as where they are merged) and what chance gives: the same maps at random places of the
    same images. An interrupt, or `stopped` saying so, ends it after the images seen so far. Raises
    TypeError for what is no concept set and labels without keys, ValueError for an unknown level,
    label or layer and where no image could be used, and what a Classifier raises.
    """
    data = _labelled_at(concept_set(images), level)
    measurement = _ContextPass(
        Classifier.of(model), data, level, layer, target, checked_top_k(top_k), seed, labels
    )
    owned = measurement.owned(own or {})
    notes: list[str] = []
    counts = list(until_stopped(measurement.each(progress), stopped, notes))
    return measurement.summary(counts, owned, notes)


def _labelled_at(data: ConceptSet, level: str) -> ConceptSet:
    if level not in data.levels:
        raise ValueError(
            f"got the level {level!r}, at which the concept set has no labels; expected one of"
            f" {', '.join(data.levels)}; the nearest is {nearest(level, data.levels)}"
        )
    return data


class ItemLabels:
    """The classes that the items of a concept set are labelled with.

    `given` has them by key, as names or indices; an item that is not there has its own `label`,
    if that is a class of the network. Raises what `Classifier.index_of` raises for what is none.
    """

    def __init__(self, classifier: Classifier, given: Any) -> None:
        if not isinstance(given, Mapping):
            raise TypeError(
                f"got labels={type(given).__name__}; expected a mapping from the keys of items to"
                " classes, as what cannot be read is passed over; give {item.key: class}"
            )
        self._classifier, self._count = classifier, classifier.class_count or 2**31
        self._given = {k: classifier.index_of(label, self._count) for k, label in given.items()}
        self._unmet = set(self._given)
        self._foreign = 0

    def of(self, sample: Sample) -> int | None:
        """Return the class of an item, None where it has none."""
        key = sample.item.key
        self._unmet.discard(key)
        return self._given[key] if key in self._given else self._own(sample.item)

    def _own(self, item: LabelledImage) -> int | None:
        label = getattr(item, "label", None)
        if label is None:
            return None
        try:
            return self._classifier.index_of(label, self._count)
        except (ValueError, IndexError, TypeError):
            self._foreign += 1
            return None

    def notes(self) -> Iterator[str]:
        """Say which labels were of no use."""
        if self._unmet:
            first = min(map(str, self._unmet))
            yield f"{len(self._unmet)} of the labels given belong to no image, as {first!r}."
        if self._foreign:
            yield f"The label of {self._foreign} images is no class of the network."


def _each(
    what: str,
    images: Any,
    classifier: Classifier,
    counts_of: Callable[[Batch], Counts | None],
    progress: bool,
) -> Iterator[Counts]:
    """Yield what is counted of every image, where there is anything, beside a bar."""
    with SlowBar(what, length_of(images), shown=progress) as bar:
        for batch in batches(images, classifier, size=1):
            counts = counts_of(batch)
            if counts is not None:
                yield counts
            bar.update()


class _DecisionPass:
    """Takes the decisions of one network apart, image after image."""

    def __init__(
        self,
        classifier: Classifier,
        target: int | str | None,
        top_k: int,
        seed: int,
        labels: Any,
    ) -> None:
        self.classifier, self.target, self.top_k, self.seed = classifier, target, top_k, seed
        self.labels = ItemLabels(classifier, {} if labels is None else labels)
        self.probe = Probe(classifier)
        self.left_out: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self.pictures: list[tuple[str, ...]] = []
        self.layers: tuple[Layer, ...] = ()
        self._said: tuple[str, ...] = ()

    def _captured(self, batch: Batch, layers: Collection[str] | None) -> Capture:
        """Return one image inside the network, and keep what is to be said of it."""
        capture = self.probe.capture(batch.x, layers)
        self._keep(batch, capture)
        return capture

    def _keep(self, batch: Batch, capture: Capture) -> None:
        self.layers, self._said = capture.layers, capture.notes
        self.pictures.append(batch.samples[0].notes)

    def _index(self, capture: Capture, label: int | None = None) -> int | None:
        """Return the class that is taken apart, None where the network speaks against it.

        That is the one asked for, else that of the label, else the one that the network names.
        """
        logits = capture.logits[0]
        asked = label if self.target is None else self.target
        first = int(logits.argmax())
        index = first if asked is None else self.classifier.index_of(asked, len(logits))
        score, named = float(logits[index]), index == first
        if score > 0 or (named and score < 0):
            self.taken.update(("all", "named") if named else ("all",))
            return index
        self.left_out["its class has no positive logit, so that nothing speaks for it"] += 1
        return None

    def _notes(self, notes: Sequence[str]) -> tuple[str, ...]:
        omissions = (f"{counted(n, 'image')} left out: {why}." for why, n in self.left_out.items())
        said = dict.fromkeys((*self.classifier.notes, *self._said))
        tally = self._counting()
        return (*said, tally, *self.labels.notes(), *self._picture_notes(), *omissions, *notes)

    def _picture_notes(self) -> tuple[str, ...]:
        """Say what is unusual about pictures: of how many, and of the first of them."""
        unusual = [notes for notes in self.pictures if notes]
        if not unusual:
            return ()
        count = f"{len(unusual)} of {len(self.pictures)} images are unusual, the first so: "
        return (count + " ".join(unusual[0]),)

    def _counting(self) -> str:
        """Say what the images are counted for."""
        labelled, every, named = (self.taken[what] for what in ("labelled", "all", "named"))
        if labelled == every:
            return f"Every image counts for its label{self._asked_for()}."
        fallback = (
            "the class that the network names, whatever it shows."
            if self.target is None
            else f"{self.target}, whatever it shows: {named} of {every} are named so by the"
            " network."
        )
        if labelled:
            return (
                f"{labelled} of {every} images count for their label, the others, which have none,"
                f" for {fallback}"
            )
        return f"Every image counts for {fallback}"

    def _asked_for(self) -> str:
        if self.target is None:
            return ""
        return (
            f"; taken apart is what speaks for {self.target} in all of them, {self.taken['named']}"
            f" of {self.taken['all']} are named so by the network"
        )

    def _none_seen(self) -> ValueError:
        why = "; ".join(f"{n} left out: {why}" for why, n in self.left_out.items())
        return ValueError(
            f"got no image that could be taken apart{f' ({why})' if why else ''}; expected at least"
            " one; pass more images, and let the first one be finished"
        )

    def _provenance(self, method: str, settings: Mapping[str, Any]) -> Provenance:
        return Provenance(
            method=method,
            model=type(self.classifier.model).__name__,
            target="the class that each image is given"
            if self.target is None
            else str(self.target),
            settings={"top_k": self.top_k, **settings},
            seed=self.seed,
            versions=versions(),
        )


class _ContextPass(_DecisionPass):
    """Asks which labelled regions an image's maps lie on."""

    def __init__(
        self,
        classifier: Classifier,
        data: ConceptSet,
        level: str,
        layer: str | None,
        target: int | str | None,
        top_k: int,
        seed: int,
        labels: Any,
    ) -> None:
        super().__init__(classifier, target, top_k, seed, labels)
        self._data, self._level, self._name = data, level, layer
        self._names = tuple(data.names[level])
        self._framing = Framing(classifier)

    def owned(self, own: Mapping[int | str, str]) -> dict[int, int]:
        """Return the label of each class that was given one; raises for unknown names."""
        count = len(self.classifier.classes or ()) or 2**31
        for label in own.values():
            one_of("own", label, self._names[1:])
        return {
            self.classifier.index_of(name, count): self._names.index(label)
            for name, label in own.items()
        }

    def each(self, progress: bool) -> Iterator[_MapCounts]:
        """Return what every image shows that is labelled and has a decision to take apart."""
        what = f"context: what maps lie on ({self._level})"
        return _each(what, self._data, self.classifier, self._counts_of, progress)

    def _counts_of(self, batch: Batch) -> _MapCounts | None:
        maps = self._maps_of(batch)
        if not maps:
            return None
        return self._counts_on(batch, maps, self._captured(batch, self._down(batch.x)), {})

    def counts_within(self, batch: Batch, whole: _ImageDecisions) -> _MapCounts | None:
        """Return what an image shows that was taken apart for its named class through all stages.

        Where the layer that was asked for is none of them, it is taken apart by itself.
        """
        stages = [one.name for one in whole.capture.layers]
        if self._name is not None and self._name not in stages:
            return self._counts_of(batch)
        maps = self._maps_of(batch)
        if not maps:
            return None
        depth = stages.index(self._name or stages[min(1, len(stages) - 1)]) + 1
        layers = whole.capture.layers[:depth]
        capture = replace(whole.capture, layers=layers, notes=self.probe.notes(batch.x, layers))
        self._keep(batch, capture)
        known = {} if whole.index is None else {whole.index: whole.chosen[depth - 1]}
        return self._counts_on(batch, maps, capture, known)

    def _maps_of(self, batch: Batch) -> Sequence[Int[np.ndarray, "_ _"]]:
        maps = label_maps(batch.samples[0].item, self._level, self._names)
        if not maps:
            self.left_out[f"not labelled at the level {self._level}"] += 1
        return maps

    def _last(self, capture: Capture, index: int) -> Selection:
        """Return what the decision for a class is made of at the shallowest layer."""
        with visiting(self.classifier.model):
            *_, last = selections(self.probe, capture, index, self.top_k)
        return last

    def _counts_on(
        self,
        batch: Batch,
        maps: Sequence[Int[np.ndarray, "_ _"]],
        capture: Capture,
        known: Mapping[int, Selection],
    ) -> _MapCounts | None:
        """Count the maps of an image; `known` are decisions that were taken apart before."""
        (sample,) = batch.samples
        label, named = self.labels.of(sample), int(capture.logits[0].argmax())
        index = self._index(capture, label)
        if index is None:
            return None
        self.taken["labelled"] += label is not None
        last = known[index] if index in known else self._last(capture, index)
        size = (last.layer.shape[1], last.layer.shape[2])
        masks = np.array([binarised(part, size) for part in last.parts]).reshape(-1, *size)
        regions = shares(maps, size, window=self._framing.of(sample.item.image))
        draw = drawing(sample.key, "context", self.seed)
        return _MapCounts(
            index if label is None else label,
            named,
            nearest_label(masks, regions),
            nearest_label(shifted_masks(masks, draw, DRAWS), regions),
            regions.labels[regions.values.any((1, 2))],
        )

    def _down(self, x: Float[Tensor, "1 c h w"]) -> list[str]:
        """Return the layers that decisions are taken down through, the one asked for last."""
        if not self.layers:
            stages = [one.name for one in self.probe.capture(x).layers]
            last = self._name or stages[min(1, len(stages) - 1)]
            order = [one.name for one in self.probe.capture(x, [*stages, last]).layers]
            return order[: order.index(last) + 1]
        return [one.name for one in self.layers]

    def summary(
        self, images: Sequence[_MapCounts], owned: Mapping[int, int], notes: Sequence[str]
    ) -> ContextSummary:
        """Return what all images gave, class by class."""
        if not images:
            raise self._none_seen()
        classes = sorted({one.index for one in images})
        count, named = len(self._names), sorted({one.named for one in images})
        rows = [[one for one in images if one.index == index] for index in classes]
        counts, chance = (
            np.array([_counts([getattr(one, side) for one in row], count) for row in rows])
            for side in ("labels", "chance")
        )
        present = np.array([_counts([one.present for one in row], count) for row in rows])
        return ContextSummary(
            level=self._level,
            layer=self.layers[-1],
            classes=tuple(self.classifier.name(index) for index in classes),
            labels=self._names[1:],
            images=np.array([len(row) for row in rows]),
            counts=counts[:, 1:],
            elsewhere=counts[:, 0],
            chance=chance[:, 1:] / DRAWS,
            present=present[:, 1:],
            own=np.array([self._own(index, owned) - 1 for index in classes]),
            named=tuple(self.classifier.name(index) for index in named),
            namings=np.array([[sum(one.named == n for one in row) for n in named] for row in rows]),
            provenance=self._provenance(
                "context of decisions", {"level": self._level, "layer": self.layers[-1].name}
            ),
            notes=self._notes((*notes, *self._skipped())),
        )

    def _skipped(self) -> tuple[str, ...]:
        count = len(self._data.skipped)
        return (f"{count} files could not be read.",) if count else ()

    def _own(self, index: int, owned: Mapping[int, int]) -> int:
        """Return the label of a class's own object, 0 where there is none."""
        labels = {plain(name): label for label, name in enumerate(self._names) if label}
        return owned.get(index, labels.get(plain(self.classifier.name(index)), 0))


def _counts(labels: Sequence[Int[np.ndarray, " _"]], count: int) -> Int[np.ndarray, " l"]:
    return np.bincount(np.concatenate(labels), minlength=count)


def discriminative_degrees(
    model: nn.Module | Classifier,
    images: Any,
    *,
    layers: Collection[str] | None = None,
    top_k: int = 3,
    counted: str = "images",
    labels: Any = None,
    seed: int = 0,
    progress: bool = True,
    stopped: Stop | None = None,
) -> DegreeSummary:
    """Return how far the channels that decisions select belong to single classes (Eq. 13).

    `images` is any data of images or `(image, label)`. Each image's named class is taken apart down
    through `layers` (default: all stages), each decision into its `top_k` channels; an image counts
    for its label, or for the class it is named where it has none; the labels of a concept set are
    found as in `measure_context`. D = max_c N_c / sum_c N_c of
    every channel that is selected at all, and its mean over them, stand beside what they are when
    the images' classes are shuffled. The paper leaves open whether a channel that several decisions
    of an image select counts once (`counted="images"`) or each time ("decisions"), and over which
    channels the mean goes. An interrupt, or `stopped` saying so, ends it after the images seen so
    far. Raises ValueError for settings out of range, an unknown layer and where no image could be
    used, and what a Classifier raises.
    """
    measurement = _DegreePass(
        Classifier.of(model), layers, checked_top_k(top_k), counted, seed, labels
    )
    notes: list[str] = []
    counts = list(until_stopped(measurement.each(images, progress), stopped, notes))
    return measurement.summary(counts, notes)


class _DegreePass(_DecisionPass):
    """Asks which channels the decisions of an image select, layer by layer."""

    def __init__(
        self,
        classifier: Classifier,
        names: Collection[str] | None,
        top_k: int,
        counted: str,
        seed: int,
        labels: Any,
    ) -> None:
        super().__init__(classifier, None, top_k, seed, labels)
        self._names, self._counted = names, one_of("counted", counted, COUNTED)

    def each(self, images: Any, progress: bool) -> Iterator[_SelectionCounts]:
        """Return what every image's decisions select."""
        what = "degrees: which classes select which channels"
        return _each(what, images, self.classifier, self._counts_of, progress)

    def _counts_of(self, batch: Batch) -> _SelectionCounts | None:
        return self.counts_within(batch, self.decisions_of(batch))

    def decisions_of(self, batch: Batch) -> _ImageDecisions:
        """Return an image taken apart for the class that it is named."""
        capture = self._captured(batch, self._names)
        index = self._index(capture)
        if index is None:
            return _ImageDecisions(capture, None, ())
        with visiting(self.classifier.model):
            chosen = tuple(selections(self.probe, capture, index, self.top_k))
        return _ImageDecisions(capture, index, chosen)

    def counts_within(self, batch: Batch, whole: _ImageDecisions) -> _SelectionCounts | None:
        """Return what the decisions of an image that was taken apart select."""
        if whole.index is None:
            return None
        (sample,) = batch.samples
        label = sample.label_for(whole.index) if sample.item is None else self.labels.of(sample)
        self.taken["labelled"] += label is not None
        index = whole.index if label is None else label
        return _SelectionCounts(sample.key, index, tuple(map(self._times, whole.chosen)))

    def _counting(self) -> str:
        said = super()._counting()
        return said if self.taken["labelled"] else f"The images have no label. {said}"

    def _times(self, selection: Selection) -> Counter[int]:
        times = Counter(part.unit.channel for part in selection.parts)
        return times if self._counted == "decisions" else Counter(times.keys())

    def summary(self, images: Sequence[_SelectionCounts], notes: Sequence[str]) -> DegreeSummary:
        """Return what all images gave, with what chance gives.

        Classes are shuffled between images in the order of their keys, not of the data.
        """
        if not images:
            raise self._none_seen()
        ordered = sorted(images, key=lambda one: one.key)
        classes, own = np.unique([one.index for one in ordered], return_inverse=True)
        shuffled = shuffles(own, self.seed)
        settings = {"counted": self._counted, "layers": tuple(one.name for one in self.layers)}
        return DegreeSummary(
            classes=tuple(self.classifier.name(int(index)) for index in classes),
            images=np.bincount(own),
            layers=tuple(
                layer_degrees(layer, [one.chosen[i] for one in ordered], own, shuffled)
                for i, layer in enumerate(self.layers)
            ),
            counted=self._counted,
            provenance=self._provenance("discriminative degree", settings),
            notes=self._notes(notes),
        )


def context_and_degrees(
    model: nn.Module | Classifier,
    images: Any,
    *,
    level: str,
    layer: str | None = None,
    target: int | str | None = None,
    top_k: int = 3,
    own: Mapping[int | str, str] | None = None,
    labels: Any = None,
    seed: int = 0,
    progress: bool = True,
    stopped: Stop | None = None,
) -> tuple[ContextSummary, DegreeSummary]:
    """Return what `measure_context` and `discriminative_degrees` do, each image taken apart once.

    Settings and errors are theirs.
    """
    classifier, top_k = Classifier.of(model), checked_top_k(top_k)
    data = _labelled_at(concept_set(images), level)
    context = _ContextPass(classifier, data, level, layer, target, top_k, seed, labels)
    degree = _DegreePass(classifier, None, top_k, "images", seed, labels)
    owned = context.owned(own or {})
    notes: list[str] = []
    pairs = list(until_stopped(_both(context, degree, data, progress), stopped, notes))
    return (
        context.summary([one for one, _ in pairs if one is not None], owned, notes),
        degree.summary([one for _, one in pairs if one is not None], notes),
    )


def _both(
    context: _ContextPass, degree: _DegreePass, data: ConceptSet, progress: bool
) -> Iterator[tuple[_MapCounts | None, _SelectionCounts | None]]:
    """Return what every image shows and selects that has a decision to take apart."""
    what = "context and degrees: what maps lie on, which classes select which channels"

    def counts_of(batch: Batch) -> tuple[_MapCounts | None, _SelectionCounts | None] | None:
        whole = degree.decisions_of(batch)
        both = context.counts_within(batch, whole), degree.counts_within(batch, whole)
        return both if any(one is not None for one in both) else None

    return _each(what, data, degree.classifier, counts_of, progress)
