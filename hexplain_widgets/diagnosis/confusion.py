"""Who is taken for whom, over labelled data, and which channels both classes rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from torch import nn

from ..arguments import SlowBar, Stop, at_least_one, counted
from ..data.samples import Batch, Sample, batches, is_shuffled, length_of, picture_of_sample
from ..evidence import ConfusionSummary, Provenance
from ..fitting.passes import batch_size, by_halves, until_stopped
from ..network.classifier import Classifier
from ..network.images import thumbnail
from ..provenance import versions

# Pixels a side of a picture, how many of a pair are kept, and how many at once while data pass.
SIDE, EXAMPLES, HELD = 72, 4, 1200
# Pairs of which channels are compared, and channels of which there are pictures.
COMPARED, PICTURED = 40, 60
Pair = tuple[int, int]


def measure_confusions(
    model: nn.Module | Classifier,
    data: Any,
    *,
    chip: Any = None,
    layer: str | None = None,
    top: int = 5,
    resume: ConfusionSummary | None = None,
    progress: bool = True,
    stopped: Stop | None = None,
) -> ConfusionSummary:
    """Return which classes a network takes for which others, over labelled images.

    `data` is any data of `(image, label)`, each with one class; images without a label are passed
    over and counted. It is gone through once, and kept are counts and some thumbnails. With a
    fitted `chip`, of the most frequent pairs the `top` channels of `layer` (default: the deepest
    fitted) are told that speak for both classes. An interrupt, or `stopped` saying so, ends it
    after the images seen so far; `resume` takes such a summary and goes on behind its images, in
    data of the same order. Raises ValueError for labels of several classes, networks that find any
    number of classes in an image, data without a label, and for a `chip` of other classes.
    """
    classifier = Classifier.of(model)
    confusions = _ConfusionPass(classifier, _resumed(resume, data))
    notes: list[str] = []
    for sample, named in until_stopped(confusions.each(data, progress), stopped, notes):
        confusions.add(sample, named)
    summary = confusions.summary(notes)
    return (
        summary if chip is None else _with_channels(summary, chip, layer, at_least_one("top", top))
    )


def _resumed(resume: ConfusionSummary | None, data: Any) -> ConfusionSummary | None:
    if resume is not None and is_shuffled(data):
        raise ValueError(
            "got resume= with data that are shuffled; expected the same order every time; pass"
            " DataLoader(..., shuffle=False), or begin anew without resume="
        )
    return resume


class _ConfusionPass:
    """Counts who is named what, image after image."""

    def __init__(self, classifier: Classifier, before: ConfusionSummary | None) -> None:
        self.classifier = classifier
        self.counts: Counter[Pair] = Counter()
        self.pictures: dict[Pair, list[tuple[int, UInt8[np.ndarray, "_ _ 3"]]]] = {}
        self.held, self.seen, self.unlabelled = 0, 0, 0
        if before is not None:
            self._take_up(before)

    def _take_up(self, before: ConfusionSummary) -> None:
        indices = before.indices.tolist()
        pairs = [(indices[label], indices[named]) for label, named in before.pairs.tolist()]
        self.counts.update(dict(zip(pairs, before.counts.tolist(), strict=True)))
        own = ((i, i) for i in indices)
        self.counts.update(dict(zip(own, before.right.tolist(), strict=True)))
        self.seen, self.unlabelled = before.seen, before.unlabelled
        kept = zip(before.pictured.tolist(), before.places.tolist(), before.thumbnails, strict=True)
        for pair, place, pixels in kept:
            self.pictures.setdefault(pairs[pair], []).append((place, pixels))
        self.held = len(before.thumbnails)

    def each(self, data: Any, progress: bool) -> Iterator[tuple[Sample, int]]:
        """Yield every image with the class that the network names."""
        size, total = batch_size(self.classifier), length_of(data)
        with SlowBar("confusions: what is named what", total, shown=progress) as bar:
            bar.update(self.seen)
            for batch in batches(data, self.classifier, size=size, skip=self.seen):
                classes = by_halves(self._named, lambda _, first, second: first + second, batch)
                for sample, named in zip(batch.samples, classes, strict=True):
                    yield sample, named
                    bar.update()

    def _named(self, batch: Batch) -> list[int]:
        logits = self.classifier.logits(batch.x)
        _check_one_class(self.classifier)
        return logits.argmax(1).tolist()

    def add(self, sample: Sample, named: int) -> None:
        """Count an image, and keep its picture where it is among the first of its pair."""
        label, place = _label_of(sample, self.classifier), self.seen
        self.seen += 1
        if label is None:
            self.unlabelled += 1
            return
        pair = label, named
        self.counts[pair] += 1
        if label != named and self.counts[pair] <= EXAMPLES:
            shown = picture_of_sample(sample, self.classifier)
            self.pictures.setdefault(pair, []).append((place, thumbnail(shown, SIDE)))
            self.held += 1
        if self.held > HELD:
            self._let_go()

    def _let_go(self) -> None:
        """Keep the pictures of the most frequent pairs alone."""
        ordered = sorted(self.pictures, key=lambda pair: (-self.counts[pair], pair))
        kept = ordered[: HELD // (2 * EXAMPLES)]
        self.pictures = {pair: self.pictures[pair] for pair in kept}
        self.held = sum(map(len, self.pictures.values()))

    def summary(self, notes: Sequence[str]) -> ConfusionSummary:
        """Return what was counted."""
        if not self.counts:
            raise ValueError(
                f"got {counted(self.seen, 'image')}, none of them with a label; expected at least"
                " one; give (image, label)"
            )
        indices = sorted({index for pair in self.counts for index in pair})
        at = {index: place for place, index in enumerate(indices)}
        wrong = [pair for pair in self.counts if pair[0] != pair[1]]
        wrong.sort(key=lambda pair: (-self.counts[pair], pair))
        labelled: Counter[int] = Counter()
        for (label, _), count in self.counts.items():
            labelled[label] += count
        pictures = [
            (i, *one)
            for i, pair in enumerate(wrong[:COMPARED])
            for one in self.pictures.get(pair, ())
        ]
        return ConfusionSummary(
            classes=tuple(map(self.classifier.name, indices)),
            indices=np.array(indices),
            labelled=np.array([labelled[i] for i in indices]),
            right=np.array([self.counts[i, i] for i in indices]),
            pairs=np.array([(at[a], at[b]) for a, b in wrong], dtype=np.int64).reshape(-1, 2),
            counts=np.array([self.counts[pair] for pair in wrong], dtype=np.int64),
            seen=self.seen,
            unlabelled=self.unlabelled,
            thumbnails=tuple(pixels for _, _, pixels in pictures),
            pictured=np.array([pair for pair, _, _ in pictures], dtype=np.int64),
            places=np.array([place for _, place, _ in pictures], dtype=np.int64),
            provenance=self._provenance(),
            notes=self._notes(notes),
        )

    def _notes(self, notes: Sequence[str]) -> tuple[str, ...]:
        without = f"{self.unlabelled} of {self.seen} images have no label and count for nothing."
        return (*self.classifier.notes, *([without] if self.unlabelled else []), *notes)

    def _provenance(self) -> Provenance:
        model = type(self.classifier.model).__name__
        return Provenance("confusions", model, "all classes", versions=versions())


def _check_one_class(classifier: Classifier) -> None:
    if classifier.finds_several:
        raise ValueError(
            "got a network whose classes do not exclude one another, so that an image is not named"
            " one of them; expected one class for each image; count each finding by itself, or say"
            ' hx.Classifier(model, scores="logits") where they do'
        )


def _label_of(sample: Sample, classifier: Classifier) -> int | None:
    labels, count = sample.labels, classifier.class_count
    if labels is None:
        return None
    if len(labels) != 1:
        raise ValueError(
            f"got an image labelled with {len(labels)} classes; expected one class for each, or"
            " nobody is taken for another; leave such images out, or give one label"
        )
    if count is not None and not 0 <= labels[0] < count:
        raise ValueError(
            f"got the label {labels[0]}; expected 0 to {count - 1}, a class of the network; map the"
            " labels of the data to its classes"
        )
    return labels[0]


def _with_channels(
    summary: ConfusionSummary, chip: Any, layer: str | None, top: int
) -> ConfusionSummary:
    """Return the same with the channels that both classes of each frequent pair rest on."""
    pairs = summary.pairs[:COMPARED]
    places = np.unique(pairs).tolist()
    _check_classes(summary, places, tuple(chip.classes_))
    if not places:
        return replace(summary, layer=chip.matrix([0], layer=layer).layer, **_channels([], []))
    matrix = chip.matrix([int(summary.indices[c]) for c in places], layer=layer)
    strengths = dict(zip(places, matrix.values * matrix.means, strict=True))
    rows: list[tuple[int, int]] = []
    weights: list[tuple[float, float]] = []
    for pair, (label, named) in enumerate(pairs.tolist()):
        both = shared_channels(strengths[label], strengths[named], top)
        rows += [(pair, k) for k in both]
        weights += [(float(strengths[label][k]), float(strengths[named][k])) for k in both]
    channels = list(dict.fromkeys(k for _, k in rows))[:PICTURED]
    return replace(
        summary,
        layer=matrix.layer,
        compared=len(pairs),
        portraits=chip.portraits(channels, layer=matrix.layer),
        notes=tuple(dict.fromkeys((*summary.notes, *matrix.notes))),
        **_channels(rows, weights),
    )


def _channels(
    rows: Sequence[tuple[int, int]], weights: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    return {
        "shared": np.array(rows, dtype=np.int64).reshape(-1, 2),
        "weights": np.array(weights, dtype=np.float64).reshape(-1, 2),
    }


def shared_channels(
    one: Float[np.ndarray, " k"], other: Float[np.ndarray, " k"], top: int
) -> list[int]:
    """Return the channels that speak for both classes, by what they give the one they give less.

    >>> shared_channels(np.array([3.0, 1.0, -2.0, 2.0]), np.array([0.5, 4.0, 5.0, 2.0]), 2)
    [3, 1]
    """
    least = np.minimum(one, other)
    order = np.argsort(-least, kind="stable")[:top].tolist()
    return [k for k in order if least[k] > 0]


def _check_classes(summary: ConfusionSummary, places: Sequence[int], names: Sequence[str]) -> None:
    for place in places:
        index, name = int(summary.indices[place]), summary.classes[place]
        if index >= len(names) or names[index] != name:
            known = repr(names[index]) if index < len(names) else f"one of {len(names)} classes"
            raise ValueError(
                f"got a chip that knows class {index} as {known}; expected {name!r}, as the network"
                " has it; give the Chip that was fitted on this network"
            )
