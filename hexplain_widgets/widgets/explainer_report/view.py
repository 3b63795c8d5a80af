"""The report on an additive explainer: Tables 1 to 3, Fig. 7 and Fig. 8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets

from ...arguments import counted
from ...evidence import AdditiveReport, ExplainerCapacity
from ...pictures.charts import BarChart, LineChart
from .._shared.markup import scrolling
from .._shared.report import Report, beside, panel_of, table_of, unfolded
from .charts import deviation_chart, lost_chart, parts_chart, spread_chart
from .words import capacity_verdict, parts_rows, report_verdict, table_rows


class ExplainerReport(Report):
    """How good an additive explainer is on other images: `explainer` fitted, `images` it never saw.

    Entropy, accuracy and deviation against plain distillation, errors of parts against ablation,
    and how contributions spread. `settings` are those of `AdditiveExplainer.report` (`seeds`). What
    `AdditiveExplainer.capacity` returns is shown by it too. Raises what they raise.
    """

    KIND, MADE_BY = (AdditiveReport, ExplainerCapacity), "explainer.report(images)"
    STYLE = "hx-explainer-report"

    def __init__(self, explainer: Any, images: Any, **settings: Any) -> None:
        self._open(explainer.report(images, **settings))

    @property
    def _of_capacity(self) -> bool:
        return isinstance(self._evidence, ExplainerCapacity)

    def _parts(self) -> Sequence[ipywidgets.Widget]:
        panels = [beside([panel_of(chart) for chart in self.charts()], 330)]
        if self._of_capacity:
            return panels
        parts = parts_rows(self._evidence)
        every = unfolded(table_of(parts[0], parts[1:]), "All parts") if parts else ""
        return [ipywidgets.HTML(self._figures()), *panels, ipywidgets.HTML(every)]

    def _figures(self) -> str:
        head, *rows = self.table()
        return scrolling(table_of(head, rows, self._caption), "Figures")

    @property
    def _caption(self) -> str:
        one = self._evidence
        seeds = counted(len(one.seeds), "seed")
        return f"Mean over {seeds} ± standard error; accuracy by {one.truth}"

    def charts(self) -> Sequence[LineChart | BarChart]:
        """Return the charts that are on the screen."""
        one = self._evidence
        if self._of_capacity:
            return (deviation_chart(one), lost_chart(one))
        return tuple(chart for chart in (spread_chart(one), parts_chart(one)) if chart is not None)

    def table(self) -> Sequence[Sequence[str]]:
        """Return the figures that stand beside the charts."""
        return () if self._of_capacity else table_rows(self._evidence)

    @property
    def question(self) -> str:
        """What the report answers."""
        one = (
            "How many concepts does it take" if self._of_capacity else "How good is this explainer"
        )
        return f"{one}?"

    @property
    def facts(self) -> str:
        """What is explained, by what, in how many images."""
        one = self._evidence
        concepts, images = counted(len(one.names), "concept"), counted(one.images, "image")
        return f"{one.target} by {concepts} of {one.layer}, {images}"

    @property
    def verdict(self) -> str:
        """What the report says, in a few sentences."""
        one = self._evidence
        return capacity_verdict(one) if self._of_capacity else report_verdict(one)

    def __repr__(self) -> str:
        kind = "capacity" if self._of_capacity else "quality"
        return f"ExplainerReport({kind} for {self._evidence.target!r})"
