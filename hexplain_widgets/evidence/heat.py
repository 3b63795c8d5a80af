"""Where in an image something is: heatmaps, sheets of them, regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from .base import Evidence, Layer, Prediction, Provenance, as_table

T = TypeVar("T")

# Methods whose maps may hold each place against other classes.
CONTESTED = ("CHIP", "Guided CHIP")


@dataclass(frozen=True, eq=False)
class HeatMap(Evidence):
    """Where in an image a layer speaks for a target, and where against it.

    `values` is signed, at the layer's own resolution, or at the image's for methods that end at
    the pixels. `target` is the name of a class or concept and `index` its number; `method` is the
    method's name, `layer` the layer's, of several joined by " × ". `picture` is the coloured
    picture of a method that has one (guided backpropagation). `image` is what the network saw.
    `rivals` are the classes that each place was held against, none for a plain sum, and None where
    an earlier version did not say.
    """

    values: Float[np.ndarray, "H W"]
    layer: str
    target: str
    method: str
    image: UInt8[np.ndarray, "h w 3"]
    provenance: Provenance
    index: int | None = None
    picture: UInt8[np.ndarray, "h w 3"] | None = None
    notes: tuple[str, ...] = ()
    rivals: tuple[str, ...] | None = None

    @property
    def against(self) -> int:
        """How many other classes each place was held against; 0 for a plain sum."""
        if self.rivals is not None:
            return len(self.rivals)
        said = self.provenance.settings.get("rivals", 0)
        return said if self.method in CONTESTED and isinstance(said, int) else 0

    @property
    def positive(self) -> Float[np.ndarray, "H W"]:
        """The map kept where it is positive, as the papers show it."""
        return np.maximum(self.values, 0)


@dataclass(frozen=True, eq=False)
class HeatMapSheet(Evidence):
    """Heatmaps of one image side by side: classes, layers and methods (CHIP, Fig. 3-8).

    `layers` run from the deepest to the shallowest, `predictions` are the image's strongest
    classes; `localizations` are boxes drawn from some of the maps.
    """

    image: UInt8[np.ndarray, "h w 3"]
    predictions: tuple[Prediction, ...]
    layers: tuple[Layer, ...]
    maps: tuple[HeatMap, ...]
    provenance: Provenance
    localizations: tuple[Localization, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Localization(Evidence):
    """The region a heatmap points at, and its box.

    `mask` is at the image's resolution: the largest connected part above `threshold` times the
    map's maximum. `box` is `(x0, y0, x1, y1)` in image pixels, the end excluded. `iou` is the
    intersection over union with the truth, where one was given: of the boxes with `truth`, or of
    the regions where the truth was a mask, `truth_mask`, around which `truth` is the box. `rivals`
    are the classes that the map's places were held against, none for a plain sum.
    """

    mask: Bool[np.ndarray, "H W"]
    box: tuple[int, int, int, int]
    threshold: float
    target: str
    layer: str
    image: UInt8[np.ndarray, "H W 3"]
    provenance: Provenance
    iou: float | None = None
    notes: tuple[str, ...] = ()
    truth: tuple[int, int, int, int] | None = None
    truth_mask: Bool[np.ndarray, "H W"] | None = None
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ClassHeatMaps(Evidence):
    """Where a class is in many images: one heatmap of each, of one layer and method.

    `maps` stand in the order of the data, whose images `places` counts from 0. `predictions` is the
    class that the network names each image, `probabilities` what it gives the class of the maps.
    """

    target: str
    index: int
    layer: str
    method: str
    maps: tuple[HeatMap, ...]
    places: Int[np.ndarray, " n"]
    predictions: tuple[Prediction, ...]
    probabilities: Float[np.ndarray, " n"]
    provenance: Provenance
    notes: tuple[str, ...] = ()

    @property
    def named_so(self) -> Bool[np.ndarray, " n"]:
        """Whether the network names an image by the class of the maps."""
        return np.array([one.index == self.index for one in self.predictions], dtype=bool)


@dataclass(frozen=True, eq=False)
class MethodSheet(Evidence):
    """Heatmaps of several images by several methods in rows and columns (CHIP, Fig. 3-5, 7-8).

    A row is an image with a class: its name among `targets`, its index among `indices`, what the
    network gives it among `probabilities`, what the network names the image among `predictions`. A
    column is one of `methods` at one of `layers`, which is empty for a method that ends at the
    pixels. `places` are row and column of each map, `gaps` those of each cell without one, with the
    reason among `reasons`. All maps of a row are of the same image.
    """

    images: tuple[UInt8[np.ndarray, "_ _ 3"], ...]
    targets: tuple[str, ...]
    indices: Int[np.ndarray, " r"]
    predictions: tuple[Prediction, ...]
    probabilities: Float[np.ndarray, " r"]
    methods: tuple[str, ...]
    layers: tuple[str, ...]
    maps: tuple[HeatMap, ...]
    places: Int[np.ndarray, "m 2"]
    reasons: tuple[str, ...]
    gaps: Int[np.ndarray, "g 2"]
    provenance: Provenance
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and columns there are."""
        return len(self.images), len(self.methods)

    @property
    def named_so(self) -> Bool[np.ndarray, " r"]:
        """Whether the network names a row's image by the row's class."""
        named = [one.index for one in self.predictions]
        return np.array(named, dtype=np.int64) == self.indices

    def map(self, row: int, column: int) -> HeatMap | None:
        """Return the map of a cell, None where there is none."""
        return next(self._at(self.places, self.maps, row, column), None)

    def reason(self, row: int, column: int) -> str:
        """Return why a cell has no map; nothing where it has one."""
        return next(self._at(self.gaps, self.reasons, row, column), "")

    @staticmethod
    def _at(
        places: Int[np.ndarray, "n 2"], values: Sequence[T], row: int, column: int
    ) -> Iterator[T]:
        at = np.flatnonzero((places == (row, column)).all(axis=1)).tolist()
        return (values[i] for i in at)

    def __str__(self) -> str:
        heads = (f"{m} {n}".strip() for m, n in zip(self.methods, self.layers, strict=True))
        rows: list[tuple[str, ...]] = [("class", *heads)]
        for row, target in enumerate(self.targets):
            maps = (self.map(row, column) for column in range(len(self.methods)))
            rows.append((target, *("" if m is None else f"{m.values.max():.3g}" for m in maps)))
        return as_table(rows)
