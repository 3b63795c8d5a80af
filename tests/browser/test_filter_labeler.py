"""Filters are named in JupyterLab: by keyboard alone, and nothing is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Desk, Notebook, Theme
from tests.browser.offline import OfflinePage

MADE = """
from hexplain_widgets.widgets.filter_labeler.view import FilterLabeler
from tests.widgets.made_filters import sheet
labeler = FilterLabeler.from_evidence(sheet(320))
"""
CELLS = [MADE, "labeler"]
FRESH = "[setattr(labeler, n, {}) for n in ('names', 'view')] and None"


class View:
    """Where to find things in the view."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.root = self.page.locator(".hx-labeler")
        self.field = self.root.get_by_role("combobox", name="Name of the part")
        self.told = self.root.locator(".hx-told")

    def card(self, number: int) -> Locator:
        return self.root.locator(f".hx-filter[data-filter='{number}']")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)


def opened(notebook: Notebook) -> View:
    notebook.page.set_viewport_size({"width": 1400, "height": 1100})
    notebook.run_all()
    view = View(notebook)
    view.card(0).wait_for()
    return view


@pytest.fixture
def view(desk: Desk) -> View:
    """One notebook for all tests that can be undone by setting traits."""
    shared = desk.shared(CELLS, opened)
    shared.notebook.reset(FRESH)
    expect(shared.told).to_contain_text("0 of 318 named")
    shared.root.get_by_role("button", name=re.compile("^All")).click()
    shared.notebook.settled()
    shared.notebook.errors.clear()
    return shared


@pytest.fixture
def alone(desk: Desk) -> View:
    """A notebook of its own, for tests that end its kernel or save it."""
    return desk.alone(CELLS, opened)


def test_the_browser_has_nothing_to_complain_of(alone: View) -> None:
    alone.notebook.settled()
    assert alone.notebook.errors == []
    assert alone.notebook.outside == []


def test_filters_are_named_by_keyboard_alone(view: View) -> None:
    part = view.notebook.kernel("labeler.evidence.suggestions()[1][0]")
    view.card(0).click()
    view.press("w", "h")
    expect(view.field).to_have_value("wh")
    expect(view.root.get_by_role("option", name="wheel", exact=True)).to_be_visible()
    view.press("Enter")
    view.notebook.wait_kernel("labeler.labels.names", {0: "wheel"})
    expect(view.card(1)).to_be_focused()
    view.press("Space", "-", "Enter")
    view.notebook.wait_kernel("labeler.labels.names", {0: "wheel", 1: part})
    view.notebook.wait_kernel("labeler.labels.without", (2,))
    expect(view.field).to_be_focused()
    view.page.keyboard.type("wh")
    view.press("Shift+Enter")
    view.notebook.wait_kernel("labeler.labels.names.get(3)", "wh")
    expect(view.told).to_have_text("3 of 318 named · 1 no part · 2 never fire")
    view.press("Control+z")
    view.notebook.wait_kernel("labeler.labels.names.get(3)", None)
    expect(view.card(3)).to_be_focused()
    assert view.notebook.errors == []


def test_tab_goes_to_the_next_without_an_answer_and_past_those_that_never_fire(view: View) -> None:
    view.card(5).click()
    view.press("Tab")
    expect(view.card(6)).to_be_focused()
    view.press("Tab")
    expect(view.card(8)).to_be_focused()
    view.press("Shift+Tab")
    expect(view.card(6)).to_be_focused()


def test_after_escape_tab_leaves_the_filters(view: View) -> None:
    view.card(5).click()
    view.press("Escape", "Tab")
    expect(view.field).to_be_focused()


def test_of_hundreds_of_filters_only_those_in_sight_exist(view: View) -> None:
    view.card(0).click()
    view.press("End")
    expect(view.card(319)).to_be_focused()
    expect(view.card(319)).to_be_in_viewport()
    view.notebook.settled()
    assert view.root.locator(".hx-filter").count() < 80
    view.press("Home", "ArrowRight")
    expect(view.card(1)).to_be_focused()


def test_the_suggested_come_best_first_with_chance_beside_them(view: View) -> None:
    view.root.get_by_role("button", name=re.compile("^Suggested")).click()
    best = view.notebook.kernel("int(labeler.evidence.iou.max(1).argmax())")
    expect(view.root.locator(".hx-filter").first).to_have_attribute("data-filter", str(best))
    expect(view.root.locator(".hx-scale")).to_contain_text("by chance")
    expect(view.root.locator(".hx-note").first).to_contain_text("would by chance")


