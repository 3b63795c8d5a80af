"""Faithfulness: how far evidence agrees with what really happens, and with what is really there.

Measures of one map, and the pass over many images with boxes or masks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from ..arguments import SlowBar, Stop, nearest, share
from ..data.boxed_images import BoxedImage, boxed_images
from ..data.samples import length_of, picture_of_sample
from ..evidence import LocalizationSummary, Provenance
from ..evidence.faithfulness import _ranks
from ..evidence.localization import WHOLE
from ..fitting.passes import until_stopped
from ..network.ablation import on_segment
from ..network.classifier import Classifier, PreparedImage
from ..network.images import thumbnail
from ..network.localize import (
    OVERLAP,
    THRESHOLDS,
    Box,
    Truth,
    best_agreement,
    best_column,
    box_of,
    checked,
    note_on,
    regions,
    upsampled,
)
from ..network.segments import Segment, Unit
from ..provenance import versions
from .localizers import GRAD_CAM, Localizer, classifier_for, localizers_of, named_methods

# Pixels a side of a picture, and how many images are shown.
SIDE, PICTURED = 160, 12


def ablation(
    segment: Segment,
    unit: Unit,
    *,
    means: Float[Tensor, " k"] | None = None,
    unclipped: bool = False,
) -> Float[np.ndarray, " k"]:
    """Return the drop of a decision when each channel of the shallow layer is taken out.

    It is set to zero, or to its one of `means` (over reference images; see `channel_means`). In
    the decision's own units, on the segment alone (Hierarchical Decomposition, sec. 4.1).
    `unclipped` measures the value before an upper clip. Call it inside `guest.visiting`.
    """
    return on_segment(segment, unit, instead=means, unclipped=unclipped).drops


def pointing_energy(
    values: Float[np.ndarray, "h w"], cells: tuple[int, int] = (2, 2)
) -> Float[np.ndarray, "rows columns"]:
    """Return the share of a map's positive part in each cell of a regular grid; the sum is 1.

    `values` is a map `(h, w)` in any unit, for a picture made of `cells` (rows, columns)
    photographs of different classes (the energy-based pointing game of Wang et al. 2020, on a
    grid): a map that knows its class has its energy in one cell, a map that does not has an equal
    share in each. A value on the border of two cells counts for each by the area it has there. NaN
    where nothing is positive. Raises ValueError for a map that is empty or not finite.
    """
    rows, columns = (_shares(n, m) for n, m in zip(cells, values.shape, strict=True))
    return rows @ _energy(values) @ columns.T


def _shares(cells: int, length: int) -> Float[np.ndarray, "cells length"]:
    """Return how much of each of `length` values lies in each of `cells` equal stretches."""
    edges = np.arange(cells + 1) * length / cells
    starts = np.arange(length)
    inside = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return inside.clip(0)


def _energy(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Return the positive part as shares of its sum, NaN where nothing is positive."""
    checked(values)
    positive = np.maximum(values, 0)
    whole = float(positive.sum())
    return positive / whole if whole > 0 else np.full(values.shape, np.nan)


def pointing_hit(values: Float[np.ndarray, "h w"], truth: Bool[np.ndarray, "h w"]) -> bool:
    """Return whether the map's largest value lies on the truth (the first of equal ones)."""
    return bool(truth.ravel()[int(values.argmax())])


def energy_within(values: Float[np.ndarray, "h w"], where: Truth) -> float:
    """Return the share of a map's positive part inside a box or mask in the map's own pixels.

    NaN where nothing is positive. Raises ValueError for a map that is empty or not finite.
    """
    if isinstance(where, np.ndarray):
        return float(_energy(values)[where].sum())
    x0, y0, x1, y1 = where
    return float(_energy(values)[y0:y1, x0:x1].sum())


