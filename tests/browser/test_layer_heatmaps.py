"""The heatmap view in JupyterLab: with a made engine behind it, and with a real one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import SCREENSHOTS, Desk, Notebook, Theme
from tests.browser.offline import OfflinePage
from tests.browser.waits import drawn
from tests.widgets.made import MARKUP

MADE = """
from hexplain_widgets.widgets.layer_heatmaps.view import LayerHeatmaps
from tests.widgets.made import scene
from tests.widgets.made_heatmaps import MadeChip, made_sheet
chip = MadeChip()
w = LayerHeatmaps(chip, scene(224))
"""
REAL = """
from hexplain_widgets.widgets.layer_heatmaps.view import LayerHeatmaps
from tests.browser.preludes import fitted_chip, house
w = LayerHeatmaps(fitted_chip(), house())
"""
CELLS = [MADE, "w"]
HELD = MADE.replace("MadeChip()", "MadeChip(rivals=4)")
ORDER = "all => all.map(one => one.getAttribute('aria-label'))"
# whether a canvas has anything but the grey of the pale image and its ground
COLOURED = """canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let strong = 0;
  for (let i = 0; i < data.length; i += 4)
    if (data[i] > 200 && data[i] - data[i + 2] > 90) strong++;
  return strong > 30;
}"""


def heat(page: Page, name: str) -> Locator:
    """The map whose spoken name begins so."""
    return page.locator(f".hx-heat[aria-label^='{name}']")


def button(page: Page, name: str) -> Locator:
    return page.locator(".hx-view").get_by_role("button", name=name, exact=True)


def method(page: Page, name: str) -> Locator:
    return page.locator(".hx-view").get_by_role("radio", name=name, exact=True)


def started(notebook: Notebook) -> Notebook:
    notebook.page.set_viewport_size({"width": 1400, "height": 1250})
    notebook.run_all()
    heat(notebook.page, "pasture, stage 1, CHIP").wait_for()
    notebook.settled()
    return notebook


@pytest.fixture
def maps(desk: Desk) -> Notebook:
    """One notebook for all tests that leave the sparsity as they found it."""
    shared = desk.shared(CELLS, started)
    shared.reset("setattr(w, 'view', {'method': 'CHIP', 'classes': [0, 1, 2]})")
    shared.page.mouse.move(0, 0)
    shared.settled()
    shared.errors.clear()
    return shared


@pytest.fixture
def alone(desk: Desk) -> Notebook:
    """A notebook of its own, for tests that refit or end its kernel."""
    return desk.alone(CELLS, started)


def title(page: Page) -> Locator:
    return page.locator(".hx-large-head h3")


def test_every_class_has_a_row_and_every_layer_a_column_from_the_deepest(maps: Notebook) -> None:
    spoken = maps.page.locator(".hx-heat").evaluate_all(ORDER)
    names = [text.split(", CHIP")[0] for text in spoken]
    assert names[:5] == [f"house, stage {stage}" for stage in (5, 4, 3, 2, 1)]
    assert names[5::5] == ["orchard, stage 5", "pasture, stage 5"]
    assert maps.errors == []


def test_rows_are_fetched_one_by_one_after_the_first_map(maps: Notebook) -> None:
    asked = maps.kernel("[(m, t, len(names)) for m, t, names, _ in chip.asked[:4]]")
    assert asked[0] == (("CHIP",), (0,), 1)
    assert [(target, count) for _, target, count in asked[1:]] == [((0,), 5), ((1,), 5), ((2,), 5)]


def test_maps_are_drawn_in_colour_over_the_image(maps: Notebook) -> None:
    drawn(heat(maps.page, "house, stage 5").locator("canvas"), COLOURED)
    drawn(maps.page.locator(".hx-picture canvas"), COLOURED)
    assert maps.errors == []


def test_a_sum_over_channels_is_checked_against_ablation_and_other_maps_are_not(
    maps: Notebook,
) -> None:
    line = maps.page.locator(".hx-faith")
    expect(line).to_contain_text("the sum over channels agrees with ablation: r = 0.98 (3 channels")
    maps.kernel("setattr(w, 'view', {**w.view, 'method': 'Guided CHIP'})")
    expect(line).to_be_hidden()


def test_the_map_under_the_pointer_is_shown_large(maps: Notebook) -> None:
    heat(maps.page, "orchard, stage 3").hover()
    expect(title(maps.page)).to_have_text("orchard, stage 3")
    expect(maps.page.locator(".hx-told")).to_contain_text("CHIP · features.15 · 256 × 56 × 56")
    maps.page.locator(".hx-header").hover()
    expect(title(maps.page)).to_have_text("house, stage 5")


def test_arrow_keys_walk_from_map_to_map_and_enter_pins(maps: Notebook) -> None:
    heat(maps.page, "house, stage 5").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        maps.page.keyboard.press(key)
    expect(heat(maps.page, "orchard, stage 3")).to_be_focused()
    expect(title(maps.page)).to_have_text("orchard, stage 3")
    maps.page.keyboard.press("Enter")
    maps.page.keyboard.press("Home")
    expect(heat(maps.page, "orchard, stage 5")).to_be_focused()
    expect(title(maps.page)).to_have_text("orchard, stage 3")
    maps.wait_kernel("(w.view['selected'], w.view['pinned'])", ([1, "features.15"], True))
    # while the map is checked against ablation, the key would give that up
    maps.settled()
    expect(maps.page.locator(".hx-faith")).not_to_contain_text("checking")
    maps.page.keyboard.press("Escape")
    maps.wait_kernel("w.view['pinned']", False)


def test_keys_pressed_in_the_view_are_no_commands_of_the_notebook(maps: Notebook) -> None:
    heat(maps.page, "house, stage 5").focus()
    maps.assert_no_command("b", "a")
    expect(button(maps.page, "Boxes")).to_have_attribute("aria-pressed", "true")


def test_another_method_is_fetched_once_and_kept(maps: Notebook) -> None:
    method(maps.page, "Grad-CAM").click()
    heat(maps.page, "pasture, stage 1, Grad-CAM").wait_for()
    maps.settled()
    before = maps.kernel("len(chip.asked)")
    method(maps.page, "CHIP").click()
    method(maps.page, "Grad-CAM").click()
    heat(maps.page, "pasture, stage 1, Grad-CAM").wait_for()
    assert maps.kernel("len(chip.asked)") == before


def test_methods_are_chosen_by_number_and_by_arrow(maps: Notebook) -> None:
    heat(maps.page, "house, stage 5").focus()
    maps.page.keyboard.press("4")
    expect(method(maps.page, "Grad-CAM")).to_have_attribute("aria-checked", "true")
    method(maps.page, "Grad-CAM").focus()
    maps.page.keyboard.press("ArrowRight")
    expect(method(maps.page, "Guided Grad-CAM")).to_be_focused()
    maps.wait_kernel("w.view['method']", "Guided Grad-CAM")


def test_a_method_with_one_map_per_class_shows_the_classes_side_by_side(maps: Notebook) -> None:
    method(maps.page, "Refined CHIP").click()
    heat(maps.page, "pasture, Refined CHIP").wait_for()
    maps.settled()
    boxes = [heat(maps.page, f"{name}, Refined").bounding_box() for name in ("house", "orchard")]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] < boxes[1]["x"]


def test_a_class_is_added_from_the_predictions_and_taken_away(maps: Notebook) -> None:
    offered = maps.page.locator(".hx-classes button")
    expect(offered.first).to_contain_text("59 %")
    offered.filter(has_text="harbor").click()
    heat(maps.page, "harbor, stage 1, CHIP").wait_for()
    button(maps.page, "Take harbor away").click()
    expect(heat(maps.page, "harbor")).to_have_count(0)
    maps.wait_kernel("w.view['classes']", [0, 1, 2])


def test_a_class_is_found_by_name_and_an_unknown_one_is_answered(maps: Notebook) -> None:
    search = maps.page.get_by_role("combobox", name="Add a class")
    search.fill("harb")
    search.press("Enter")
    heat(maps.page, "harbor, stage 1, CHIP").wait_for()
    search.fill("hause")
    search.press("Enter")
    # on a machine at its limits another one says that the kernel is late
    banner = maps.page.locator(".hx-banner").filter(has_text="'house'")
    banner.get_by_role("button", name="Dismiss").click()
    expect(banner).to_have_count(0)


def test_a_class_name_that_is_markup_is_shown_as_text(maps: Notebook) -> None:
    maps.page.locator(".hx-classes button").nth(3).click()
    expect(maps.page.locator(".hx-class strong").last).to_have_text(MARKUP)
    expect(maps.page.locator(".hx-title")).to_contain_text(MARKUP)
    assert maps.page.locator(".hx-view img").count() == 0


def test_boxes_are_fetched_and_told_with_their_threshold(maps: Notebook) -> None:
    button(maps.page, "Boxes").click()
    expect(heat(maps.page, "house, stage 5").locator(".hx-outline")).to_have_count(1)
    expect(maps.page.locator(".hx-told")).to_contain_text("35 % of the largest value")
    button(maps.page, "Boxes").click()
    expect(maps.page.locator(".hx-outline")).to_have_count(0)


OUTLINE = """mark => ['x', 'y', 'width', 'height'].map(name => Number(mark.getAttribute(name)))"""


def said(page: Page) -> tuple[str, list[float], str, str]:
    """What a view says of the first map: its largest value, its box, the check, what it is."""
    tile = heat(page, "house, stage 5")
    return (
        tile.locator(".hx-heat-caption span").first.inner_text(),
        tile.locator("rect.hx-outline").evaluate(OUTLINE),
        page.locator(".hx-faith summary").inner_text(),
        page.locator(".hx-contest").inner_text(),
    )


def test_the_switch_to_plain_sums_changes_map_box_check_and_words_together(
    desk: Desk, open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    notebook = desk.alone([HELD, "w"], started)
    page = notebook.page
    button(page, "Boxes").click()
    expect(page.locator("rect.hx-outline")).to_have_count(16)
    expect(page.locator(".hx-faith")).to_contain_text("r = 0.00")
    held = said(page)
    assert held[3].startswith("Held against the image's 4 strongest other classes")
    expect(page.locator(".hx-told")).to_contain_text("(orchard, pasture, ")
    button(page, "alone").click()
    heat(page, "pasture, stage 1, CHIP, the plain sum").wait_for()
    expect(page.locator("rect.hx-outline")).to_have_count(16)
    expect(page.locator(".hx-faith")).to_contain_text("r = 0.98")
    plain = said(page)
    assert all(one != other for one, other in zip(held, plain, strict=True))
    assert plain[3].startswith("Plain sums")
    notebook.wait_kernel("w.view['plain']", True)
    notebook.kernel(f"str(w.export_html({str(tmp_path / 'maps.html')!r}))")
    notebook.settled()
    notebook.screenshot("heatmaps_plain", page.locator(".hx-view"))
    assert notebook.errors == []
    notebook.save()
    notebook.reopen()
    heat(page, "house, stage 5, CHIP, the plain sum").wait_for()
    assert said(page)[:2] == plain[:2]
    offline = open_page(tmp_path / "maps.html")
    heat(offline.page, "house, stage 5, CHIP, the plain sum").wait_for()
    assert said(offline.page)[:2] == plain[:2]
    button(offline.page, "against others").click()
    heat(offline.page, "house, stage 5, CHIP, against 4 other classes").wait_for()
    assert said(offline.page)[:2] == held[:2]
    assert offline.errors == []


def test_one_scale_for_all_has_its_numbers_under_the_grid(maps: Notebook) -> None:
    legend = maps.page.locator(".hx-legend .hx-ticks")
    expect(legend).to_contain_text("largest of each map")
    button(maps.page, "All").click()
    highest = maps.kernel("max(float(m.values.max()) for m in w.evidence.maps[:15])")
    expect(legend).to_contain_text(f"{highest:.3g}")
    button(maps.page, "Both signs").click()
    expect(legend).to_contain_text("−")


def test_the_sparsity_slider_refits_while_the_old_maps_stay(alone: Notebook) -> None:
    slider = alone.page.get_by_role("slider", name="Sparsity")
    before = alone.page.locator(".hx-open span").first.inner_text()
    alone.page.evaluate(
        "() => { window.fewest = 99; window.watching = true; const look = () => {"
        " const now = document.querySelectorAll('.hx-open').length;"
        " window.fewest = Math.min(window.fewest, now);"
        " if (window.watching) requestAnimationFrame(look); }; look(); }"
    )
    slider.focus()
    for _ in range(30):
        alone.page.keyboard.press("ArrowRight")
    alone.wait_kernel("w.sparsity > 0.02", True)
    expect(alone.page.locator(".hx-open span").first).not_to_have_text(before)
    alone.settled()
    assert alone.page.evaluate("() => { window.watching = false; return window.fewest; }") == 15
    refits = {sheet for sheet in alone.kernel("[a[1] for a in chip.asked[4:]]") if len(sheet) == 3}
    assert refits == {(0, 1, 2)}


def test_a_class_without_a_channel_says_which_sparsity_leaves_some(alone: Notebook) -> None:
    alone.page.locator(".hx-classes button").filter(has_text="harbor").click()
    heat(alone.page, "harbor, stage 1, CHIP").wait_for()
    slider = alone.page.get_by_role("slider", name="Sparsity")
    slider.focus()
    alone.page.keyboard.press("End")
    reason = alone.page.locator(".hx-reason:visible")
    expect(reason).to_contain_text("refit with sparsity=0.08")
    expect(heat(alone.page, "house, stage 5, CHIP")).to_have_count(1)
    alone.settled()
    heat(alone.page, "harbor, stage 5").focus()
    expect(alone.page.locator(".hx-told")).to_contain_text("refit with sparsity=0.08")


def test_maps_have_a_text_alternative_with_class_stage_and_range(maps: Notebook) -> None:
    spoken = re.compile(
        r"^house, stage 5, CHIP, the plain sum, from −\S+ to \S+, \d+ of 512 channels$"
    )
    expect(heat(maps.page, "house, stage 5")).to_have_attribute("aria-label", spoken)
    expect(maps.page.locator(".hx-picture canvas")).to_have_attribute("aria-label", spoken)


def test_a_saved_view_without_a_kernel_shows_all_it_had(alone: Notebook) -> None:
    heat(alone.page, "orchard, stage 3").click()
    method(alone.page, "Guided CHIP").click()
    heat(alone.page, "pasture, stage 1, Guided CHIP").wait_for()
    alone.settled()
    method(alone.page, "CHIP").click()
    alone.wait_kernel("w.view['method']", "CHIP")
    alone.save()
    alone.reopen()
    heat(alone.page, "pasture, stage 1, CHIP").wait_for()
    expect(title(alone.page)).to_have_text("orchard, stage 3")
    method(alone.page, "Guided CHIP").click()
    expect(heat(alone.page, "pasture, stage 1, Guided CHIP")).to_have_count(1)
    expect(heat(alone.page, "house, stage 5").locator("canvas")).to_be_visible()
    expect(alone.page.locator(".hx-banner")).to_have_count(0)


def test_after_a_kernel_restart_the_view_says_so_and_stays(alone: Notebook) -> None:
    alone.restart_kernel()
    method(alone.page, "Grad-CAM").click()
    expect(alone.page.locator(".hx-banner")).to_contain_text("does not answer")
    method(alone.page, "CHIP").click()
    expect(heat(alone.page, "pasture, stage 1, CHIP")).to_have_count(1)


def test_the_offline_page_shows_the_maps_and_asks_for_nothing(
    maps: Notebook, open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    maps.kernel(f"str(w.export_html({str(tmp_path / 'maps.html')!r}))")
    page = open_page(tmp_path / "maps.html")
    heat(page.page, "pasture, stage 1, CHIP").wait_for()
    drawn(heat(page.page, "house, stage 5").locator("canvas"), COLOURED)
    expect(page.page.get_by_role("slider", name="Sparsity")).to_be_disabled()
    assert page.outside == []
    assert page.errors == []
    page.page.locator(".hx-view").screenshot(path=SCREENSHOTS / "heatmaps_offline.png")


def test_a_real_engine_fills_the_view_and_refits(
    open_notebook: Callable[[list[str]], Notebook],
) -> None:
    notebook = open_notebook([REAL, "w"])
    notebook.page.set_viewport_size({"width": 1400, "height": 1250})
    notebook.run_all()
    heat(notebook.page, "house, stage 4, CHIP").wait_for()
    notebook.settled()
    drawn(heat(notebook.page, "house, stage 5").locator("canvas"), COLOURED)
    before = notebook.kernel("w.sheet['maps']['channels'][0][0]")
    slider = notebook.page.get_by_role("slider", name="Sparsity")
    slider.focus()
    for _ in range(60):
        notebook.page.keyboard.press("ArrowRight")
    notebook.wait_kernel(f"w.sheet['maps']['channels'][0][0] < {before}", True)
    notebook.settled()
    for name in ("Refined CHIP", "Guided CHIP", "Grad-CAM", "guided backpropagation"):
        method(notebook.page, name).click()
        heat(notebook.page, "house").filter(visible=True).first.wait_for()
        expect(
            notebook.page.locator(f".hx-heat[aria-label^='house'][aria-label*='{name}']").first
        ).to_be_visible()
    notebook.settled()
    assert notebook.errors == []
    notebook.screenshot("heatmaps_real", notebook.page.locator(".hx-view"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_state_has_its_picture(maps: Notebook, theme: Theme) -> None:
    page, view, shots = maps.page, maps.page.locator(".hx-view"), []

    def shoot(state: str) -> None:
        maps.settled()
        shots.append(maps.screenshot(f"heatmaps_{state}_{theme}", view))

    maps.theme(theme)
    shoot("first")
    button(page, "All").click()
    button(page, "Both signs").click()
    button(page, "Boxes").click()
    heat(page, "orchard, stage 4").click()
    shoot("signed")
    method(page, "Refined CHIP").click()
    shoot("refined")
    method(page, "Guided CHIP").click()
    shoot("guided")
    method(page, "CHIP").click()
    heat(page, "house, stage 5").focus()
    page.keyboard.press("?")
    shoot("keys")
    page.keyboard.press("Escape")
    for width, state in ((620, "narrow"), (1920, "projector")):
        page.set_viewport_size({"width": width, "height": 1500})
        shoot(state)
    page.set_viewport_size({"width": 1400, "height": 1250})
    maps.theme("light")
    assert all(shot.stat().st_size > 20_000 for shot in shots)
    assert maps.errors == []
