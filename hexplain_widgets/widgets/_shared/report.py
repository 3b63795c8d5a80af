"""Reports as all have them: a verdict first, charts beside each other, numbers to unfold."""

from __future__ import annotations

import html
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import ipywidgets
import numpy as np
from jaxtyping import Float

from ...evidence import Evidence
from ...pictures.charts import BarChart, LineChart
from ...pictures.report import draw_report
from .composite import Composite, wide
from .export import Exportable
from .figures import bar_figure, line_figure
from .markup import legend, scrolling
from .view import check_evidence

_STYLE = """<style>
.hx-name { container-type: inline-size; padding: 4px 14px 14px; line-height: 1.4; }
.hx-name h2 { font-size: 1.55em; font-weight: 400; margin: 8px 0 4px; }
.hx-name h2 small { font-size: 0.62em; margin-left: 0.6em; opacity: 0.7; }
.hx-name h3 { font-size: 1.1em; font-weight: 650; margin: 10px 0 2px; }
.hx-name p { margin: 0 0 4px; }
.hx-name .hx-told, .hx-name .hx-note { color: var(--jp-ui-font-color2); }
.hx-name .hx-key { display: inline-flex; align-items: center; gap: 6px; }
.hx-name .hx-key { margin-right: 14px; }
.hx-name .hx-key i { width: 16px; height: 4px; border-radius: 2px; }
.hx-name table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.hx-name caption { text-align: left; color: var(--jp-ui-font-color2); padding-bottom: 4px; }
.hx-name :is(th, td) { padding: 3px 12px 3px 0; text-align: right; white-space: nowrap; }
.hx-name th:first-child { text-align: left; font-weight: 500; }
.hx-name thead th { border-bottom: 1px solid var(--jp-border-color1); }
.hx-name summary { cursor: pointer; color: var(--jp-ui-font-color2); }
.hx-name .widget-html-content { line-height: 1.4; }
</style>"""
UNKNOWN = "–"


def style_of(name: str) -> str:
    """Return the style sheet of a report with a class of this name, as HTML."""
    return _STYLE.replace("hx-name", name)


def heading_of(title: str, facts: str, verdict: str, notes: Sequence[str] = ()) -> str:
    """Return the head of a report: its title, what it is of, and what it says, as HTML."""
    said = "".join(f"<p class='hx-note'>{html.escape(note)}</p>" for note in notes)
    title, facts, verdict = (html.escape(text) for text in (title, facts, verdict))
    return f"<h2>{title} <small>{facts}</small></h2><p role='status'>{verdict}</p>{said}"


