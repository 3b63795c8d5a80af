"""Parts of a page that is drawn for slides and print: pictures in a row, grouped bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from .page import FINER, INK, LINE, SOFT, Pen, short

Number = float | int
WIDTH, MARGIN, GAP = 1920, 48, 32
PICTURE, CHART = 420.0, 300.0


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


def grouped_bars(
    pen: Pen,
    names: Sequence[str],
    values: Float[np.ndarray, "2 n"],
    errors: Float[np.ndarray, "2 n"],
    ticks: Float[np.ndarray, " t"],
    colours: Sequence[str],
    at: tuple[Number, Number, Number],
) -> None:
    """Draw two bars for each name at `(x, y, width)`, with their errors where there are some."""
    (x, y, wide), left = at, 70.0
    scale = CHART / float(ticks[-1] - ticks[0])
    zero = y + float(ticks[-1]) * scale
    for tick in ticks:
        pen.box((x + left, zero - float(tick) * scale), (wide - left, 1), LINE)
        pen.text((x + left - 10, zero - float(tick) * scale + 7), f"{tick:.3g}", 20, SOFT, "rs")
    step = (wide - left) / len(names)
    for i, name in enumerate(names):
        for j, colour in enumerate(colours):
            value, error = float(values[j, i]), float(errors[j, i])
            start = x + left + step * (i + 0.15 + 0.35 * j)
            pen.box(
                (start, zero - max(0.0, value) * scale), (step * 0.35, abs(value) * scale), colour
            )
            if error > 0:
                top = zero - (value + error) * scale
                pen.box((start + step * 0.175 - 1, top), (3, 2 * error * scale), INK)
        pen.text((x + left + step * (i + 0.5), y + CHART + 30), name, 22, INK, "ms")
