"""Figures of bqplot as all charts have them: axes, bars side by side, lines, their parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np
from jaxtyping import Float

from ...pictures.charts import FEW, BarChart, LineChart, decimals
from ...pictures.colours import RANDOM
from ...pictures.page import short

INK = "var(--jp-ui-font-color1)"
ERROR_WIDTH = 1.5  # pixels
NAME, BAR, FRAME = 18, 27, 48  # letters of a name; pixels a bar, and around all of them
PADDING = 0.3  # of the room of bars, what is left between them


def framed(
    marks: Sequence[Any],
    axes: Sequence[Any],
    margin: Mapping[str, int],
    height: str,
    **settings: Any,
) -> Any:
    """Return a figure as wide as its place; `settings` are others of `bqplot.Figure`."""
    import bqplot

    return bqplot.Figure(
        marks=list(marks),
        axes=list(axes),
        fig_margin=dict(margin),
        display_toolbar=False,
        layout=ipywidgets.Layout(width="100%", height=height, min_width="0"),
        **{"padding_x": 0, "padding_y": 0, "min_aspect_ratio": 0.1, "max_aspect_ratio": 20}
        | settings,
    )


def axis_of(scale: Any, label: str = "", *, upright: bool = False, **settings: Any) -> Any:
    """Return an axis in the theme's ink; `settings` are others of `bqplot.Axis`."""
    import bqplot

    made = bqplot.Axis(scale=scale, label=label, label_color=INK, **settings)
    if upright:
        made.orientation = "vertical"  # a trait in bqplot 0.12, a property since
    return made


def grouped_bars(colours: Sequence[str], told: str, form: str) -> Any:
    """Return bars side by side for each name, one of each colour, empty yet.

    Under the pointer `told` stands before a bar's value, in the format `form`.
    """
    import bqplot

    return bqplot.Bars(
        x=[],
        y=[],
        scales={"x": bqplot.OrdinalScale(), "y": bqplot.LinearScale()},
        type="grouped",
        padding=PADDING,
        colors=list(colours),
        interactions={"hover": "tooltip"},
        tooltip=bqplot.Tooltip(fields=["x", "y"], labels=["", told], formats=["", form]),
    )


def upright_bars(bars: Any, over: Sequence[Any] = (), *, label: str, left: int, height: str) -> Any:
    """Return a figure of bars with marks `over` them; `left` pixels are for axis and `label`."""
    axes = [
        axis_of(bars.scales["x"], grid_lines="none"),
        axis_of(bars.scales["y"], label, upright=True, label_offset=f"{left - 16}px"),
    ]
    margin = {"top": 8, "bottom": 28, "left": left, "right": 10}
    return framed([bars, *over], axes, margin, height)


def span(axis: Any, ticks: Float[np.ndarray, " n"]) -> None:
    """Let an axis and its scale reach from the first tick to the last."""
    axis.scale.min, axis.scale.max = float(ticks[0]), float(ticks[-1])
    axis.tick_values, axis.tick_format = ticks, decimals(ticks)


def distinct(names: Sequence[str], most: int = NAME) -> list[str]:
    """Return names cut to their room, so many letters; those that fall together keep their place.

    >>> distinct(["sky", "sky", "sea"])
    ['sky', '2. sky', 'sea']
    """
    kept: list[str] = []
    for place, name in enumerate(names, 1):
        cut = short(name, most)
        kept.append(f"{place}. {cut}" if cut in kept else cut)
    return kept


def bar_figure(chart: BarChart) -> Any:
    """Return a chart of bars that lie as a figure, the first name on top."""
    ticks = chart.ticks
    values, letters = np.stack(list(chart.bars.values())), chart.letters
    bars = level_bars(chart.names, values, ticks, chart.hues, letters)
    across = axis_of(bars.scales["y"], chart.x_name, label_offset="32px")
    span(across, ticks)
    up = axis_of(bars.scales["x"], upright=True, grid_lines="none")
    margin = {"top": 4, "bottom": 50, "left": 12 + 7 * letters, "right": 26}
    wide = max(BAR, 16 * len(chart.bars))
    height = f"{FRAME + 16 + wide * max(2, len(chart.names))}px"
    return framed([bars, *_level_errors(chart, bars)], [up, across], margin, height)


