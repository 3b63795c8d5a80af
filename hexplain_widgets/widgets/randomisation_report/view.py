"""The report on randomisation: Fig. 8 a and b, whether maps change where the network does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets

from ...arguments import counted
from ...diagnosis.sanity import measure_randomisation
from ...evidence import RandomisationSummary
from ...pictures.charts import BarChart, LineChart
from .._shared.report import Report, bar_panel, beside, line_panel
from .charts import correlation_chart, other_chart, strongest_chart
from .words import numbers_table, verdict_of


class RandomisationReport(Report):
    """Whether attribution maps change where the network does: `model` on one or many `images`.

    Curves over the layers whose weights are drawn anew, with standard errors over images, and bars
    against another network where one is given. `settings` are those of `measure_randomisation`
    (`methods`, `counts`, `other`, `seed`). Raises what it raises.
    """

    KIND, MADE_BY = RandomisationSummary, "measure_randomisation(model, images)"
    STYLE = "hx-randomisation"

    def __init__(self, model: Any, images: Any, **settings: Any) -> None:
        self._open(measure_randomisation(model, images, **settings))

    def _parts(self) -> Sequence[ipywidgets.Widget]:
        panels = [
            line_panel(one, numbered=False) if isinstance(one, LineChart) else bar_panel(one)
            for one in self.charts()
        ]
        foot = numbers_table(self._evidence) if len(self._evidence.counts) else ""
        return [beside(panels, 300), ipywidgets.HTML(foot)]

    def charts(self) -> Sequence[LineChart | BarChart]:
        """Return the curves over layers, and the bars against another network."""
        one, other = self._evidence, other_chart(self._evidence)
        curves = (correlation_chart(one), strongest_chart(one)) if len(one.counts) else ()
        return (*curves, *(() if other is None else (other,)))

    @property
    def question(self) -> str:
        """What the report answers."""
        return "Do maps change with the network?"

    @property
    def facts(self) -> str:
        """How many images it is of."""
        return counted(self._evidence.images, "image")

    @property
    def verdict(self) -> str:
        """Which maps change with the network, in a sentence or two."""
        return verdict_of(self._evidence)

    def __repr__(self) -> str:
        one = self._evidence
        return f"RandomisationReport({len(one.methods)} methods, {counted(one.images, 'image')})"