def pixel_auc(values: Float[np.ndarray, "h w"], truth: Bool[np.ndarray, "h w"]) -> float:
    """Return how often a pixel of the truth has a larger value than one outside (area under ROC).

    Ties count half; 0.5 is chance. NaN where the truth is everything or nothing.
    """
    inside = truth.ravel()
    positives = int(inside.sum())
    negatives = inside.size - positives
    if not positives or not negatives:
        return float("nan")
    ranks = float(_ranks(values.ravel())[inside].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def localization_error(
    ious: Float[np.ndarray, " n"], ranks: Int[np.ndarray, " n"], *, top: int = 1
) -> float:
    """Return the top-`top` localisation error (CHIP, Table II), a share of images.

    An image counts as right where its class is among the `top` strongest (`ranks` of the true
    classes, 0 the strongest) and its box for that class has an IoU above one half (`ious`).
    """
    return float(1 - ((ious > OVERLAP) & (ranks < top)).mean())


def measure_localization(
    methods: Any,
    data: Any,
    *,
    model: Any = None,
    layer: str | None = None,
    concept: str | None = None,
    calibration: Any = 0.3,
    reference: str | None = None,
    seed: int = 0,
    progress: bool = True,
    stopped: Stop | None = None,
) -> LocalizationSummary:
    """Return how well methods find the class of an image (CHIP, Table II, sec. IV-C; HINT, 1-2).

    `methods` are named: a fitted Chip or Hint each, the name of a method ("gradcam", "guided
    backprop", "refined", …), `(chip, name)`, `(chip, layer)`, `(hint, concept)`, or a callable
    `(classifier, image, index) -> map` of a prepared image `1 x C x H x W`. An engine alone, or
    several, stand for what their papers compare. The whole image and a box in its centre are always
    beside them.

    `data` are `(image, label, boxes)`: one box `(x0, y0, x1, y1)` or several, in pixels of the
    picture, the end excluded, or a mask `(H, W)`; None, and the image is counted and left out.
    Boxes are brought to what the network sees. Maps are of the labelled class; HINT's of the
    narrowest concept that the class belongs to, or of `concept`. Grad-CAM is taken at `layer`
    (default: the Chip's deepest, else the deepest stage), CHIP there, too.

    Where a map is cut off is found for each method on other images: `calibration` is a share of
    `data`, drawn by `seed`, or a set of its own, of which images that are in `data`, too, are not
    judged. `reference` is the row that others are compared with (default: Grad-CAM, or the first).
    A map that points nowhere is a miss. What a method cannot answer on this network is an empty row
    with the reason. An interrupt, or `stopped` saying so, ends it after the images seen so far.
    Raises ValueError for wrong boxes, labels and settings, and where fewer than two images have
    boxes; TypeError for what is no method and no data.
    """
    named = named_methods(methods)
    classifier = classifier_for(named, model)
    localizers = localizers_of(named, classifier, layer=layer, concept=concept)
    _check_reference(reference, localizers)
    drawn = isinstance(calibration, int | float)
    part = share("calibration", calibration) if drawn else 0.0
    measured = _LocalizationPass(classifier, localizers, part, seed)
    notes: list[str] = []
    if not drawn:
        measured.calibrate(until_stopped(measured.each(calibration, progress), stopped, notes))
    for one in until_stopped(measured.each(data, progress), stopped, notes):
        measured.add(one)
    return measured.summary(reference, notes)


def _check_reference(reference: str | None, localizers: Sequence[Localizer]) -> None:
    names = [one.name for one in localizers]
    if reference is not None and reference not in names:
        raise ValueError(
            f"got reference={reference!r}; expected one of {', '.join(map(repr, names))};"
            f" the nearest is {nearest(reference, names)}"
        )


@dataclass(frozen=True, eq=False)
class _ImageLocalization:
    """What all methods made of one image; thresholds are `THRESHOLDS`.

    `key` identifies the image; `reasons` say why a method has no map of it, None for one that has.
    """

    place: int
    key: bytes
    rank: int
    label: int
    size: tuple[int, int]
    truths: tuple[Box, ...]
    masked: bool
    cut: bool
    area: float
    reasons: tuple[str | None, ...]
    ious: Float[np.ndarray, "m t"]
    boxes: Int[np.ndarray, "m t 4"]
    hits: Float[np.ndarray, " m"]
    energies: Float[np.ndarray, " m"]
    picture: UInt8[np.ndarray, "_ _ 3"] | None


Measured = BoxedImage | _ImageLocalization


class _LocalizationPass:
    """Asks all methods about image after image."""

    def __init__(
        self, classifier: Classifier, localizers: Sequence[Localizer], part: float, seed: int
    ) -> None:
        self.classifier, self.localizers = classifier, tuple(localizers)
        self.part, self.seed = part, seed
        self.rows: list[_ImageLocalization] = []
        self.known: list[_ImageLocalization] = []
        self.pictures: dict[bytes, UInt8[np.ndarray, "_ _ 3"]] = {}
        self.seen, self.unlabelled, self.unboxed, self.cropped = 0, 0, 0, 0

    def each(self, data: Any, progress: bool) -> Iterator[Measured]:
        """Yield every image, measured where it has a label and a box that the network sees."""
        with SlowBar("localization: where methods look", length_of(data), shown=progress) as bar:
            for image in boxed_images(data, self.classifier):
                counts = image.boxes and image.sample.labels
                yield self._measured(image) if counts else image
                bar.update()

    def calibrate(self, measured: Iterable[Measured]) -> None:
        """Keep the images that thresholds are found on."""
        some = (one for one in measured if isinstance(one, _ImageLocalization))
        self.known = [replace(one, picture=None) for one in some]

    def add(self, one: Measured) -> None:
        """Keep what an image gave, or count why it is left out."""
        self.seen += 1
        if isinstance(one, _ImageLocalization):
            self._keep(one)
        elif not one.boxed:
            self.unboxed += 1
        elif not one.boxes:
            self.cropped += 1
        else:
            self.unlabelled += 1

    def _keep(self, one: _ImageLocalization) -> None:
        """Keep it, of pictures those with the largest keys: the smallest are to calibrate with."""
        self.rows.append(replace(one, picture=None))
        if one.picture is not None:
            self.pictures[one.key] = one.picture
        if len(self.pictures) > 2 * PICTURED:
            del self.pictures[min(self.pictures)]

    def _measured(self, image: BoxedImage) -> _ImageLocalization:
        sample, area = image.sample, image.area
        shown = picture_of_sample(sample, self.classifier)
        x = sample.x.to(self.classifier.device, self.classifier.dtype)
        prepared, logits = PreparedImage(x, shown, sample.notes), self.classifier.logits(x)[0]
        index = _one_label(image, len(logits))
        drawn = [_drawn(one, prepared, index) for one in self.localizers]
        judged = [
            _judged(one, values, image.truths, area)
            for one, (values, _) in zip(self.localizers, drawn, strict=True)
        ]
        ious, boxes, hits, energies = zip(*judged, strict=True)
        return _ImageLocalization(
            place=image.place,
            key=_key(sample.key, self.seed),
            rank=int((logits > logits[index]).sum()),
            label=index,
            size=image.size,
            truths=image.boxes,
            masked=image.mask is not None,
            cut=image.cut,
            area=float(area.mean()),
            reasons=tuple(reason for _, reason in drawn),
            ious=np.stack(ious),
            boxes=np.stack(boxes),
            hits=np.array(hits),
            energies=np.array(energies),
            picture=thumbnail(shown, SIDE),
        )

    def parts(self) -> tuple[list[_ImageLocalization], list[_ImageLocalization]]:
        """Return the images to find thresholds on, and those to judge by; raises ValueError."""
        known, rows = self.known, self.rows
        if self.part:
            keys = sorted({one.key for one in rows})
            first = set(keys[: min(len(keys) - 1, max(1, round(self.part * len(keys))))])
            known = [one for one in rows if one.key in first]
        keys_known = {one.key for one in known}
        judged = [one for one in rows if one.key not in keys_known]
        if not known or not judged:
            raise ValueError(
                f"got {len(known)} images with boxes to find thresholds on and {len(judged)} to"
                " judge; expected at least one of each, and none in both; give"
                " (image, label, boxes) of more images, or a set of its own as calibration="
            )
        return known, judged

    def summary(self, reference: str | None, notes: Sequence[str]) -> LocalizationSummary:
        """Return what was measured."""
        known, judged = self.parts()
        methods = range(len(self.localizers))
        columns = [self._best(m, known) for m in methods]
        at = np.array([column or 0 for column in columns])
        answered = _answered(judged) & np.array([c is not None for c in columns])[:, None]
        some = [bool(row.any()) for row in answered]
        return LocalizationSummary(
            methods=tuple(one.name for one in self.localizers),
            kinds=tuple(one.kind for one in self.localizers),
            layers=tuple(one.layer for one in self.localizers),
            thresholds=np.array([self._threshold(m, columns[m]) for m in methods]),
            reasons=tuple("" if some[m] else self._reason(m, known + judged) for m in methods),
            reference=self._reference(reference, some),
            seen=self.seen,
            unboxed=self.unboxed,
            cropped=self.cropped,
            calibrated=len(known),
            provenance=self._provenance(),
            notes=self._notes(judged, answered, notes),
            **self._images(judged, answered, at),
            **self._pictures(judged, answered, at),
        )

    def _images(
        self,
        judged: Sequence[_ImageLocalization],
        answered: Bool[np.ndarray, "m n"],
        at: Int[np.ndarray, " m"],
    ) -> dict[str, Any]:
        """Return what is known of each image, at the thresholds `at`."""
        labels, each = sorted({one.label for one in judged}), np.arange(len(at))
        return {
            "answered": answered,
            "ious": np.stack([one.ious[each, at] for one in judged], 1) * answered,
            "hits": np.stack([one.hits for one in judged], 1) * answered,
            "energies": np.stack([one.energies for one in judged], 1) * answered,
            "ranks": np.array([one.rank for one in judged]),
            "labels": np.array([labels.index(one.label) for one in judged]),
            "classes": tuple(map(self.classifier.name, labels)),
            "masked": np.array([one.masked for one in judged]),
            "areas": np.array([one.area for one in judged]),
            "places": np.array([one.place for one in judged]),
        }

    def _pictures(
        self,
        judged: Sequence[_ImageLocalization],
        answered: Bool[np.ndarray, "m n"],
        at: Int[np.ndarray, " m"],
    ) -> dict[str, Any]:
        """Return the pictures that are shown, with their boxes at the thresholds `at`."""
        shown, each = self._shown(judged), np.arange(len(at))
        boxes = np.stack([judged[i].boxes[each, at] for i in shown], 1)
        truths = [(t, *box) for t, i in enumerate(shown) for box in judged[i].truths]
        return {
            "thumbnails": tuple(self.pictures[judged[i].key] for i in shown),
            "pictured": np.array(shown, dtype=np.int64),
            "sizes": np.array([judged[i].size for i in shown], dtype=np.int64),
            "boxes": boxes * answered[:, shown, None],
            "truths": np.array(truths, dtype=np.int64),
        }

    def _best(self, method: int, known: Sequence[_ImageLocalization]) -> int | None:
        ious = [one.ious[method] for one in known if one.reasons[method] is None]
        return best_column(np.stack(ious)) if ious else None

    def _threshold(self, method: int, column: int | None) -> float:
        whole = self.localizers[method].kind == WHOLE
        return 0.0 if column is None or whole else THRESHOLDS[column]

    def _reason(self, method: int, rows: Sequence[_ImageLocalization]) -> str:
        """Return why a method has no row."""
        reasons = (one.reasons[method] for one in rows)
        return next(filter(None, reasons), "it has no map of an image to find its threshold on")

    def _reference(self, name: str | None, some: Sequence[bool]) -> int:
        names = [one.name for one in self.localizers]
        if name is not None:
            return names.index(name)
        answering = [m for m in range(len(names)) if some[m]]
        grad_cam = (m for m in answering if self.localizers[m].kind == GRAD_CAM)
        return next(grad_cam, answering[0])

    def _shown(self, judged: Sequence[_ImageLocalization]) -> list[int]:
        """Return which of the images have a picture, the first of each, at random."""
        first: dict[bytes, int] = {}
        for i, one in enumerate(judged):
            if one.key in self.pictures:
                first.setdefault(one.key, i)
        return [first[key] for key in sorted(first, reverse=True)[:PICTURED]]

    def _provenance(self) -> Provenance:
        return Provenance(
            method="localization",
            model=type(self.classifier.model).__name__,
            target="the labelled class",
            settings={"calibration": self.part or "a set of its own"},
            seed=self.seed,
            versions=versions(),
        )

    def _notes(
        self,
        judged: Sequence[_ImageLocalization],
        answered: Bool[np.ndarray, "m n"],
        notes: Sequence[str],
    ) -> tuple[str, ...]:
        cut, labels = sum(one.cut for one in judged), {one.label for one in judged}
        left_out = (
            (self.unboxed, "have no box"),
            (self.cropped, "have their box outside of what the network sees"),
            (self.unlabelled, "have no label"),
        )
        said = [
            f"{n} of {self.seen} images {why} and count for nothing." for n, why in left_out if n
        ]
        if cut:
            said.append(f"In {cut} images a box reaches beyond what the network sees and is cut.")
        if len(labels) == 1:
            name = self.classifier.name(min(labels))
            said.append(f"All images are of one class, {name}: of others this says nothing.")
        if (self.classifier.class_count or len(labels)) <= 5:
            said.append("Of five classes or fewer each is among the first five: see top-1 instead.")
        if not self.part and (twice := len(self.rows) - len(judged)):
            said.append(f"{twice} images are in the calibration set, too, and are not judged.")
        said += self._partly(judged, answered)
        return (*self.classifier.score_notes, *said, *notes)

    def _partly(
        self, judged: Sequence[_ImageLocalization], answered: Bool[np.ndarray, "m n"]
    ) -> Iterator[str]:
        for m, one in enumerate(self.localizers):
            left = len(judged) - int(answered[m].sum())
            if 0 < left < len(judged):
                why = next(row.reasons[m] for row in judged if row.reasons[m])
                yield f"{one.name} has no map of {left} of {len(judged)} images: {why}."


def _key(image: bytes, seed: int) -> bytes:
    return hashlib.blake2b(image + str(seed).encode(), digest_size=16).digest()


def _answered(rows: Sequence[_ImageLocalization]) -> Bool[np.ndarray, "m n"]:
    return np.array([[reason is None for reason in one.reasons] for one in rows]).T


def _one_label(image: BoxedImage, count: int) -> int:
    labels = image.sample.labels or ()
    if len(labels) != 1 or not 0 <= labels[0] < count:
        raise ValueError(
            f"got the label {labels} for image {image.place}; expected one class from 0 to"
            f" {count - 1}, the one that its boxes are around; give an image of several"
            " classes once for each"
        )
    return labels[0]


def _drawn(
    localizer: Localizer, image: PreparedImage, index: int
) -> tuple[Float[np.ndarray, "h w"] | None, str | None]:
    """Return a method's map of an image, or why it has none."""
    try:
        values = localizer.draw(image, index)
        checked(values)
    except ValueError as error:
        return None, str(error)
    return values, None


def _judged(
    localizer: Localizer,
    values: Float[np.ndarray, "h w"] | None,
    truths: Sequence[Truth],
    area: Bool[np.ndarray, "H W"],
) -> tuple[Float[np.ndarray, " t"], Int[np.ndarray, "t 4"], float, float]:
    """Return IoU and box at each threshold, whether the peak is on the truth, and the energy."""
    count = len(THRESHOLDS)
    if values is None:
        return np.zeros(count), np.zeros((count, 4), np.int64), 0.0, 0.0
    if localizer.kind == WHOLE:
        masks = np.ones((count, *area.shape), dtype=bool)
        hit = energy = float(area.mean())
    else:
        masks = regions(upsampled(values, area.shape), THRESHOLDS)
        hit, energy = _pointed(values, area)
    ious = np.array([best_agreement(mask, truths) for mask in masks])
    return ious, np.array([box_of(mask) for mask in masks]), hit, energy


def _pointed(
    values: Float[np.ndarray, "h w"], area: Bool[np.ndarray, "H W"]
) -> tuple[float, float]:
    """Return whether a map's peak lies on the truth, and its energy there; a flat one misses."""
    if values.max() <= 0:
        return 0.0, 0.0
    fine = upsampled(np.maximum(values, 0), area.shape)
    hit = note_on(values) is None and pointing_hit(fine, area)
    return float(hit), energy_within(fine, area)
