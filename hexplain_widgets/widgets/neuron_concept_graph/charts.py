"""How well a concept is known at each layer, as bars drawn by bqplot."""

from __future__ import annotations

from typing import Any

from ...evidence import Layer
from ...pictures.page import ACCENT
from .._shared.figures import axis_of, framed

_FEW = 5  # layers whose names have room side by side


def layer_chart(layers: tuple[Layer, ...]) -> Any:
    """Return a figure with one bar per layer, the shallowest first, for F1 from 0 to 1.

    The browser fills it for the chosen concept, so that it stays right without a kernel.
    """
    import bqplot

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
    axes = [
        axis_of(
            x,
            grid_lines="none",
            tick_rotate=0 if upright else -35,
            tick_style={"text-anchor": "middle" if upright else "end"},
        ),
        axis_of(
            y, "F1", upright=True, tick_values=[0, 0.5, 1], tick_format=".1f", label_offset="32px"
        ),
    ]
    margin = {"top": 8, "bottom": 28 if upright else 64, "left": 46, "right": 10}
    return framed([bars], axes, margin, "150px" if upright else "190px", padding_y=0.025)
