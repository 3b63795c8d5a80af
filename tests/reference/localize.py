"""Localisation, literally: loops over pixels and a flood fill. Shares nothing with the package."""

from __future__ import annotations

import math

import numpy as np


def upsampled(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Each pixel's centre, looked up between the four nearest centres of cells."""
    h, w = values.shape
    out = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            y, x = (i + 0.5) * h / height - 0.5, (j + 0.5) * w / width - 0.5
            y, x = min(max(y, 0), h - 1), min(max(x, 0), w - 1)
            for a in (math.floor(y), math.floor(y) + 1):
                for b in (math.floor(x), math.floor(x) + 1):
                    weight = (1 - abs(y - a)) * (1 - abs(x - b))
                    if weight > 0:
                        out[i, j] += weight * values[a, b]
    return out


def _flood(above: np.ndarray, start: tuple[int, int], seen: set[tuple[int, int]]) -> list:
    part, waiting = [], [start]
    while waiting:
        y, x = waiting.pop()
        inside = 0 <= y < above.shape[0] and 0 <= x < above.shape[1]
        if (y, x) in seen or not inside or not above[y, x]:
            continue
        seen.add((y, x))
        part.append((y, x))
        waiting += [(y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    return part


def region(values: np.ndarray, threshold: float) -> np.ndarray:
    """The largest flooded part at or above a fraction of the maximum."""
    mask = np.zeros(values.shape, dtype=bool)
    if values.max() <= 0 or values.max() == values.min():
        return mask
    above, seen, best = values >= threshold * values.max(), set(), []
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            part = _flood(above, (y, x), seen)
            if len(part) > len(best):
                best = part
    for y, x in best:
        mask[y, x] = True
    return mask


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    cells = [(y, x) for y in range(mask.shape[0]) for x in range(mask.shape[1]) if mask[y, x]]
    if not cells:
        return 0, 0, 0, 0
    ys, xs = [y for y, _ in cells], [x for _, x in cells]
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1


def _pixels(box: tuple[int, int, int, int]) -> set[tuple[int, int]]:
    x0, y0, x1, y1 = box
    return {(y, x) for y in range(y0, y1) for x in range(x0, x1)}


def box_iou(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    a, b = _pixels(one), _pixels(other)
    return len(a & b) / len(a | b) if a | b else 0.0


def best_threshold(maps: list, boxes: list, height: int, width: int, grid: tuple) -> float:
    """One threshold after another, one map after another."""
    best, found = (-1.0, -1.0), grid[0]
    for threshold in grid:
        ious = [
            box_iou(box_of(region(upsampled(m, height, width), threshold)), box)
            for m, box in zip(maps, boxes, strict=True)
        ]
        score = (sum(iou > 0.5 for iou in ious) / len(ious), sum(ious) / len(ious))
        if score > best:
            best, found = score, threshold
    return found
