"""Filters and parts as Net Dissection writes them down: pixel by pixel, filter by filter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F


def finer(one: np.ndarray, side: int) -> np.ndarray:
    """A filter's map `(h, w)` at the resolution of the labels."""
    found = F.interpolate(torch.from_numpy(one)[None, None], (side, side), mode="bilinear")
    return found[0, 0].numpy()


def threshold(maps: Sequence[np.ndarray], quantile: float, side: int) -> float:
    """The value that a filter exceeds at a share of `1 - quantile` of all pixels."""
    values = sorted(float(v) for one in maps for v in finer(one, side).ravel())
    at = quantile * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (at - low) * (values[high] - values[low])


def iou(
    maps: Sequence[np.ndarray], labels: Sequence[np.ndarray], part: int, least: float, side: int
) -> float:
    """The sum of intersections over the sum of unions of a filter's regions with a part."""
    both = either = 0
    for one, said in zip(maps, labels, strict=True):
        fine = finer(one, side)
        for y in range(side):
            for x in range(side):
                here = [int(level[y, x]) for level in said]
                if all(label == -1 for label in here):
                    continue
                fires, is_part = bool(fine[y, x] > least), part in here
                both += fires and is_part
                either += fires or is_part
    return both / either if either else 0.0
