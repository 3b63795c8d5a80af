"""A view closes with all that it alone is made of, and of a browser it hears what a person sets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from ipywidgets import Widget
from ipywidgets.embed import embed_minimal_html
from ipywidgets.widgets.widget import _instances

from hexplain_widgets.widgets._shared.composite import Composite, dismiss
from tests.widgets.made_views import MADE, made_view


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Close what a test has made; what was there before stays as it is."""
    before = set(_instances)
    yield
    for key, one in list(_instances.items()):
        if key not in before:
            one.close()


def names(before: set[str]) -> list[str]:
    return sorted(type(one).__name__ for key, one in _instances.items() if key not in before)


@pytest.mark.parametrize("name", MADE)
def test_a_closed_view_leaves_nothing_behind(name: str) -> None:
    before = set(_instances)
    view = made_view(name)
    twin = view.snapshot()
    twin.close()
    assert view.layout.comm is not None
    view.close()
    view.close()
    assert names(before) == []


@pytest.mark.parametrize("name", MADE)
def test_a_twin_outlives_its_view(name: str, tmp_path: Path) -> None:
    before = set(_instances)
    view = made_view(name)
    twin = view.snapshot()
    view.close()
    embed_minimal_html(tmp_path / "twin.html", views=[twin])
    twin.close()
    assert names(before) == []


@pytest.mark.parametrize("name", MADE)
def test_another_widget_can_be_put_into_a_page_once_a_view_is_closed(
    name: str, tmp_path: Path
) -> None:
    view, slider = made_view(name), ipywidgets.IntSlider()
    view.close()
    embed_minimal_html(tmp_path / "page.html", views=[slider])
    assert Widget.get_manager_state()["state"]


def test_a_layout_that_a_person_gave_stays_open() -> None:
    view, mine = made_view("DecompositionTree"), ipywidgets.Layout(width="50%")
    view.layout = mine
    before = set(_instances)
    view.close()
    assert mine.comm is not None
    assert len(before - set(_instances)) == 2  # the view, and the layout that it came with


def test_a_part_that_another_widget_shows_stays_open_with_what_it_is_made_of() -> None:
    view = made_view("FaithfulnessReport")
    head, other = view.children[0], view.children[1]
    mine = ipywidgets.HBox([head])
    view.close()
    assert other.comm is None
    assert head.comm is not None and head.layout.comm is not None
    assert Widget.get_manager_state()["state"]
    mine.close()


def test_a_link_to_a_closed_part_is_closed_with_it() -> None:
    view, slider = made_view("FaithfulnessReport"), ipywidgets.IntSlider()
    link = ipywidgets.jslink((slider, "value"), (view.children[2], "index"))
    view.close()
    assert link.comm is None and slider.comm is not None
    assert Widget.get_manager_state()["state"]


def test_what_is_dismissed_leaves_what_is_wanted_still() -> None:
    kept, gone = ipywidgets.HTML("kept"), ipywidgets.HTML("gone")
    box = ipywidgets.VBox([kept, gone])
    dismiss(box, but=[kept])
    assert [one.comm is None for one in (box, gone, gone.layout, kept, kept.layout)] == [
        True, True, True, False, False,
    ]  # fmt: skip


HOSTILE: tuple[Any, ...] = (None, "x", -1, 1e308, [], {}, ["IPY_MODEL_x"], [[[]]], {"a": {}}, True)


@pytest.mark.parametrize("name", MADE)
def test_what_only_the_kernel_says_cannot_be_set_in_a_browser(name: str) -> None:
    before = set(_instances)
    view = made_view(name)
    own = [key for key in view.keys if not view.trait_metadata(key, "settable")]
    state = {key: getattr(view, key) for key in own}
    for hostile in HOSTILE:
        view.set_state(dict.fromkeys(own, hostile))
    assert all(getattr(view, key) is value for key, value in state.items())
    view.close()
    assert names(before) == []


@pytest.mark.parametrize("name", MADE)
def test_a_view_can_be_closed_and_kept_whatever_a_browser_sets(name: str) -> None:
    before = set(_instances)
    view = made_view(name)
    for key, hostile in itertools.product(view.keys, HOSTILE):
        view.set_state({key: hostile})
    assert repr(view) and view.get_state() is not None
    view.snapshot().close()
    view.close()
    assert names(before) == []


def test_every_view_is_a_composite() -> None:
    assert [name for name in MADE if not isinstance(made_view(name), Composite)] == []
