"""Labels on pixels: the finer of a layer's grid and the label maps', as far as a network sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from .concept_sets import IGNORE
from .label_maps import WHOLE, Window, majority

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class LabelledPixels:
    """The labels of an image's pixels at one level, several where several maps say something."""

    labels: Int[np.ndarray, "m Y X"]

    @property
    def size(self) -> Size:
        """Rows and columns of pixels."""
        return self.labels.shape[1], self.labels.shape[2]

    @cached_property
    def known(self) -> Bool[np.ndarray, "Y X"]:
        """Which pixels are labelled at all, be it with none of the concepts."""
        return np.asarray((self.labels != IGNORE).any(0))

    @cached_property
    def present(self) -> tuple[int, ...]:
        """The labels of concepts that occur, ascending."""
        counts = np.bincount(self.labels.ravel() - IGNORE)
        return tuple(int(n) + IGNORE for n in np.flatnonzero(counts) if n + IGNORE > 0)

    def of(self, label: int) -> Bool[np.ndarray, "Y X"]:
        """Which pixels carry a label."""
        return np.asarray((self.labels == label).any(0))

    @property
    def area(self) -> float:
        """The share of the image that a pixel covers: so much it counts, at any resolution."""
        return 1 / float(np.prod(self.size))

    def members(self, places: Int[np.ndarray, " n"], count: int) -> Bool[np.ndarray, "n {count}"]:
        """Say for some pixels which of `count` concepts they carry; label 1 is the first."""
        found = np.zeros((len(places), count + 1), dtype=bool)
        for labels in self.labels.reshape(len(self.labels), -1)[:, places]:
            found[np.arange(len(places)), labels.clip(0)] = True
        return found[:, 1:]


def labelled_pixels(
    maps: Sequence[Int[np.ndarray, "_ _"]], cells: Size, *, limit: Size, window: Window = WHOLE
) -> LabelledPixels:
    """Return the labels of an image at the finer of a layer's `cells` and the label maps' own size.

    Never finer than `limit`, the network's input, nor coarser than the layer. `window` is what the
    network sees of the image. Where the size changes, the majority of what a pixel covers decides.
    Raises ValueError for no map and for maps of different sizes.
    """
    own = max((m.shape for m in maps), default=(1, 1))
    seen = (abs(window[3] - window[1]), abs(window[2] - window[0]))
    size = [
        max(c, min(round(n * s), most))
        for c, n, s, most in zip(cells, own, seen, limit, strict=True)
    ]
    if window == WHOLE and {m.shape for m in maps} == {(size[0], size[1])}:
        return LabelledPixels(np.stack(list(maps)))
    return LabelledPixels(majority(maps, (size[0], size[1]), window=window))
