"""Label maps as a network sees them: on a layer's cells, on pixels, under masks, in its window.

Shares of cells and the majority are by exact areas; `Framing` finds the window of an image that a
transform shows to the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image
from scipy import sparse

from ..network.classifier import Classifier
from .concept_sets import IGNORE, NONE

# The part of the image that the cells cover: left, top, right, bottom in shares of its sides.
Window = tuple[float, float, float, float]
Size = tuple[int, int]
WHITE = 255
GOLDEN = 0.618033988749895  # whose multiples spread most evenly between whole numbers
# Near its border an image that is resized repeats pixels, so that a ramp is flat there.
_BORDER = 0.05
WHOLE: Window = (0.0, 0.0, 1.0, 1.0)
# A window that differs less from the whole image, in shares of its sides, is the whole image.
NEARLY = 0.003


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
        return self.values[at[0]] if len(at) else 0 * self.known


@dataclass(frozen=True, eq=False)
class _GridSide:
    """How cells lie over pixels along one side: lengths they share, and the lengths of cells.

    In units of `1 / cells` of a pixel, so that over a whole side they are whole numbers: sums are
    exact and ties are ties.
    """

    shared: sparse.csr_array
    cells: Float[np.ndarray, " h"]


@dataclass(frozen=True, eq=False)
class _Grid:
    rows: _GridSide
    columns: _GridSide

    @property
    def cells(self) -> Float[np.ndarray, "h w"]:
        return self.rows.cells[:, None] * self.columns.cells

    def areas(self, mask: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "h w"]:
        """The area of each cell under a mask."""
        return np.asarray(self.rows.shared @ mask.astype(np.float64) @ self.columns.shared.T)

    def shares(self, mask: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "h w"]:
        """The share of each cell under a mask."""
        return (self.areas(mask) / self.cells).astype(np.float32)


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
    return (np.flatnonzero(np.bincount(labels.ravel() - IGNORE)) + IGNORE).tolist()


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


def _side(pixels: int, cells: int, start: float, end: float) -> _GridSide:
    edges = (start * cells + (end - start) * np.arange(cells + 1)) * pixels
    low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
    first = np.floor(low / cells).astype(np.int64)
    reach = int(np.ceil((high - low).max() / cells)) + 1
    at = first[:, None] + np.arange(reach)
    shared = np.minimum(high[:, None], (at + 1) * cells) - np.maximum(low[:, None], at * cells)
    inside = (at >= 0) & (at < pixels) & (shared > 0)
    cell = np.broadcast_to(np.arange(cells)[:, None], at.shape)
    entries = (shared[inside], (cell[inside], at[inside]))
    return _GridSide(sparse.csr_array(entries, shape=(cells, pixels)), high - low)


@dataclass(frozen=True, eq=False)
class LabelledPixels:
    """The labels of an image's pixels at one level, several where several maps say something."""

    labels: Int[np.ndarray, "m Y X"]

    @property
    def size(self) -> Size:
        """Rows and columns of pixels."""
        return self.labels.shape[1], self.labels.shape[2]

    @cached_property
    def known(self) -> Bool[np.ndarray, "Y X"]:
        """Which pixels are labelled at all, be it with none of the concepts."""
        return np.asarray((self.labels != IGNORE).any(0))

    @cached_property
    def present(self) -> tuple[int, ...]:
        """The labels of concepts that occur, ascending."""
        return tuple(label for label in _present(self.labels) if label > 0)

    def of(self, label: int) -> Bool[np.ndarray, "Y X"]:
        """Which pixels carry a label."""
        return np.asarray((self.labels == label).any(0))

    @property
    def area(self) -> float:
        """The share of the image that a pixel covers: so much it counts, at any resolution."""
        return 1 / float(np.prod(self.size))

    def members(self, places: Int[np.ndarray, " n"], count: int) -> Bool[np.ndarray, "n {count}"]:
        """Say for some pixels which of `count` concepts they carry; label 1 is the first."""
        table = np.zeros((len(places), count + 1), dtype=bool)
        for labels in self.labels.reshape(len(self.labels), -1)[:, places]:
            table[np.arange(len(places)), labels.clip(0)] = True
        return table[:, 1:]


