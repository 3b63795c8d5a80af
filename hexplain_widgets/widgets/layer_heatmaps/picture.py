"""Heatmaps as a picture, drawn from the maps alone: for slides and for print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ...arguments import counted
from ...evidence import HeatMap
from ...evidence.heat import CONTESTED
from ...network.localize import upsampled
from ...pictures.heat import heat, pale
from ...pictures.page import (
    FINER,
    SOFT,
    WELL,
    WIDTH,
    Point,
    finished,
    number,
    page_of,
    percent,
    short,
    stage_name,
)
from .._shared.agreement import weakly
from .grid import HeatmapGrid, Key, MapCell, Spot

MARGIN, NAMES, GAP = 48, 210, 16
HEAD, LINE, FOOT = 150, 34, 100
LARGEST = 420  # pixels a side up to which a map is enlarged
ABREAST = 4  # maps side by side where there is one per class
OPACITY = 0.9
BOX = "#ffffff"
RAMP = 480


@dataclass(frozen=True)
class GridState:
    """What of a grid is on the screen, and how: `targets` are the classes, with their names.

    `contested` maps hold each place against other classes, others are plain sums.
    """

    method: str
    targets: Mapping[Key, str]
    scale: str = "map"
    opacity: float = OPACITY
    boxes: bool = False
    signed: bool = False
    contested: bool = False

    @classmethod
    def of(cls, view: Mapping[str, Any], grid: HeatmapGrid, classes: Sequence[str]) -> GridState:
        """Return the look that a saved arrangement describes; `classes` are names by index."""
        known = grid.targets()
        targets = {key: known.get(key) or _named(key, classes) for key in view.get("classes", ())}
        method = view.get("method", grid.methods[0] if grid.methods else "")
        kinds, contested = grid.kinds(method), not view.get("plain", False)
        return cls(
            method=method,
            targets=targets,
            scale=view.get("scale", "map"),
            opacity=view.get("opacity", OPACITY),
            boxes=view.get("boxes", False),
            signed=view.get("signed", False),
            contested=contested if contested in kinds else kinds[0],
        )

    def spot(self, target: Key, layer: str) -> Spot:
        """Return where the map of a class and layer stands."""
        return Spot(self.method, target, layer, self.contested)


def _named(key: Key, classes: Sequence[str]) -> str:
    return classes[key] if isinstance(key, int) and 0 <= key < len(classes) else str(key)


def strongest(grid: HeatmapGrid, state: GridState, spot: Spot) -> float:
    """Return the value that the strongest colour of a map stands for; 1 where all is zero."""
    peers = [s for s in _spots(grid, state) if _share_scale(state.scale, s, spot)]
    values = [grid.cells[s].heatmap.values for s in peers if s in grid.cells]
    size = np.abs if state.signed else np.asarray
    return max((float(size(v).max(initial=0)) for v in values), default=0.0) or 1.0


def _share_scale(scale: str, one: Spot, other: Spot) -> bool:
    return scale == "all" or one == other or (scale == "layer" and one.layer == other.layer)


def _spots(grid: HeatmapGrid, state: GridState) -> Iterator[Spot]:
    for target in state.targets:
        yield from (state.spot(target, layer) for layer in grid.columns(state.method))


def overlay(
    cell: MapCell,
    image: UInt8[np.ndarray, "h w 3"],
    size: tuple[int, int],
    state: GridState,
    largest: float,
) -> Image.Image:
    """Return a map over its image, `size` `(width, height)` pixels; a picture as it is."""
    if cell.heatmap.picture is not None:
        return Image.fromarray(cell.heatmap.picture).resize(size, Image.Resampling.BICUBIC)
    kept = cell.heatmap.values if state.signed else np.maximum(cell.heatmap.values, 0)
    return blended(kept, image, size, largest, state.opacity)


def blended(
    values: Float[np.ndarray, "mh mw"],
    image: UInt8[np.ndarray, "h w 3"],
    size: tuple[int, int],
    largest: float,
    opacity: float = OPACITY,
) -> Image.Image:
    """Return values as heat over the pale image, `size` `(width, height)` pixels."""
    ground = Image.fromarray(pale(image)).resize(size, Image.Resampling.BILINEAR)
    over = heat(upsampled(values.astype(np.float64), (image.shape[0], image.shape[1])) / largest)
    over[..., 3] = np.rint(over[..., 3] * opacity)
    layer = Image.fromarray(over).resize(size, Image.Resampling.BILINEAR)
    ground.paste(layer, mask=layer.getchannel("A"))
    return ground


def contest_of(heatmap: HeatMap) -> str:
    """Return in few words what a map's places are held against; empty where none could be."""
    if heatmap.method not in CONTESTED:
        return ""
    count = heatmap.against
    return f"against {counted(count, 'other class')}" if count else "plain sum"


