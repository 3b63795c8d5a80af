"""How far filters' regions agree with labelled parts, and how far they would by chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int16

from ..data.concept_sets import IGNORE
from ..data.label_maps import WHOLE, Window, majority
from .maps import GRID

# Exchanges of labels over which the chance level is averaged.
DRAWS = 5

Regions = Callable[[int], Bool[np.ndarray, "k y x"]]


@dataclass(frozen=True, eq=False)
class Overlap:
    """The IoU of every filter with every part; `chance` is that of each filter's best part after
    labels were exchanged between images, None where there are fewer than two.
    """

    iou: Float[np.ndarray, "k p"]
    chance: Float[np.ndarray, " k"] | None


def part_grid(
    maps: Sequence[Int[np.ndarray, "_ _"]], window: Window = WHOLE
) -> Int16[np.ndarray, "m y x"]:
    """Return the labels of an image on the grid; what covers most of a cell decides.

    `window` is what the network sees of the image. Raises ValueError for maps of several sizes.
    """
    return majority(maps, (GRID, GRID), window=window).astype(np.int16)


class Agreement:
    """Sums over images of what filters' regions and parts have in common (Net Dissection).

    Only pixels about which somebody said something count.
    """

    def __init__(self, filters: int, parts: int) -> None:
        self._both: Float[np.ndarray, "k p"] = np.zeros((filters, parts))
        self._fired: Float[np.ndarray, " k"] = np.zeros(filters)
        self._labelled: Float[np.ndarray, " p"] = np.zeros(parts)

    def add(self, regions: Float[np.ndarray, "k g"], labels: Int16[np.ndarray, "m y x"]) -> None:
        """Add an image: regions as 0 and 1, label 1 is the first part."""
        flat = labels.reshape(len(labels), -1)
        known = (flat != IGNORE).any(0)
        present = [int(n) for n in np.unique(flat) if n > 0]
        areas = np.stack([known, *((flat == n).any(0) for n in present)]).astype(np.float32)
        # whole numbers below 2**24: exact in float32
        common = regions @ areas.T
        at = np.array(present, np.int64) - 1
        self._fired += common[:, 0]
        self._both[:, at] += common[:, 1:]
        self._labelled[at] += areas[1:].sum(1)

    @property
    def iou(self) -> Float[np.ndarray, "k p"]:
        """The sums of intersections over the sums of unions; 0 where both are empty."""
        union = self._fired[:, None] + self._labelled - self._both
        return np.asarray(np.divide(self._both, union, out=np.zeros_like(union), where=union > 0))


def exchanges(images: int, *, draws: int = DRAWS, seed: int = 0) -> list[Int[np.ndarray, " n"]]:
    """Return for each draw whose labels every image is given: never its own.

    The images are put in a random order, and each is given those of the next in it.
    """
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        order = draw.permutation(images)
        partner = np.empty(images, np.int64)
        partner[order] = np.roll(order, -1)
        found.append(partner)
    return found


def overlap(
    regions: Regions,
    labels: Sequence[Int16[np.ndarray, "_ y x"]],
    extent: tuple[int, int],
    *,
    seed: int = 0,
) -> Overlap:
    """Return how far the filters' regions agree with the parts, summed over all labelled images.

    `regions(i)` are those of image `i`, `extent` counts filters and parts. The images are taken in
    the order that is given, on which the exchange of labels depends.
    """
    partners = exchanges(len(labels), seed=seed) if len(labels) > 1 else []
    own, *others = (Agreement(*extent) for _ in range(len(partners) + 1))
    for i, mine in enumerate(labels):
        here = regions(i).reshape(extent[0], -1).astype(np.float32)
        own.add(here, mine)
        for agreement, partner in zip(others, partners, strict=True):
            agreement.add(here, labels[partner[i]])
    best = [agreement.iou.max(1, initial=0) for agreement in others]
    return Overlap(own.iou, np.mean(best, axis=0) if best else None)
