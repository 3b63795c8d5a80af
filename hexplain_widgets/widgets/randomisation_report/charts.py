"""The curves of a report on randomisation: what of the maps stays, layer by layer (Fig. 8)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from ...evidence import RandomisationSummary
from ...pictures.charts import FEW, BarChart, LineChart
from ...pictures.colours import METHODS, RANDOM
from ...pictures.page import percent

CHANCE = "by chance"
Rows = Float[np.ndarray, "m n"]


def colours_of(summary: RandomisationSummary) -> dict[str, str]:
    """Return a colour for each method."""
    return {name: METHODS[m % len(METHODS)] for m, name in enumerate(summary.methods)}


def correlation_chart(summary: RandomisationSummary) -> LineChart:
    """Return the rank correlation of maps as more and more layers are drawn anew (Fig. 8a)."""
    return _chart(
        summary,
        "Rank correlation with the network's own map",
        "Spearman's; weights are drawn anew from the top down. What falls depends on the network,"
        " what stays shows the image.",
        "rank correlation",
        _by_method(summary, summary.correlations, summary.counted),
        _by_method(summary, summary.errors, summary.counted),
    )


def strongest_chart(summary: RandomisationSummary) -> LineChart:
    """Return the share of a map's strongest pixels that stay, which maps of few pixels have too."""
    lines = _by_method(summary, summary.shared, summary.counted)
    return _chart(
        summary,
        "Strongest pixels that stay",
        "As many pixels of every method's map, so that maps of few pixels compare with others.",
        "share that stays",
        {**lines, CHANCE: summary.chance},
        _by_method(summary, summary.shared_errors, summary.counted),
    )


def _chart(
    summary: RandomisationSummary,
    title: str,
    told: str,
    y_name: str,
    lines: Mapping[str, Float[np.ndarray, " n"]],
    errors: Mapping[str, Float[np.ndarray, " n"]],
) -> LineChart:
    few, all_layers = len(summary.counts) <= FEW, len(summary.layers)
    counts = summary.counts.astype(np.float64)
    x_name = f"layers drawn anew, of {all_layers}" if few else f"part of the {all_layers} layers"
    known = colours_of(summary)
    return LineChart(
        title,
        told,
        x_name,
        y_name,
        tuple(map(str, summary.counts)),
        counts if few else counts / max(all_layers, 1),
        lines,
        {name: known.get(name, RANDOM) for name in lines},
        errors,
    )


def _by_method(
    summary: RandomisationSummary, values: Rows, counted: Int[np.ndarray, "m n"]
) -> dict[str, Float[np.ndarray, " n"]]:
    """Return the rows of methods whose maps could be compared anywhere, NaN where not."""
    rows = zip(summary.methods, values, counted, strict=True)
    return {name: np.where(n > 0, row, np.nan) for name, row, n in rows if n.any()}


def other_chart(summary: RandomisationSummary) -> BarChart | None:
    """Return how maps agree with another network's (Fig. 8b), None where there is none."""
    if summary.other is None or summary.other_counted is None or summary.other_shared is None:
        return None
    some = np.flatnonzero(summary.other_counted)
    if not len(some):
        return None
    r, stays = "rank correlation", "strongest pixels that stay"
    bars = {r: summary.other[some], stays: summary.other_shared[some]}
    errors = (summary.other_errors, summary.other_shared_errors)
    chance = summary.other_chance or 0.0
    return BarChart(
        "Against the other network",
        "Such as one trained on permuted labels. By chance the correlation is 0 and"
        f" {percent(chance)} of the pixels stay. Low values alone say little: networks trained"
        " alike may agree no more.",
        "agreement of maps",
        tuple(summary.methods[m] for m in some),
        bars,
        dict(zip(bars, METHODS[:2], strict=True)),
        {name: e[some] for name, e in zip(bars, errors, strict=True) if e is not None},
    )
