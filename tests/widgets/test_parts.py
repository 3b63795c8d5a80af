"""The parts of a view are found by kind and by name, wherever they stand."""

from __future__ import annotations

import bqplot
import ipywidgets
import pytest

from hexplain_widgets.widgets._shared.figures import grouped_bars, upright_bars
from tests.widgets.parts import control, every, only, texts


@pytest.fixture
def view() -> ipywidgets.VBox:
    row = ipywidgets.HBox([ipywidgets.Button(description="Go"), ipywidgets.HTML("<b>one</b>")])
    figure = upright_bars(
        grouped_bars(["red"], "adds", ".3g"), label="logit", left=56, height="250px"
    )
    return ipywidgets.VBox([row, ipywidgets.HTML("two"), figure])


def test_parts_are_found_at_any_depth_in_the_order_in_which_they_stand(view) -> None:
    assert [part.value for part in every(view, ipywidgets.HTML)] == ["<b>one</b>", "two"]
    assert texts(view) == "<b>one</b> two"


def test_the_only_part_of_a_kind_may_be_what_a_figure_draws(view) -> None:
    assert only(view, bqplot.Bars) in only(view, bqplot.Figure).marks


def test_two_parts_are_not_the_only_one(view) -> None:
    with pytest.raises(ValueError, match="too many values"):
        only(view, ipywidgets.HTML)


def test_a_control_is_found_by_its_name(view) -> None:
    assert isinstance(control(view, "Go"), ipywidgets.Button)
    with pytest.raises(AssertionError, match="0 controls are called Stop"):
        control(view, "Stop")
