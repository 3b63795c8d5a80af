"""Inferences in space in JupyterLab: the plot, the table, and sunbursts of chosen points."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from hexplain_widgets.widgets.inference_space import geometry
from tests.browser.lab import SCREENSHOTS, Desk, Notebook, Theme
from tests.browser.offline import OfflinePage
from tests.browser.waits import drawn, drawn_anew, frames, picture
from tests.widgets.made_space import made_comparison

MADE = """
import numpy as np
from hexplain_widgets import InferenceSpace
from tests.widgets.made import scene
from tests.widgets.made_inference import MARKUP
from tests.widgets.made_space import SETS, LevelChain, made_comparison
chain = LevelChain()
space = InferenceSpace(made_comparison(), chain, images={n: [scene(96)] * 20 for n in SETS})
four = made_comparison((*SETS, MARKUP), 8, inferences=True, level="object", concepts=(*SETS, "b"))
saved = InferenceSpace.from_evidence(four)
bare = InferenceSpace(made_comparison(
    ("pool", "one"), (9, 1), tested=False, images=False, flags={"one": "one image: no spread"},
    explained_variance=np.array([0.7, 0.3, 0.0]),
))
"""
CELLS = [MADE, "space", "saved", "bare"]
FRESH = "[w.set_trait('view', {}) for w in (space, saved, bare)] and None"


class Views:
    """Where to find things in the views of one notebook."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook, self.page = notebook, notebook.page
        views = self.page.locator(".hx-inference-space")
        self.space, self.saved, self.bare = views.nth(0), views.nth(1), views.nth(2)

    @property
    def plot(self) -> Locator:
        return self.space.locator(".hx-plot")

    def cell(self, s: int, t: int) -> Locator:
        return self.space.locator("tbody tr").nth(s).locator("td").nth(t)

    def places(self) -> np.ndarray:
        """Where the points of the first view are on the page, by the kernel's own geometry."""
        evidence = made_comparison()
        canvas = self.plot.locator("> canvas").bounding_box()
        assert canvas is not None
        box, seen = geometry.box(evidence), geometry.basis(32, 20)
        aside = min(84.0, canvas["width"] * 0.1)
        scale = geometry.fitted(box, canvas["width"] - 2 * aside, canvas["height"] - 88)
        x, y = seen[:2] @ (evidence.points - box.mean(0)).T * scale
        middle = (canvas["x"] + canvas["width"] / 2, canvas["y"] + canvas["height"] / 2)
        return np.stack([middle[0] + x, middle[1] - y], axis=1)

    def place(self, point: int) -> tuple[float, float]:
        """Where a point of the first view is on the page."""
        x, y = self.places()[point]
        return float(x), float(y)

    def alone(self) -> int:
        """The point that is farthest from its neighbours on the screen."""
        at = self.places()
        apart = np.linalg.norm(at[:, None] - at[None], axis=-1) + 1e9 * np.eye(len(at))
        return int(apart.min(1).argmax())


def opened(notebook: Notebook) -> Views:
    notebook.page.set_viewport_size({"width": 1500, "height": 3600})
    notebook.page.emulate_media(reduced_motion="reduce")
    notebook.run_all()
    views = Views(notebook)
    views.bare.locator(".hx-plot canvas").first.wait_for()
    notebook.settled()
    return views


@pytest.fixture
def views(desk: Desk) -> Views:
    """One notebook for all tests that leave its kernel as it is."""
    shared = desk.shared(CELLS, opened)
    shared.notebook.reset(FRESH)
    shared.page.mouse.move(2, 2)
    shared.notebook.settled()
    shared.notebook.errors.clear()
    return shared


@pytest.fixture
def alone(desk: Desk) -> Views:
    """A notebook of its own, for tests that end its kernel."""
    return desk.alone(CELLS, opened)


def test_every_image_is_held_against_ablation_and_the_lowest_is_named(views: Views) -> None:
    line = views.space.locator(".hx-header .hx-faith")
    expect(line).to_contain_text(
        re.compile(
            r"r = 0\.\d\d on average, but only −?0\.\d\d in pool 4 \(24 channels in 60 images\)"
        )
    )
    still = views.saved.locator(".hx-faith")
    expect(still).to_contain_text("Whether where these points lie can be trusted is not checked.")
    expect(still).to_contain_text("needs the model")
    expect(still.get_by_role("button")).to_have_count(0)
    views.space.locator(".hx-as-list summary").click()
    point = views.space.locator(".hx-as-list button[data-point='3']")
    expect(point).to_have_attribute("title", re.compile("; (not )?trusted"))


