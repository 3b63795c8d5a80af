"""Which labelled region of an image a map lies on: the largest intersection over union."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from .concept_sets import NONE
from .label_maps import CellShares


def ious_with(masks: Bool[np.ndarray, "n h w"], regions: CellShares) -> Float[np.ndarray, "n p"]:
    """Return the IoU of every mask with the region of every label.

    Areas are exact: a cell counts by the shares of it that a label covers and that is labelled at
    all, so that the layer's resolution costs no small region.
    """
    flat = masks.reshape(len(masks), -1).astype(np.float64)
    areas = regions.values.reshape(len(regions.labels), -1).astype(np.float64)
    both = flat @ areas.T
    own = flat @ regions.known.ravel().astype(np.float64)
    union = own[:, None] + areas.sum(1) - both
    found: Float[np.ndarray, "n p"]
    found = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    return found


def nearest_label(masks: Bool[np.ndarray, "n h w"], regions: CellShares) -> Int[np.ndarray, " n"]:
    """Return for every mask the label of the region with the largest IoU (sec. 4.2, Fig. 13).

    0 for a mask that lies on no region; of equal ones the smallest label.
    """
    if not len(regions.labels):
        return np.full(len(masks), NONE)
    ious = ious_with(masks, regions)
    best = regions.labels[ious.argmax(1)].astype(np.int64)
    found: Int[np.ndarray, " n"] = np.where(ious.max(1) > 0, best, NONE)
    return found


def elsewhere(
    masks: Bool[np.ndarray, "n h w"], draw: np.random.Generator, draws: int
) -> Bool[np.ndarray, "m h w"]:
    """Return every mask at `draws` random places: the same shape, wrapped at the image's sides.

    What such masks lie on is what chance gives: the sizes of maps and regions are the same, only
    where a map is says nothing.
    """
    n, h, w = masks.shape
    shifts = zip(draw.integers(0, h, n * draws), draw.integers(0, w, n * draws), strict=True)
    moved = [np.roll(masks[i % n], (int(dy), int(dx)), (0, 1)) for i, (dy, dx) in enumerate(shifts)]
    return np.stack(moved) if moved else masks[:0]
