"""A report as a picture for slides and print: what it says, and its charts beside each other."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from PIL import Image

from .charts import PANEL, ROW, SPACE, BarChart, LineChart, draw_bars, draw_chart, plain_letters
from .page import INK, SOFT, WIDTH, Pen, finished, page_of, short

MARGIN, GAP = 56, 60.0
_LINE, _LETTERS = 38, 118  # of what it says: height of a line, and how many letters it has
_COLUMN = 340  # of figures
_AROUND = 190.0  # of bars: title, legend, axis


def draw_report(
    title: str,
    facts: str,
    verdict: str,
    charts: Sequence[LineChart | BarChart],
    table: Sequence[Sequence[str]] = (),
) -> Image.Image:
    """Return a page with a title, a verdict, figures and charts, two of them side by side."""
    lines = textwrap.wrap(plain_letters(verdict), _LETTERS)
    rows = [charts[i : i + 2] for i in range(0, len(charts), 2)]
    figures = 130.0 + _LINE * len(lines) + 10
    top = figures + _LINE * len(table) + 40
    height = top + sum(max(map(_height, row)) + GAP for row in rows) + MARGIN
    pen = page_of(height)
    pen.text((MARGIN, 84), title, 50)
    pen.text((WIDTH - MARGIN, 84), short(facts, 60), 28, SOFT, "rs")
    for i, line in enumerate(lines):
        pen.text((MARGIN, 140 + _LINE * i), line, 28)
    _table(pen, table, figures)
    wide, y = (WIDTH - 2 * MARGIN - GAP) / 2, float(top)
    for row in rows:
        for i, chart in enumerate(row):
            at = MARGIN + (wide + GAP) * i, y
            if isinstance(chart, LineChart):
                draw_chart(pen, chart, at, (wide, PANEL))
            else:
                draw_bars(pen, chart, at, wide)
        y += max(map(_height, row)) + GAP
    return finished(pen)


def _table(pen: Pen, rows: Sequence[Sequence[str]], top: float) -> None:
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            at = MARGIN + _COLUMN * j + (_COLUMN if j else 0), top + _LINE * (i + 1)
            pen.text(at, plain_letters(cell), 26, INK if i else SOFT, "rs" if j else "ls")


def _height(chart: LineChart | BarChart) -> float:
    if isinstance(chart, LineChart):
        return PANEL
    return _AROUND + (ROW * len(chart.bars) + SPACE) * len(chart.names)
