"""The parts of an analysis: its controls, the channels that decide as bars, one of them large."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
import numpy as np

from ...evidence import Failure, Prediction
from ...pictures.charts import ticks_around
from .._shared.composite import Composite, dismiss
from .._shared.controls import WorkControls, button
from .._shared.figures import INK, grouped_bars, span, upright_bars
from .._shared.markup import swatches
from .words import RIGHT, WRONG, channel_part, layer, table


class FailureControls(WorkControls):
    """Where another class is taken as the true one; `compare` is told its name or index."""

    def __init__(
        self,
        classes: Sequence[str],
        *,
        compare: Callable[[int | str], None],
        cancel: Callable[[], None],
    ) -> None:
        self._runner_up: Prediction | None = None
        self.true = ipywidgets.Combobox(
            options=tuple(dict.fromkeys(classes)),
            placeholder="a class",
            description="Should be",
            continuous_update=False,
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="260px"),
        )
        self.compare = button("Compare", lambda: compare(self.chosen))
        self.runner_up = button("", self._on_runner_up(compare), "primary")
        self.cancel = button("Cancel", cancel)
        self._said = ipywidgets.HTML()
        self._row = ipywidgets.HBox(
            [self.runner_up, self.true, self.compare, self.cancel],
            layout=ipywidgets.Layout(flex_flow="row wrap", overflow="visible"),
        )
        super().__init__([self._row, self._said])
        self.at_rest()

    @property
    def chosen(self) -> int | str:
        """The class that was written: a name, or an index where there are no names like it."""
        written: str = self.true.value.strip()
        if written in self.true.options or not written.isdecimal():
            return written
        return int(written)

    def take(self, true: str, runner_up: Prediction | None) -> None:
        """Show which class is the true one, and offer the runner-up where there is one."""
        self.true.value, self._runner_up = true, runner_up
        self.runner_up.description = "" if runner_up is None else f"Compare with {runner_up.name}"
        self.runner_up.layout.display = "none" if runner_up is None else ""

    def _on_runner_up(self, compare: Callable[[int | str], None]) -> Callable[[], None]:
        def pressed() -> None:
            if self._runner_up is not None:
                compare(self._runner_up.index)

        return pressed

    def _offer(self, *, working: bool) -> None:
        self.compare.disabled = self.runner_up.disabled = working
        self.cancel.disabled = not working
        self.cancel.layout.display = "" if working else "none"


class DecisionChart(ipywidgets.VBox):
    """Two bars for each channel, one of each class; `chosen` is told which channel is clicked."""

    def __init__(self, chosen: Callable[[int], object]) -> None:
        self._legend = ipywidgets.HTML()
        self._bars = grouped_bars([WRONG, RIGHT], "adds", "+.3g")
        self._bars.on_element_click(lambda _, event: chosen(int(event["data"]["index"])))
        self.figure = upright_bars(self._bars, label="logit", left=56, height="132px")
        super().__init__([self._legend, self.figure])

    def show(self, failure: Failure) -> None:
        """Show what the channels add to both logits."""
        values = failure.contributions[:, failure.channels].astype(np.float64)
        span(self.figure.axes[1], ticks_around(values))
        with self._bars.hold_sync():
            self._bars.x, self._bars.y = [f"#{k}" for k in failure.channels], values
        self._legend.value = legend(failure)


def legend(failure: Failure) -> str:
    """Return what the bars are, with their colours, as markup."""
    named = ((WRONG, f"to {failure.named.name}"), (RIGHT, f"to {failure.true.name}"))
    title = html.escape(f"What channels of {layer(failure)} add")
    return (
        "<div style='display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 14px;"
        f" line-height: 1.4; color: {INK}'><b>{title}</b>{swatches(named)}</div>"
    )


class ChannelPanel(Composite, ipywidgets.VBox):
    """A choice of channels with a part for each of them; `chart` has the bars of all."""

    def __init__(self) -> None:
        self._table, self._stack = ipywidgets.HTML(), ipywidgets.Stack(layout=_wide())
        self._choice = ipywidgets.ToggleButtons(style={"button_width": "auto"})
        self.chart = DecisionChart(self.choose)
        self.chart.layout.min_width = "0"
        # in the browser, so that channels are chosen without a kernel too
        ipywidgets.jslink((self._choice, "index"), (self._stack, "selected_index"))
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
        dismiss(*last)

    def aside(self) -> tuple[ipywidgets.Widget, ...]:
        """Return the bars of all channels, which stand elsewhere."""
        return (self.chart,)

    @property
    def chosen(self) -> int:
        """Which of the channels is shown large, counted from the one that decides."""
        return int(self._choice.index or 0)

    def choose(self, place: int) -> None:
        """Show one of the channels large."""
        if 0 <= place < len(self._stack.children):
            self._choice.index = self._stack.selected_index = place


def _wide() -> Any:
    return ipywidgets.Layout(width="100%")
