"""The charts of a report on context: bars of labels class by class, degrees layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ...evidence import ContextSummary, DegreeSummary
from ...pictures.charts import FEW, LineChart, decimals, even_ticks
from ...pictures.colours import METHODS, OURS, RANDOM, TRUTH
from ...pictures.page import short
from .._shared.figures import BAR, FRAME, INK, NAME, axis_of, framed, level_bars, rows_of

AROUND, ITSELF = OURS, TRUTH
MOST_LABELS, MOST_CLASSES = 5, 12
_TICK = 0.42  # half of the length of a mark at chance, in bars


@dataclass(frozen=True)
class LabelBars:
    """The most frequent labels of one class as values; `own` marks the class's own object."""

    title: str
    told: str
    names: tuple[str, ...]
    shares: Float[np.ndarray, " n"]
    chance: Float[np.ndarray, " n"]
    own: Bool[np.ndarray, " n"]

    @property
    def colours(self) -> list[str]:
        """A colour for each bar: one for the object itself, one for what is around it."""
        return [ITSELF if own else AROUND for own in self.own]


def classes_shown(summary: ContextSummary) -> list[int]:
    """Return the places of the classes with most images, in the order of the classes."""
    most = np.argsort(-summary.images, kind="stable")[:MOST_CLASSES]
    return sorted(int(place) for place in most)


def bars_of(summary: ContextSummary, place: int) -> LabelBars:
    """Return the bars of a class: its own object first, then the labels around it (Fig. 14)."""
    own = int(summary.own[place])
    around = summary.context(place, MOST_LABELS)
    at = [own, *around] if own >= 0 else list(around)
    count, maps = int(summary.images[place]), int(summary.maps[place])
    told = f"{count} image{'' if count == 1 else 's'}, {maps} maps{named_so(summary, place)}"
    return LabelBars(
        summary.classes[place],
        told,
        tuple(summary.labels[i] for i in at),
        summary.shares[place, at],
        summary.chance_shares[place, at],
        np.array([i == own for i in at], dtype=bool),
    )


def named_so(summary: ContextSummary, place: int) -> str:
    """Return what the network names the images of a class, nothing where it names all of them so.

    The class itself is said first, of others the most frequent.
    """
    names = summary.namings_of(place)
    own = names.pop(summary.classes[place], 0)
    if not names:
        return ""
    other, times = next(iter(names.items()))
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"; {own} named so, {times} {short(other, NAME)}{more}"


def degree_chart(summary: DegreeSummary) -> LineChart:
    """Discriminative degrees from the shallowest layer to the deepest, and by chance (Fig. 15)."""
    layers = summary.layers[::-1]
    x = np.arange(len(layers), dtype=np.float64)
    few = len(layers) <= FEW
    return LineChart(
        "Discriminative degree",
        "1: every channel that is selected belongs to one class. Mean over those channels.",
        "layer, from the pixels up" if few else "way from the pixels to the logits",
        "mean degree D",
        tuple(one.layer.name for one in layers),
        x if few else x / max(1, len(x) - 1),
        {
            "selected channels": np.array([one.degree for one in layers]),
            "classes shuffled": np.array([one.chance for one in layers]),
        },
        {"selected channels": OURS, "classes shuffled": RANDOM},
    )


def networks_of(summaries: Sequence[DegreeSummary]) -> tuple[str, ...]:
    """Return what networks are called, those of one name with their place."""
    names: list[str] = []
    for place, one in enumerate(summaries, 1):
        name = one.provenance.model
        names.append(f"{place}. {name}" if name in names else name)
    return tuple(names)


def networks_chart(summaries: Sequence[DegreeSummary]) -> LineChart:
    """Return the discriminative degrees of several networks in one chart (Fig. 15).

    By stage where every layer of all is the only one of a stage, else by their way up.
    """
    staged = all(_staged(one) for one in summaries)
    ways = [_ways(one, staged=staged) for one in summaries]
    x = np.unique(np.concatenate(ways))
    lines, errors = {}, {}
    for name, one, way in zip(networks_of(summaries), summaries, ways, strict=True):
        lines[name], errors[name] = np.full(len(x), np.nan), np.zeros(len(x))
        at = np.searchsorted(x, way)
        lines[name][at] = [layer.degree for layer in one.layers[::-1]]
        errors[name][at] = [layer.error for layer in one.layers[::-1]]
    return LineChart(
        "Discriminative degree",
        "1: every channel that is selected belongs to one class. Mean over those channels.",
        "stage" if staged else "way from the pixels to the logits",
        "mean degree D",
        tuple(f"{at:.0f}" if staged else f"{at:.0%}" for at in x),
        x,
        lines,
        {name: METHODS[i % len(METHODS)] for i, name in enumerate(lines)},
        errors,
    )


def _staged(summary: DegreeSummary) -> bool:
    stages = [one.layer.stage for one in summary.layers]
    return len(stages) <= FEW and None not in stages and len(set(stages)) == len(stages)


def _ways(summary: DegreeSummary, *, staged: bool) -> Float[np.ndarray, " l"]:
    """Return where the layers stand, from the pixels up: their stages, or shares of the way."""
    count = len(summary.layers)
    if staged:
        return np.array([float(one.layer.stage or 0) for one in summary.layers[::-1]])
    return (np.arange(count) + 1.0) / count


def largest(charts: Sequence[LabelBars]) -> float:
    """Return the largest value of several charts, so that they have one scale."""
    return max(
        (float(max(one.shares.max(initial=0), one.chance.max(initial=0))) for one in charts),
        default=1.0,
    )


def figure_of_bars(chart: LabelBars, high: float) -> Any:
    """Return a class's bars as a figure, the first on top; marks across them stand at chance."""
    import bqplot

    ticks = even_ticks(0.0, high)
    names = chart.names
    bars = level_bars(names, chart.shares[None], ticks, chart.colours or [AROUND])
    rows = rows_of(bars)
    x, y = bars.scales["y"], bars.scales["x"]
    middles = len(names) - 0.5 - np.arange(len(names))
    marks = bqplot.Lines(
        x=np.stack([chart.chance, chart.chance], 1) if names else np.zeros((1, 2)),
        y=np.stack([middles - _TICK, middles + _TICK], 1) if names else np.zeros((1, 2)),
        scales={"x": x, "y": rows},
        colors=[INK],
        stroke_width=2.5,
        visible=bool(names),
    )
    margin = {"top": 4, "bottom": 34, "left": 138, "right": 26}
    height = f"{FRAME + BAR * max(2, len(names))}px"
    return framed([bars, marks], _axes(y, x, ticks), margin, height)


def _axes(y: Any, x: Any, ticks: Float[np.ndarray, " t"]) -> list[Any]:
    percent = f".{max(0, int(decimals(ticks)[1:-1]) - 2)}%" if "f" in decimals(ticks) else ".0%"
    across = axis_of(x, tick_values=ticks, tick_format=percent)
    return [axis_of(y, upright=True, grid_lines="none"), across]
