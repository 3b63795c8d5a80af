"""Heatmaps of several images by several methods, at one layer or at several: in one sheet."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from PIL import Image
from torch import Tensor, nn

from ..arguments import SlowBar, Stop, at_least_one, never
from ..data.samples import batches, prepared_of
from ..evidence import HeatMap, MethodSheet, Prediction, Provenance
from ..fitting.passes import until_stopped
from ..network.classifier import Classifier, PreparedImage
from ..network.localize import checked
from ..provenance import versions
from .method_columns import Methods, SheetColumn

STOPPED = "Not drawn: the work was stopped before."
_SINGLE = (str, os.PathLike, Image.Image)


def method_grid(
    images: Any,
    methods: Any,
    *,
    model: nn.Module | Classifier | None = None,
    targets: int | str | Sequence[int | str | None] | None = None,
    layers: str | Sequence[str] | None = None,
    most: int = 24,
    progress: bool = True,
    stopped: Stop | None = None,
) -> MethodSheet:
    """Return heatmaps of images, a row each, by methods, a column each (CHIP, Fig. 3-5, 7-8).

    `images` are an image or any data of them. An item `(image, class)` is explained for that class,
    `(image, [class, class])` is a row for each; others for the class that the network names, or for
    `targets`, one for all or one for each image (None: as it is named). The first `most` rows are
    drawn.

    `methods` maps a column's name to a fitted `Chip` or `Hint`, to a method's name ("Grad-CAM",
    "HiResCAM", "LayerCAM", "Guided Grad-CAM", "guided backpropagation", "gradient", "LIME", and of
    the only Chip in the grid "CHIP", "Refined CHIP", "Guided CHIP"; "gradcam" or "guided_backprop"
    will do), to a `Lime` with settings of its own, to any of these with a layer, `("Grad-CAM",
    "layer3")`, or to a callable `(classifier, image, index) -> map` that takes a prepared image
    `(1, C, H, W)` and the class's index and returns `(h, w)` or a HeatMap. A list of them has their
    own names. `layers` are those at which methods of layers have a column each: names, or "stages"
    for all fitted layers of engines and the last one of each stage else; by default the deepest.

    `model` is the network where no engine among the methods has it. A cell that cannot be drawn is
    empty and says why. An interrupt, or `stopped` saying so, ends it after the maps so far. In
    MobileNetV2 at 225 pixels a map costs 0.2 s of a core by Grad-CAM, 0.3 s by gradients at the
    pixels, 0.6 s by CHIP and 50 s by LIME. Raises ValueError for no images, no
    methods, unknown names, layers and targets, and for engines of another network; TypeError for
    what is no method; ModuleNotFoundError for LIME without scikit-image.
    """
    asked = Methods.of(methods, model)
    rows, notes = _rows(images, targets, asked.classifier, at_least_one("most", most))
    columns = asked.columns(rows[0].image, layers)
    drawing = _SheetDrawing(asked, rows, columns)
    return drawing.sheet([*notes, *drawing.draw(progress, stopped)])


@dataclass(frozen=True)
class SheetRow:
    """An image with the class that it is explained for, and what the network says of it."""

    image: PreparedImage
    index: int
    target: str
    named: Prediction
    probability: float


def _rows(
    images: Any, targets: Any, classifier: Classifier, most: int
) -> tuple[list[SheetRow], list[str]]:
    """Return the first rows, and in words that there are more."""
    rows = list(islice(_each_row(_several(images), targets, classifier), most + 1))
    if not rows:
        raise ValueError(
            "got no images; expected at least one; pass a path, a picture, or a list of them, or"
            " (image, class)"
        )
    more = [f"The first {most} rows are shown, and there are more (most=)."]
    return rows[:most], more if len(rows) > most else []


def _several(images: Any) -> Any:
    """Return a single image as a list of one."""
    array = isinstance(images, np.ndarray | Tensor) and images.ndim < 4
    return [images] if array or isinstance(images, _SINGLE) else images


def _each_class(images: Any, targets: Any) -> Iterator[Any]:
    """Yield the items of a list; one for several classes once for each, all bare beside targets."""
    for item in images:
        several = isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], list | tuple)
        if several and targets is not None:
            yield item[0]
        else:
            yield from ((item[0], one) for one in item[1] or (None,)) if several else (item,)


def _each_row(images: Any, targets: Any, classifier: Classifier) -> Iterator[SheetRow]:
    image: PreparedImage | None = None
    count = 0
    listed = _each_class(images, targets) if isinstance(images, list | tuple) else images
    for count, batch in enumerate(batches(listed, classifier, size=1), 1):
        if image is None or not torch.equal(image.x, batch.x):
            image = prepared_of(batch, classifier)
        labels = batch.samples[0].labels
        scores = classifier.logits(image.x)[0]
        named = classifier.ranked(scores, 1)[0]
        for target in (labels or (None,)) if targets is None else (_target(targets, count),):
            index = named.index if target is None else classifier.index_of(target, len(scores))
            own = classifier.prediction(scores, index)
            yield SheetRow(image, index, own.name, named, own.probability)
    if _one_each(targets) and count < len(targets):
        raise _wrong_count(targets, str(count))


def _one_each(targets: Any) -> bool:
    return targets is not None and not isinstance(targets, int | str | np.integer)


def _target(targets: Any, count: int) -> int | str | None:
    """Return what the image of this number, from 1, is explained for."""
    if not _one_each(targets):
        return targets
    if count > len(targets):
        raise _wrong_count(targets, f"{count} or more")
    return targets[count - 1]


def _wrong_count(targets: Any, images: str) -> ValueError:
    return ValueError(
        f"got targets: {len(targets)}, images: {images}; expected one for all, or one for each;"
        " give (image, class) to be sure which is whose"
    )


class _SheetDrawing:
    """Draws cell after cell, row by row, and keeps why one could not be drawn."""

    def __init__(
        self, asked: Methods, rows: Sequence[SheetRow], columns: Sequence[SheetColumn]
    ) -> None:
        self.asked, self.rows, self.columns = asked, rows, columns
        self.maps: dict[tuple[int, int], HeatMap] = {}
        self.reasons: dict[tuple[int, int], str] = {}

    def draw(self, progress: bool, stopped: Stop | None) -> list[str]:
        """Draw all cells; return what is to be said where the work was stopped."""
        whole = len(self.rows) * len(self.columns)
        with SlowBar("maps of methods", whole, "map", shown=progress) as counted:
            for _ in until_stopped(self._each(stopped or never), stopped, []):
                counted.update()
        drawn = len(self.maps) + len(self.reasons)
        return [f"Stopped: {drawn} of {whole} cells were drawn."] if drawn < whole else []

    def _each(self, stopped: Stop) -> Iterator[None]:
        for row, column in np.ndindex(len(self.rows), len(self.columns)):
            try:
                self.maps[row, column] = self._map(self.rows[row], self.columns[column], stopped)
            except CancelledError:
                return
            except Exception as error:  # whatever one method raises, the others are to be seen
                self.reasons[row, column] = reason_of(error)
            yield

    def _map(self, row: SheetRow, column: SheetColumn, stopped: Stop) -> HeatMap:
        heat = column.draw(row.image, row.index, stopped)
        checked(heat.values)
        values = np.asarray(heat.values, dtype=np.float32)
        return replace(heat, values=values, image=row.image.shown)

    def sheet(self, notes: Sequence[str]) -> MethodSheet:
        """Return all cells as evidence."""
        every = np.ndindex(len(self.rows), len(self.columns))
        gaps = {at: self.reasons.get(at, STOPPED) for at in every if at not in self.maps}
        said = (*self.asked.classifier.notes, *notes)
        return MethodSheet(
            images=tuple(row.image.shown for row in self.rows),
            targets=tuple(row.target for row in self.rows),
            indices=np.array([row.index for row in self.rows]),
            predictions=tuple(row.named for row in self.rows),
            probabilities=np.array([row.probability for row in self.rows]),
            methods=tuple(column.name for column in self.columns),
            layers=tuple(column.layer for column in self.columns),
            maps=tuple(self.maps.values()),
            places=_places(self.maps),
            reasons=tuple(gaps.values()),
            gaps=_places(gaps),
            provenance=self._provenance(),
            notes=tuple(dict.fromkeys(said)),
        )

    def _provenance(self) -> Provenance:
        names = tuple(dict.fromkeys(column.name for column in self.columns))
        return Provenance(
            method="method grid",
            model=type(self.asked.classifier.model).__name__,
            target=", ".join(dict.fromkeys(row.target for row in self.rows)),
            settings={"methods": names},
            versions=versions(),
        )


def _places(cells: Mapping[tuple[int, int], Any]) -> Int[np.ndarray, "n 2"]:
    return np.array(list(cells), dtype=np.int64).reshape(-1, 2)


def reason_of(error: Exception) -> str:
    """Return why a cell is empty: our own words as they are, others with what they came as."""
    words = " ".join(str(error).split())
    return words if isinstance(error, ValueError) else f"{type(error).__name__}: {words}"
