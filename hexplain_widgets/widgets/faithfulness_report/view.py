"""The report on faithfulness: Table 1 and the curves of Fig. 6, 7, 9 and 10."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets

from ...arguments import counted
from ...diagnosis.faithfulness import measure_faithfulness
from ...evidence import FaithfulnessSummary
from .._shared.composite import Composite, wide
from .._shared.export import Exportable
from .._shared.markup import scrolling
from .._shared.report import beside, line_panel, style_of
from .._shared.view import check_evidence
from .charts import masked_chart, sorted_chart, surrogate_chart, survival_chart
from .picture import draw_faithfulness
from .words import heading, table


class FaithfulnessReport(Exportable, Composite, ipywidgets.VBox):
    """How far decompositions of a network's decisions are true: `model` on one or many `images`.

    A table of correlations with ablation, and what happens to decisions when channels are masked,
    kept or removed, step by step; `settings` are those of `measure_faithfulness` (`rivals`,
    `top_k`, `removed`, `seed`). An image costs 8 s of a core in MobileNetV2. Raises what it raises.
    """

    def __init__(
        self, model: Any, images: Any, *, layers: Sequence[str] | None = None, **settings: Any
    ) -> None:
        self._open(measure_faithfulness(model, images, layers=layers, **settings))

    @classmethod
    def from_evidence(cls, evidence: Any) -> FaithfulnessReport:
        """Return the report of a saved FaithfulnessSummary, without a model.

        Raises TypeError for what is no FaithfulnessSummary.
        """
        check_evidence(evidence, FaithfulnessSummary, "measure_faithfulness(model, images)")
        self = cls.__new__(cls)
        self._open(evidence)
        return self

    def _open(self, evidence: FaithfulnessSummary) -> None:
        self._evidence = evidence
        head = ipywidgets.HTML(style_of("hx-faithfulness") + heading(evidence))
        correlations = ipywidgets.HTML(scrolling(table(evidence), "Correlations"))
        steps = ipywidgets.Stack([self._step(i) for i in range(len(evidence.steps))])
        steps.selected_index = 0
        names = [f"{step.deep} → {step.shallow}" for step in evidence.steps]
        choice = ipywidgets.ToggleButtons(options=names, style={"button_width": "auto"})
        choice.layout.margin = "10px 0 0"
        # in the browser, so that steps are chosen without a kernel too
        ipywidgets.jslink((choice, "index"), (steps, "selected_index"))
        last = beside([line_panel(surrogate_chart(evidence))])
        # beside each other where there is room: three charts of a step, and one of all
        steps.layout.flex, last.layout.flex = "3 1 720px", "1 1 250px"
        charts = ipywidgets.HBox([steps, last], layout=wide(flex_flow="row wrap", grid_gap="28px"))
        super().__init__([head, correlations, choice, charts], layout=wide())
        self.add_class("hx-faithfulness")

    def _step(self, place: int) -> ipywidgets.Widget:
        step = self._evidence.steps[place]
        charts = masked_chart(step), sorted_chart(step), survival_chart(self._evidence, place)
        return beside([line_panel(chart) for chart in charts])

    @property
    def evidence(self) -> FaithfulnessSummary:
        """The figures that are on the screen."""
        return self._evidence

    def __repr__(self) -> str:
        steps, images = len(self._evidence.steps), self._evidence.images
        return f"FaithfulnessReport({counted(images, 'image')}, {counted(steps, 'step')})"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"Faithfulness: {self._model()}"

    def snapshot(self) -> FaithfulnessReport:
        """Return a twin of what is on the screen."""
        twin = type(self).from_evidence(self._evidence)
        twin.children[2].index = self.children[2].index
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write the report of the step on the screen as a picture, 1920 pixels wide."""
        place = int(self.children[2].index or 0)
        draw_faithfulness(self._evidence, place).save(path, format="PNG")
        return Path(path)

    def _model(self) -> str:
        return self._evidence.provenance.model
