"""Bars of what the deciding channels add to the wrong and to the right class, drawn by bqplot."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets
import numpy as np

from ...evidence import Failure
from .._shared.figures import (
    INK,
    grouped_bars,
    parts_of,
    span,
    swatches,
    ticks_around,
    upright_bars,
)
from .words import RIGHT, WRONG, layer


class DecidingChart(ipywidgets.VBox):
    """Two bars for each channel, one of each class; `chosen` is told which channel is clicked."""

    def __init__(self, chosen: Callable[[int], object]) -> None:
        self._legend = ipywidgets.HTML()
        self._bars = grouped_bars([WRONG, RIGHT], "adds", "+.3g")
        self._bars.on_element_click(lambda _, event: chosen(int(event["data"]["index"])))
        self.figure = upright_bars(self._bars, label="logit", left=56, height="250px")
        super().__init__([self._legend, self.figure])

    def show(self, failure: Failure) -> None:
        """Show what the channels add to both logits."""
        values = failure.contributions[:, failure.channels].astype(np.float64)
        span(self.figure.axes[1], ticks_around(values))
        with self._bars.hold_sync():
            self._bars.x, self._bars.y = [f"#{k}" for k in failure.channels], values
        self._legend.value = legend(failure)

    def close(self) -> None:
        """Close the chart with all that it is made of."""
        for part in (*parts_of(self.figure), self._legend):
            part.close()
        super().close()


def legend(failure: Failure) -> str:
    """Return what the bars are, with their colours, as markup."""
    named = ((WRONG, f"to {failure.named.name}"), (RIGHT, f"to {failure.true.name}"))
    title = html.escape(f"What channels of {layer(failure)} add")
    return (
        "<div style='display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 14px;"
        f" line-height: 1.4; color: {INK}'><b>{title}</b>{swatches(named)}</div>"
    )
