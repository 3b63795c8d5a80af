"""Label maps at a layer's resolution: shares of cells by exact areas, and the majority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from .concept_sets import IGNORE

# The part of the image that the cells cover: left, top, right, bottom in shares of its sides.
Window = tuple[float, float, float, float]
WHOLE: Window = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class CellShares:
    """Which share of each cell every label covers.

    `labels` are those that occur, ascending, without 0 (none). `values[i]` is the share of each
    cell's area under `labels[i]`; shares of several labels may add up to more than 1 where pixels
    carry several. `known` is the share that is labelled at all, be it as none of the concepts.
    """

    labels: Int[np.ndarray, " p"]
    values: Float[np.ndarray, "p h w"]
    known: Float[np.ndarray, "h w"]

    def of(self, label: int) -> Float[np.ndarray, "h w"]:
        """Return the shares of one label, zeros where it does not occur."""
        at = np.flatnonzero(self.labels == label)
        found: Float[np.ndarray, "h w"] = self.values[at[0]] if len(at) else 0 * self.known
        return found


@dataclass(frozen=True, eq=False)
class _Side:
    """How cells lie over pixels along one side: lengths they share, and the lengths of cells.

    In units of `1 / cells` of a pixel, so that over a whole side they are whole numbers: sums are
    exact and ties are ties.
    """

    shared: sparse.csr_array
    cells: Float[np.ndarray, " h"]


@dataclass(frozen=True, eq=False)
class _Grid:
    rows: _Side
    columns: _Side

    @property
    def cells(self) -> Float[np.ndarray, "h w"]:
        found: Float[np.ndarray, "h w"] = self.rows.cells[:, None] * self.columns.cells
        return found

    def areas(self, mask: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "h w"]:
        """The area of each cell under a mask."""
        found = self.rows.shared @ mask.astype(np.float64) @ self.columns.shared.T
        return np.asarray(found)

    def shares(self, mask: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "h w"]:
        """The share of each cell under a mask."""
        found: Float[np.ndarray, "h w"] = (self.areas(mask) / self.cells).astype(np.float32)
        return found


def shares(
    maps: Sequence[Int[np.ndarray, "_ _"]], size: tuple[int, int], *, window: Window = WHOLE
) -> CellShares:
    """Return the share of each cell of a `(h, w)` grid that each label covers.

    The grid divides `window` evenly, whatever the size of the maps, which cover the whole image;
    areas are exact. A pixel with the same label in several maps counts once. What lies outside
    the image is unlabelled; a window from right to left, or bottom to top, mirrors the grid.
    Raises ValueError for no map, for maps of different sizes (other than one cell), and for an
    empty grid or window.
    """
    stack = _stacked(maps)
    grid = _grid(stack.shape[1:], size, window)
    labels = np.array([x for x in _present(stack) if x > 0], np.int32)
    values = [grid.shares((stack == label).any(0)) for label in labels]
    return CellShares(
        labels,
        np.stack(values) if values else np.zeros((0, *size), np.float32),
        grid.shares((stack != IGNORE).any(0)),
    )


def majority(
    maps: Sequence[Int[np.ndarray, "_ _"]], size: tuple[int, int], *, window: Window = WHOLE
) -> Int[np.ndarray, "m h w"]:
    """Return for each map the label that covers most of each cell of a `(h, w)` grid, int32.

    None (0) and unlabelled (-1, also outside the image) take part; of labels that cover equally
    much the smallest wins. `window` and errors are those of `shares`.
    """
    stack = _stacked(maps)
    grid = _grid(stack.shape[1:], size, window)
    return np.stack([_most(labels, grid) for labels in stack])


def _most(labels: Int[np.ndarray, "H W"], grid: _Grid) -> Int[np.ndarray, "h w"]:
    best = grid.cells - grid.areas(labels != IGNORE)
    winner = np.full(best.shape, IGNORE, np.int32)
    for label in _present(labels):
        if label != IGNORE:
            area = grid.areas(labels == label)
            winner[area > best] = label
            best = np.maximum(area, best)
    return winner


def _present(labels: Int[np.ndarray, " ..."]) -> list[int]:
    """The labels that occur, ascending; counting is several times faster than sorting."""
    found: list[int] = (np.flatnonzero(np.bincount(labels.ravel() - IGNORE)) + IGNORE).tolist()
    return found


def _stacked(maps: Sequence[Int[np.ndarray, "_ _"]]) -> Int[np.ndarray, "m H W"]:
    sizes = sorted({m.shape for m in maps} - {(1, 1)}) or [(1, 1)]
    if not maps or len(sizes) > 1:
        got = f"maps of the sizes {', '.join(map(str, sizes))}" if maps else "no map"
        raise ValueError(
            f"got {got} at one level; expected at least one map, all of one size or of a single"
            " cell; leave out an image without labels, and bring its masks to one size"
        )
    return np.stack([np.broadcast_to(m, sizes[0]) for m in maps])


def _grid(pixels: tuple[int, ...], size: tuple[int, int], window: Window) -> _Grid:
    x0, y0, x1, y1 = window
    if min(size) < 1 or x0 == x1 or y0 == y1 or not bool(np.isfinite(window).all()):
        raise ValueError(
            f"got a grid of {size} cells over the window {window}; expected at least one cell and a"
            " window with an area; pass (height, width) and (left, top, right, bottom)"
        )
    return _Grid(_side(pixels[0], size[0], y0, y1), _side(pixels[1], size[1], x0, x1))


def _side(pixels: int, cells: int, start: float, end: float) -> _Side:
    edges = (start * cells + (end - start) * np.arange(cells + 1)) * pixels
    low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
    first = np.floor(low / cells).astype(np.int64)
    reach = int(np.ceil((high - low).max() / cells)) + 1
    at = first[:, None] + np.arange(reach)
    shared = np.minimum(high[:, None], (at + 1) * cells) - np.maximum(low[:, None], at * cells)
    inside = (at >= 0) & (at < pixels) & (shared > 0)
    cell = np.broadcast_to(np.arange(cells)[:, None], at.shape)
    entries = (shared[inside], (cell[inside], at[inside]))
    return _Side(sparse.csr_array(entries, shape=(cells, pixels)), high - low)


# A window that differs less from the whole image, in shares of its sides, is the whole image.
NEARLY = 0.003