def labelled_pixels(
    maps: Sequence[Int[np.ndarray, "_ _"]], cells: Size, *, limit: Size, window: Window = WHOLE
) -> LabelledPixels:
    """Return the labels of an image at the finer of a layer's `cells` and the label maps' own size.

    Never finer than `limit`, the network's input, nor coarser than the layer. `window` is what the
    network sees of the image. Where the size changes, the majority of what a pixel covers decides.
    Raises ValueError for no map and for maps of different sizes.
    """
    own = max((m.shape for m in maps), default=(1, 1))
    extent = (abs(window[3] - window[1]), abs(window[2] - window[0]))
    size = [
        max(c, min(round(n * s), most))
        for c, n, s, most in zip(cells, own, extent, limit, strict=True)
    ]
    if window == WHOLE and {m.shape for m in maps} == {(size[0], size[1])}:
        return LabelledPixels(np.stack(list(maps)))
    return LabelledPixels(majority(maps, (size[0], size[1]), window=window))


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
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def nearest_label(masks: Bool[np.ndarray, "n h w"], regions: CellShares) -> Int[np.ndarray, " n"]:
    """Return for every mask the label of the region with the largest IoU (sec. 4.2, Fig. 13).

    0 for a mask that lies on no region; of equal ones the smallest label.
    """
    if not len(regions.labels):
        return np.full(len(masks), NONE)
    ious = ious_with(masks, regions)
    best = regions.labels[ious.argmax(1)].astype(np.int64)
    return np.where(ious.max(1) > 0, best, NONE)


def shifted_masks(
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


class Framing:
    """The window of an image that a classifier's transform shows to the network.

    Found by sending ramps from black to white through the transform: their values say from where
    in the image each prepared pixel comes. Labels that are cut out by the same window (`window=` of
    `shares` and `majority`) lie where the network sees what they name.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._windows: dict[tuple[int, int], Window] = {}

    def window(self, size: tuple[int, int]) -> Window:
        """Return left, top, right and bottom of what the network sees, in shares of the sides.

        `size` is the image's `(height, width)`. Values beyond 0 and 1 are padding; where left and
        right are exchanged, the image is mirrored. Exact to three thousandths of a side. Raises
        ValueError for a transform that turns or bends images or their grey levels, or that leaves
        nothing of them.
        """
        if size not in self._windows:
            self._windows[size] = self._measured(*size)
        return self._windows[size]

    def of(self, image: Image.Image) -> Window:
        """Return the window of an image; where it is nearly the whole, the whole.

        Raises like `window`.
        """
        return self.near((image.height, image.width))

    def near(self, size: Size) -> Window:
        """Return the window of an image of a size, as `of` does."""
        window = self.window(size)
        return WHOLE if np.allclose(window, WHOLE, rtol=0, atol=NEARLY) else window

    def _measured(self, height: int, width: int) -> Window:
        x0, x1 = self._ends(self._positions(_ramp(height, width)), 1 / width)
        y0, y1 = self._ends(self._positions(_ramp(width, height).T).T, 1 / height)
        return (x0, y0, x1, y1)

    def _positions(self, ramp: UInt8[np.ndarray, "H W"]) -> Float[np.ndarray, "h w"]:
        """Where on the ramp each prepared pixel lies, 0 to 1; NaN in the padding."""
        black, white = (self._through(np.full_like(ramp, level)) for level in (0, WHITE))
        span = white - black
        # Padding is the same whatever the image is.
        span[np.abs(span) <= 0.99 * np.abs(span).max()] = np.nan
        # Resizing rounds up, which the ramp and its negative show with opposite signs.
        there, back = self._through(ramp), self._through(WHITE - ramp)
        return ((there - black) / span + (white - back) / span) / 2

    def _through(self, grey: UInt8[np.ndarray, "H W"]) -> Float[np.ndarray, "h w"]:
        x = self._classifier.prepared(Image.fromarray(grey))
        return x[0].double().mean(0).cpu().numpy()

    def _ends(self, position: Float[np.ndarray, "h w"], pixel: float) -> tuple[float, float]:
        """Where the columns of a prepared image begin and end, from the positions they show."""
        height, width = position.shape
        y, x = ((np.arange(n) + 0.5) / n for n in (height, width))
        used = np.isfinite(position) & (np.abs(position - 0.5) < 0.5 - _BORDER)
        rows = np.stack(
            [
                np.ones_like(position),
                np.broadcast_to(x, position.shape),
                np.broadcast_to(y[:, None], position.shape),
            ],
            -1,
        )[used]
        if len(rows) < 3:
            raise ValueError(self._not_framed("leaves nothing of"))
        (start, along, aside), *_ = np.linalg.lstsq(rows, position[used], rcond=None)
        error = np.abs(rows @ (start, along, aside) - position[used]).max()
        allowed = 2 / WHITE + pixel
        if error > allowed or abs(aside) > allowed or abs(along) <= allowed:
            raise ValueError(self._not_framed("turns or bends"))
        return float(start), float(start + along)

    def _not_framed(self, what: str) -> str:
        return (
            f"the transform of {self._classifier!r} {what} images, so that their labels cannot be"
            " laid over what the network sees; expected one that resizes, crops, pads or mirrors"
            " them and scales their values; leave turning and augmenting out of it"
        )


def _ramp(height: int, width: int) -> UInt8[np.ndarray, "height width"]:
    """Black to white from left to right; rows are rounded at different levels, which evens out."""
    levels = WHITE * (np.arange(width) + 0.5) / width
    rounding = (np.arange(height) * GOLDEN) % 1
    return np.floor(levels + rounding[:, None]).clip(0, WHITE).astype(np.uint8)
