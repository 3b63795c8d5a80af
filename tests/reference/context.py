"""Context and discriminative degree, literally from the paper, on trees of `tests.reference.gap`.

Sec. 4.2: each map is binarised and compared, pixel by pixel, with each context region; Eq. 13.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from tests.reference import gap


def branches_at(model, x, target: int, layers: list[str], top_k: int) -> list[list[gap.Branch]]:
    """The tree's branches by layer, those below one decision once however often it is reached."""
    seen: set[tuple] = set()
    found: list[list[gap.Branch]] = [[] for _ in layers]

    def walk(decision: tuple, branches: list[gap.Branch]) -> None:
        if decision in seen:
            return
        seen.add(decision)
        for one in branches:
            found[layers.index(one.layer)].append(one)
            walk((one.layer, one.channel, one.position), one.children)

    walk((), gap.decompose(model, x, target, layers, top_k=top_k, threshold=1.0))
    return found


def label_of(activation, labels: np.ndarray, count: int) -> int:
    """The label whose region has the largest IoU with a map at half of its maximum, by pixels."""
    a = activation.numpy()
    mask = (a >= a.max() / 2) & (a.max() > 0)
    height, width = (n // m for n, m in zip(labels.shape, mask.shape, strict=True))
    pixels = mask.repeat(height, 0).repeat(width, 1) & (labels >= 0)
    best, label = 0.0, 0
    for one in range(1, count):
        region = labels == one
        union = (pixels | region).sum()
        iou = (pixels & region).sum() / union if union else 0.0
        if iou > best + 1e-9:
            best, label = iou, one
    return label


def degree(numbers: list[int]) -> float:
    """D of one channel from its N_c (Eq. 13)."""
    return max(numbers) / sum(numbers)


def numbers_of(images: list[tuple[int, list[int]]], counted: str) -> Counter:
    """N_c by (channel, class), of images as (class, channels in the order they were selected)."""
    found: Counter = Counter()
    for index, channels in images:
        for channel in channels if counted == "decisions" else set(channels):
            found[channel, index] += 1
    return found