def draw_heatmaps(grid: HeatmapGrid, state: GridState) -> Image.Image:
    """Return the maps of a look as a picture 1920 pixels wide, a row per class.

    Where a method gives one map per class the classes stand side by side. Raises ValueError for a
    look without a map.
    """
    if not any(spot in grid.cells for spot in _spots(grid, state)):
        raise ValueError(
            f"got no map of {state.method} for {', '.join(state.targets.values()) or 'no class'};"
            " expected at least one on the screen; choose a class and a method that has maps"
        )
    columns = grid.columns(state.method)
    rows = [[(target, layer) for layer in columns] for target in state.targets]
    if len(columns) == 1:
        one_each = [row[0] for row in rows]
        rows = [one_each[i : i + ABREAST] for i in range(0, len(one_each), ABREAST)]
    return _GridPicture(grid, state, rows, named=len(columns) > 1).finished()


class _GridPicture:
    def __init__(
        self, grid: HeatmapGrid, state: GridState, rows: list[list[tuple[Key, str]]], *, named: bool
    ) -> None:
        self.grid, self.state, self.rows, self.named = grid, state, rows, named
        self.left = MARGIN + (NAMES if named else 0)
        across = max(map(len, rows))
        room = (WIDTH - MARGIN - self.left - GAP * (across - 1)) / across
        height, width = grid.image.shape[:2]
        self.size = (min(room, LARGEST), min(room, LARGEST) * height / width)
        self.row = self.size[1] + LINE + (GAP if named else LINE + GAP)
        total = round(HEAD + LINE + self.row * len(rows) + FOOT)
        self.pen = page_of(total)

    def finished(self) -> Image.Image:
        self._title()
        if self.named:
            self._heads()
        for i, row in enumerate(self.rows):
            self._row(row, HEAD + LINE + i * self.row)
        self._legend(HEAD + LINE + self.row * len(self.rows) + GAP)
        return finished(self.pen)

    def _title(self) -> None:
        names = ", ".join(self.state.targets.values())
        self.pen.text((MARGIN, 78), f"Where is {short(names, 54)}?", 48)
        sparsity = self.grid.sparsity
        spots = [s for s in _spots(self.grid, self.state) if s in self.grid.cells]
        facts = [
            self.state.method,
            contest_of(self.grid.cells[spots[0]].heatmap) if spots else "",
            "" if sparsity is None else f"sparsity {number(sparsity)}",
        ]
        self.pen.text((WIDTH - MARGIN, 78), ",  ".join(filter(None, facts)), 26, SOFT, "rs")

    def _heads(self) -> None:
        layers = {layer.name: layer for layer in self.grid.layers}
        for i, (_, name) in enumerate(self.rows[0]):
            layer, x = layers.get(name), self.left + i * (self.size[0] + GAP)
            room = round(self.size[0] / 11)
            self.pen.text((x, HEAD), short(stage_name(layer) if layer else name, room), 24)
            if layer:
                cells = f"{layer.shape[1]} x {layer.shape[2]}"
                self.pen.text((x + self.size[0], HEAD), cells, 18, SOFT, "rs")
                self.pen.text((x, HEAD + 22), short(layer.name, room + 4), 17, SOFT)

    def _row(self, row: list[tuple[Key, str]], y: float) -> None:
        for i, (target, layer) in enumerate(row):
            at = (self.left + i * (self.size[0] + GAP), y)
            if not self.named:
                self._name(target, at)
                at = (at[0], y + LINE)
            self._cell(self.state.spot(target, layer), at)
        if self.named:
            self._name(row[0][0], (MARGIN, y + 4))

    def _name(self, target: Key, at: Point) -> None:
        name = self.state.targets[target]
        likely = next((p.probability for p in self.grid.predictions if p.index == target), None)
        self.pen.text((at[0], at[1] + 22), short(name, 15 if self.named else 30), 26)
        if likely is None:
            return
        if self.named:
            self.pen.text((at[0], at[1] + 50), percent(likely), 20, SOFT)
        else:
            end = (at[0] + self.size[0], at[1] + 22)
            self.pen.text(end, percent(likely), 20, SOFT, "rs")

    def _cell(self, spot: Spot, at: Point) -> None:
        cell, below = self.grid.cells.get(spot), (at[0], at[1] + self.size[1] + 22)
        if cell is None:
            self.pen.box(at, self.size, WELL)
            self.pen.text(below, "no map", 17, SOFT)
            return
        largest = strongest(self.grid, self.state, spot)
        pixels = (round(self.size[0] * FINER), round(self.size[1] * FINER))
        self.pen.picture(at, overlay(cell, self.grid.image, pixels, self.state, largest))
        if self.state.boxes and cell.box is not None:
            self._box(cell.box.box, at)
        self._caption(spot, cell, below)

    def _caption(self, spot: Spot, cell: MapCell, at: Point) -> None:
        if cell.heatmap.picture is None:
            self.pen.text(at, f"up to {number(cell.heatmap.values.max())}", 17, SOFT)
            self.pen.text((at[0], at[1] + 18), self._weak(spot), 15, SOFT)
        if cell.channels is not None:
            counted = f"{cell.channels[0]} of {cell.channels[1]} channels"
            room = self.size[0] > 230
            words = counted if room else f"{cell.channels[0]} / {cell.channels[1]}"
            self.pen.text((at[0] + self.size[0], at[1]), words, 17, SOFT, "rs")

    def _weak(self, spot: Spot) -> str:
        """How weak a map on its own scale is beside those of its layer."""
        if self.state.scale != "map":
            return ""
        most = strongest(self.grid, replace(self.state, scale="layer"), spot)
        return weakly(strongest(self.grid, self.state, spot), most)

    def _box(self, box: tuple[int, int, int, int], at: Point) -> None:
        if box[2] <= box[0]:
            return
        k = self.size[0] / self.grid.image.shape[1]
        start = (at[0] + box[0] * k, at[1] + box[1] * k)
        self.pen.outline(start, ((box[2] - box[0]) * k, (box[3] - box[1]) * k), 4, "#000000")
        inner = (start[0] + 1, start[1] + 1)
        size = ((box[2] - box[0]) * k - 2, (box[3] - box[1]) * k - 2)
        self.pen.outline(inner, size, 2, BOX)

    def _legend(self, y: float) -> None:
        spots = [s for s in _spots(self.grid, self.state) if s in self.grid.cells]
        coloured = [s for s in spots if self.grid.cells[s].heatmap.picture is None]
        if not coloured:
            return
        ramp = heat(np.linspace(-1.0 if self.state.signed else 0.0, 1, 512)[None].repeat(24, 0))
        ground = Image.new("RGB", ramp.shape[1::-1], "#9a9a9a")
        over = Image.fromarray(ramp)
        ground.paste(over, mask=over.getchannel("A"))
        self.pen.picture((self.left, y), ground.resize((RAMP * FINER, 12 * FINER)))
        low, high = self._ends(strongest(self.grid, self.state, coloured[0]))
        self.pen.text((self.left, y + 34), low, 18, SOFT)
        self.pen.text((self.left + RAMP, y + 34), high, 18, SOFT, "rs")

    def _ends(self, largest: float) -> tuple[str, str]:
        """The words at both ends of the scale."""
        if self.state.scale == "all":
            return number(-largest if self.state.signed else 0), number(largest)
        return "as far against" if self.state.signed else "0", f"largest of each {self.state.scale}"
