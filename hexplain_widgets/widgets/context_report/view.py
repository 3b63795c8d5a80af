"""The report on context and on discriminative degrees (Fig. 13-15)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets

from ...arguments import counted
from ...diagnosis.context import context_and_degrees, measure_context
from ...evidence import ContextSummary, DegreeSummary
from .._shared.composite import Composite, wide
from .._shared.export import Exportable
from .._shared.figures import line_figure
from .._shared.markup import focusable, legend, scrolling
from .._shared.report import unfolded
from .charts import (
    LabelBars,
    bars_of,
    classes_shown,
    degree_chart,
    figure_of_bars,
    largest,
    networks_chart,
)
from .picture import draw_context
from .words import (
    context_heading,
    context_table,
    degree_heading,
    degree_table,
    networks_heading,
    networks_table,
)

ContextEvidence = ContextSummary | DegreeSummary
_STYLE = """<style>
.hx-context-report { container-type: inline-size; padding: 4px 14px 14px; line-height: 1.4; }
.hx-context-report h2 { font-size: 1.55em; font-weight: 400; margin: 12px 0 4px; }
.hx-context-report h2 small { font-size: 0.62em; margin-left: 0.6em; opacity: 0.7; }
.hx-context-report h3 { font-size: 1.1em; font-weight: 650; margin: 8px 0 0; }
.hx-context-report h3 small { font-weight: 400; margin-left: 0.5em; opacity: 0.7; }
.hx-context-report p { margin: 0 0 4px; }
.hx-context-report :is(.hx-told, .hx-note) { color: var(--jp-ui-font-color2); }
.hx-context-report td { white-space: nowrap; }
.hx-context-report .hx-classes { max-height: 430px; overflow: hidden auto; }
.hx-context-report .hx-key { display: inline-flex; align-items: center; gap: 6px; }
.hx-context-report .hx-key { margin-right: 14px; }
.hx-context-report .hx-key i { width: 16px; height: 10px; border-radius: 2px; }
.hx-context-report .hx-key .hx-chance { width: 3px; height: 16px; }
.hx-context-report .hx-key .hx-chance { background: var(--jp-ui-font-color1); }
.hx-context-report table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.hx-context-report caption { text-align: left; color: var(--jp-ui-font-color2); }
.hx-context-report :is(th, td) { padding: 3px 16px 3px 0; text-align: right; }
.hx-context-report :is(th:first-child, .hx-context :is(td, th):last-child) { text-align: left; }
.hx-context-report th { font-weight: 500; white-space: nowrap; }
.hx-context-report thead th { border-bottom: 1px solid var(--jp-border-color1); }
.hx-context-report summary { cursor: pointer; color: var(--jp-ui-font-color2); }
.hx-context-report .widget-html-content { line-height: 1.4; }
</style>"""
_COLUMNS = "repeat(auto-fill, minmax(min(100%, 330px), 1fr))"


class ContextReport(Exportable, Composite, ipywidgets.VBox):
    """What a network's decisions rest on beside their object, and whether channels belong to one.

    `images` is a concept set that is labelled at `level`; with `degrees` the discriminative degrees
    over the same images are measured too; an image is taken apart once for both, which takes half
    a second of a core in MobileNetV2. `settings` are those of `measure_context` (`layer`,
    `target`, `top_k`, `own`, `labels`, `seed`). Raises what it raises.
    """

    def __init__(
        self, model: Any, images: Any, *, level: str, degrees: bool = True, **settings: Any
    ) -> None:
        if degrees:
            self._open(context_and_degrees(model, images, level=level, **settings))
        else:
            self._open([measure_context(model, images, level=level, **settings)])

    @classmethod
    def from_evidence(cls, *evidence: Any) -> ContextReport:
        """Return the report of saved evidence, without a model: of context, of degrees, or both.

        Degrees of several networks are drawn into one chart.
        Raises TypeError for what is neither a ContextSummary nor a DegreeSummary.
        """
        wrong = [one for one in evidence if not isinstance(one, ContextEvidence)]
        if wrong or not evidence:
            raise TypeError(
                f"got {type(wrong[0]).__name__ if wrong else 'nothing'} as evidence; expected a"
                " ContextSummary or a DegreeSummary; make one with measure_context(...) or"
                " discriminative_degrees(...), or open one with load(path)"
            )
        self = cls.__new__(cls)
        self._open(list(evidence))
        return self

    def _open(self, evidence: Sequence[ContextEvidence]) -> None:
        self._evidence = tuple(evidence)
        children = [ipywidgets.HTML(_STYLE)]
        degrees = [one for one in evidence if isinstance(one, DegreeSummary)]
        for one in evidence:
            if isinstance(one, ContextSummary):
                children += self._context(one)
            elif len(degrees) == 1:
                children += self._degrees(one)
            elif one is degrees[0]:
                children += self._networks(degrees)
        super().__init__(children, layout=wide())
        self.add_class("hx-context-report")

    def _context(self, summary: ContextSummary) -> list[ipywidgets.Widget]:
        charts = [bars_of(summary, place) for place in classes_shown(summary)]
        high = largest(charts)
        panels = ipywidgets.GridBox(
            [self._bars(chart, high) for chart in charts],
            layout=ipywidgets.Layout(
                grid_template_columns=_COLUMNS, grid_gap="8px 28px", width="100%"
            ),
        )
        panels.add_class("hx-classes")
        head, foot = context_heading(summary), context_table(summary)
        return [ipywidgets.HTML(head), panels, ipywidgets.HTML(foot)]

    def _bars(self, chart: LabelBars, high: float) -> ipywidgets.Widget:
        head = ipywidgets.HTML(focusable(legend(chart.title, {}, chart.told), chart.title))
        figure = figure_of_bars(chart, high)
        return ipywidgets.VBox([head, figure], layout=ipywidgets.Layout(min_width="0"))

    def _degrees(self, summary: DegreeSummary) -> list[ipywidgets.Widget]:
        chart = degree_chart(summary)
        figure = line_figure(chart)
        figure.layout.max_width = "760px"
        head = degree_heading(summary) + legend(chart.title, chart.colours, chart.told)
        return [
            ipywidgets.HTML(head),
            figure,
            ipywidgets.HTML(scrolling(degree_table(summary), "Degrees")),
        ]

    def _networks(self, summaries: Sequence[DegreeSummary]) -> list[ipywidgets.Widget]:
        chart = networks_chart(summaries)
        figure = line_figure(chart)
        figure.layout.max_width = "760px"
        head = networks_heading(summaries) + legend(chart.title, chart.colours, chart.told)
        table = unfolded(networks_table(summaries))
        return [ipywidgets.HTML(head), figure, ipywidgets.HTML(table)]

    @property
    def evidence(self) -> tuple[ContextEvidence, ...]:
        """The evidence that is on the screen: context, degrees, or both."""
        return self._evidence

    def __repr__(self) -> str:
        kinds = ", ".join(
            f"context of {counted(len(one.classes), 'class')}"
            if isinstance(one, ContextSummary)
            else f"degrees of {counted(len(one.layers), 'layer')}"
            for one in self._evidence
        )
        return f"ContextReport({kinds})"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"Context: {self._model()}"

    def snapshot(self) -> ContextReport:
        """Return a twin of what is on the screen."""
        return type(self).from_evidence(*self._evidence)

    def export_png(self, path: str | Path) -> Path:
        """Write the report as a picture for slides and print, 1920 pixels wide."""
        draw_context(self._evidence).save(path, format="PNG")
        return Path(path)

    def _model(self) -> str:
        return self._evidence[0].provenance.model
