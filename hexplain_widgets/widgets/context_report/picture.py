"""A report on context as a picture for slides and print, drawn from the evidence alone."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from ...arguments import counted
from ...evidence import ContextSummary, DegreeSummary
from ...pictures.charts import PANEL, draw_chart
from ...pictures.page import INK, SOFT, WELL, WIDTH, Pen, finished, page_of, percent, short
from .charts import (
    AROUND,
    ITSELF,
    LabelBars,
    bars_of,
    classes_shown,
    degree_chart,
    largest,
    networks_chart,
)

MARGIN, GAP = 56, 60.0
_HEAD, _ROW, _ABREAST = 130, 42, 3
_TITLE, _NAMES = 62.0, 230.0  # height of a class's name, width of its labels


def draw_context(evidence: Sequence[ContextSummary | DegreeSummary]) -> Image.Image:
    """Return the bars of every class that the report shows, and the curve of degrees."""
    degrees = [one for one in evidence if isinstance(one, DegreeSummary)]
    parts = [one for one in evidence if isinstance(one, ContextSummary) or one is degrees[0]]
    height = round(sum(_height(one) for one in parts) + MARGIN)
    pen = page_of(height)
    top = 0.0
    for one in parts:
        if isinstance(one, ContextSummary):
            _context(pen, one, top)
        else:
            _degrees(pen, degrees, top)
        top += _height(one)
    return finished(pen)


def _height(one: ContextSummary | DegreeSummary) -> float:
    if isinstance(one, DegreeSummary):
        return _HEAD + PANEL + GAP
    rows = -(-len(classes_shown(one)) // _ABREAST)
    return _HEAD + 60 + rows * _panel(one)


def _panel(summary: ContextSummary) -> float:
    charts = [bars_of(summary, place) for place in classes_shown(summary)]
    return _TITLE + _ROW * max((len(chart.names) for chart in charts), default=1) + 40


def _head(pen: Pen, words: str, facts: str, top: float) -> None:
    pen.text((MARGIN, top + 84), words, 50)
    pen.text((WIDTH - MARGIN, top + 84), short(facts, 60), 28, SOFT, "rs")


def _context(pen: Pen, summary: ContextSummary, top: float) -> None:
    images = counted(int(summary.images.sum()), "image")
    facts = f"{summary.provenance.model}, {images}, {summary.layer.name}"
    _head(pen, "What else do decisions rest on?", facts, top)
    keys = ((AROUND, "around the object"), (ITSELF, "the object itself"), (INK, "by chance"))
    for i, (colour, name) in enumerate(keys):
        pen.box((MARGIN + 320 * i, top + _HEAD), (6 if colour == INK else 26, 22), colour)
        pen.text((MARGIN + 320 * i + 40, top + _HEAD + 20), name, 24, SOFT)
    charts = [bars_of(summary, place) for place in classes_shown(summary)]
    wide, high = (WIDTH - 2 * MARGIN - GAP * (_ABREAST - 1)) / _ABREAST, largest(charts) or 1.0
    for i, chart in enumerate(charts):
        x = MARGIN + (wide + GAP) * (i % _ABREAST)
        _bars(pen, chart, (x, top + _HEAD + 60 + _panel(summary) * (i // _ABREAST)), wide, high)


def _bars(pen: Pen, chart: LabelBars, at: tuple[float, float], wide: float, high: float) -> None:
    x, y = at
    pen.text((x, y + 34), short(chart.title, 24), 30)
    pen.text((x + wide, y + 34), chart.told, 22, SOFT, "rs")
    room = wide - _NAMES - 80
    rows = zip(chart.names, chart.shares, chart.chance, chart.colours, strict=True)
    for i, (name, share, chance, colour) in enumerate(rows):
        top = y + _TITLE + _ROW * i
        pen.text((x + _NAMES - 12, top + 23), short(name, 18), 22, INK, "rs")
        pen.box((x + _NAMES, top), (room, 30), WELL)
        pen.box((x + _NAMES, top), (room * float(share) / high, 30), colour)
        pen.box((x + _NAMES + room * float(chance) / high - 2, top - 3), (4, 36), INK)
        pen.text((x + wide, top + 23), percent(float(share)), 22, SOFT, "rs")


def _degrees(pen: Pen, summaries: Sequence[DegreeSummary], top: float) -> None:
    first, several = summaries[0], len(summaries) > 1
    images = f"{first.provenance.model}, {counted(int(first.images.sum()), 'image')}"
    _head(
        pen,
        "Do channels belong to one class?",
        f"{len(summaries)} networks" if several else images,
        top,
    )
    at, size = (float(MARGIN), top + _HEAD), (float(WIDTH - 2 * MARGIN), PANEL)
    draw_chart(pen, networks_chart(summaries) if several else degree_chart(first), at, size)
