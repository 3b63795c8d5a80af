"""Bars, pies and distributions of contributions, drawn by bqplot inside the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from ...evidence import Contributions
from ...pictures.charts import even_ticks
from ...pictures.page import short
from .._shared.composite import dismiss
from .._shared.figures import PADDING, axis_of, framed, span
from .table import MOST_ELEMENTS, ContributionTable

FOR, AGAINST, REST = "#d9622b", "#2f7fc4", "#8a8f98"
# Okabe and Ito's colours, told apart by the colour-blind; grey for all that is folded
SLICES = ("#e69f00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a82a", "#8a8f98")
OURS, PLAIN = "#009e73", "#8a8f98"

_GROUND = "var(--jp-layout-color0)"
_NAME = 18  # signs of a name that have room at an axis


class ContributionCharts:
    """The figures of a report, three lists in the order of its images, on common scales.

    `bars` and `pies` have one of each image, `spreads` one of each image that has a baseline.
    """

    def __init__(self) -> None:
        import bqplot

        self.bars: list[Any] = []
        self.pies: list[Any] = []
        self.spreads: list[Any] = []
        self._aside: list[Any] = []
        self._names = bqplot.OrdinalScale(domain=[])
        self._logits = bqplot.LinearScale()
        self._rank, self._size = bqplot.LinearScale(), bqplot.LinearScale(min=0)
        self._bar_axes = [
            axis_of(self._names, upright=True, grid_lines="none"),
            axis_of(self._logits, "logits", label_offset="32px"),
        ]
        self._spread_axes = [
            axis_of(self._rank, "rank", grid_lines="none", label_offset="32px"),
            axis_of(self._size, upright=True),
        ]

    def fill(self, table: ContributionTable) -> None:
        """Draw this table; figures are made, or put aside for `sweep`, to have one per image."""
        compared = [one for one in table.images if one.baseline is not None]
        self._fit(self.bars, len(table.images), self._bar_figure)
        self._fit(self.pies, len(table.images), _pie_figure)
        self._fit(self.spreads, len(compared), self._spread_figure)
        self._scale(table, compared)
        for figure, one in zip(self.bars, table.images, strict=True):
            _set(figure.marks[0], bar_data(table, one))
        for figure, one in zip(self.pies, table.images, strict=True):
            _set(figure.marks[0], pie_data(table, one))
        for figure, one in zip(self.spreads, compared, strict=True):
            for mark, sizes in zip(figure.marks, sorted_sizes(one)[::-1], strict=True):
                _set(mark, {"x": np.arange(1, len(sizes) + 1), "y": sizes})

    def sweep(self) -> None:
        """Close the figures that are no longer shown, with all that is their own."""
        while self._aside:
            dismiss(self._aside.pop(), but=self._axes)

    def parts(self) -> tuple[Any, ...]:
        """Return the figures with the axes that they share."""
        return (*self._aside, *self.bars, *self.pies, *self.spreads, *self._axes)

    @property
    def _axes(self) -> tuple[Any, ...]:
        return (*self._bar_axes, *self._spread_axes)

    def _fit(self, figures: list[Any], count: int, make: Callable[[], Any]) -> None:
        figures += [make() for _ in range(count - len(figures))]
        self._aside += figures[count:]
        del figures[count:]

    def _scale(self, table: ContributionTable, compared: list[Contributions]) -> None:
        rows = [bar_data(table, one) for one in table.images]
        self._names.domain = list(rows[0]["x"])[::-1] if rows else []  # the first on top
        ends = [float(end) for row in rows for end in (row["y"].min(), row["y"].max())]
        span(self._bar_axes[1], even_ticks(min([0.0, *ends]), max([0.0, *ends])))
        sizes = [sizes for one in compared for sizes in sorted_sizes(one)]
        most = max((len(s) for s in sizes), default=1)
        self._rank.min, self._rank.max = 0.5, most + 0.5
        largest = max((float(s.max(initial=0)) for s in sizes), default=1.0)
        span(self._spread_axes[1], even_ticks(0.0, largest))

    def _bar_figure(self) -> Any:
        import bqplot

        bars = bqplot.Bars(
            x=[],
            y=[],
            scales={"x": self._names, "y": self._logits},
            orientation="horizontal",
            padding=PADDING,
        )
        margin = {"top": 4, "bottom": 46, "left": 128, "right": 14}
        return framed([bars], self._bar_axes, margin, "100%")

    def _spread_figure(self) -> Any:
        import bqplot

        scales = {"x": self._rank, "y": self._size}
        marks = [
            bqplot.Bars(x=[], y=[], scales=scales, colors=[colour], opacities=[0.72], padding=0.15)
            for colour in (PLAIN, OURS)
        ]
        margin = {"top": 8, "bottom": 42, "left": 46, "right": 10}
        return framed(marks, self._spread_axes, margin, "100%")


def bar_data(table: ContributionTable, one: Contributions) -> dict[str, Any]:
    """Return the bars of an image: names, logits and colours, the bias and the rest at the end."""
    places = range(table.shown + (1 if table.folded else 0))
    names = [_distinct(table.row_name(i), i) for i in places]
    values = [*table.values(one)[: table.shown]]
    values += [table.others(one)] if table.folded else []
    colours = [FOR if value >= 0 else AGAINST for value in values] + [REST, REST]
    if table.unnamed is not None:
        colours[table.unnamed] = REST
    return {
        "x": [*names, "bias", "unexplained"],
        "y": np.array([*values, one.bias, one.unexplained], dtype=np.float64),
        "colors": colours,
    }


def pie_data(table: ContributionTable, one: Contributions) -> dict[str, Any]:
    """Return the slices of an image, contributions above zero alone, each concept in its colour."""
    slices = table.slices(one)
    return {
        "sizes": np.array([value for _, value in slices], dtype=np.float64),
        "colors": [slice_colour(table, place) for place, _ in slices] or [REST],
    }


def slice_colour(table: ContributionTable, place: int) -> str:
    """Return the colour of a concept by its place, grey for the folded and the unnamed ones."""
    if place >= table.shown or place == table.unnamed:
        return SLICES[-1]
    return SLICES[place % (len(SLICES) - 1)]


def sorted_sizes(one: Contributions) -> tuple[Float[np.ndarray, " m"], ...]:
    """Return the largest absolute contributions of elements, ours and the baseline's (Fig. 7)."""
    plain = one.baseline
    both = (one, plain) if plain is not None else (one,)
    sizes = [np.sort(np.abs(each.weights * each.strengths))[::-1] for each in both]
    return tuple(np.asarray(each[:MOST_ELEMENTS], dtype=np.float64) for each in sizes)


def _distinct(name: str, place: int) -> str:
    """A name cut to its room; cut ones keep their place, so that two never fall together."""
    return name if len(name) <= _NAME else f"{short(name, _NAME - 3)}{place + 1}"


def _pie_figure() -> Any:
    import bqplot

    pie = bqplot.Pie(sizes=[], radius=92, stroke=_GROUND, display_labels="none")
    return framed([pie], [], {"top": 0, "bottom": 0, "left": 0, "right": 0}, "100%")


def _set(mark: Any, state: dict[str, Any]) -> None:
    with mark.hold_sync():
        for name, value in state.items():
            setattr(mark, name, value)
