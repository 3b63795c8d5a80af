"""Bars of what the deciding channels add to the wrong and to the right class, drawn by bqplot."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import bqplot
import ipywidgets
import numpy as np

from ..evidence import Failure
from .channel_bars import decimals, even_ticks
from .failure_words import RIGHT, WRONG, layer

_INK = "var(--jp-ui-font-color1)"


class DecidingChart(ipywidgets.VBox):
    """Two bars for each channel, one of each class; `chosen` is told which channel is clicked."""

    def __init__(self, chosen: Callable[[int], object]) -> None:
        self._legend = ipywidgets.HTML()
        self._bars = bqplot.Bars(
            x=[],
            y=[],
            scales={"x": bqplot.OrdinalScale(), "y": bqplot.LinearScale()},
            type="grouped",
            padding=0.3,
            colors=[WRONG, RIGHT],
            interactions={"hover": "tooltip"},
            tooltip=bqplot.Tooltip(fields=["x", "y"], labels=["", "adds"], formats=["", "+.3g"]),
        )
        self._bars.on_element_click(lambda _, event: chosen(int(event["data"]["index"])))
        self.figure = _figure(self._bars)
        super().__init__([self._legend, self.figure])

    def show(self, failure: Failure) -> None:
        """Show what the channels add to both logits."""
        values = failure.contributions[:, failure.channels].astype(np.float64)
        axis = self.figure.axes[1]
        ticks = even_ticks(min(0.0, float(values.min())), max(0.0, float(values.max())))
        axis.scale.min, axis.scale.max = float(ticks[0]), float(ticks[-1])
        axis.tick_values, axis.tick_format = ticks, decimals(ticks)
        with self._bars.hold_sync():
            self._bars.x, self._bars.y = [f"#{k}" for k in failure.channels], values
        self._legend.value = legend(failure)

    def close(self) -> None:
        """Close the chart with all that it is made of."""
        figure, axes = self.figure, self.figure.axes
        parts = [part for axis in axes for part in (axis, axis.scale)]
        parts += [self._bars.tooltip, self._bars, figure.scale_x, figure.scale_y, figure]
        for part in (*parts, self._legend):
            part.close()
        super().close()


def _figure(bars: Any) -> Any:
    axes = [
        bqplot.Axis(scale=bars.scales["x"], grid_lines="none"),
        bqplot.Axis(scale=bars.scales["y"], label="logit", label_color=_INK, label_offset="40px"),
    ]
    axes[1].orientation = "vertical"  # a trait in bqplot 0.12, a property since
    return bqplot.Figure(
        marks=[bars],
        axes=axes,
        fig_margin={"top": 8, "bottom": 28, "left": 56, "right": 10},
        display_toolbar=False,
        padding_x=0,
        padding_y=0,
        min_aspect_ratio=0.2,
        max_aspect_ratio=20,
        layout=ipywidgets.Layout(width="100%", height="250px", min_width="0"),
    )


def legend(failure: Failure) -> str:
    """Return what the bars are, with their colours, as markup."""
    named = ((WRONG, f"to {failure.named.name}"), (RIGHT, f"to {failure.true.name}"))
    swatches = "".join(
        "<span style='display: inline-flex; align-items: center; gap: 6px'><span style='width:"
        f" 12px; height: 12px; border-radius: 2px; background: {colour}'></span>"
        f"{html.escape(name)}</span>"
        for colour, name in named
    )
    title = html.escape(f"What channels of {layer(failure)} add")
    return (
        "<div style='display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 14px;"
        f" line-height: 1.4; color: {_INK}'><b>{title}</b>{swatches}</div>"
    )
