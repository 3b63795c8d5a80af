"""The strongest images of a channel, literally: one image after the other, before any clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Images = Sequence[tuple[bytes, np.ndarray]]


def rank(before: np.ndarray, low: float, high: float) -> tuple[float, float, float]:
    """An image's rank by one channel's map before the clip: peak, peak before, mean."""
    peak, total, count = low, 0.0, 0
    for row in before:
        for value in row:
            peak = max(peak, float(value))
            total += min(max(float(value), low), high)
            count += 1
    return min(peak, high), peak, total / count


def strongest(images: Images, each: int, low: float, high: float) -> tuple[list[bytes], bool]:
    """The keys of the strongest images, and whether the next one is as strong as the last."""
    ranks = {key: rank(before, low, high) for key, before in images}
    order = sorted(ranks, key=lambda key: (*(-part for part in ranks[key]), key))
    tied = len(order) > each and ranks[order[each - 1]] == ranks[order[each]]
    return order[:each], tied