def test_the_keyboard_goes_from_point_to_point_and_chooses(views: Views) -> None:
    views.plot.focus()
    press = views.page.keyboard.press
    for key in ("n", "]", "n", "p"):
        press(key)
    expect(views.plot.locator(".hx-tip b")).to_have_text("pool 2")
    expect(views.plot.locator("[role=status]")).to_contain_text("pool 2, 2 of 20 images; house inf")
    press("Enter")
    views.notebook.wait_kernel("space.view['points']", [1])
    press("n")
    press("Shift+Enter")
    views.notebook.wait_kernel("space.view['points']", [1, 2])
    # while concepts are inferred, the key would give that up
    expect(views.space.locator(".hx-chart")).to_have_count(2)
    views.notebook.settled()
    press("Escape")
    views.notebook.wait_kernel("space.view['points']", [])
    views.notebook.assert_no_command("b")
    assert (views.notebook.errors, views.notebook.outside) == ([], [])


def test_a_point_under_the_pointer_shows_its_image_and_a_click_opens_its_sunburst(
    views: Views,
) -> None:
    point = views.alone()
    views.page.mouse.move(*views.place(point))
    tip = views.plot.locator(".hx-tip")
    expect(tip.locator("b")).to_have_text(re.compile(r"(pool|hedge|curb) \d+"))
    expect(tip.locator("canvas")).to_be_visible()
    views.page.mouse.click(*views.place(point))
    views.notebook.wait_kernel("space.view['points']", [point])
    chart = views.space.locator(".hx-chart")
    expect(chart).to_have_count(1)
    expect(chart.locator(".hx-slice").first).to_be_visible()
    expect(chart.locator("figcaption b")).to_have_text(tip.locator("b").inner_text())
    assert views.notebook.kernel(f"{point} in space.charts['of']")
    views.page.mouse.click(*views.place(point))
    views.notebook.wait_kernel("space.view['points']", [])
    expect(chart).to_have_count(0)


def test_sunbursts_of_chosen_points_zoom_together(views: Views) -> None:
    views.notebook.kernel("space.set_trait('view', {'points': [0, 30]})")
    views.space.get_by_role("button", name="Infer concepts of pool 1 and hedge 11").click()
    charts = views.space.locator(".hx-chart")
    expect(charts).to_have_count(2)
    charts.first.locator(".hx-slice[data-key='0']").dispatch_event("click")
    views.notebook.wait_kernel("space.view['zoom']", "0")
    views.notebook.settled()
    for place in (0, 1):
        expect(charts.nth(place).locator(".hx-slice[data-key='1']").first).to_be_hidden()
    views.space.get_by_role("button", name="Close", exact=True).first.click()
    expect(charts).to_have_count(0)


def test_a_drag_turns_and_chooses_nothing(views: Views) -> None:
    x, y = views.place(views.alone())
    views.page.mouse.move(x, y)
    views.page.mouse.down()
    views.page.mouse.move(x + 40, y, steps=4)
    views.page.mouse.move(x + 100, y + 40, steps=6)
    views.page.mouse.up()
    views.notebook.settled()  # what is kept of a gesture is written when it has ended
    views.notebook.wait_kernel("sorted(space.view)", ["turn"])
    turn = views.notebook.kernel("space.view['turn']")
    assert turn["yaw"] > 60
    assert turn["pitch"] > 30
    assert turn["zoom"] == 1


def test_the_wheel_zooms_with_a_modifier_and_scrolls_without(views: Views) -> None:
    views.page.mouse.move(*views.place(0))
    views.page.mouse.wheel(0, -200)
    views.notebook.settled()
    assert views.notebook.kernel("space.view") == {}
    views.page.keyboard.down("Control")
    views.page.mouse.wheel(0, -200)
    views.page.keyboard.up("Control")
    views.notebook.wait_kernel("space.view.get('turn', {}).get('zoom', 1) > 1.2", True)
    turn = views.notebook.kernel("space.view['turn']")
    assert (turn["yaw"], turn["pitch"]) == (32, 20)


