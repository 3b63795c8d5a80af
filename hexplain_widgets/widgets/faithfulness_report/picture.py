"""A report on faithfulness as a picture for slides and print, drawn from the evidence alone."""

from __future__ import annotations

from PIL import Image

from ...arguments import counted
from ...evidence import ESTIMATORS, FaithfulnessSummary, StepFaithfulness
from ...pictures.charts import PANEL, draw_chart
from ...pictures.page import INK, SOFT, WIDTH, Pen, finished, page_of, short
from .._shared.agreement import POOR
from .charts import masked_chart, sorted_chart, surrogate_chart, survival_chart

MARGIN, HEAD, ROW = 56, 150, 40
GAP = 60.0  # between two charts
RED = "#c62828"


def draw_faithfulness(summary: FaithfulnessSummary, place: int) -> Image.Image:
    """Return the table and the four charts, those by step of the step at `place`."""
    step = summary.steps[place]
    top = HEAD + ROW * (len(summary.steps) + 1) + 60
    height = round(top + 2 * PANEL + GAP + MARGIN)
    pen = page_of(height)
    pen.text((MARGIN, 84), "How far to trust this?", 50)
    facts = f"{summary.provenance.model}, {counted(summary.images, 'image')}"
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
    return finished(pen)


def _table(pen: Pen, summary: FaithfulnessSummary) -> None:
    columns = [700.0 + 200 * i for i in range(5)]
    for x, name in zip(columns, (*ESTIMATORS, "lowest AA"), strict=True):
        pen.text((x, HEAD), name, 26, SOFT, "rs")
    for i, step in enumerate(summary.steps, 1):
        y = HEAD + ROW * i
        pen.text((MARGIN, y), short(f"{step.deep} to {step.shallow}", 42), 26)
        values = (*step.pearson, step.lowest[0])
        # what others reach is no reason to distrust this decomposition
        ours = (True, *(False for _ in ESTIMATORS[1:]), True)
        for x, value, own in zip(columns, values, ours, strict=True):
            ink = RED if own and value < POOR else INK
            pen.text((x, y), _shown(step, float(value)), 26, ink, "rs")


def _shown(step: StepFaithfulness, value: float) -> str:
    return f"{value:.2f}" if step.counted[0] else "–"
