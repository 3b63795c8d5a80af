"""Bars of how well each layer knows a concept, drawn by bqplot inside the view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bqplot
import ipywidgets

from ..evidence import Layer
from .pen import ACCENT

_INK = "var(--jp-ui-font-color1)"
_FEW = 5  # layers whose names have room side by side


def layer_chart(layers: tuple[Layer, ...]) -> Any:
    """Return a figure with one bar per layer, the shallowest first, for F1 from 0 to 1.

    The browser fills it for the chosen concept, so that it stays right without a kernel.
    """
    names = [layer.name for layer in reversed(layers)]
    x, y = bqplot.OrdinalScale(domain=names), bqplot.LinearScale(min=0, max=1)
    bars = bqplot.Bars(
        x=names,
        y=[0.0] * len(names),
        scales={"x": x, "y": y},
        padding=0.35,
        colors=[ACCENT],
        interactions={"click": "select", "hover": "tooltip"},
        tooltip=bqplot.Tooltip(fields=["x", "y"], labels=["layer", "F1"], formats=["", ".3f"]),
        unselected_style={"opacity": 0.45},
    )
    upright = len(names) <= _FEW
    names_axis = bqplot.Axis(
        scale=x,
        grid_lines="none",
        tick_rotate=0 if upright else -35,
        tick_style={"text-anchor": "middle" if upright else "end"},
    )
    f1_axis = bqplot.Axis(
        scale=y,
        tick_values=[0, 0.5, 1],
        tick_format=".1f",
        label="F1",
        label_color=_INK,
        label_offset="32px",
    )
    f1_axis.orientation = "vertical"  # a trait in bqplot 0.12, a property since
    return bqplot.Figure(
        marks=[bars],
        axes=[names_axis, f1_axis],
        fig_margin={"top": 8, "bottom": 28 if upright else 64, "left": 46, "right": 10},
        display_toolbar=False,
        min_aspect_ratio=0.2,
        max_aspect_ratio=20,
        layout=ipywidgets.Layout(
            width="100%", height="150px" if upright else "190px", min_width="0"
        ),
    )


def parts_of(figure: Any) -> Iterator[Any]:
    """Yield the figure with the widgets it is made of."""
    yield from (*figure.marks, *(mark.tooltip for mark in figure.marks), *figure.axes)
    yield from (axis.scale for axis in figure.axes)
    yield figure