def test_keys_and_buttons_turn_zoom_and_reset(views: Views) -> None:
    views.plot.focus()
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowRight", "+"):
        views.page.keyboard.press(key)
    views.notebook.wait_kernel("space.view['turn']", {"yaw": 57, "pitch": 15, "zoom": 1.2})
    views.space.get_by_role("button", name="Reset").click()
    views.notebook.wait_kernel("space.view['turn']", {"yaw": 32, "pitch": 20, "zoom": 1})
    views.space.get_by_role("button", name="Zoom in").click()
    views.notebook.wait_kernel("space.view['turn']['zoom']", 1.25)
    turn = views.notebook.kernel("space.view['turn']")
    assert (turn["yaw"], turn["pitch"]) == (32, 20)


def test_what_is_drawn_of_a_set_is_switched(views: Views) -> None:
    canvas = views.plot.locator("> canvas")
    pictures = [picture(canvas)]
    for name in ("Spokes", "Points only", "Ellipsoids"):
        switch = views.space.get_by_role("button", name=name)
        switch.click()
        expect(switch).to_have_attribute("aria-pressed", "true")
        pictures.append(drawn_anew(canvas, pictures[-1]))
    assert len(set(pictures[1:])) == 3


def test_a_chosen_cell_brings_its_two_sets_out(views: Views) -> None:
    canvas = views.plot.locator("> canvas")
    before = picture(canvas)
    views.cell(0, 2).click()
    views.notebook.wait_kernel("space.view['cell']", "0.2")
    for s, t in ((0, 2), (2, 0)):
        expect(views.cell(s, t)).to_have_attribute("aria-selected", "true")
    views.page.mouse.move(2, 2)
    drawn_anew(canvas, before)
    views.cell(2, 0).click()
    views.notebook.wait_kernel("space.view['cell']", "")


def test_the_keyboard_walks_the_table(views: Views) -> None:
    views.cell(0, 0).focus()
    press = views.page.keyboard.press
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"):
        press(key)
    expect(views.cell(1, 2)).to_have_attribute("tabindex", "0")
    expect(views.cell(1, 2)).to_be_focused()
    press("Enter")
    views.notebook.wait_kernel("space.view['cell']", "1.2")
    press("Escape")
    views.notebook.wait_kernel("space.view['cell']", "")


def test_the_table_says_in_words_what_lies_apart(views: Views) -> None:
    expect(views.cell(0, 1)).to_have_text("0.711p < 0.001")
    expect(views.cell(0, 1)).to_have_attribute(
        "aria-label", "Between pool and hedge: 0.711, apart, p < 0.001"
    )
    bold = views.cell(0, 1).locator("b").evaluate("b => getComputedStyle(b).fontWeight")
    light = views.cell(1, 2).locator("b").evaluate("b => getComputedStyle(b).fontWeight")
    assert int(bold) > 600 > int(light)
    expect(views.space.locator(".hx-verdict p").first).to_have_text(
        "pool lies apart from hedge and curb; hedge and curb overlap."
    )


def test_a_set_of_one_image_flat_directions_and_missing_images_are_said(views: Views) -> None:
    expect(views.bare.locator(".hx-flagged")).to_have_text("one image: no spread")
    expect(views.bare.locator(".hx-verdict")).to_contain_text("one has one image: without a spread")
    expect(views.bare.locator(".hx-remarks")).to_contain_text("vary in two directions only")
    expect(views.bare.locator(".hx-chosen")).to_contain_text("inferences=True")
    views.bare.locator(".hx-plot").focus()
    views.page.keyboard.press("n")
    expect(views.bare.locator(".hx-tip b")).to_have_text("pool 1")
    expect(views.bare.locator(".hx-tip canvas")).to_have_count(0)


def test_all_points_can_be_chosen_from_a_list_in_which_markup_stays_text(views: Views) -> None:
    views.saved.locator("summary", has_text="All points as a list").click()
    markup = views.saved.locator(".hx-as-list button", has_text="<img src=x onerror=alert(1)> 3")
    markup.click()
    views.notebook.wait_kernel("saved.view['points']", [26])
    expect(views.saved.locator(".hx-chart")).to_have_count(1)
    expect(markup).to_be_focused()
    assert views.page.locator("img[src='x']").count() == 0
    views.saved.locator("summary", has_text="All points as a list").click()


