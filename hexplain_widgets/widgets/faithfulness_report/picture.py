"""A report on faithfulness as a picture for slides and print, drawn from the evidence alone."""

from __future__ import annotations

from PIL import Image

from ...evidence import ESTIMATORS, FaithfulnessSummary, StepFaithfulness
from ...pictures.page import FINER, INK, LINE, SOFT, Pen, short
from .charts import FEW, Chart, masked_chart, sorted_chart, surrogate_chart, survival_chart
from .words import POOR

WIDTH, MARGIN, HEAD, ROW = 1920, 56, 150, 40
PANEL, GAP = 480.0, 60.0  # height of a chart, and between two of them
RED = "#c62828"


def draw_faithfulness(summary: FaithfulnessSummary, place: int) -> Image.Image:
    """Return the table and the four charts, those by step of the step at `place`."""
    step = summary.steps[place]
    top = HEAD + ROW * (len(summary.steps) + 1) + 60
    height = round(top + 2 * PANEL + GAP + MARGIN)
    pen = Pen(Image.new("RGB", (WIDTH * FINER, height * FINER), "white"))
    pen.text((MARGIN, 84), "How far to trust this?", 50)
    facts = f"{summary.provenance.model}, {summary.images} images"
    pen.text((WIDTH - MARGIN, 84), facts, 28, SOFT, "rs")
    _table(pen, summary)
    charts = (
        surrogate_chart(summary),
        masked_chart(step),
        sorted_chart(step),
        survival_chart(summary, place),
    )
    wide = (WIDTH - 2 * MARGIN - GAP) / 2
    for i, chart in enumerate(charts):
        at = (MARGIN + (wide + GAP) * (i % 2), top + (PANEL + GAP) * (i // 2))
        draw_chart(pen, chart, at, (wide, PANEL))
    return pen.canvas.resize((WIDTH, height), Image.Resampling.LANCZOS)


def _table(pen: Pen, summary: FaithfulnessSummary) -> None:
    columns = [700.0 + 200 * i for i in range(5)]
    for x, name in zip(columns, (*ESTIMATORS, "lowest AA"), strict=True):
        pen.text((x, HEAD), name, 26, SOFT, "rs")
    for i, step in enumerate(summary.steps, 1):
        y = HEAD + ROW * i
        pen.text((MARGIN, y), short(f"{step.deep} to {step.shallow}", 42), 26)
        for x, value in zip(columns, (*step.pearson, step.lowest[0]), strict=True):
            pen.text((x, y), _shown(step, float(value)), 26, RED if value < POOR else INK, "rs")


def _shown(step: StepFaithfulness, value: float) -> str:
    return f"{value:.2f}" if step.counted[0] else "–"


def draw_chart(pen: Pen, chart: Chart, at: tuple[float, float], size: tuple[float, float]) -> None:
    """Draw a chart of lines with its axes and its legend at a corner, in a box of this size."""
    (x, y), (wide, tall) = at, size
    pen.text((x, y + 24), chart.title, 30)
    left, right, top, foot = x + 70, x + wide - 250, y + 50, y + tall - 60
    low, high = float(chart.ticks[0]), float(chart.ticks[-1])
    first, last = float(chart.x.min()), float(chart.x.max())

    def point(a: float, b: float) -> tuple[float, float]:
        across = (a - first) / ((last - first) or 1)
        return left + across * (right - left), foot - (b - low) / (high - low) * (foot - top)

    for value in chart.ticks:
        level = point(first, float(value))[1]
        pen.box((left, level), (right - left, 1), LINE)
        pen.text((left - 10, level + 7), f"{round(float(value), 6):g}", 20, SOFT, "rs")
    for place, words in _places(chart):
        pen.text((point(place, low)[0], foot + 28), words, 20, SOFT, "ms")
    pen.text(((left + right) / 2, foot + 56), chart.x_name, 22, SOFT, "ms")
    for i, (name, values) in enumerate(chart.lines.items()):
        colour = chart.colours[name]
        points = [point(float(a), float(b)) for a, b in zip(chart.x, values, strict=True)]
        pen.line(points, 3.0, colour)
        pen.box((right + 20, top + 34 * i + 8), (22, 5), colour)
        pen.text((right + 52, top + 34 * i + 18), short(_plain(name), 22), 20)


def _places(chart: Chart) -> list[tuple[float, str]]:
    """Return where an axis has words: at each place, or at even shares where these are many."""
    if len(chart.x) <= FEW:
        return list(zip(map(float, chart.x), chart.places, strict=True))
    return [(i / 5, f"{i / 5:.0%}") for i in range(6)]


def _plain(words: str) -> str:
    """Return words in the letters that the pen's font has."""
    return words.replace("→", "to").replace("−", "-").replace("×", "x")
