"""The channels that decide: their bars, and one of them large with what excites it."""

from __future__ import annotations

from typing import Any

import ipywidgets

from ...evidence import Failure
from .failure_charts import DecidingChart
from .words import channel_part, table


class ChannelParts(ipywidgets.VBox):
    """A choice of channels with a part for each of them; `chart` has the bars of all."""

    def __init__(self) -> None:
        self._table, self._stack = ipywidgets.HTML(), ipywidgets.Stack(layout=_wide())
        self._choice = ipywidgets.ToggleButtons(
            description="Channel", style={"button_width": "auto", "description_width": "initial"}
        )
        self.chart = DecidingChart(self.choose)
        self.chart.layout.min_width = "0"
        # in the browser, so that channels are chosen without a kernel too
        self._link = ipywidgets.jslink((self._choice, "index"), (self._stack, "selected_index"))
        super().__init__([self._choice, self._stack, self._table])

    def show(self, failure: Failure) -> None:
        """Show the channels of a failure, the one that decides first."""
        self.chart.show(failure)
        self._table.value = table(failure)
        last, count = self._stack.children, len(failure.channels)
        words = (channel_part(failure, i) for i in range(count))
        parts = tuple(ipywidgets.HTML(said, layout=_wide()) for said in words)
        self._stack.selected_index = None
        self._stack.children = parts
        self._choice.options = [f"#{k}" for k in failure.channels]
        self.choose(0)
        for part in last:
            part.close()

    @property
    def chosen(self) -> int:
        """Which of the channels is shown large, counted from the one that decides."""
        return int(self._choice.index or 0)

    def choose(self, place: int) -> None:
        """Show one of the channels large."""
        if 0 <= place < len(self._stack.children):
            self._choice.index = self._stack.selected_index = place

    def close(self) -> None:
        """Close the channels with all their parts."""
        own: tuple[Any, ...] = (self._table, self._choice, self._link, self.chart)
        for part in (*self._stack.children, self._stack, *own):
            part.close()
        super().close()


def _wide() -> Any:
    return ipywidgets.Layout(width="100%")
