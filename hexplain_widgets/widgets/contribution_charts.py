"""Bars, pies and distributions of contributions, drawn by bqplot inside the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import bqplot
import ipywidgets
import numpy as np
from jaxtyping import Float

from ..evidence import Contributions
from .channel_bars import decimals, even_ticks
from .contribution_reading import MOST_ELEMENTS, Reading
from .pen import short

FOR, AGAINST, REST = "#d9622b", "#2f7fc4", "#8a8f98"
# Okabe and Ito's colours, told apart by the colour-blind; grey for all that is folded
SLICES = ("#e69f00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a82a", "#8a8f98")
OURS, PLAIN = "#009e73", "#8a8f98"

_INK = "var(--jp-ui-font-color1)"
_GROUND = "var(--jp-layout-color0)"
_NAME = 18  # signs of a name that have room at an axis


class ContributionCharts:
    """The figures of a report, three lists in the order of its images, on common scales.

    `bars` and `pies` have one of each image, `spreads` one of each image that has a baseline.
    """

    def __init__(self) -> None:
        self.bars: list[Any] = []
        self.pies: list[Any] = []
        self.spreads: list[Any] = []
        self._aside: list[Any] = []
        self._names = bqplot.OrdinalScale(domain=[])
        self._logits = bqplot.LinearScale()
        self._rank, self._size = bqplot.LinearScale(), bqplot.LinearScale(min=0)
        self._bar_axes = [
            _upright(bqplot.Axis(scale=self._names, grid_lines="none")),
            bqplot.Axis(scale=self._logits, label="logits", label_color=_INK, label_offset="32px"),
        ]
        self._spread_axes = [
            bqplot.Axis(
                scale=self._rank,
                grid_lines="none",
                label="rank",
                label_color=_INK,
                label_offset="32px",
            ),
            _upright(bqplot.Axis(scale=self._size)),
        ]

    def fill(self, reading: Reading) -> None:
        """Draw this reading; figures are made, or put aside for `sweep`, to have one per image."""
        compared = [one for one in reading.images if one.baseline is not None]
        self._fit(self.bars, len(reading.images), self._bar_figure)
        self._fit(self.pies, len(reading.images), _pie_figure)
        self._fit(self.spreads, len(compared), self._spread_figure)
        self._scale(reading, compared)
        for figure, one in zip(self.bars, reading.images, strict=True):
            _set(figure.marks[0], bar_data(reading, one))
        for figure, one in zip(self.pies, reading.images, strict=True):
            _set(figure.marks[0], pie_data(reading, one))
        for figure, one in zip(self.spreads, compared, strict=True):
            for mark, sizes in zip(figure.marks, sorted_sizes(one)[::-1], strict=True):
                _set(mark, {"x": np.arange(1, len(sizes) + 1), "y": sizes})

    def sweep(self) -> None:
        """Close the figures that are no longer shown, with all that is their own."""
        while self._aside:
            for part in _parts(self._aside.pop()):
                part.close()

    def close(self) -> None:
        """Close the figures with all that they are made of."""
        self._aside += [*self.bars, *self.pies, *self.spreads]
        self.sweep()
        for axis in (*self._bar_axes, *self._spread_axes):
            axis.close()
        for scale in (self._names, self._logits, self._rank, self._size):
            scale.close()

    def _fit(self, figures: list[Any], count: int, make: Callable[[], Any]) -> None:
        figures += [make() for _ in range(count - len(figures))]
        self._aside += figures[count:]
        del figures[count:]

    def _scale(self, reading: Reading, compared: list[Contributions]) -> None:
        rows = [bar_data(reading, one) for one in reading.images]
        self._names.domain = list(rows[0]["x"])[::-1] if rows else []  # the first on top
        ends = [float(end) for row in rows for end in (row["y"].min(), row["y"].max())]
        _span(self._bar_axes[1], min([0.0, *ends]), max([0.0, *ends]))
        sizes = [sizes for one in compared for sizes in sorted_sizes(one)]
        most = max((len(s) for s in sizes), default=1)
        self._rank.min, self._rank.max = 0.5, most + 0.5
        _span(self._spread_axes[1], 0.0, max((float(s.max(initial=0)) for s in sizes), default=1.0))

    def _bar_figure(self) -> Any:
        bars = bqplot.Bars(
            x=[],
            y=[],
            scales={"x": self._names, "y": self._logits},
            orientation="horizontal",
            padding=0.3,
        )
        margin = {"top": 4, "bottom": 46, "left": 128, "right": 14}
        return _figure([bars], self._bar_axes, margin)

    def _spread_figure(self) -> Any:
        scales = {"x": self._rank, "y": self._size}
        marks = [
            bqplot.Bars(x=[], y=[], scales=scales, colors=[colour], opacities=[0.72], padding=0.15)
            for colour in (PLAIN, OURS)
        ]
        margin = {"top": 8, "bottom": 42, "left": 46, "right": 10}
        return _figure(marks, self._spread_axes, margin)


def bar_data(reading: Reading, one: Contributions) -> dict[str, Any]:
    """Return the bars of an image: names, logits and colours, the bias and the rest at the end."""
    places = range(reading.shown + (1 if reading.folded else 0))
    names = [_distinct(reading.row_name(i), i) for i in places]
    values = [*reading.values(one)[: reading.shown]]
    values += [reading.others(one)] if reading.folded else []
    colours = [FOR if value >= 0 else AGAINST for value in values] + [REST, REST]
    return {
        "x": [*names, "bias", "unexplained"],
        "y": np.array([*values, one.bias, one.unexplained], dtype=np.float64),
        "colors": colours,
    }


def pie_data(reading: Reading, one: Contributions) -> dict[str, Any]:
    """Return the slices of an image, contributions above zero alone, each concept in its colour."""
    slices = reading.slices(one)
    return {
        "sizes": np.array([value for _, value in slices], dtype=np.float64),
        "colors": [slice_colour(reading, place) for place, _ in slices] or [REST],
    }


def slice_colour(reading: Reading, place: int) -> str:
    """Return the colour of a concept by its place, grey for the folded ones."""
    return SLICES[-1] if place >= reading.shown else SLICES[place % (len(SLICES) - 1)]


def sorted_sizes(one: Contributions) -> tuple[Float[np.ndarray, " m"], ...]:
    """Return the largest absolute contributions of elements, ours and the baseline's (Fig. 7)."""
    plain = one.baseline
    both = (one, plain) if plain is not None else (one,)
    sizes = [np.sort(np.abs(each.weights * each.strengths))[::-1] for each in both]
    return tuple(np.asarray(each[:MOST_ELEMENTS], dtype=np.float64) for each in sizes)


