"""Charts as values and drawn with a pen: lines, bars side by side, round numbers at axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from .colours import RANDOM
from .page import INK, LINE, SOFT, Number, Pen, short

CHART, PANEL = 300.0, 480.0  # height of bars, and of a chart of lines with its words
FEW = 8  # places at which each has its words at the axis
LINE_WIDTH = 2.5  # pixels
ROW, SPACE, NAMES = 26.0, 10.0, 250.0  # of bars that lie: height, room between, names' width
MOST_LETTERS = 24  # of a name of bars
SAME = 0.01  # of an axis: lines closer than that at two places in a row lie on each other


@dataclass(frozen=True)
class LineChart:
    """One chart: lines by name over common places, and how it is read.

    A value that is not known is NaN: its line leads on from the one before to the one after.
    `errors` are the standard errors of some lines, `anchors` the numbers that the axis always has.
    """

    title: str
    told: str
    x_name: str
    y_name: str
    places: tuple[str, ...]
    x: Float[np.ndarray, " p"]
    lines: Mapping[str, Float[np.ndarray, " p"]]
    colours: Mapping[str, str]
    errors: Mapping[str, Float[np.ndarray, " p"]] = field(default_factory=dict)
    anchors: tuple[float, ...] = (0.0, 1.0)

    @property
    def ticks(self) -> Float[np.ndarray, " t"]:
        """Round numbers around all values with their errors, 0 and the anchors among them."""
        ends = [end for name in self.errors for end in self.whiskers(name)[1].ravel()]
        values = np.concatenate([*self.lines.values(), self.anchors, ends])
        return even_ticks(float(np.nanmin(values)), float(np.nanmax(values)))

    @property
    def span(self) -> tuple[float, float]:
        """Return where the axis across begins and ends: with many places at 0."""
        first, last = float(self.x.min()), float(self.x.max())
        return (first if len(self.x) <= FEW else min(0.0, first)), max(last, first + 1e-6)

    def known(self, name: str) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """Return the places of a line and its values, of those that are known."""
        some = np.isfinite(self.lines[name])
        return self.x[some], self.lines[name][some]

    def whiskers(self, name: str) -> tuple[Float[np.ndarray, "k 2"], Float[np.ndarray, "k 2"]]:
        """Return upright lines `(x, y)` from a standard error below each value to one above."""
        values, errors = self.lines[name], self.errors[name]
        some = np.isfinite(values) & (errors > 0)
        x, middle, error = self.x[some], values[some], errors[some]
        return np.stack([x, x], 1), np.stack([middle - error, middle + error], 1)

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
    first, last = chart.span

    def point(a: float, b: float) -> tuple[float, float]:
        across = (a - first) / (last - first)
        return left + across * (right - left), foot - (b - low) / (high - low) * (foot - top)

    for value in chart.ticks:
        level = point(first, float(value))[1]
        pen.box((left, level), (right - left, 1), LINE)
        pen.text((left - 10, level + 7), f"{round(float(value), 6):g}", 20, SOFT, "rs")
    for place, words in _tick_words(chart):
        pen.text((point(place, low)[0], foot + 28), words, 20, SOFT, "ms")
    pen.text(((left + right) / 2, foot + 56), chart.x_name, 22, SOFT, "ms")
    for name, _, width in chart.layers:
        points = [point(float(a), float(b)) for a, b in zip(*chart.known(name), strict=True)]
        pen.line(points, 1.2 * width, chart.colours[name])
    for name in chart.errors:
        for across, ends in zip(*chart.whiskers(name), strict=True):
            line = [point(float(a), float(b)) for a, b in zip(across, ends, strict=True)]
            pen.line(line, LINE_WIDTH, chart.colours[name])
    for i, name in enumerate(chart.lines):
        colour = chart.colours[name]
        pen.box((right + 20, top + 34 * i + 8), (22, 5), colour)
        pen.text((right + 52, top + 34 * i + 18), short(plain_letters(name), 22), 20)


def _tick_words(chart: LineChart) -> list[tuple[float, str]]:
    """Return where an axis has words: at each place, or at even shares where these are many."""
    if len(chart.x) <= FEW:
        return list(zip(map(float, chart.x), chart.places, strict=True))
    return [(i / 5, f"{i / 5:.0%}") for i in range(6)]


@dataclass(frozen=True)
class BarChart:
    """Bars that lie, some for each name, the first name on top, and how they are read.

    `bars` are values by what they are of, in the same `colours` (or one colour for each name, of
    bars of one kind); `errors` are their standard errors.
    """

    title: str
    told: str
    x_name: str
    names: tuple[str, ...]
    bars: Mapping[str, Float[np.ndarray, " n"]]
    colours: Mapping[str, str]
    errors: Mapping[str, Float[np.ndarray, " n"]] = field(default_factory=dict)
    each: tuple[str, ...] = ()

    @property
    def ticks(self) -> Float[np.ndarray, " t"]:
        """Round numbers around all values with their errors, and 0."""
        ends = [
            self.bars[name] + sign * self.errors[name] for name in self.errors for sign in (-1, 1)
        ]
        return ticks_around(np.concatenate([*self.bars.values(), *ends, [0.0]]))

    @property
    def letters(self) -> int:
        """How many letters of the names have room."""
        return min(MOST_LETTERS, max(map(len, self.names), default=1))

    @property
    def hues(self) -> list[str]:
        """The colours of the kinds of bars, or of each bar where there is one kind."""
        return list(self.each) or [self.colours[name] for name in self.bars]


def draw_bars(pen: Pen, chart: BarChart, at: tuple[float, float], wide: float) -> float:
    """Draw bars with their axis at a corner, and return how high they are."""
    (x, y), row = at, ROW * len(chart.bars)
    pen.text((x, y + 24), chart.title, 30)
    _bar_legend(pen, chart, (x, y + 60))
    left, top, ticks = x + NAMES, y + 84, chart.ticks
    scale = (wide - NAMES) / float(ticks[-1] - ticks[0])
    foot = top + (row + SPACE) * len(chart.names)
    for tick in ticks:
        across = left + (float(tick) - float(ticks[0])) * scale
        pen.box((across, top), (1, foot - top), LINE)
        pen.text((across, foot + 26), f"{round(float(tick), 6):g}", 20, SOFT, "ms")
    pen.text((left + (wide - NAMES) / 2, foot + 54), chart.x_name, 22, SOFT, "ms")
    zero = left - float(ticks[0]) * scale
    for i, name in enumerate(chart.names):
        level = top + (row + SPACE) * i + SPACE / 2
        pen.text((left - 12, level + row / 2 + 8), short(plain_letters(name), 22), 22, INK, "rs")
        for j, kind in enumerate(chart.bars):
            colour = chart.each[i] if chart.each else chart.colours[kind]
            value = float(chart.bars[kind][i])
            start = zero + min(0.0, value) * scale
            pen.box((start, level + ROW * j), (abs(value) * scale, ROW - 3), colour)
            if kind in chart.errors:
                error = float(chart.errors[kind][i])
                start = zero + (value - error) * scale
                pen.box((start, level + ROW * j + ROW / 2 - 2), (2 * error * scale, 3), INK)
    return foot + 70 - y


def _bar_legend(pen: Pen, chart: BarChart, at: tuple[float, float]) -> None:
    if len(chart.bars) < 2:
        return
    for i, name in enumerate(chart.bars):
        pen.box((at[0] + 300 * i, at[1] - 16), (20, 20), chart.colours[name])
        pen.text((at[0] + 300 * i + 30, at[1]), short(plain_letters(name), 24), 22, SOFT)


def plain_letters(words: str) -> str:
    """Return words in the letters that the pen's font has."""
    return words.replace("→", "to").replace("−", "-").replace("–", "-").replace("×", "x")
