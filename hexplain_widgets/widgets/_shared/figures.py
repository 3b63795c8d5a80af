"""Figures of bqplot as all charts have them: axes, round numbers, bars side by side, parts."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np
from jaxtyping import Float

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


def swatches(named: Sequence[tuple[str, str]]) -> str:
    """Return what colours stand for, `(colour, name)` each, as parts of a line of markup."""
    return "".join(
        "<span style='display: inline-flex; align-items: center; gap: 6px'><span style='width:"
        f" 12px; height: 12px; border-radius: 2px; background: {colour}'></span>"
        f"{html.escape(name)}</span>"
        for colour, name in named
    )


def own_parts(figure: Any) -> Iterator[Any]:
    """Yield a figure with the widgets that no other figure shares: all but axes and scales."""
    yield from figure.marks
    yield from (mark.tooltip for mark in figure.marks if mark.tooltip is not None)
    yield from (figure.scale_x, figure.scale_y, figure.layout, figure)


def parts_of(figure: Any) -> tuple[Any, ...]:
    """Return a figure with all the widgets that it is made of, each once."""
    scales = [
        *(scale for mark in figure.marks for scale in mark.scales.values()),
        *(one.scale for one in figure.axes),
    ]
    return (*own_parts(figure), *figure.axes, *dict.fromkeys(scales))
