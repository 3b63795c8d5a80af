"""Views beside each other in a box share its width, whatever they are made of."""

from __future__ import annotations

from typing import NamedTuple

import ipywidgets
import pytest
from playwright.sync_api import Browser

from hexplain_widgets.widgets._shared.composite import dismiss
from hexplain_widgets.widgets._shared.export import write_html
from tests.browser.offline import OfflinePage
from tests.browser.waits import still
from tests.widgets.made_views import MADE, made_view

WIDTHS = """() => [...document.querySelector("main > .widget-box").children].map(box => {
  const parts = [...box.children].map(part => part.getBoundingClientRect().width);
  return [box.clientWidth, box.scrollWidth, parts];
})"""


class Room(NamedTuple):
    """How wide a box is, what it would need, and how wide its parts are."""

    room: int
    needed: int
    parts: list[float]


def row(name: str) -> ipywidgets.Box:
    return ipywidgets.HBox([made_view(name), made_view(name)])


def column(name: str) -> ipywidgets.Box:
    return ipywidgets.VBox([made_view(name)], layout=ipywidgets.Layout(align_items="center"))


def given() -> ipywidgets.Box:
    view, tree = made_view("FaithfulnessReport"), made_view("DecompositionTree")
    view.layout.width, tree.layout.width = "300px", "400px"
    return ipywidgets.HBox([view, tree])


@pytest.fixture(scope="module")
def rooms(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Room]:
    """All boxes below each other on one page, for to load a page takes longest."""
    boxes = {f"row {n}": row(n) for n in MADE} | {f"column {n}": column(n) for n in MADE}
    boxes["given"] = given()
    whole = ipywidgets.VBox([*boxes.values()])
    try:
        path = write_html(whole, tmp_path_factory.mktemp("beside") / "all.html", title="beside")
    finally:
        dismiss(whole)
    page = OfflinePage(browser, path)
    page.page.wait_for_function(
        "([all, views]) => document.querySelectorAll('main > .widget-box > .widget-box').length"
        " === all && document.querySelectorAll('main > .widget-box > .widget-box > *').length"
        " === views",
        arg=[len(boxes), sum(len(box.children) for box in boxes.values())],
    )
    still(page.page)
    found = page.page.evaluate(WIDTHS)
    page.close()
    return {name: Room(*one) for name, one in zip(boxes, found, strict=True)}


@pytest.mark.parametrize("name", MADE)
def test_two_views_in_a_row_have_half_of_it_each(name: str, rooms: dict[str, Room]) -> None:
    room, needed, parts = rooms[f"row {name}"]
    assert room > 1000
    assert len(parts) == 2
    assert all(0.48 < part / room <= 0.51 for part in parts)
    assert needed <= room + 1


@pytest.mark.parametrize("name", MADE)
def test_a_view_in_a_column_is_as_wide_as_it(name: str, rooms: dict[str, Room]) -> None:
    room, needed, parts = rooms[f"column {name}"]
    assert parts[0] >= 0.98 * room
    assert needed <= room + 1


def test_a_view_keeps_the_width_that_a_person_gave_it(rooms: dict[str, Room]) -> None:
    assert rooms["given"].parts == pytest.approx([300, 400], abs=1)
