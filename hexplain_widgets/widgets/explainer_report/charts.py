"""The charts of a report on an explainer: how contributions spread, errors of parts, capacity."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ...evidence import AdditiveReport, ExplainerCapacity, ExplainerQuality
from ...pictures.charts import FEW, BarChart, LineChart
from ...pictures.colours import OURS, TRUTH
from ...pictures.page import percent

WITH, PLAIN = "with the prior", "plain distillation"
COLOURS = {WITH: OURS, PLAIN: TRUTH}
EVERY = "mean of all parts"
EVEN, MOST = 50, 5  # points of a curve of very many concepts; parts that have bars


def standard_errors(values: Float[np.ndarray, "s ..."]) -> Float[np.ndarray, " ..."]:
    """Return the standard error over seeds, 0 where there is one."""
    if len(values) < 2:
        return np.zeros(values.shape[1:])
    return np.asarray(values.std(0, ddof=1) / np.sqrt(len(values)))


def spread_chart(report: AdditiveReport) -> LineChart | None:
    """Return how contributions spread over concepts, the largest first (Fig. 7).

    None for reports of older files, which do not keep them.
    """
    if report.ours.sizes is None or report.plain.sizes is None:
        return None
    count = report.ours.sizes.shape[1]
    at = np.unique(np.linspace(0, count - 1, min(count, EVEN)).round().astype(int))
    few = len(at) <= FEW
    x = at.astype(np.float64) if few else at / max(count - 1, 1)
    lines = {WITH: sorted_sizes(report.ours)[at], PLAIN: sorted_sizes(report.plain)[at]}
    return LineChart(
        "Contributions, sorted",
        "Mean size over images and seeds, the largest first. A line that falls at once explains by"
        " few.",
        "rank among concepts" if few else f"rank among {count} concepts",
        "logits",
        tuple(str(i + 1) for i in at),
        x,
        lines,
        COLOURS,
        anchors=(0.0,),
    )


def sorted_sizes(quality: ExplainerQuality) -> Float[np.ndarray, " e"]:
    """Return the mean absolute contributions over seeds, each seed's sorted by itself."""
    assert quality.sizes is not None
    return np.sort(quality.sizes, axis=1)[:, ::-1].mean(0)


def parts_chart(report: AdditiveReport) -> BarChart | None:
    """Return the error of each part's contribution against ablation, and of all (Table 3).

    None where parts could not be taken out.
    """
    if report.ours.part_error is None or report.plain.part_error is None:
        return None
    both = {WITH: report.ours.part_error, PLAIN: report.plain.part_error}
    worst = np.argsort(-both[WITH].mean(0), kind="stable")[:MOST]
    some = np.sort(worst) if len(report.names) <= MOST else worst
    every = {
        name: np.column_stack([errors.mean(1), errors[:, some]]) for name, errors in both.items()
    }
    left = len(report.names) - len(some)
    more = f" The {MOST} worst of {len(report.names)}." if left else ""
    return BarChart(
        "Error of part contributions",
        f"Against ablation, in {report.positives} images.{more}",
        "share of the mean score",
        (EVERY, *(report.names[i] for i in some)),
        {name: errors.mean(0) for name, errors in every.items()},
        COLOURS,
        {name: standard_errors(errors) for name, errors in every.items()},
    )


def deviation_chart(capacity: ExplainerCapacity) -> LineChart:
    """Return the relative deviation by the number of concepts (Fig. 8)."""
    return _capacity_chart(
        capacity,
        "Relative deviation",
        "Mean distance from the score, as a share of the scores' range.",
        "deviation",
        capacity.deviation,
    )


def lost_chart(capacity: ExplainerCapacity) -> LineChart:
    """Return the accuracy that is lost by the number of concepts (Fig. 8)."""
    return _capacity_chart(
        capacity,
        "Accuracy lost",
        f"The network judges {percent(capacity.performer_accuracy)} right, each explainer less.",
        "accuracy lost",
        capacity.lost,
    )


def _capacity_chart(
    capacity: ExplainerCapacity,
    title: str,
    told: str,
    y_name: str,
    values: Float[np.ndarray, "s n"],
) -> LineChart:
    counts, every = capacity.counts, len(capacity.names)
    few = len(counts) <= FEW
    name = "concepts drawn at random"
    return LineChart(
        title,
        told,
        f"concepts, of {every}" if few else f"share of {every} concepts",
        y_name,
        tuple(map(str, counts)),
        np.log2(counts) if few else counts / every,
        {name: values.mean(0)},
        {name: OURS if y_name == "deviation" else TRUTH},
        {name: standard_errors(values)},
        anchors=(0.0,),
    )
