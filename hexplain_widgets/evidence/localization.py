"""How well methods find what they are asked for, over many images with boxes or masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from .base import Evidence, Provenance, as_table

# A region and its truth agree where their intersection is more than half of their union.
OVERLAP = 0.5
MEASURES = (
    "top-1 error",
    "top-5 error",
    "IoU > 0.5",
    "mean IoU",
    "pointing game",
    "energy inside",
)
# Of the first two less is better.
ERRORS = 2
# Answers that know nothing of the class.
WHOLE, CENTRE = "whole image", "centre box"


@dataclass(frozen=True, eq=False)
class LocalizationSummary(Evidence):
    """How well maps of several methods find the class of an image (CHIP, Table II, sec. IV-C).

    Rows are `methods` as they were named, `kinds` what each is ("Grad-CAM", "HINT", "callable" …),
    with the layer that its map is taken from ("" for none) and the share of a map's maximum, of
    HINT's of its range, at which a region is cut out (`thresholds`, 0 for none), found on
    `calibrated` other images. `reasons` say why a row is empty. Differences are to the row
    `reference`.

    Columns of `ious`, `hits` (of the pointing game; for the whole image the share of the truth's
    area, as of a random pixel) and `energies` (the share of the map's positive part on the truth)
    are images, whose truth is a mask where `masked` says so and else boxes, the best of which
    counts; `answered` says which images a method has a map for. `ranks` are those of the true
    classes, 0 the strongest, `labels` their places in `classes`, `areas` the truth's share of the
    picture, `places` the images' in the data. Of `seen` images, `unboxed` had no box, and of
    `cropped` nothing of it is left in what the network sees.

    Of some images, chosen at random, there are `thumbnails`: `pictured` is the column, `sizes` the
    height and width of what the network saw, in whose pixels `boxes` are those of each method and
    `truths` `(thumbnail, x0, y0, x1, y1)` the true ones, the end excluded; a box of zeros is none.
    """

    methods: tuple[str, ...]
    kinds: tuple[str, ...]
    layers: tuple[str, ...]
    thresholds: Float[np.ndarray, " m"]
    reasons: tuple[str, ...]
    reference: int
    answered: Bool[np.ndarray, "m n"]
    ious: Float[np.ndarray, "m n"]
    hits: Float[np.ndarray, "m n"]
    energies: Float[np.ndarray, "m n"]
    ranks: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]
    classes: tuple[str, ...]
    masked: Bool[np.ndarray, " n"]
    areas: Float[np.ndarray, " n"]
    places: Int[np.ndarray, " n"]
    seen: int
    unboxed: int
    cropped: int
    calibrated: int
    thumbnails: tuple[UInt8[np.ndarray, "_ _ 3"], ...]
    pictured: Int[np.ndarray, " t"]
    sizes: Int[np.ndarray, "t 2"]
    boxes: Int[np.ndarray, "m t 4"]
    truths: Int[np.ndarray, "b 5"]
    provenance: Provenance
    notes: tuple[str, ...] = ()

    @property
    def simple(self) -> Bool[np.ndarray, " m"]:
        """Which methods know nothing of the class."""
        return np.array([kind in (WHOLE, CENTRE) for kind in self.kinds], dtype=bool)

    def values(self, method: int) -> Float[np.ndarray, "6 n"]:
        """Return what a method has in each of `MEASURES` on each image."""
        overlapping = self.ious[method] > OVERLAP
        errors = (1 - (overlapping & (self.ranks < top)) for top in (1, 5))
        of_map = self.ious[method], self.hits[method], self.energies[method]
        return np.stack([*errors, overlapping, *of_map]).astype(np.float64)

    @property
    def figures(self) -> Float[np.ndarray, "m 6 2"]:
        """Mean and standard error of each of `MEASURES`; NaN where nothing is known of it."""
        rows = range(len(self.methods))
        return np.stack([_figures(self.values(m)[:, self.answered[m]]) for m in rows])

    @property
    def differences(self) -> Float[np.ndarray, "m 6 2"]:
        """Mean and standard error of a method less the reference, on images that both answer."""
        own = self.values(self.reference)
        both = self.answered & self.answered[self.reference]
        rows = range(len(self.methods))
        return np.stack([_figures((self.values(m) - own)[:, both[m]]) for m in rows])

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("", *MEASURES, "images")]
        for m, (name, figures) in enumerate(zip(self.methods, self.figures, strict=True)):
            said = (f"{mean:.3f} ± {error:.3f}" for mean, error in figures)
            count = int(self.answered[m].sum())
            rows.append((name, *(said if count else "-" * len(MEASURES)), str(count)))
        return as_table(rows)


def _figures(values: Float[np.ndarray, "6 n"]) -> Float[np.ndarray, "6 2"]:
    n = values.shape[1]
    means = values.mean(1) if n else np.full(len(values), np.nan)
    errors = values.std(1, ddof=1) / n**0.5 if n > 1 else np.full(len(values), np.nan)
    return np.stack([means, errors], axis=1)
