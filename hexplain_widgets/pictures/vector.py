"""The pen of vector pictures: what is drawn with it becomes an SVG, words remain words."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageFont

from .page import FINER, INK, Number, Pen, Point

_ANCHORS = {"l": "start", "m": "middle", "r": "end"}
FONT = "Aileron, Helvetica, Arial, sans-serif"


class VectorPen(Pen):
    """Draws what `Pen` draws, in the same pixels, as elements of an SVG `width` by `height`."""

    def __init__(self, width: Number, height: Number) -> None:
        self.size = (round(width), round(height))
        self._parts: list[str] = []

    def text(self, at: Point, words: str, size: int, colour: str = INK, anchor: str = "ls") -> None:
        """Write words on the base line, as wide as `Pen` does; of `anchor` the first letter counts.

        Fonts differ from machine to machine: elsewhere words would run into one another.
        """
        if words.strip():
            wide = ImageFont.load_default(size).getlength(words)
            place = f'x="{_n(at[0])}" y="{_n(at[1])}" text-anchor="{_ANCHORS[anchor[0]]}"'
            style = f'font-size="{size}" fill="{colour}" textLength="{_n(wide)}"'
            said = html.escape(words)
            self._parts.append(
                f'<text {place} {style} lengthAdjust="spacingAndGlyphs">{said}</text>'
            )

    def box(self, at: Point, size: Point, colour: str) -> None:
        """Fill a box of this size."""
        self._parts.append(f'<rect {_box(at, size)} fill="{colour}"/>')

    def outline(self, at: Point, size: Point, width: float | int, colour: str) -> None:
        """Draw the edge of a box, inside of it."""
        half = width / 2
        inside = (at[0] + half, at[1] + half), (size[0] - width, size[1] - width)
        line = f'fill="none" stroke="{colour}" stroke-width="{_n(width)}"'
        self._parts.append(f"<rect {_box(*inside)} {line}/>")

    def picture(self, at: Point, pixels: Image.Image) -> None:
        """Embed a picture that has as many pixels as the finer canvas."""
        out = BytesIO()
        pixels.convert("RGB").save(out, format="JPEG", quality=90)
        data = base64.b64encode(out.getvalue()).decode("ascii")
        size = (pixels.width / FINER, pixels.height / FINER)
        self._parts.append(f'<image {_box(at, size)} href="data:image/jpeg;base64,{data}"/>')

    def link(self, start: Point, end: Point, width: float, colour: str) -> None:
        """Draw a line that leaves and arrives level."""
        middle = (start[0] + end[0]) / 2
        (x0, y0), (x1, y1) = start, end
        path = f"M{_n(x0)} {_n(y0)}C{_n(middle)} {_n(y0)} {_n(middle)} {_n(y1)} {_n(x1)} {_n(y1)}"
        self._parts.append(f'<path d="{path}" {_stroke(width, colour)}/>')

    def line(self, points: Sequence[Point], width: float, colour: str) -> None:
        """Draw straight lines from point to point."""
        places = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        self._parts.append(f'<polyline points="{places}" {_stroke(width, colour)}/>')

    def markup(self, title: str) -> str:
        """Return the whole picture, on white; `title` is what it is read out as."""
        width, height = self.size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" role="img" font-family="{FONT}">'
        )
        ground = (
            f'<title>{html.escape(title)}</title><rect width="100%" height="100%" fill="#ffffff"/>'
        )
        return "\n".join((head, ground, *self._parts, "</svg>")) + "\n"


def _n(value: Number) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _box(at: Point, size: Point) -> str:
    return f'x="{_n(at[0])}" y="{_n(at[1])}" width="{_n(size[0])}" height="{_n(size[1])}"'


def _stroke(width: float, colour: str) -> str:
    return f'fill="none" stroke="{colour}" stroke-width="{_n(width)}"'
