"""What all charts share: round numbers at axes, what colours stand for, all parts of a figure."""

from __future__ import annotations

import bqplot
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances

from hexplain_widgets.pictures.charts import decimals, even_ticks, ticks_around
from hexplain_widgets.widgets._shared.composite import dismiss
from hexplain_widgets.widgets._shared.figures import (
    axis_of,
    grouped_bars,
    span,
    upright_bars,
)
from hexplain_widgets.widgets._shared.markup import swatches
from tests.widgets.made import MARKUP


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (-1.3, 2.8, [-2, -1, 0, 1, 2, 3]),
        (0.0, 0.1, [0, 0.02, 0.04, 0.06, 0.08, 0.1]),
        (-7.0, 0.0, [-8, -6, -4, -2, 0]),
    ],
)
def test_ticks_are_round_numbers_with_zero_among_them(
    low: float, high: float, ticks: list[float]
) -> None:
    assert even_ticks(low, high).tolist() == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("values", "ends"), [([2.0, 5.0], (0, 5)), ([-3.0, -1.0], (-3, 0)), ([], (0, 1))]
)
def test_ticks_reach_around_all_values_and_zero(
    values: list[float], ends: tuple[float, float]
) -> None:
    found = ticks_around(np.array(values))
    assert (found[0], found[-1]) == pytest.approx(ends)


@pytest.mark.parametrize(
    ("step", "form"), [(1.0, ".0f"), (0.5, ".1f"), (0.02, ".2f"), (2e-5, ".1e"), (2e5, ".1e")]
)
def test_ticks_have_as_many_decimals_as_tell_them_apart(step: float, form: str) -> None:
    assert decimals(step * np.arange(3)) == form


def test_names_of_colours_reach_the_page_as_text() -> None:
    found = swatches([("#ff0000", MARKUP)])
    assert "background: #ff0000" in found
    assert MARKUP not in found


def test_an_axis_reaches_from_the_first_tick_to_the_last() -> None:
    bars = grouped_bars(["#ff0000", "#0000ff"], "adds", ".3g")
    up = axis_of(bars.scales["y"], "logit", upright=True)
    span(up, np.array([-1.0, 0.0, 1.0]))
    assert (up.scale.min, up.scale.max, up.orientation) == (-1, 1, "vertical")
    for part in (bars, bars.tooltip, *bars.scales.values(), up):
        part.close()


def made_figure() -> bqplot.Figure:
    bars = grouped_bars(["#ff0000"], "adds", ".3g")
    return upright_bars(bars, label="logit", left=52, height="200px")


def test_a_figure_is_dismissed_with_all_its_parts() -> None:
    before = set(_instances)
    dismiss(made_figure())
    assert set(_instances) == before


def test_axes_that_others_share_stay_with_their_scales() -> None:
    figure = made_figure()
    axes = list(figure.axes)
    dismiss(figure, but=axes)
    assert all(one.comm is not None for axis in axes for one in (axis, axis.scale))
    dismiss(*axes)
