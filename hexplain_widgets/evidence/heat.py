"""Where in an image something is: heatmaps, sheets of them, regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from .base import Evidence, Layer, Prediction, Provenance

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
    intersection over union with the truth, where one was given. `rivals` are the classes that the
    map's places were held against, none for a plain sum.
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
