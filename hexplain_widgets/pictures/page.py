"""Pages for slides and print: a pen, how names and shares are written, pictures and bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from ..evidence import Layer

Point = tuple[float | int, float | int]
FINER = 2  # drawn at twice the size, so that slanted edges are smooth
INK, SOFT, LINE, WELL, ACCENT = "#1b1b1b", "#666666", "#c9c9c9", "#eeeeee", "#1976d2"
Number = float | int
WIDTH, MARGIN, GAP = 1920, 48, 32
PICTURE = 420.0  # the longer side of a picture in a row


@dataclass
class Pen:
    """Draws in pixels of the finished picture on a canvas that is finer."""

    canvas: Image.Image

    def __post_init__(self) -> None:
        self._draw = ImageDraw.Draw(self.canvas)

    def text(self, at: Point, words: str, size: int, colour: str = INK, anchor: str = "ls") -> None:
        """Write words; `anchor` is Pillow's, the left end of the base line if not given."""
        font = ImageFont.load_default(size * FINER)
        self._draw.text((at[0] * FINER, at[1] * FINER), words, colour, font, anchor)

    def box(self, at: Point, size: Point, colour: str) -> None:
        """Fill a box of this size."""
        x, y = at[0] * FINER, at[1] * FINER
        end = (x + max(0.0, size[0] * FINER - 1), y + max(0.0, size[1] * FINER - 1))
        self._draw.rectangle(((x, y), end), fill=colour)

    def outline(self, at: Point, size: Point, width: float | int, colour: str) -> None:
        """Draw the edge of a box, inside of it."""
        x, y = at[0] * FINER, at[1] * FINER
        end = (x + size[0] * FINER - 1, y + size[1] * FINER - 1)
        self._draw.rectangle(((x, y), end), outline=colour, width=round(width * FINER))

    def picture(self, at: Point, pixels: Image.Image) -> None:
        """Paste a picture that has as many pixels as the finer canvas."""
        self.canvas.paste(pixels, (round(at[0] * FINER), round(at[1] * FINER)))

    def link(self, start: Point, end: Point, width: float, colour: str) -> None:
        """Draw a line that leaves and arrives level."""
        t = np.linspace(0, 1, 60)
        ease = 3 * t**2 - 2 * t**3
        x = (start[0] + (end[0] - start[0]) * t) * FINER
        y = (start[1] + (end[1] - start[1]) * ease) * FINER
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        self._draw.line(points, colour, max(1, round(width * FINER)), "curve")

    def line(self, points: Sequence[Point], width: float, colour: str) -> None:
        """Draw straight lines from point to point."""
        finer = [(x * FINER, y * FINER) for x, y in points]
        self._draw.line(finer, colour, max(1, round(width * FINER)), "curve")


def stage_name(layer: Layer) -> str:
    """Return what a stage is called at the head of its column."""
    return layer.name if layer.stage is None else f"Stage {layer.stage}"


def number(value: SupportsFloat, digits: int = 3) -> str:
    """Return a number of so many digits, and of all digits before the point.

    >>> print(number(1280), number(84.46), number(0.00012345), number(-999.6))
    1280 84.5 0.000123 -1000
    """
    plain = float(value)
    return f"{plain:.0f}" if abs(plain) >= 10**digits - 0.5 else f"{plain:.{digits}g}"


def percent(share: float) -> str:
    """Return a share as a percentage of two figures."""
    value = 100 * share
    if value < 0:
        return "> −0.1 %" if value > -0.05 else f"−{percent(-share)}"
    if 0 < value < 0.05:
        return "< 0.1 %"
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.1f} %"


def short(words: str, most: int) -> str:
    """Return words cut to at most so many signs."""
    return words if len(words) <= most else words[: most - 1] + "…"


def stacked(parts: Sequence[Image.Image]) -> Image.Image:
    """Return pictures of the page's width below each other."""
    page = Image.new("RGB", (WIDTH, sum(part.height for part in parts)), "white")
    y = 0
    for part in parts:
        page.paste(part, (0, y))
        y += part.height
    return page


def page_of(height: Number) -> Pen:
    """Return a pen on an empty page."""
    return Pen(Image.new("RGB", (WIDTH * FINER, round(height) * FINER), "white"))


def finished(pen: Pen) -> Image.Image:
    """Return what a pen has drawn."""
    width, height = pen.canvas.size
    return pen.canvas.resize((width // FINER, height // FINER), Image.Resampling.LANCZOS)


def pictures(
    pen: Pen,
    shown: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    captions: Sequence[str],
    y: Number,
    side: Number = PICTURE,
) -> None:
    """Draw pictures in a row from the left margin on, captions below them."""
    for i, (pixels, words) in enumerate(zip(shown, captions, strict=True)):
        x = MARGIN + i * (side + 2 * GAP)
        height, width = pixels.shape[:2]
        k = side / max(height, width)
        size = (round(width * k * FINER), round(height * k * FINER))
        pen.picture((x, y), Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
        pen.text((x, y + side + 34), short(words, round(side / 11)), 24)


def swatches(pen: Pen, named: Sequence[tuple[str, str]], y: Number) -> None:
    """Draw what colours stand for, `(colour, word)` each, at the right margin."""
    x = WIDTH - MARGIN - 330
    for i, (colour, word) in enumerate(named):
        pen.box((x + 150 * i, y - 2), (20, 20), colour)
        pen.text((x + 150 * i + 28, y + 16), short(word, 11), 22)