def test_filters_of_a_part_are_shown_alone(view: View) -> None:
    view.notebook.kernel("setattr(labeler, 'names', {'3': 'wheel', '90': 'wheel', '5': 'door'})")
    view.root.get_by_role("combobox", name="Filters of a part").select_option("part:wheel")
    expect(view.root.locator(".hx-filter")).to_have_count(2)
    view.notebook.wait_kernel("labeler.view['show']", "part:wheel")


def test_names_that_are_markup_stay_text(view: View) -> None:
    view.card(4).click()
    view.page.keyboard.type("<img src=x onerror=alert(1)>")
    view.press("Shift+Enter")
    expect(view.card(4)).to_contain_text("<img src=x")
    assert view.page.locator("img[src='x']").count() == 0
    assert view.notebook.errors == []


def test_keys_pressed_in_the_view_are_no_commands_of_the_notebook(view: View) -> None:
    view.card(0).click()
    view.notebook.assert_no_command("b", "a", "Escape", "d", "d", "Escape")
    expect(view.card(0)).to_be_focused()


def test_a_filter_that_never_fires_says_so(view: View) -> None:
    view.card(7).click()
    expect(view.card(7)).to_contain_text("never fires")
    expect(view.root.locator(".hx-chosen-head")).to_contain_text("It never fires")
    expect(view.root.locator(".hx-strongest canvas")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_looks_like_this(view: View, theme: Theme) -> None:
    view.notebook.theme(theme)
    view.card(2).click()
    view.notebook.settled()
    path = view.notebook.screenshot(f"filter_labeler_{theme}", view.root)
    assert path.stat().st_size > 50_000
    view.notebook.theme("light")


# as on a machine too busy to draw a view in two seconds
LATE = """() => { const { timeout } = AbortSignal;
  AbortSignal.timeout = () => {
    const late = new AbortController();
    queueMicrotask(() => late.abort());
    return late.signal;
  };
  window.quick = () => { AbortSignal.timeout = timeout; };
}"""


def test_a_view_that_was_drawn_late_hears_its_kernel(alone: View) -> None:
    alone.notebook.clear()
    alone.page.evaluate(LATE)
    opened(alone.notebook)
    alone.page.evaluate("window.quick()")
    alone.notebook.kernel("setattr(labeler, 'names', {'3': 'wheel'})")
    expect(alone.told).to_contain_text("1 of 318 named")


def test_names_survive_a_night_without_a_kernel(alone: View) -> None:
    alone.card(0).click()
    alone.page.keyboard.type("front door")
    alone.press("Enter")
    alone.notebook.wait_kernel("labeler.labels.names", {0: "front door"})
    alone.notebook.save()
    alone.notebook.reopen()
    expect(alone.card(0)).to_contain_text("front door")
    expect(alone.told).to_contain_text("1 of 318 named")


def test_names_given_while_the_kernel_works_on_are_saved_with_the_notebook(alone: View) -> None:
    with alone.notebook.at_work():
        alone.card(0).click()
        alone.page.keyboard.type("front door")
        alone.press("Enter")
        alone.notebook.save()
    alone.notebook.reopen()
    expect(alone.card(0)).to_contain_text("front door")
    expect(alone.told).to_contain_text("1 of 318 named")


def test_names_given_after_the_kernel_was_lost_are_kept_on_the_page(alone: View) -> None:
    alone.notebook.restart_kernel()
    alone.card(0).click()
    alone.page.keyboard.type("front door")
    alone.press("Enter")
    expect(alone.root.locator(".hx-banner")).to_contain_text("kept on this page")
    expect(alone.card(0)).to_contain_text("front door")
    with alone.page.expect_download() as downloaded:
        alone.root.get_by_role("button", name="Download").click()
    found = json.loads(downloaded.value.path().read_text(encoding="utf-8"))
    assert (found["layer"], found["names"]) == ("features.17", {"0": "front door"})


def test_an_offline_page_names_filters_and_asks_for_nothing(
    view: View, open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    view.notebook.kernel("setattr(labeler, 'names', {'3': 'wheel'})")
    view.notebook.kernel(f"str(labeler.export_html({str(tmp_path / 'page.html')!r}))")
    offline = open_page(tmp_path / "page.html", theme="dark")
    card = offline.page.locator(".hx-filter[data-filter='3']")
    expect(card).to_contain_text("wheel")
    card.click()
    offline.page.keyboard.type("door")
    offline.page.keyboard.press("Shift+Enter")
    expect(card).to_contain_text("door")
    expect(offline.page.locator(".hx-banner")).to_have_count(0)
    assert (offline.outside, offline.errors) == ([], [])
