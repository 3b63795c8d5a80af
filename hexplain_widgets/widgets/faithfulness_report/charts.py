"""The curves of a report on faithfulness, drawn by bqplot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ...evidence import FaithfulnessSummary, StepFaithfulness
from .._shared.figures import axis_of, even_ticks, framed, span

# Okabe and Ito's colours, told apart by the colour-blind; random is grey.
OURS, TRUTH, OTHER, RANDOM = "#d55e00", "#0072b2", "#009e73", "#8a8f98"
METHODS = (OURS, TRUTH, OTHER, "#cc79a7", "#e69f00", "#56b4e9")
FEW = 8  # places at which each has its words at the axis
EVEN = 26  # points of a sorted curve that a chart and its table have


@dataclass(frozen=True)
class Chart:
    """One chart as values: lines by name over common places, and how it is read."""

    title: str
    told: str
    x_name: str
    y_name: str
    places: tuple[str, ...]
    x: Float[np.ndarray, " p"]
    lines: Mapping[str, Float[np.ndarray, " p"]]
    colours: Mapping[str, str]

    @property
    def ticks(self) -> Float[np.ndarray, " t"]:
        """Round numbers around all values, 0 and 1 among them."""
        values = np.concatenate([*self.lines.values(), [0.0, 1.0]])
        return even_ticks(float(values.min()), float(values.max()))


def masked_chart(step: StepFaithfulness) -> Chart:
    """What is left of the decision as channels are masked (Fig. 6)."""
    names = ("most important", "least important", "random")
    return Chart(
        "Masking channels",
        "What is left of the decision. It should fall at once for the most important.",
        "share of channels masked",
        "left of the decision",
        tuple(f"{share:.0%}" for share in step.fractions),
        step.fractions,
        dict(zip(names, step.remaining, strict=True)),
        dict(zip(names, (OURS, TRUTH, RANDOM), strict=True)),
    )


def sorted_chart(step: StepFaithfulness) -> Chart:
    """Contributions sorted by size, estimated and true (Fig. 7)."""
    at = np.linspace(0, len(step.drops) - 1, EVEN).round().astype(int)
    x = at / (len(step.drops) - 1)
    return Chart(
        "Contributions, sorted",
        "In shares of the largest drop. Where the lines lie on each other, sizes are right.",
        "rank among channels",
        "contribution",
        tuple(f"{share:.0%}" for share in x),
        x,
        {"estimate": step.estimates[at], "ablation": step.drops[at]},
        {"estimate": OURS, "ablation": TRUTH},
    )


def surrogate_chart(summary: FaithfulnessSummary) -> Chart:
    """How often networks with few channels name the same class (Fig. 9)."""
    lines = {"same class, ours": summary.match[0], "same class, random": summary.match[1]}
    colours = {"same class, ours": OURS, "same class, random": RANDOM}
    if summary.accuracy is not None:
        lines["right class, ours"] = summary.accuracy[0]
        colours["right class, ours"] = TRUTH
    shares = [f"{low:.0%}–{high:.0%}" for low, high in _ends(summary)]
    return Chart(
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


def survival_chart(summary: FaithfulnessSummary, place: int) -> Chart:
    """How often the class stays without a layer's most important channels (Fig. 10)."""
    colours = [*METHODS[: len(summary.methods) - 1], RANDOM]
    return Chart(
        "Removing the most important",
        "Share of images that keep their class: the lower, the better the ranking.",
        "channels removed",
        "class stays",
        tuple(map(str, summary.removed)),
        np.log2(summary.removed),
        dict(zip(summary.methods, summary.survival[place], strict=True)),
        dict(zip(summary.methods, colours, strict=True)),
    )


def figure_of(chart: Chart) -> Any:
    """Return a chart as a figure; lines carry markers, so that single points are seen."""
    import bqplot

    x, y = bqplot.LinearScale(), bqplot.LinearScale()
    x.min, x.max = float(chart.x.min()), float(max(chart.x.max(), chart.x.min() + 1e-6))
    marks = [
        bqplot.Lines(
            x=chart.x,
            y=values,
            scales={"x": x, "y": y},
            colors=[chart.colours[name]],
            stroke_width=2.5,
            marker="circle",
            marker_size=28,
            line_style="dashed" if chart.colours[name] == RANDOM else "solid",
        )
        for name, values in [*chart.lines.items()][::-1]
    ]
    margin = {"top": 8, "bottom": 46, "left": 54, "right": 14}
    return framed(marks, _axes(chart, x, y), margin, "240px", padding_x=0.02)


def _axes(chart: Chart, x: Any, y: Any) -> list[Any]:
    few = len(chart.x) <= FEW
    across = axis_of(
        x,
        chart.x_name,
        label_offset="34px",
        grid_lines="none",
        tick_values=chart.x if few else np.linspace(0, 1, 6),
        tick_format="" if few else ".0%",
    )
    if few:
        across.tick_labels = dict(zip(map(_key, chart.x), chart.places, strict=True))
    up = axis_of(y, chart.y_name, upright=True, label_offset="40px")
    span(up, chart.ticks)
    return [across, up]


def _key(value: float) -> str:
    """The text that a browser makes of a number, by which bqplot looks its label up."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
