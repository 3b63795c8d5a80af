"""The decomposition tree in JupyterLab, with a real network behind it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import SCREENSHOTS, Desk, Notebook, Theme
from tests.browser.offline import OfflinePage
from tests.browser.waits import processor_time

MARKUP = "<img src=x onerror=alert(1)>"
NETWORK = f"""
import numpy as np, torch
from torch import nn
from hexplain_widgets import Classifier
from hexplain_widgets.widgets import DecompositionTree

def network(widths=(8, 16, 16, 24, 24), classes=12):
    torch.manual_seed(4)
    stages, before = [], 3
    for width in widths:
        stages += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        before = width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes)]
    model = nn.Sequential(*stages, *head)
    for layer in model:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    return model.eval()

def scene(side=96):
    y, x = np.mgrid[0:side, 0:side] / side
    image = np.stack([0.5 + 0.4 * y, 0.7 + 0 * y, 0.9 - 0.5 * y], -1)
    image[(abs(x - 0.45) < 0.25) & (abs(y - 0.6) < 0.2)] = (0.75, 0.35, 0.25)
    image[(x - 0.75) ** 2 + (y - 0.25) ** 2 < 0.02] = (1.0, 0.85, 0.3)
    return (255 * image).astype(np.uint8)

names = ["house", "orchard", "pasture", {MARKUP!r}, "harbor", "street", "beach", "park"]
classifier = Classifier(network(), transform=None, classes=[*names, "farm", "barn", "dock", "lawn"])
w = DecompositionTree(classifier, scene())
"""
CELLS = [NETWORK, "w"]
NODE = ".hx-node[data-path='{}']"


def node(page: Page, path: str) -> Locator:
    return page.locator(NODE.format(path))


def button(page: Page, name: str) -> Locator:
    return page.locator(".hx-view").get_by_role("button", name=name, exact=True)


def started(notebook: Notebook) -> Notebook:
    notebook.page.set_viewport_size({"width": 1400, "height": 1250})
    notebook.run_all()
    node(notebook.page, "0.0.0.0.0").wait_for()
    notebook.settled()
    return notebook


@pytest.fixture
def tree(desk: Desk) -> Notebook:
    """One notebook for all tests that leave the tree as large as they found it."""
    shared = desk.shared(CELLS, started)
    shared.reset("setattr(w, 'view', {})")
    shared.settled()
    shared.errors.clear()
    return shared


@pytest.fixture
def alone(desk: Desk) -> Notebook:
    """A notebook of its own, for tests that change the tree or end its kernel."""
    return desk.alone(CELLS, started)


def test_the_first_look_shows_one_open_path_down_to_an_edge_detector(tree: Notebook) -> None:
    paths = tree.page.locator(".hx-node").evaluate_all("all => all.map(one => one.dataset.path)")
    assert "0.0.0.0.0" in paths
    assert "1.0" not in paths
    assert tree.errors == []


def test_a_click_on_a_node_opens_it_and_is_known_to_the_kernel(tree: Notebook) -> None:
    node(tree.page, "1").click()
    node(tree.page, "1.0").wait_for()
    tree.wait_kernel("w.view['selected']", "1")
    expect(node(tree.page, "1")).to_have_attribute("aria-expanded", "true")
    expect(node(tree.page, "1")).to_have_attribute("aria-selected", "true")


def test_what_is_to_be_known_of_the_tree_stands_in_its_header(tree: Notebook) -> None:
    notes = tree.kernel("list(w.evidence.notes)")
    shown = tree.page.locator(".hx-header .hx-notes")
    expect(shown.locator("summary > span")).to_have_text(notes[0])
    shown.locator("summary").click()
    expect(shown.locator("p")).to_have_text(notes[1:])
    shown.locator("summary").click()


def test_arrow_keys_walk_from_the_decision_to_the_edge_and_back(tree: Notebook) -> None:
    node(tree.page, "").focus()
    for _ in range(5):
        tree.page.keyboard.press("ArrowRight")
    expect(node(tree.page, "0.0.0.0.0")).to_be_focused()
    tree.page.keyboard.press("ArrowDown")
    expect(node(tree.page, "0.0.0.0.1")).to_be_focused()
    tree.page.keyboard.press("ArrowLeft")
    expect(node(tree.page, "0.0.0.0")).to_be_focused()
    tree.page.keyboard.press("Home")
    expect(node(tree.page, "")).to_be_focused()


def test_the_path_of_the_selected_node_is_brought_out(tree: Notebook) -> None:
    node(tree.page, "0.0.1").click()
    node(tree.page, "0.0.1.0").wait_for()
    on = tree.page.locator(".hx-node.hx-on")
    expect(on).to_have_count(4)
    paths = on.evaluate_all("all => all.map(one => one.dataset.path).sort()")
    assert paths == ["", "0", "0.0", "0.0.1"]


def test_enter_folds_and_opens_again(tree: Notebook) -> None:
    node(tree.page, "0").focus()
    tree.page.keyboard.press("Enter")
    expect(node(tree.page, "0.0")).to_have_count(0)
    expect(node(tree.page, "0")).to_have_attribute("aria-expanded", "false")
    tree.page.keyboard.press("Enter")
    expect(node(tree.page, "0.0")).to_have_count(1)


def test_the_key_h_hides_a_branch_and_shows_it_again(tree: Notebook) -> None:
    node(tree.page, "0.0").focus()
    tree.page.keyboard.press("h")
    expect(node(tree.page, "0.0.0")).to_have_count(0)
    expect(node(tree.page, "0.0")).to_contain_text("hidden")
    tree.page.keyboard.press("h")
    expect(node(tree.page, "0.0.0")).to_have_count(1)


def test_keys_pressed_in_the_view_are_no_commands_of_the_notebook(tree: Notebook) -> None:
    node(tree.page, "0").focus()
    tree.assert_no_command("b", "a")


def test_a_class_name_that_is_markup_is_shown_as_text(tree: Notebook) -> None:
    assert tree.page.locator(".hx-view img").count() == 0
    tree.page.get_by_role("combobox", name="Explain another class").fill("img")
    expect(tree.page.get_by_role("option", name=MARKUP)).to_be_visible()
    tree.page.keyboard.press("Escape")
    assert tree.page.locator(".hx-view img").count() == 0


def test_an_unknown_class_is_answered_with_the_nearest_names_and_nothing_is_lost(
    tree: Notebook,
) -> None:
    before = tree.page.locator(".hx-node").count()
    search = tree.page.get_by_role("combobox", name="Explain another class")
    search.fill("hause")
    search.press("Enter")
    banner = tree.page.locator(".hx-banner")
    expect(banner).to_contain_text("house")
    assert tree.page.locator(".hx-node").count() == before
    banner.get_by_role("button", name="Dismiss").click()
    expect(banner).to_have_count(0)


def test_tiles_have_a_text_alternative_with_stage_channel_and_share(tree: Notebook) -> None:
    spoken = re.compile(r"Stage 4, channel \d+, .* % of stage 5 channel \d+")
    expect(node(tree.page, "0.0")).to_have_attribute("aria-label", spoken)


def test_more_channels_per_step_are_fetched_and_open_nodes_stay_open(alone: Notebook) -> None:
    node(alone.page, "1").click()
    node(alone.page, "1.0").wait_for()
    button(alone.page, "More channels per step").click()
    node(alone.page, "3").wait_for()
    expect(node(alone.page, "1.0")).to_have_count(1)
    alone.wait_kernel("len(w.evidence.root.children)", 4)


def test_another_class_is_explained_when_its_bar_is_pressed(alone: Notebook) -> None:
    second = alone.kernel("w.evidence.predictions[1].name")
    alone.page.locator(".hx-bars button").nth(1).click()
    expect(alone.page.locator(".hx-title b")).to_have_text(second)
    alone.wait_kernel("w.evidence.target.name", second)
    for said in (".hx-work", ".hx-cancelled"):  # quick work is over, and nothing was given up
        expect(alone.page.locator(said)).to_be_hidden()


def test_the_view_says_by_itself_how_far_it_agrees_with_ablation(tree: Notebook) -> None:
    lines = tree.page.locator(".hx-faith")
    expect(lines.first).to_contain_text("agrees with ablation: r = 1.00 (24 channels")
    node(tree.page, "0.0").click()
    expect(lines.nth(1)).to_contain_text("with ablation: r = ")
    tree.wait_kernel("w.evidence.node((0, 0)).agreement is not None", True)


def test_exact_measures_by_ablation_and_puts_the_estimate_beside(alone: Notebook) -> None:
    button(alone.page, "Exact").click()
    expect(button(alone.page, "Exact")).to_have_attribute("aria-pressed", "true")
    expect(alone.page.locator(".hx-faith").first).to_contain_text("is measured, not estimated")
    expect(node(alone.page, "0").locator(".hx-share b")).to_have_count(1)
    alone.wait_kernel("w.evidence.provenance.settings['method']", "ablation")
    button(alone.page, "Estimate").click()
    expect(node(alone.page, "0").locator(".hx-share b")).to_have_count(0)


def test_a_channel_chosen_by_hand_joins_the_tree(alone: Notebook) -> None:
    node(alone.page, "0").focus()
    alone.page.keyboard.press("c")
    sheet = alone.page.get_by_role("dialog")
    sheet.wait_for()
    chosen = sheet.locator("input:enabled").first
    channel = int(chosen.get_attribute("value") or "-1")
    chosen.check()
    sheet.get_by_role("button", name="Add these").click()
    node(alone.page, "0.3").wait_for()
    alone.wait_kernel("w.evidence.node((0, 3)).channel", channel)
    spoken = re.compile(rf"channel {channel}, ")
    expect(node(alone.page, "0.3")).to_have_attribute("aria-label", spoken)


def test_a_saved_view_without_a_kernel_shows_all_it_had(alone: Notebook) -> None:
    node(alone.page, "1").click()
    node(alone.page, "1.0").wait_for()
    alone.settled()
    before = alone.page.locator(".hx-node").count()
    pictures = alone.kernel("len(w.pictures['places'])")
    saved = alone.save()
    assert "application/vnd.jupyter.widget-state+json" in saved["metadata"]["widgets"]
    alone.reload()
    node(alone.page, "1.0").wait_for()
    expect(alone.page.locator(".hx-node")).to_have_count(before)
    assert pictures >= 15
    expect(alone.page.locator(".hx-strip canvas.hx-missing")).to_have_count(0)
    expect(node(alone.page, "1")).to_have_attribute("aria-selected", "true")


def test_after_a_kernel_restart_the_view_says_so_and_stays(alone: Notebook) -> None:
    alone.restart_kernel()
    button(alone.page, "More channels per step").click()
    banner = alone.page.locator(".hx-banner")
    expect(banner).to_contain_text("does not answer")
    node(alone.page, "1").click()
    node(alone.page, "1.0").wait_for()
    alone.screenshot("restarted_light", alone.page.locator(".hx-view"))


MADE = """
from hexplain_widgets.widgets import DecompositionTree
from tests.widgets.made import made_decomposition
w = DecompositionTree.from_evidence(made_decomposition(levels=4))
"""
# what 120 moves of the pointer and 40 turns of the wheel write: on the plane, and on what it holds
PAN = """async () => {
  const window_ = document.querySelector('.hx-window'), box = window_.getBoundingClientRect();
  const plane = document.querySelector('.hx-plane'), places = new Set();
  const done = { plane: 0, held: 0, made: 0 };
  const count = records => {
    for (const { target, type } of records)
      done[type === 'childList' ? 'made' : target === plane ? 'plane' : 'held']++;
  };
  const watch = new MutationObserver(count);
  const kinds = { subtree: true, childList: true, attributes: true };
  const pointer = (kind, x, y) => window_.dispatchEvent(new PointerEvent(kind, {
    bubbles: true, pointerId: 1, button: 0, clientX: box.left + x, clientY: box.top + y }));
  const turn = by => window_.dispatchEvent(new WheelEvent('wheel', {
    bubbles: true, cancelable: true, ctrlKey: true, deltaY: by,
    clientX: box.left + 300, clientY: box.top + 200 }));
  window_.setPointerCapture = () => {};
  pointer('pointerdown', 300, 200);
  watch.observe(plane, kinds);
  for (let n = 0; n < 120; n++) {
    await new Promise(requestAnimationFrame);
    pointer('pointermove', 300 + 120 * Math.sin(n / 9), 200 - 260 * Math.sin(n / 23));
    places.add(plane.style.transform);
  }
  count(watch.takeRecords());
  watch.disconnect();
  pointer('pointerup', 300, 200);  // what is kept of a gesture is written when it has ended
  watch.observe(plane, kinds);
  for (let n = 0; n < 40; n++) {
    turn(14 * Math.sin(n / 6));
    places.add(plane.style.transform);
  }
  count(watch.takeRecords());
  watch.disconnect();
  return { ...done, places: places.size };
}"""


def test_121_nodes_pan_and_zoom_as_one(open_notebook: Callable[[list[str]], Notebook]) -> None:
    notebook = open_notebook([MADE, "w"])
    notebook.run_all()
    button(notebook.page, "Expand all").click()
    expect(notebook.page.locator(".hx-node")).to_have_count(121)
    notebook.settled()
    spent, done = processor_time(notebook.page, PAN)
    print(f"121 nodes: {spent / 120:.1f} ms of processor a frame, {done}")
    assert done["places"] > 60
    assert done["plane"] <= 3 * 160
    assert done["made"] == 0
    # tiles are not moved one by one; a canvas is made larger or smaller once where it is painted
    assert done["held"] <= 4 * 121


def test_the_offline_page_shows_the_tree_and_asks_for_nothing(
    tree: Notebook, open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    tree.kernel(f"str(w.export_html({str(tmp_path / 'tree.html')!r}))")
    page = open_page(tmp_path / "tree.html")
    node(page.page, "0.0.0.0.0").wait_for()
    node(page.page, "1").click()
    node(page.page, "1.0").wait_for()
    expect(page.page.locator(".hx-bars button").first).to_be_disabled()
    page.page.keyboard.press("c")
    expect(page.page.locator(".hx-banner")).to_contain_text("takes the model")
    button(page.page, "Dismiss").click()
    assert page.outside == []
    assert page.errors == []
    page.page.locator(".hx-view").screenshot(path=SCREENSHOTS / "offline_light.png")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_state_has_its_picture(tree: Notebook, theme: Theme) -> None:
    page, view, shots = tree.page, tree.page.locator(".hx-view"), []

    def shoot(state: str) -> None:
        tree.settled()
        shots.append(tree.screenshot(f"{state}_{theme}", view))

    tree.theme(theme)
    shoot("first")
    node(page, "0.0.1").click()
    shoot("path")
    button(page, "Guided").click()
    shoot("guided")
    button(page, "Map").click()
    node(page, "0.0.2").focus()
    page.keyboard.press("h")
    shoot("hidden")
    page.keyboard.press("?")
    shoot("keys")
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    page.get_by_role("dialog").wait_for()
    shoot("choose")
    page.keyboard.press("Escape")
    search = page.get_by_role("combobox", name="Explain another class")
    search.fill("hause")
    search.press("Enter")
    page.locator(".hx-banner").wait_for()
    shoot("error")
    button(page, "Dismiss").click()
    page.set_viewport_size({"width": 560, "height": 2300})
    shoot("narrow")
    page.set_viewport_size({"width": 1920, "height": 1400})
    shoot("projector")
    page.set_viewport_size({"width": 1400, "height": 1250})
    tree.theme("light")
    assert all(shot.stat().st_size > 20_000 for shot in shots)
    assert tree.errors == []
