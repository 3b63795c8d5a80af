"""The curves of a report on faithfulness: what is left, right and in its class, as values."""

from __future__ import annotations

import numpy as np

from ...evidence import FaithfulnessSummary, StepFaithfulness
from ...pictures.charts import LineChart
from ...pictures.colours import METHODS, OURS, RANDOM, TRUTH
from ...pictures.page import percent

EVEN = 26  # points of a sorted curve that a chart and its table have


def masked_chart(step: StepFaithfulness) -> LineChart:
    """What is left of the decision as channels are masked (Fig. 6)."""
    names = ("most important", "least important", "random")
    return LineChart(
        "Masking channels",
        "What is left of the decision. It should fall at once for the most important.",
        "share of channels masked",
        "part that is left",
        tuple(f"{share:.0%}" for share in step.fractions),
        step.fractions,
        dict(zip(names, step.remaining, strict=True)),
        dict(zip(names, (OURS, TRUTH, RANDOM), strict=True)),
    )


def sorted_chart(step: StepFaithfulness) -> LineChart:
    """Contributions sorted by size, estimated and true (Fig. 7)."""
    at = np.linspace(0, len(step.drops) - 1, EVEN).round().astype(int)
    x = at / (len(step.drops) - 1)
    return LineChart(
        "Contributions, sorted",
        "In shares of the largest drop. Where the lines lie on each other, sizes are right.",
        "rank among channels",
        "contribution",
        tuple(f"{share:.0%}" for share in x),
        x,
        {"estimate": step.estimates[at], "ablation": step.drops[at]},
        {"estimate": OURS, "ablation": TRUTH},
    )


def surrogate_chart(summary: FaithfulnessSummary) -> LineChart:
    """How often networks with few channels name the same class (Fig. 9)."""
    lines = {"same class, ours": summary.match[0], "same class, random": summary.match[1]}
    colours = {"same class, ours": OURS, "same class, random": RANDOM}
    if summary.accuracy is not None:
        lines["right class, ours"] = summary.accuracy[0]
        colours["right class, ours"] = TRUTH
    shares = [f"{low:.0%}–{high:.0%}" for low, high in _ends(summary)]
    return LineChart(
        "Keeping few channels",
        "Share of images. Of a layer's channels are kept: "
        + ", ".join(f"{k}: {share}" for k, share in zip(summary.top_k, shares, strict=True))
        + ".",
        "channels kept of each decision",
        "share of images",
        tuple(map(str, summary.top_k)),
        np.log2(summary.top_k),
        lines,
        colours,
    )


def _ends(summary: FaithfulnessSummary) -> list[tuple[float, float]]:
    return [(float(row.min()), float(row.max())) for row in summary.kept]


def survival_chart(summary: FaithfulnessSummary, place: int) -> LineChart:
    """How often the label, or else the class, is named without the most important (Fig. 10)."""
    colours = [*METHODS[: len(summary.methods) - 1], RANDOM]
    rows, labelled = summary.survival, summary.removed_accuracy is not None
    if summary.removed_accuracy is not None:
        rows = summary.removed_accuracy
    whole = "" if summary.whole_accuracy is None else f" Before: {percent(summary.whole_accuracy)}."
    told = (
        f"Share of images that are named as labelled: the lower, the better the ranking.{whole}"
        if labelled
        else "Share of images that keep their class: the lower, the better the ranking."
    )
    return LineChart(
        "Removing the most important",
        told,
        "channels removed",
        "accuracy" if labelled else "class stays",
        tuple(map(str, summary.removed)),
        np.log2(summary.removed),
        dict(zip(summary.methods, rows[place], strict=True)),
        dict(zip(summary.methods, colours, strict=True)),
    )
