"""Images by methods on an offline page: walked through, looked at large, empty cells told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

import hexplain_widgets as hx
from hexplain_widgets.evidence.store import load
from tests.browser.offline import OfflinePage
from tests.widgets.made_views import file_of


@pytest.fixture
def grid(open_page: Callable[..., OfflinePage], tmp_path: Path) -> Locator:
    made = hx.MethodGrid.from_evidence(load(file_of("MethodSheet")))
    made.export_html(tmp_path / "g.html")
    made.close()
    return open_page(tmp_path / "g.html").page.locator(".hx-method-grid")


def test_every_cell_has_a_map_or_says_that_it_has_none(grid: Locator) -> None:
    cells = grid.get_by_role("gridcell")
    expect(cells).to_have_count(15)
    expect(grid.get_by_role("columnheader")).to_have_count(6)
    expect(grid.get_by_role("rowheader")).to_have_count(3)
    expect(cells.nth(4)).to_contain_text("no map")
    assert "no map. " in cells.nth(4).get_attribute("aria-label")
    grid.page.wait_for_function(
        "() => [...document.querySelectorAll('.hx-window canvas, .hx-large canvas')].every(c =>"
        " c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[3] > 0)"
    )


def test_the_keys_walk_and_what_is_looked_at_is_said(grid: Locator) -> None:
    cells, said = grid.get_by_role("gridcell"), grid.get_by_role("status")
    cells.first.focus()
    grid.page.keyboard.press("ArrowRight")
    expect(cells.nth(1)).to_be_focused()
    expect(said).to_contain_text("Grad-CAM at 4")
    grid.page.keyboard.press("ArrowDown")
    expect(cells.nth(6)).to_be_focused()
    expect(said).to_contain_text("beach")
    grid.page.keyboard.press("End")
    expect(cells.nth(9)).to_be_focused()
    expect(said).to_contain_text("No map: ")
    grid.page.keyboard.press("Home")
    expect(cells.nth(5)).to_have_attribute("aria-selected", "true")
    assert cells.nth(5).evaluate("e => e.tabIndex") == 0
    assert cells.nth(0).evaluate("e => e.tabIndex") == -1


def colours(grid: Locator, at: int) -> list[int]:
    return (
        grid.get_by_role("gridcell")
        .nth(at)
        .locator("canvas")
        .evaluate("c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]")
    )


def test_scale_signs_and_opacity_change_the_maps(grid: Locator) -> None:
    grid.page.wait_for_function(
        "() => document.querySelector('td canvas').getContext('2d')"
        ".getImageData(1, 1, 1, 1).data[3] > 0"
    )
    before = colours(grid, 0)
    for act in (
        lambda: grid.get_by_role("button", name="Each column").click(),
        lambda: grid.get_by_role("button", name="Both signs").click(),
        lambda: grid.get_by_role("slider", name="Opacity").fill("20"),
    ):
        act()
        grid.page.wait_for_timeout(150)
        after = colours(grid, 0)
        assert after != before
        before = after


def test_one_scale_for_a_row_says_that_units_differ(grid: Locator) -> None:
    words = "Methods measure in units of their own"
    expect(grid).not_to_contain_text(words)
    grid.get_by_role("button", name="Each row").click()
    expect(grid).to_contain_text(words)


def test_names_of_methods_and_images_stay_in_sight(grid: Locator) -> None:
    grid.get_by_role("slider", name="Size").fill("320")
    window = grid.locator(".hx-window")
    window.evaluate("e => e.scrollTo(300, 300)")
    place = window.bounding_box()
    head = grid.get_by_role("columnheader").nth(2).bounding_box()
    name = grid.get_by_role("rowheader").nth(1).bounding_box()
    assert window.evaluate("e => e.scrollTop") > 0
    assert abs(head["y"] - place["y"]) < 2
    assert abs(name["x"] - place["x"]) < 2
