"""The report of contributions in JupyterLab, with a made explainer."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.browser.lab import Desk, Notebook, Theme
from tests.browser.offline import OfflinePage
from tests.browser.waits import drawn

MADE = """
from hexplain_widgets.widgets.contribution_report.view import ContributionReport
from tests.widgets.made_additive import MARKUP, MadeExplainer, images
explainer = MadeExplainer()
report = ContributionReport(explainer, images(2))
"""
# how much redder than blue the warmest place of a canvas is
WARMTH = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let most = 0;
  for (let i = 0; i < data.length; i += 4) most = Math.max(most, data[i] - data[i + 2]);
  return most;
}"""
CELLS = [MADE, "report"]
FRESH = "[setattr(report, n, v) for n, v in {'concept': None, 'view': {}}.items()] and None"


class View:
    """Where to find things in the report."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.root = self.page.locator(".hx-contributions")
        self.cards = self.root.get_by_role("article")
        self.banner = self.root.locator(".hx-banner")

    def row(self, name: str, image: int = 0) -> Locator:
        return self.cards.nth(image).get_by_role("option", name=f"{name}:")

    def map(self, image: int) -> Locator:
        return self.cards.nth(image).get_by_role("img").first

    def press(self, name: str) -> None:
        self.root.get_by_role("button", name=name, exact=True).click()


def opened(notebook: Notebook) -> View:
    notebook.page.set_viewport_size({"width": 1400, "height": 1900})
    notebook.run_all()
    view = View(notebook)
    view.row("wheel").wait_for()
    return view


@pytest.fixture
def view(desk: Desk) -> View:
    """One notebook for all tests that can be undone by setting traits."""
    shared = desk.shared(CELLS, opened)
    shared.page.mouse.move(0, 0)
    shared.notebook.reset(FRESH)
    shared.notebook.settled()
    shared.row("wheel").wait_for()
    shared.notebook.errors.clear()
    return shared


@pytest.fixture
def alone(desk: Desk) -> View:
    """A notebook of its own, for tests that change the images, end the kernel or save."""
    return desk.alone(CELLS, opened)


def test_the_browser_has_nothing_to_complain_of(view: View) -> None:
    assert view.notebook.errors == []
    assert view.notebook.outside == []


def test_pointing_at_a_concept_shows_its_map_in_every_image(view: View) -> None:
    view.row("wheel").hover()
    for image in (0, 1):
        words = re.compile(rf"Map over image {image + 1}: wheel \+\d\.\d\d logits from 20 filters")
        expect(view.map(image)).to_have_attribute("aria-label", words)
    view.page.mouse.move(0, 0)
    expect(view.map(0)).to_have_attribute("aria-label", "Image 1")


def test_the_bias_lies_at_no_place(view: View) -> None:
    view.row("bias").hover()
    expect(view.cards.first).to_contain_text("bias −0.70 logits, at no place")
    expect(view.map(0)).to_have_attribute("aria-label", "Image 1")


def test_bars_of_the_waterfall_are_joined_end_to_start(view: View) -> None:
    steps = view.cards.first.locator(".hx-step")
    boxes = [steps.nth(i).bounding_box() for i in range(steps.count())]
    ends = [{round(b["x"]), round(b["x"] + b["width"])} for b in boxes if b]
    assert len(ends) == 11
    # rounded to pixels, neighbours may be one apart
    near = [min(abs(a - b) for a in one for b in two) for one, two in pairwise(ends)]
    assert max(near) <= 1


def test_a_row_is_chosen_by_keyboard_and_let_go_of(view: View) -> None:
    view.row("bias").focus()
    view.page.keyboard.press("ArrowDown")
    first = view.notebook.kernel("report.report['names'][0]")
    expect(view.row(first)).to_be_focused()
    view.page.keyboard.press("Enter")
    view.notebook.wait_kernel("report.concept", first)
    expect(view.row(first, image=1)).to_have_attribute("aria-selected", "true")
    view.page.keyboard.press("ArrowRight")
    expect(view.row(first, image=1)).to_be_focused()
    view.page.keyboard.press("Escape")
    view.notebook.wait_kernel("report.concept", None)


def test_small_contributions_unfold(view: View) -> None:
    expect(view.row("fence")).to_have_count(0)
    view.row("5 others").click()
    expect(view.row("fence")).to_be_visible()
    view.notebook.wait_kernel("report.view", {"all": True})
    view.press("All concepts")
    expect(view.row("5 others")).to_be_visible()


def test_bars_are_drawn_and_pointed_at(view: View) -> None:
    view.press("Bars")
    bars = view.cards.first.locator(".bqplot .bargroup")
    expect(bars).to_have_count(10)
    view.notebook.settled()
    bars.nth(1).hover()
    second = view.notebook.kernel("report.report['names'][1]")
    expect(view.cards.nth(1)).to_contain_text(re.compile(rf"{second} .\d\.\d\d logits"))
    view.press("All concepts")
    expect(bars).to_have_count(14)
    assert view.notebook.errors == []


def test_the_first_bar_is_on_top(view: View) -> None:
    view.press("Bars")
    bars = view.cards.first.locator(".bqplot .bargroup rect")
    expect(bars).to_have_count(10)
    view.notebook.settled()
    first, last = bars.first.bounding_box(), bars.last.bounding_box()
    assert first and last and first["y"] < last["y"]


def test_bars_are_walked_by_keyboard(view: View) -> None:
    view.press("Bars")
    chart = view.cards.first.get_by_role("img", name="Bars of image 1, in logits")
    chart.focus()
    view.page.keyboard.press("ArrowDown")
    view.page.keyboard.press("Enter")
    first = view.notebook.kernel("report.report['names'][0]")
    view.notebook.wait_kernel("report.concept", first)
    expect(view.cards.first).to_contain_text(re.compile(rf"{first} .\d\.\d\d logits"))


def test_a_pie_has_no_slice_against_and_says_what_is_left_out(view: View) -> None:
    view.press("Pie")
    card = view.cards.first
    expect(card.locator(".bqplot .slice")).to_have_count(6)
    expect(view.row("shadow")).to_have_count(0)
    expect(card).to_contain_text(re.compile(r"Not in the pie: against: shadow −.*unexplained"))


def test_ours_and_the_baseline_are_drawn_on_one_axis(view: View) -> None:
    view.press("Against the baseline")
    spread = view.cards.first.get_by_role("region", name="Against plain distillation")
    expect(spread.locator(".bqplot .bargroup")).to_have_count(240)
    expect(spread).to_contain_text(re.compile(r"entropy \d\.\d\d nats; plain distillation: \d"))


def test_every_number_can_be_read_as_a_table(view: View) -> None:
    view.press("Table")
    row = view.root.get_by_role("row", name=re.compile("^unexplained"))
    expect(row.get_by_role("cell")).to_have_text(["0.210000"] * 4)


def test_names_that_are_markup_stay_text(view: View) -> None:
    for chart in ("Bars", "Pie", "Table", "Waterfall"):
        view.press(chart)
        view.notebook.settled()
        assert view.page.locator("img[src='x']").count() == 0
    expect(view.row("<img src=x onerror=alert(1)>")).to_be_visible()
    assert view.notebook.errors == []


def test_g_shows_grad_cam_beside_every_image_and_hides_it(view: View) -> None:
    view.row("wheel").focus()
    view.page.keyboard.press("g")
    for image in (0, 1):
        heat = view.cards.nth(image).get_by_role("img", name=re.compile("Grad-CAM over image"))
        words = rf"Grad-CAM over image {image + 1}: Where features.30 speaks for house: most .* %"
        expect(heat).to_have_attribute("aria-label", re.compile(words))
        drawn(heat, f"canvas => ({WARMTH})(canvas) > 90")
    expect(view.map(0)).to_have_attribute("aria-label", re.compile("Map over image 1: wheel"))
    view.notebook.wait_kernel("report.view", {"attention": True})
    view.press("Grad-CAM")
    expect(view.root.get_by_role("figure")).to_have_count(0)


def test_keys_pressed_in_the_view_are_no_commands_of_the_notebook(view: View) -> None:
    view.row("wheel").focus()
    view.notebook.assert_no_command("b", "a")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_drawn_in_both_themes(view: View, theme: Theme) -> None:
    view.notebook.theme(theme)
    view.row("wheel").click()
    view.notebook.settled()
    path = view.notebook.screenshot(f"contributions_{theme}", of=view.root)
    view.notebook.theme("light")
    with Image.open(path) as shot:
        shade = np.median(np.asarray(shot.convert("L")))
    assert (shade < 128) == (theme == "dark")


def test_a_picture_is_added_and_an_image_removed(alone: View, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "new.png")
    alone.root.locator("input[type=file]").set_input_files(tmp_path / "new.png")
    expect(alone.cards).to_have_count(3)
    alone.root.get_by_role("button", name="Remove image 1", exact=True).click()
    expect(alone.cards).to_have_count(2)
    alone.press("Bars")
    expect(alone.cards.nth(1).locator(".bqplot .bargroup")).to_have_count(10)
    assert alone.notebook.errors == []


def test_an_image_added_in_a_cell_comes_on_the_screen(alone: View) -> None:
    alone.notebook.kernel("report.add(images(1)[0])")
    expect(alone.cards).to_have_count(3)


def test_a_file_that_is_no_picture_is_told_in_words(alone: View, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("words")
    alone.root.locator("input[type=file]").set_input_files(tmp_path / "words.png")
    expect(alone.banner).to_contain_text("got a file that is no picture")
    expect(alone.cards).to_have_count(2)


def test_a_saved_report_without_a_kernel_shows_all_it_had(alone: View) -> None:
    alone.row("wheel").click()
    alone.press("Bars")
    alone.press("Against the baseline")
    alone.notebook.wait_kernel("report.view", {"chart": "bars", "compare": True})
    expect(alone.cards.first.locator(".hx-spread .bargroup")).to_have_count(240)
    alone.notebook.settled()
    alone.notebook.save()
    alone.notebook.reopen()
    expect(alone.map(1)).to_have_attribute("aria-label", re.compile("Map over image 2: wheel"))
    expect(alone.cards.first.locator(".hx-bars-chart .bargroup")).to_have_count(10)
    expect(alone.cards.first.locator(".hx-spread .bargroup")).to_have_count(240)
    alone.press("Waterfall")
    alone.row("door").hover()
    expect(alone.map(0)).to_have_attribute("aria-label", re.compile("door"))


def test_after_a_kernel_restart_the_view_says_so_and_stays(alone: View) -> None:
    alone.notebook.restart_kernel()
    alone.root.get_by_role("button", name="Remove image 1", exact=True).click()
    expect(alone.banner).to_contain_text("does not answer")
    expect(alone.cards).to_have_count(2)


def test_an_offline_page_shows_the_report_and_asks_for_nothing(
    view: View, open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    view.notebook.kernel(
        "(setattr(report, 'view', {'chart': 'pie', 'compare': True, 'attention': True}),"
        f" report.export_html({str(tmp_path / 'report.html')!r}), None)[-1]"
    )
    page = open_page(tmp_path / "report.html")
    card = page.page.get_by_role("article").first
    expect(card.locator(".slice")).to_have_count(6)
    expect(card.locator(".hx-spread .bargroup")).to_have_count(240)
    expect(page.page.get_by_role("button", name="Add image …")).to_have_count(0)
    expect(card.get_by_role("img", name="Grad-CAM over image 1: Where")).to_be_visible()
    assert page.outside == []
    assert page.errors == []
