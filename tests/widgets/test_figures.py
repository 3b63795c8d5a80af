"""What all charts share: round numbers at axes, what colours stand for, all parts of a figure."""

from __future__ import annotations

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances

from hexplain_widgets.pictures.charts import decimals, even_ticks, ticks_around
from hexplain_widgets.widgets._shared.figures import (
    axis_of,
    grouped_bars,
    own_parts,
    parts_of,
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


def test_a_figure_closes_with_all_its_parts_each_of_them_once() -> None:
    before = set(_instances)
    figure = upright_bars(
        grouped_bars(["#ff0000"], "adds", ".3g"), label="logit", left=52, height="200px"
    )
    parts = parts_of(figure)
    assert len({id(part) for part in parts}) == len(parts)
    for part in parts:
        part.close()
    left = {type(one).__name__ for key, one in _instances.items() if key not in before}
    assert left <= {"Layout"}  # the tooltip's own


def test_axes_and_scales_that_others_share_are_no_own_parts() -> None:
    figure = upright_bars(
        grouped_bars(["#ff0000"], "adds", ".3g"), label="logit", left=52, height="200px"
    )
    shared = {*figure.axes, *figure.marks[0].scales.values()}
    assert set(parts_of(figure)) - set(own_parts(figure)) == shared
    for part in parts_of(figure):
        part.close()