def level_bars(
    names: Sequence[str],
    values: Float[np.ndarray, "s n"],
    ticks: Float[np.ndarray, " t"],
    colours: Sequence[str],
    letters: int = NAME,
) -> Any:
    """Return bars that lie, the first name on top."""
    import bqplot

    y = bqplot.OrdinalScale()
    x = bqplot.LinearScale(min=float(ticks[0]), max=float(ticks[-1]))
    shown = distinct(names, letters)
    y.domain = shown[::-1]
    return bqplot.Bars(
        x=shown,
        y=(values if len(values) > 1 else values[0]).astype(np.float64),
        scales={"x": y, "y": x},
        type="grouped",
        orientation="horizontal",
        padding=PADDING,
        colors=list(colours),
    )


def rows_of(bars: Any) -> Any:
    """Return a scale upwards in which a lying bar takes a whole number, the first the highest."""
    import bqplot

    return bqplot.LinearScale(min=0.0, max=float(max(1, len(bars.x))))


def _level_errors(chart: BarChart, bars: Any) -> list[Any]:
    import bqplot

    known = [i for i, (n, v) in enumerate(chart.bars.items()) if n in chart.errors and len(v)]
    if not known:
        return []
    rows, wide = rows_of(bars), (1 - PADDING) / len(chart.bars)
    marks = []
    for place in known:
        name, values = list(chart.bars.items())[place]
        error = chart.errors[name]
        middle = len(values) - 0.5 - np.arange(len(values))
        middle = middle + wide * ((len(chart.bars) - 1) / 2 - place)
        marks.append(
            bqplot.Lines(
                x=np.stack([values - error, values + error], 1),
                y=np.stack([middle, middle], 1),
                scales={"x": bars.scales["y"], "y": rows},
                colors=[INK],
                stroke_width=ERROR_WIDTH,
            )
        )
    return marks


def line_figure(chart: LineChart) -> Any:
    """Return a chart as a figure; lines carry markers, so that single points are seen."""
    import bqplot

    x, y = bqplot.LinearScale(), bqplot.LinearScale()
    x.min, x.max = chart.span
    marks = [
        bqplot.Lines(
            x=chart.known(name)[0],
            y=chart.known(name)[1],
            scales={"x": x, "y": y},
            colors=[chart.colours[name]],
            stroke_width=width,
            marker="circle",
            marker_size=28,
            line_style="dashed" if chart.colours[name] == RANDOM else "solid",
        )
        for name, _, width in chart.layers
    ]
    marks += [
        bqplot.Lines(
            x=across,
            y=ends,
            scales={"x": x, "y": y},
            colors=[chart.colours[name]],
            stroke_width=ERROR_WIDTH,
        )
        for name in chart.errors
        for across, ends in [chart.whiskers(name)]
        if len(across)
    ]
    last = chart.places[-1] if len(chart.x) <= FEW else ""
    margin = {"top": 8, "bottom": 46, "left": 54, "right": max(14, 4 * len(last))}
    return framed(marks, _line_axes(chart, x, y), margin, "160px", padding_x=0.02)


def _line_axes(chart: LineChart, x: Any, y: Any) -> list[Any]:
    few = len(chart.x) <= FEW
    across = axis_of(
        x,
        chart.x_name,
        label_offset="34px",
        grid_lines="none",
        tick_values=chart.x if few else np.linspace(0, 1, 6),
        tick_format="" if few else ".0%",
    )
    if few:
        across.tick_labels = dict(zip(map(_key, chart.x), chart.places, strict=True))
    up = axis_of(y, chart.y_name, upright=True, label_offset="40px")
    span(up, chart.ticks)
    return [across, up]


def _key(value: float) -> str:
    """The text that a browser makes of a number, by which bqplot looks its label up."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
