"""Charts as values and drawn with a pen: lines, bars side by side, round numbers at axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .colours import RANDOM
from .page import INK, LINE, SOFT, Number, Pen, short

CHART, PANEL = 300.0, 480.0  # height of bars, and of a chart of lines with its words
FEW = 8  # places at which each has its words at the axis
LINE_WIDTH = 2.5  # pixels
SAME = 0.01  # of an axis: lines closer than that at two places in a row lie on each other


@dataclass(frozen=True)
class LineChart:
    """One chart: lines by name over common places, and how it is read."""

    title: str
    told: str
    x_name: str
    y_name: str
    places: tuple[str, ...]
    x: Float[np.ndarray, " p"]
    lines: Mapping[str, Float[np.ndarray, " p"]]
    colours: Mapping[str, str]

    @property
    def ticks(self) -> Float[np.ndarray, " t"]:
        """Round numbers around all values, 0 and 1 among them."""
        values = np.concatenate([*self.lines.values(), [0.0, 1.0]])
        return even_ticks(float(values.min()), float(values.max()))

    @property
    def layers(self) -> list[tuple[str, Float[np.ndarray, " p"], float]]:
        """Return lines with their widths from the lowest to the one on top, none of them hidden.

        A line below another that lies on it is seen on both sides; those of chance are dashed, on
        top.
        """
        near = SAME * float(self.ticks[-1] - self.ticks[0])
        solid: list[tuple[str, Float[np.ndarray, " p"], float]] = []
        chance = []
        for name, values in self.lines.items():
            if self.colours[name] == RANDOM:
                chance.append((name, values, LINE_WIDTH))
                continue
            above = [width for _, other, width in solid if _meet(values, other, near)]
            solid.append((name, values, max(above, default=0.0) + (4.0 if above else LINE_WIDTH)))
        return [*solid[::-1], *chance]


def _meet(one: Float[np.ndarray, " p"], other: Float[np.ndarray, " p"], near: float) -> bool:
    close = np.abs(one - other) <= near
    return bool((close[1:] & close[:-1]).any())


def even_ticks(low: float, high: float) -> Float[np.ndarray, " n"]:
    """Return round numbers from below `low` to above `high`, zero among them."""
    high = high if high > low else low + 1
    rough = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= rough * 0.999)
    return np.asarray(step * np.arange(np.floor(low / step), np.ceil(high / step) + 1))


def ticks_around(values: Float[np.ndarray, " ..."]) -> Float[np.ndarray, " n"]:
    """Return round numbers around all values and zero."""
    return even_ticks(float(values.min(initial=0)), float(values.max(initial=0)))


def decimals(ticks: Float[np.ndarray, " n"]) -> str:
    """Return the format in which neighbouring ticks can be told apart."""
    step = float(ticks[1] - ticks[0])
    if step < 1e-4 or step >= 1e5:
        return ".1e"
    return f".{max(0, int(np.ceil(-np.log10(step) - 1e-9)))}f"


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


def draw_chart(
    pen: Pen, chart: LineChart, at: tuple[float, float], size: tuple[float, float]
) -> None:
    """Draw a chart of lines with its axes and its legend at a corner, in a box of this size."""
    (x, y), (wide, tall) = at, size
    pen.text((x, y + 24), chart.title, 30)
    left, right, top, foot = x + 70, x + wide - 250, y + 50, y + tall - 60
    low, high = float(chart.ticks[0]), float(chart.ticks[-1])
    first, last = float(chart.x.min()), float(chart.x.max())

    def point(a: float, b: float) -> tuple[float, float]:
        across = (a - first) / ((last - first) or 1)
        return left + across * (right - left), foot - (b - low) / (high - low) * (foot - top)

    for value in chart.ticks:
        level = point(first, float(value))[1]
        pen.box((left, level), (right - left, 1), LINE)
        pen.text((left - 10, level + 7), f"{round(float(value), 6):g}", 20, SOFT, "rs")
    for place, words in _tick_words(chart):
        pen.text((point(place, low)[0], foot + 28), words, 20, SOFT, "ms")
    pen.text(((left + right) / 2, foot + 56), chart.x_name, 22, SOFT, "ms")
    for name, values, width in chart.layers:
        points = [point(float(a), float(b)) for a, b in zip(chart.x, values, strict=True)]
        pen.line(points, 1.2 * width, chart.colours[name])
    for i, name in enumerate(chart.lines):
        colour = chart.colours[name]
        pen.box((right + 20, top + 34 * i + 8), (22, 5), colour)
        pen.text((right + 52, top + 34 * i + 18), short(_plain(name), 22), 20)


def _tick_words(chart: LineChart) -> list[tuple[float, str]]:
    """Return where an axis has words: at each place, or at even shares where these are many."""
    if len(chart.x) <= FEW:
        return list(zip(map(float, chart.x), chart.places, strict=True))
    return [(i / 5, f"{i / 5:.0%}") for i in range(6)]


def _plain(words: str) -> str:
    """Return words in the letters that the pen's font has."""
    return words.replace("→", "to").replace("−", "-").replace("×", "x")