# time in the test's hands: what the page takes for now stands still until `later` is called
CLOCK = """() => {
  const frame = window.requestAnimationFrame.bind(window);
  let now = performance.now();
  window.later = by => { now += by; };
  performance.now = () => now;
  window.requestAnimationFrame = act => frame(() => act(now));
  window.release = () => { delete performance.now; window.requestAnimationFrame = frame; };
}"""


@pytest.fixture
def later(alone: Views) -> Iterator[Callable[[int], object]]:
    """Lets the clock of the page go on by so many milliseconds; else it stands still."""
    alone.page.evaluate(CLOCK)
    yield lambda by: alone.page.evaluate(f"later({by})")
    alone.page.evaluate("release()")


def test_space_turns_slowly_at_first_until_it_is_touched(
    alone: Views, later: Callable[[int], object]
) -> None:
    page = alone.page
    page.emulate_media(reduced_motion="no-preference")
    alone.notebook.run_all()
    canvas = alone.plot.locator("> canvas")
    drawn(canvas, "canvas => canvas.width > 300")
    frames(page)
    first = picture(canvas)
    later(300)
    turned = drawn_anew(canvas, first)
    later(300)
    drawn_anew(canvas, turned)
    alone.plot.focus()
    page.keyboard.press("ArrowUp")
    frames(page)
    touched = picture(canvas)
    later(500)
    frames(page, 10)
    assert picture(canvas) == touched


def test_an_inference_is_given_up_and_a_lost_kernel_is_said(alone: Views) -> None:
    alone.notebook.kernel("setattr(chain, 'wait', 30)")
    alone.plot.focus()
    alone.page.keyboard.press("n")
    alone.page.keyboard.press("Enter")
    work = alone.space.locator(".hx-work")
    expect(work).to_contain_text("Inferring concepts of pool 1")
    work.get_by_role("button", name="Cancel").click()
    expect(work).to_be_hidden()
    expect(alone.space.locator(".hx-cancelled")).to_be_visible()
    assert alone.notebook.kernel("space.charts['of']") == []
    alone.notebook.restart_kernel()
    alone.space.get_by_role("button", name="Infer concepts of pool 1").click()
    expect(alone.space.locator(".hx-banner")).to_contain_text("does not answer")
    alone.cell(0, 1).click()
    expect(alone.cell(1, 0)).to_have_attribute("aria-selected", "true")


def test_saved_views_without_a_kernel_show_all_they_had(alone: Views) -> None:
    alone.notebook.kernel("space.set_trait('view', {'points': [4], 'cell': '0.1'})")
    alone.space.get_by_role("button", name="Infer concepts of pool 5").click()
    expect(alone.space.locator(".hx-chart")).to_have_count(1)
    alone.notebook.save()
    alone.notebook.reopen()
    expect(alone.space.locator(".hx-chart figcaption b")).to_have_text("pool 5")
    expect(alone.cell(0, 1)).to_have_attribute("aria-selected", "true")


def test_offline_pages_show_the_view_and_ask_for_nothing(
    views: Views, open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    views.notebook.kernel("saved.set_trait('view', {'points': [0]})")
    views.notebook.kernel(f"str(saved.export_html({str(tmp_path / 'space.html')!r}))")
    page = open_page(tmp_path / "space.html")
    page.page.locator(".hx-chart .hx-slice").first.wait_for()
    page.page.locator(".hx-plot").focus()
    page.page.keyboard.press("n")
    expect(page.page.locator(".hx-tip b")).to_have_text("pool 2")
    page.page.keyboard.press("Shift+Enter")
    expect(page.page.locator(".hx-chart")).to_have_count(2)
    assert (page.outside, page.errors) == ([], [])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_width_has_its_picture(views: Views, theme: Theme) -> None:
    views.notebook.theme(theme)
    views.notebook.kernel("saved.set_trait('view', {'points': [2, 12], 'cell': '0.1'})")
    named = {"space": views.space, "saved": views.saved, "bare": views.bare}
    shots = []
    for width in (420, 900, 1920):
        views.page.set_viewport_size({"width": width + 120, "height": 5200})
        views.notebook.settled()
        shots += [
            views.notebook.screenshot(f"space_{name}_{theme}_{width}", of)
            for name, of in named.items()
        ]
    views.page.set_viewport_size({"width": 1500, "height": 3600})
    views.notebook.theme("light")
    assert all(shot.parent == SCREENSHOTS and shot.stat().st_size > 8_000 for shot in shots)
    assert views.notebook.errors == []