def listed(names: Sequence[str]) -> str:
    """Return names in a row, as text.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def plain_number(value: float, digits: int = 2) -> str:
    """Return a number with so many digits behind the point, and a minus of its own."""
    return f"{value:.{digits}f}".replace("-", "−")


def with_error(value: float, error: float, digits: int = 2) -> str:
    """Return a mean with its standard error, where it has one."""
    shown = plain_number(value, digits)
    return f"{shown} ± {plain_number(error, digits)}" if error > 0 else shown


def table_of(heads: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Return text as a table, the first cell of each row its head, as HTML."""
    head = "".join(f"<th scope='col'>{html.escape(name)}</th>" for name in heads)
    body = "".join(
        f"<tr><th scope='row'>{html.escape(first)}</th>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    said = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return (
        f"<table class='hx-table'>{said}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def unfolded(table: str, name: str = "As numbers") -> str:
    """Return a table (markup) to unfold, for who cannot see a chart or wants its numbers."""
    return f"<details><summary>{name}</summary>{scrolling(table, 'Numbers')}</details>"


def numbers(
    x_name: str,
    x: Sequence[str],
    lines: Mapping[str, Sequence[float] | Float[np.ndarray, " n"]],
    errors: Mapping[str, Float[np.ndarray, " n"]] | None = None,
) -> str:
    """Return the numbers of a chart as a table to unfold, for who cannot see it."""
    known = errors or {}

    def cell(name: str, i: int) -> str:
        value = float(lines[name][i])
        error = float(known[name][i]) if name in known else 0.0
        return with_error(value, error) if np.isfinite(value) else UNKNOWN

    rows = ([place, *(cell(name, i) for name in lines)] for i, place in enumerate(x))
    return unfolded(table_of([x_name, *lines], rows))


def line_panel(chart: LineChart, *, numbered: bool = True) -> ipywidgets.Widget:
    """Return a chart of lines with its legend above it, its numbers below where they are wanted."""
    told = (chart.x_name, chart.places, chart.lines, chart.errors)
    foot = numbers(*told) if numbered else ""
    return _panel(
        legend(chart.title, chart.colours, html.escape(chart.told)), line_figure(chart), foot
    )


def bar_panel(chart: BarChart) -> ipywidgets.Widget:
    """Return a chart of bars with its legend above it and its numbers below."""
    keys = chart.colours if len(chart.bars) > 1 else {}
    foot = numbers("", chart.names, chart.bars, chart.errors)
    return _panel(legend(chart.title, keys, html.escape(chart.told)), bar_figure(chart), foot)


def panel_of(chart: LineChart | BarChart) -> ipywidgets.Widget:
    """Return a chart with its legend and its numbers."""
    return line_panel(chart) if isinstance(chart, LineChart) else bar_panel(chart)


def _panel(head: str, figure: ipywidgets.Widget, foot: str) -> ipywidgets.Widget:
    parts = [ipywidgets.HTML(head), figure, ipywidgets.HTML(foot)]
    return ipywidgets.VBox(parts, layout=ipywidgets.Layout(min_width="0"))


def beside(children: Sequence[ipywidgets.Widget], least: int = 250) -> ipywidgets.Widget:
    """Return parts beside each other where each has room for so many pixels."""
    # one alone keeps the room of one, several share all there is
    every = "auto-fit" if len(children) > 1 else "auto-fill"
    columns = f"repeat({every}, minmax(min(100%, {least}px), 1fr))"
    layout = ipywidgets.Layout(grid_template_columns=columns, grid_gap="8px 28px", width="100%")
    return ipywidgets.GridBox(list(children), layout=layout)


class Report(Exportable, Composite, ipywidgets.VBox):
    """A report on evidence of one kind: a verdict, charts and their numbers.

    A kind of report says in `KIND` what it shows and in `MADE_BY` what makes it.
    """

    KIND: ClassVar[type[Evidence] | tuple[type[Evidence], ...]]
    MADE_BY: ClassVar[str]
    STYLE: ClassVar[str]

    @classmethod
    def from_evidence(cls, evidence: Any) -> Self:
        """Return the report of saved evidence, without a model; raises TypeError for another."""
        check_evidence(evidence, cls.KIND, cls.MADE_BY)
        self = cls.__new__(cls)
        self._open(evidence)
        return self

    def _open(self, evidence: Any) -> None:
        self._evidence = evidence
        head = heading_of(self.question, self.facts, self.verdict, evidence.notes)
        parts = [ipywidgets.HTML(style_of(self.STYLE) + head), *self._parts()]
        super().__init__(parts, layout=wide())
        self.add_class(self.STYLE)

    def _parts(self) -> Sequence[ipywidgets.Widget]:
        """Return what stands below the head: the charts, if nothing else."""
        charts = self.charts()
        return [beside([panel_of(chart) for chart in charts], 300)] if charts else []

    @property
    @abstractmethod
    def question(self) -> str:
        """What the report answers."""

    @property
    @abstractmethod
    def facts(self) -> str:
        """What it is of: images, layers."""

    @property
    @abstractmethod
    def verdict(self) -> str:
        """What it says, in a sentence or two."""

    @abstractmethod
    def charts(self) -> Sequence[LineChart | BarChart]:
        """Return the charts that are on the screen."""

    def table(self) -> Sequence[Sequence[str]]:
        """Return figures that stand beside the charts, a head first; none if there are none."""
        return ()

    @property
    def evidence(self) -> Any:
        """The figures that are on the screen."""
        return self._evidence

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"{self.question.rstrip('?')}: {self._evidence.provenance.model}"

    def snapshot(self) -> Self:
        """Return a twin of what is on the screen."""
        return type(self).from_evidence(self._evidence)

    def export_png(self, path: str | Path) -> Path:
        """Write the report as a picture for slides and print, 1920 pixels wide."""
        facts = f"{self._evidence.provenance.model}, {self.facts}"
        page = draw_report(self.question, facts, self.verdict, self.charts(), self.table())
        page.save(path, format="PNG")
        return Path(path)