def _distinct(name: str, place: int) -> str:
    """A name cut to its room; cut ones keep their place, so that two never fall together."""
    return name if len(name) <= _NAME else f"{short(name, _NAME - 3)}{place + 1}"


def _upright(axis: Any) -> Any:
    axis.orientation = "vertical"  # a trait in bqplot 0.12, a property since
    return axis


def _figure(marks: list[Any], axes: list[Any], margin: dict[str, int]) -> Any:
    return bqplot.Figure(
        marks=marks,
        axes=axes,
        fig_margin=margin,
        display_toolbar=False,
        padding_x=0,
        padding_y=0,
        min_aspect_ratio=0.1,
        max_aspect_ratio=20,
        layout=ipywidgets.Layout(width="100%", height="100%", min_width="0"),
    )


def _pie_figure() -> Any:
    pie = bqplot.Pie(sizes=[], radius=92, stroke=_GROUND, display_labels="none")
    return _figure([pie], [], {"top": 0, "bottom": 0, "left": 0, "right": 0})


def _parts(figure: Any) -> Iterator[Any]:
    """A figure with the widgets that are its own."""
    yield from figure.marks
    yield from (figure.scale_x, figure.scale_y, figure.layout, figure)


def _span(axis: Any, low: float, high: float) -> None:
    """Let an axis and its scale reach round numbers around `low` and `high`."""
    ticks = even_ticks(low, high)
    axis.scale.min, axis.scale.max = float(ticks[0]), float(ticks[-1])
    axis.tick_values, axis.tick_format = ticks, decimals(ticks)


def _set(mark: Any, state: dict[str, Any]) -> None:
    with mark.hold_sync():
        for name, value in state.items():
            setattr(mark, name, value)
