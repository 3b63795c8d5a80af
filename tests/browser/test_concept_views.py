"""Concepts from scene to color in JupyterLab: the tree and the rings, with a made Chain."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import SCREENSHOTS, Desk, Notebook, Theme, button
from tests.browser.offline import OfflinePage

MADE = """
from hexplain_widgets.widgets.concept_inference.view import ConceptSunburst
from hexplain_widgets.widgets.concept_inference.view import ConceptTree
from tests.widgets.made import scene
from tests.widgets.made_inference import MARKUP, MadeChain, made_inference
chain = MadeChain()
tree = ConceptTree(chain, scene(96))
sets = ConceptTree.from_evidence([made_inference(name=n, images=20) for n in ("pool", "curb")])
rings = ConceptSunburst(chain, {"pool": [scene(96)] * 2, "curb": [scene(96)] * 2}, target="house")
"""
CELLS = [MADE, "tree", "sets", "rings"]
FRESH = "[w.set_trait('view', {}) for w in (tree, sets, rings)] and None"


class Views:
    """Where to find things in the views of one notebook."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook, self.page = notebook, notebook.page
        trees = self.page.locator(".hx-concept-tree")
        self.tree, self.sets = trees.nth(0), trees.nth(1)
        self.rings = self.page.locator(".hx-concept-sunburst")

    def card(self, key: str, inside: Locator | None = None) -> Locator:
        return (inside or self.tree).locator(f".hx-card[data-key='{key}']")

    def checked(self, view: str, path: str) -> str:
        """What is said of a concept of a single image once it is held against ablation."""
        node = f"{view}.evidence.node({path})"
        self.notebook.wait_kernel(f"{node}.agreement is not None", True)
        r = self.notebook.kernel(f"float({node}.agreement)")
        return f"agrees with ablation: r = {r:.2f} (24 channels, < 0.1 s)"

    def slice(self, key: str, chart: int = 0) -> Locator:
        return self.rings.locator(".hx-chart").nth(chart).locator(f".hx-slice[data-key='{key}']")


def opened(notebook: Notebook) -> Views:
    notebook.page.set_viewport_size({"width": 1500, "height": 3600})
    notebook.run_all()
    views = Views(notebook)
    views.card("0.0").wait_for()
    views.slice("0").wait_for()
    notebook.settled()
    return views


@pytest.fixture
def views(desk: Desk) -> Views:
    """One notebook for all tests that leave the inferences as they are."""
    shared = desk.shared(CELLS, opened)
    shared.page.mouse.move(0, 0)  # a concept under the pointer is told in place of the chosen one
    shared.notebook.reset(FRESH)
    shared.notebook.settled()
    shared.notebook.errors.clear()
    return shared


@pytest.fixture
def alone(desk: Desk) -> Views:
    """A notebook of its own, for tests that end its kernel or ask for other classes."""
    return desk.alone(CELLS, opened)


def test_a_chosen_concept_is_told_in_full_and_known_to_the_kernel(views: Views) -> None:
    views.card("0.3").click()
    views.notebook.wait_kernel("tree.view['selected']", "0.3")
    panel = views.tree.locator(".hx-concept")
    expect(panel.locator("h3")).to_have_text("chimney")
    expect(panel).to_contain_text(re.compile(r"Carries .* % of what speaks for house: weight"))
    expect(panel).to_contain_text(re.compile(r"explains .* of it; .* is unexplained"))
    expect(panel).to_contain_text(re.compile(r"average precision .*; a guess would reach"))
    expect(panel).to_contain_text("Doubtful: only 12 labelled cells in 3 images.")
    assert (views.notebook.errors, views.notebook.outside) == ([], [])


def test_decisions_and_the_concept_looked_at_are_held_against_ablation(views: Views) -> None:
    line = views.tree.locator(".hx-concept .hx-faith")
    for at in (views.tree.locator(".hx-header .hx-faith"), line):
        expect(at).to_contain_text(views.checked("tree", "()"))
    views.card("0.3").click()
    expect(views.tree.locator(".hx-concept h3")).to_have_text("chimney")
    expect(line).to_contain_text(views.checked("tree", "(0, 3)"))
    views.card("0.0.0.0").click()
    expect(line).to_have_count(0)
    expect(views.rings.locator(".hx-header .hx-faith")).to_contain_text(
        re.compile(r"(pool|curb), the lowest of 2: the weighing of the channels can be trusted")
    )
    still = views.sets.locator(".hx-header .hx-faith")
    expect(still).to_contain_text("is not checked")
    expect(still).to_contain_text("needs the model")


