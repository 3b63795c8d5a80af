"""Localisation over images, literally: one method, one image, one threshold after another."""

from __future__ import annotations

import math

import numpy as np

from .localize import best_threshold, box_iou, box_of, region, upsampled


def seen_box(box, picture: tuple[int, int], crop: tuple[int, int, int, int], size: int):
    """A box of a picture where a network sees it that is shown `crop` at `size` pixels a side."""
    left, top, right, bottom = crop
    found = []
    for i, value in enumerate(box):
        start, end = ((left, right), (top, bottom))[i % 2]
        at = (value - start) / (end - start) * size
        found.append(round(min(max(at, 0), size)))
    return tuple(found)


def figures(maps: list, boxes: list, ranks: list, known: list, size: int, grid: tuple) -> dict:
    """Errors, IoUs, hits and energies of one method on the images that are not `known`.

    One box an image, in pixels of `size` a side.
    """
    first = [(m, b) for i, (m, b) in enumerate(zip(maps, boxes, strict=True)) if i in known]
    at = best_threshold([m for m, _ in first], [b for _, b in first], size, size, grid)
    rows: dict[str, list[float]] = {n: [] for n in ("top-1", "top-5", "over", "iou", "hit", "on")}
    for i, (values, box) in enumerate(zip(maps, boxes, strict=True)):
        if i in known:
            continue
        iou = box_iou(box_of(region(upsampled(values, size, size), at)), box)
        over = 1.0 if iou > 0.5 else 0.0
        hit, energy = pointed(values, box, size)
        rows["top-1"].append(0.0 if over and ranks[i] < 1 else 1.0)
        rows["top-5"].append(0.0 if over and ranks[i] < 5 else 1.0)
        for name, value in (("over", over), ("iou", iou), ("hit", hit), ("on", energy)):
            rows[name].append(value)
    return {name: mean_and_error(values) for name, values in rows.items()} | {"at": at}


def pointed(values: np.ndarray, box, size: int) -> tuple[float, float]:
    """Whether the strongest pixel is in the box, and the share of what is positive there."""
    fine = upsampled(np.maximum(values, 0), size, size)
    best, place, inside, whole = -1.0, (0, 0), 0.0, 0.0
    for y in range(size):
        for x in range(size):
            here = box[0] <= x < box[2] and box[1] <= y < box[3]
            whole += fine[y, x]
            inside += fine[y, x] if here else 0.0
            if fine[y, x] > best:
                best, place = fine[y, x], (y, x)
    hit = box[1] <= place[0] < box[3] and box[0] <= place[1] < box[2]
    return float(hit), inside / whole


def mean_and_error(values: list[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    spread = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(spread / len(values))
