"""Images by methods as a picture, of pixels or of vectors, for slides and for print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ...evidence import HeatMap, MethodSheet
from ...pictures.heat import overlaid
from ...pictures.page import (
    FINER,
    INK,
    MARGIN,
    SOFT,
    WELL,
    WIDTH,
    Pen,
    Point,
    finished,
    number,
    page_of,
    percent,
    short,
)
from ...pictures.vector import VectorPen
from .._shared.agreement import weakly

SCALES = ("map", "row", "column")
OPACITY = 0.9
HEAD, HEADS, FOOT, GAP, LARGEST = 110, 64, 58, 14, 340


@dataclass(frozen=True)
class SheetLook:
    """How maps are drawn: what shares a scale, both signs or what speaks for it, how strong."""

    scale: str = "map"
    signed: bool = False
    opacity: float = OPACITY

    @classmethod
    def of(cls, view: Mapping[str, Any]) -> SheetLook:
        """Return the look of a saved arrangement."""
        return cls(
            view.get("scale", "map"), view.get("signed", False), view.get("opacity", OPACITY)
        )


def strength(heat: HeatMap, signed: bool) -> float:
    """Return the largest value of a map, of both signs or of what speaks for the class."""
    low, high = float(heat.values.min(initial=0)), float(heat.values.max(initial=0))
    return max(high, -low) if signed else high


def peers(evidence: MethodSheet, at: int, scale: str) -> Iterator[HeatMap]:
    """Yield the maps that share a map's scale, itself too; those with a picture have none."""
    row, column = evidence.places[at].tolist()
    for place, heat in zip(evidence.places.tolist(), evidence.maps, strict=True):
        shared = {"row": place[0] == row, "column": place[1] == column}
        if heat.picture is None and shared.get(scale, place == [row, column]):
            yield heat


def strongest(evidence: MethodSheet, at: int, look: SheetLook, scale: str | None = None) -> float:
    """Return what the strongest colour of a map stands for; 0 where nothing is drawn."""
    sharing = peers(evidence, at, scale or look.scale)
    return max((strength(heat, look.signed) for heat in sharing), default=0.0)


def weakness(evidence: MethodSheet, at: int, look: SheetLook) -> str:
    """Return how weak a map on its own scale is beside its column; nothing if it is not."""
    if look.scale != "map" or evidence.maps[at].picture is not None:
        return ""
    own = strength(evidence.maps[at], look.signed)
    return weakly(own, strongest(evidence, at, look, "column"))


def draw_methods(evidence: MethodSheet, look: SheetLook) -> Image.Image:
    """Return the sheet as a picture 1920 pixels wide."""
    plan = _SheetPlan(evidence, look)
    pen = page_of(plan.height)
    plan.draw(pen)
    return finished(pen)


def write_methods(evidence: MethodSheet, look: SheetLook) -> str:
    """Return the sheet as an SVG, whose words are words and whose maps are pictures."""
    plan = _SheetPlan(evidence, look)
    pen = VectorPen(WIDTH, plan.height)
    plan.draw(pen)
    return pen.markup(_title(evidence))


def _title(evidence: MethodSheet) -> str:
    rows, columns = evidence.shape
    return f"Where does each method look? {rows} x {columns}"


class _SheetPlan:
    """Where everything stands, and how it is drawn with a pen of either kind."""

    def __init__(self, evidence: MethodSheet, look: SheetLook) -> None:
        self.evidence, self.look = evidence, look
        columns = evidence.shape[1] + 1
        self.side = min(LARGEST, (WIDTH - 2 * MARGIN - GAP * (columns - 1)) / columns)
        self.row = self.side + FOOT
        self.height = HEAD + HEADS + self.row * evidence.shape[0] + MARGIN

    def draw(self, pen: Pen) -> None:
        """Draw title, heads and rows."""
        pen.text((MARGIN, 70), "Where does each method look?", 44)
        model = short(self.evidence.provenance.model, 40)
        scale = f"{model}, colours of each {self.look.scale} by themselves"
        pen.text((WIDTH - MARGIN, 70), scale, 24, SOFT, "rs")
        heads = zip(self.evidence.methods, self.evidence.layers, strict=True)
        for column, (method, layer) in enumerate(heads):
            self._head(pen, self._x(column + 1), method, layer)
        for row in range(self.evidence.shape[0]):
            self._image(pen, row)
        for at in range(len(self.evidence.maps)):
            self._map(pen, at)
        for row, column in self.evidence.gaps.tolist():
            self._gap(pen, row, column)

    def _x(self, column: int) -> float:
        return float(MARGIN + (self.side + GAP) * column)

    def _y(self, row: int) -> float:
        return float(HEAD + HEADS + self.row * row)

    def _fits(self, words: str, size: int) -> str:
        return short(words, max(4, round(self.side / (size * 0.5))))

    def _head(self, pen: Pen, x: float, method: str, layer: str) -> None:
        pen.text((x, HEAD + 20), self._fits(method, 20), 20)
        pen.text((x, HEAD + 44), self._fits(layer, 17), 17, SOFT)

    def _image(self, pen: Pen, row: int) -> None:
        at = (self._x(0), self._y(row))
        self._picture(pen, at, Image.fromarray(self.evidence.images[row]))
        named, target = self.evidence.predictions[row], self.evidence.targets[row]
        likely = percent(float(self.evidence.probabilities[row]))
        self._caption(pen, at, f"{self._fits(target, 30)}  {likely}", INK)
        if not self.evidence.named_so[row]:
            pen.text(
                (at[0], at[1] + self.side + 40), self._fits(f"named {named.name}", 15), 15, SOFT
            )

    def _map(self, pen: Pen, at: int) -> None:
        heat = self.evidence.maps[at]
        row, column = self.evidence.places[at].tolist()
        place = (self._x(column + 1), self._y(row))
        self._picture(pen, place, self._coloured(at, heat))
        self._caption(pen, place, f"up to {number(heat.values.max(initial=0))}", SOFT)
        self._below(pen, place, weakness(self.evidence, at, self.look))

    def _coloured(self, at: int, heat: HeatMap) -> Image.Image:
        if heat.picture is not None:
            return Image.fromarray(heat.picture)
        values = heat.values if self.look.signed else np.maximum(heat.values, 0)
        largest = strongest(self.evidence, at, self.look) or 1.0
        return Image.fromarray(overlaid(heat.image, values, largest, self.look.opacity))

    def _gap(self, pen: Pen, row: int, column: int) -> None:
        at = (self._x(column + 1), self._y(row))
        pen.box(at, (self.side, self.side), WELL)
        self._caption(pen, at, "no map", SOFT)
        self._below(pen, at, self.evidence.reason(row, column))

    def _caption(self, pen: Pen, at: Point, words: str, colour: str) -> None:
        pen.text((at[0], at[1] + self.side + 21), words, 18, colour)

    def _below(self, pen: Pen, at: Point, words: str) -> None:
        pen.text((at[0], at[1] + self.side + 40), self._fits(words, 14), 14, SOFT)

    def _picture(self, pen: Pen, at: Point, picture: Image.Image) -> None:
        k = self.side * FINER / max(picture.size)
        size = (max(1, round(picture.width * k)), max(1, round(picture.height * k)))
        pen.picture(at, picture.resize(size, Image.Resampling.BICUBIC))