def test_the_keyboard_walks_opens_and_folds_the_tree(views: Views) -> None:
    views.card("").focus()
    press = views.page.keyboard.press
    for _ in range(4):
        press("ArrowRight")
    expect(views.card("0.0.0.0")).to_be_focused()
    for _ in range(3):
        press("ArrowLeft")
    expect(views.card("0")).to_be_focused()
    press("ArrowDown")
    expect(views.card("1")).to_be_focused()
    expect(views.card("1")).to_have_attribute("aria-expanded", "false")
    press("Enter")
    expect(views.card("1.0")).to_be_visible()
    views.notebook.assert_no_command("b")


def test_what_speaks_against_is_dashed_and_said(views: Views) -> None:
    against = views.card("4")
    expect(against).to_contain_text("against")
    expect(against).to_have_attribute("aria-label", re.compile("Speaks against house: weight −"))
    link = views.tree.locator(".hx-link[data-to='4']")
    assert link.evaluate("path => getComputedStyle(path).strokeDasharray") != "none"


def test_concepts_of_several_sets_are_outlined_as_shared_or_own(views: Views) -> None:
    shared = views.card("0", views.sets)
    expect(shared).to_have_class(re.compile("hx-shared"))
    expect(shared).to_contain_text(re.compile(r"\d+/20"))
    own = views.sets.locator(".hx-card.hx-own", has_text="curb")
    expect(own).to_have_attribute("title", "only curb")


def test_a_click_on_a_slice_brings_it_to_the_middle_of_all_charts(views: Views) -> None:
    views.slice("0").dispatch_event("click")
    views.notebook.wait_kernel("rings.view['zoom']", "0")
    crumbs = views.rings.locator(".hx-sunbursts > .hx-crumbs")
    expect(crumbs.locator("[aria-current]")).to_have_text("house")
    views.notebook.settled()
    beside = views.rings.locator(".hx-slice[data-key='1']").first
    expect(beside).to_be_hidden()
    for chart in (0, 1):
        expect(views.slice("0.0", chart)).to_be_visible()
    crumbs.get_by_role("button").first.click()
    views.notebook.wait_kernel("rings.view['zoom']", "")
    expect(beside).to_be_visible()


def test_the_keyboard_walks_the_rings_and_zooms(views: Views) -> None:
    views.slice("0").focus()
    press = views.page.keyboard.press
    press("ArrowUp")
    expect(views.slice("0.0")).to_be_focused()
    press("ArrowDown")
    press("Enter")
    views.notebook.wait_kernel("rings.view['zoom']", "0")
    # while the concept is checked against ablation, the key would give that up
    checks = views.rings.locator(".hx-concept .hx-faith")
    expect(checks).to_have_text([re.compile("with ablation: r = ")] * 2)
    views.notebook.settled()
    press("Escape")
    views.notebook.wait_kernel("rings.view['zoom']", "")
    expect(views.slice("0")).to_be_focused()


def test_a_gauge_says_how_much_of_a_concept_is_unexplained(views: Views) -> None:
    gauge = views.rings.locator(".hx-chart").first.locator(".hx-gauge[data-key='0']")
    words = re.compile(r"^house: Its .* parts explain .* % of it; .* % is unexplained\.$")
    expect(gauge).to_have_attribute("aria-label", words)
    rest = gauge.locator(".hx-unexplained")
    slice_ = views.slice("0")
    assert rest.evaluate("path => getComputedStyle(path).fill") != slice_.evaluate(
        "path => getComputedStyle(path).fill"
    )
    assert rest.get_attribute("d")


