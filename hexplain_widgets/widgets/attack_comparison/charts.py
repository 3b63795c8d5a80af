"""Bars of peak responses before and after an attack, drawn by bqplot (Fig. 12 b and c)."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets
import numpy as np
from jaxtyping import Float

from ...arguments import counted
from ...evidence import AttackedDecision, AttackedSet
from ...pictures.charts import ticks_around
from .._shared.composite import Composite
from .._shared.figures import INK, PADDING, grouped_bars, span, upright_bars
from .._shared.markup import swatches
from .._shared.tree_pair import abreast
from .words import peaks_words

# Okabe and Ito's blue and vermilion, told apart by the colour-blind
BEFORE, AFTER = "#0072b2", "#d55e00"
RANKS = ("1st", "2nd", "3rd")


class PeakCharts(Composite, ipywidgets.VBox):
    """Two figures side by side, one of each class, on one scale: peaks before and after."""

    def __init__(self) -> None:
        self._names = [ipywidgets.HTML() for _ in range(2)]
        self._figures = [_figure() for _ in range(2)]
        self._legend = ipywidgets.HTML()
        self._cells = [
            ipywidgets.VBox([name, figure])
            for name, figure in zip(self._names, self._figures, strict=True)
        ]
        for cell in self._cells:
            cell.layout.min_width = "0"
        self._grid = ipywidgets.GridBox(self._cells, layout=abreast(340))
        super().__init__([self._legend, self._grid])

    @property
    def figures(self) -> list[Any]:
        """The figures of the classes that are shown."""
        return self._figures[: len(self._grid.children)]

    def show(self, evidence: AttackedDecision) -> None:
        """Show the channels of one image's classes (Fig. 12 b)."""
        heads = [
            f"Channels for <b>{html.escape(name)}</b>, named {when}"
            for name, when in zip(evidence.classes, ("before", "after"), strict=False)
        ]
        names = [[f"#{k}" for k in row] for row in evidence.channels]
        self._legend.value = _legend(f"Peak responses at {evidence.layer.name}")
        self._fill(heads, names, evidence.peaks, None, evidence.classes)

    def show_set(self, evidence: AttackedSet) -> None:
        """Show the means over a set with their standard errors (Fig. 12 c)."""
        count = evidence.peaks.shape[3]
        heads = [f"Channels for the class named {when}" for when in ("before", "after")]
        ranks = [[ordinal(i) for i in range(count)]] * 2
        self._legend.value = _legend(
            f"Mean peak responses of the top {counted(count, 'channel')} at {evidence.layer.name},"
            " with standard errors"
        )
        self._fill(heads, ranks, evidence.means, evidence.errors, ("class before", "class after"))

    def _fill(
        self,
        heads: Sequence[str],
        names: Sequence[Sequence[str]],
        peaks: Float[np.ndarray, "2 c n"],
        errors: Float[np.ndarray, "2 c n"] | None,
        classes: Sequence[str],
    ) -> None:
        spread = np.nan_to_num(errors) if errors is not None else np.zeros_like(peaks)
        ticks = ticks_around(np.concatenate([peaks - spread, peaks + spread]))
        for c, head in enumerate(heads):
            before, after = (float(peaks[i, c].mean()) for i in range(2))
            words = peaks_words("", before, after).removeprefix(": ")
            self._names[c].value = _head(head, words)
            _draw(self._figures[c], names[c], peaks[:, c], spread[:, c], ticks)
        self._grid.children = self._cells[: len(heads)]

    def aside(self) -> tuple[ipywidgets.Widget, ...]:
        """Return both figures with their names, of which one may be hidden."""
        return tuple(self._cells)


def ordinal(place: int) -> str:
    """Return the name of a rank, counted from 0.

    >>> [ordinal(i) for i in (0, 3)]
    ['1st', '4th']
    """
    return RANKS[place] if place < len(RANKS) else f"{place + 1}th"


def error_lines(
    values: Float[np.ndarray, "2 n"], errors: Float[np.ndarray, "2 n"]
) -> tuple[Float[np.ndarray, "m 2"], Float[np.ndarray, "m 2"]]:
    """Return upright lines `(x, y)` in the middle of grouped bars, of those with an error.

    Groups are one apart; a group's bars share what the padding leaves.
    """
    half = (1 - PADDING) / 4
    middles = np.arange(values.shape[1]) + 0.5 + np.array([[-half], [half]])
    some = errors > 0
    x = np.stack([middles[some], middles[some]], 1)
    y = np.stack([(values - errors)[some], (values + errors)[some]], 1)
    return x, y


def _draw(
    figure: Any,
    names: Sequence[str],
    values: Float[np.ndarray, "2 n"],
    errors: Float[np.ndarray, "2 n"],
    ticks: Float[np.ndarray, " t"],
) -> None:
    bars, lines = figure.marks
    span(figure.axes[1], ticks)
    with bars.hold_sync():
        bars.x, bars.y = list(names), values.astype(np.float64)
    x, y = error_lines(values, errors)
    lines.scales["x"].max = float(len(names))
    with lines.hold_sync():
        lines.visible = bool(len(x))
        lines.x, lines.y = (x, y) if len(x) else (np.zeros((1, 2)), np.zeros((1, 2)))


def _figure() -> Any:
    import bqplot

    bars = grouped_bars([BEFORE, AFTER], "peak", ".3g")
    lines = bqplot.Lines(
        x=np.zeros((1, 2)),
        y=np.zeros((1, 2)),
        scales={"x": bqplot.LinearScale(min=0, max=1), "y": bars.scales["y"]},
        colors=[INK],
        stroke_width=1.5,
        visible=False,
    )
    return upright_bars(bars, [lines], label="peak", left=52, height="144px")


def _legend(title: str) -> str:
    colours = swatches(((BEFORE, "original"), (AFTER, "adversarial")))
    return (
        "<div style='display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 14px;"
        f" color: {INK}'><b>{html.escape(title)}</b>{colours}</div>"
    )


def _head(head: str, words: str) -> str:
    return (
        f"<div style='font-size: 13px; line-height: 1.35; color: {INK}'>{head}<br>"
        f"<span style='color: var(--jp-ui-font-color2)'>{html.escape(words)}</span></div>"
    )
