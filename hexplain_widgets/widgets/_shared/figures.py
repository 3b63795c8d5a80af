"""Figures of bqplot as all charts have them: axes, bars side by side, lines, their parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np
from jaxtyping import Float

from ...pictures.charts import FEW, LineChart, decimals
from ...pictures.colours import RANDOM

INK = "var(--jp-ui-font-color1)"
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


def line_figure(chart: LineChart) -> Any:
    """Return a chart as a figure; lines carry markers, so that single points are seen."""
    import bqplot

    x, y = bqplot.LinearScale(), bqplot.LinearScale()
    x.min, x.max = float(chart.x.min()), float(max(chart.x.max(), chart.x.min() + 1e-6))
    marks = [
        bqplot.Lines(
            x=chart.x,
            y=values,
            scales={"x": x, "y": y},
            colors=[chart.colours[name]],
            stroke_width=width,
            marker="circle",
            marker_size=28,
            line_style="dashed" if chart.colours[name] == RANDOM else "solid",
        )
        for name, values, width in chart.layers
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