def test_what_speaks_against_is_a_list_and_no_slice(views: Views) -> None:
    chart = views.rings.locator(".hx-chart").first
    row = chart.locator(".hx-against-list li").first
    expect(row).to_contain_text(re.compile(r"car.*in scene house.*−0\.\d"))
    key = views.notebook.kernel("str(rings.inference['nodes']['concept'].index('car'))")
    assert int(key) > 0
    assert chart.locator(".hx-slice[aria-label^='car,']").count() == 0


def test_everything_can_be_read_as_a_nested_list_in_which_markup_stays_text(views: Views) -> None:
    for view in (views.tree, views.rings):
        view.locator("summary", has_text="All concepts as a list").click()
        found = view.locator(".hx-as-list li", has_text="<img src=x onerror=alert(1)>, part")
        expect(found.last).to_be_visible()
        view.locator("summary", has_text="All concepts as a list").click()
    assert views.page.locator("img[src='x']").count() == 0


def test_another_class_is_inferred_given_up_and_a_lost_kernel_is_said(alone: Views) -> None:
    search = alone.tree.get_by_role("combobox", name="Explain another class")
    search.fill("orch")
    search.press("Enter")
    alone.notebook.wait_kernel("tree.evidence.target.name", "orchard")
    expect(alone.tree.locator(".hx-title")).to_contain_text("orchard")
    alone.notebook.kernel("setattr(chain, 'wait', 30)")
    search.fill("past")
    search.press("Enter")
    work = alone.tree.locator(".hx-work")
    expect(work).to_contain_text("Inferring concepts")
    expect(work).to_contain_text(re.compile(r"\d+ of 100 gates, about \d+ s left"))
    expect(search).to_have_value("pasture")
    view, said = alone.tree.bounding_box(), work.bounding_box()
    assert view is not None
    assert said is not None
    assert 0 <= said["y"] - view["y"] < 60  # in the head, whatever is below the fold
    button(work, "Cancel").click()
    expect(work).to_be_hidden()
    expect(alone.tree.locator(".hx-cancelled")).to_have_text("Cancelled: what was there stays.")
    expect(search).to_have_value("")
    assert alone.notebook.kernel("tree.evidence.target.name") == "orchard"
    alone.notebook.restart_kernel()
    search.fill("past")
    search.press("Enter")
    expect(alone.tree.locator(".hx-banner")).to_contain_text("does not answer")
    alone.card("1").click()
    expect(alone.tree.locator(".hx-concept h3")).to_have_text("swimming pool")


def test_saved_views_without_a_kernel_show_all_they_had(alone: Views) -> None:
    alone.card("0.1").click()
    alone.notebook.wait_kernel("tree.view['selected']", "0.1")
    alone.slice("0").dispatch_event("click")
    alone.notebook.wait_kernel("rings.view['zoom']", "0")
    alone.notebook.settled()
    alone.notebook.save()
    alone.notebook.reopen()
    expect(alone.tree.locator(".hx-concept h3")).to_have_text("window")
    expect(alone.slice("0.0")).to_be_visible()
    expect(alone.rings.locator(".hx-slice[data-key='1']").first).to_be_hidden()


def test_offline_pages_show_the_views_and_ask_for_nothing(
    views: Views, open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    for name in ("tree", "rings"):
        views.notebook.kernel(f"str({name}.export_html({str(tmp_path / name)!r} + '.html'))")
        page = open_page(tmp_path / f"{name}.html")
        page.page.locator(".hx-card, .hx-slice").first.wait_for()
        assert (page.outside, page.errors) == ([], [])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_width_has_its_picture(views: Views, theme: Theme) -> None:
    views.notebook.theme(theme)
    views.notebook.kernel("tree.set_trait('view', {'selected': '0.3'})")
    named = {"tree": views.tree, "sets": views.sets, "rings": views.rings}
    shots = []
    for width in (420, 900, 1920):
        views.page.set_viewport_size({"width": width + 120, "height": 5200})
        views.notebook.settled()
        shots += [
            views.notebook.screenshot(f"concepts_{name}_{theme}_{width}", of)
            for name, of in named.items()
        ]
    views.page.set_viewport_size({"width": 1500, "height": 3600})
    views.notebook.theme("light")
    assert all(shot.parent == SCREENSHOTS and shot.stat().st_size > 8_000 for shot in shots)
    assert views.notebook.errors == []
