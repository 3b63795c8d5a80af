"""Label maps at a layer's resolution, cell by cell and pixel by pixel, in exact fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

IGNORE = -1
Window = tuple[Fraction, Fraction, Fraction, Fraction]


def areas(
    maps: Sequence[np.ndarray], size: tuple[int, int], window: Window, y: int, x: int
) -> tuple[dict[frozenset[int], Fraction], Fraction]:
    """The area of the sets of labels that meet in a cell, and the area of the cell, in pixels."""
    height, width = maps[0].shape
    x0, y0, x1, y1 = window
    top, bottom = sorted(y0 + (y1 - y0) * Fraction(i, size[0]) for i in (y, y + 1))
    left, right = sorted(x0 + (x1 - x0) * Fraction(i, size[1]) for i in (x, x + 1))
    found: dict[frozenset[int], Fraction] = {}
    for r in range(height):
        high = min(bottom * height, Fraction(r + 1)) - max(top * height, Fraction(r))
        for c in range(width):
            wide = min(right * width, Fraction(c + 1)) - max(left * width, Fraction(c))
            if high > 0 and wide > 0:
                labels = frozenset(int(m[r, c]) for m in maps)
                found[labels] = found.get(labels, Fraction(0)) + high * wide
    return found, (bottom - top) * (right - left) * height * width


def share(
    maps: Sequence[np.ndarray], size: tuple[int, int], window: Window, y: int, x: int, label: int
) -> float:
    """The share of a cell where some map has the label."""
    found, cell = areas(maps, size, window, y, x)
    return float(sum((a for labels, a in found.items() if label in labels), Fraction(0)) / cell)


def known(
    maps: Sequence[np.ndarray], size: tuple[int, int], window: Window, y: int, x: int
) -> float:
    """The share of a cell where some map says something."""
    found, cell = areas(maps, size, window, y, x)
    said = (a for labels, a in found.items() if labels != {IGNORE})
    return float(sum(said, Fraction(0)) / cell)


def majority(labels: np.ndarray, size: tuple[int, int], window: Window, y: int, x: int) -> int:
    """The label with the most area in a cell, the smallest of equals; outside is unlabelled."""
    found, cell = areas([labels], size, window, y, x)
    total = {next(iter(k)): a for k, a in found.items()}
    total[IGNORE] = total.get(IGNORE, Fraction(0)) + cell - sum(found.values())
    return min(total, key=lambda label: (-total[label], label))
