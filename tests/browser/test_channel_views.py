"""The views of channels in JupyterLab, linked to each other, with a made Chip and a real one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import SCREENSHOTS, Desk, Notebook, Theme, button
from tests.browser.offline import OfflinePage
from tests.browser.waits import drawn, processor_time, still

MADE = """
from hexplain_widgets.widgets.channels.bars import ChannelBars
from hexplain_widgets.widgets.channels.matrix import ChannelMatrix
from hexplain_widgets.widgets.channels.venn import ChannelVenn
from hexplain_widgets.widgets._shared.linking import link_channels
from tests.widgets.made import scene
from tests.widgets.made_chip import MARKUP, MadeChip, wide_layer
chip = MadeChip()
"""
LINKED = """
import threading
gate = threading.Event()
data = range(7)  # the made Chip asks no more of data than which classes they have
venn = ChannelVenn(chip, ["bullfrog", "tree frog", "zebra"], image=scene(96), data=data)
matrix = ChannelMatrix(chip, data=data)
bars = ChannelBars(chip, "bullfrog")
link = link_channels(venn, matrix, bars, layers=True)
"""
FRESH = """(venn.set_trait('channel', None), venn.set_trait('layer', 'features.29'),
 venn.set_trait('view', {}), matrix.set_trait('view', {}), None)[-1]"""
CELLS = [MADE + LINKED, "venn", "matrix", "bars"]
BRIGHTNESS = """canvas => { const c = canvas.getContext('2d');
  const d = c.getImageData(0, 0, canvas.width, canvas.height).data;
  let [sum, count] = [0, 0];
  for (let i = 0; i < d.length; i += 4) if (d[i + 3]) { sum += d[i]; count += 1; }
  return sum / (count || 1); }"""
BIG = 'ChannelMatrix(MadeChip([f"class {i}" for i in range(1000)], [wide_layer(2048)]))'


class Views:
    """Where to find things in the three views of one notebook."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.venn = self.page.locator(".hx-channel-venn")
        self.matrix = self.page.locator(".hx-channel-matrix")
        self.grid = self.matrix.locator(".hx-grid")
        self.bars = self.page.locator(".bqplot rect.bar")
        self.readout = self.matrix.locator(".hx-readout")
        self.faith = self.venn.locator(".hx-header .hx-faith")
        self.row_faith = self.matrix.locator(".hx-header .hx-faith")

    def region(self, key: str) -> Locator:
        return self.venn.locator(f".hx-plot-stage [data-region='{key}']")

    def look(self, key: str, name: str) -> None:
        """Choose a region, and wait until its channels are listed."""
        self.region(key).click()
        expect(self.venn.locator(".hx-cards h3")).to_contain_text(name)

    def card(self, channel: int) -> Locator:
        return self.venn.locator(f".hx-card[data-channel='{channel}']")

    def chosen(self, channel: int | None) -> None:
        """Wait until all three views have this channel."""
        for name in ("venn", "matrix", "bars"):
            self.notebook.wait_kernel(f"{name}.channel", channel)


def opened(notebook: Notebook) -> Views:
    notebook.page.set_viewport_size({"width": 1400, "height": 2600})
    notebook.run_all()
    views = Views(notebook)
    views.region("0.1").wait_for()
    views.bars.first.wait_for(state="attached")
    expect(views.readout).not_to_be_empty()
    notebook.settled()
    return views


@pytest.fixture
def views(desk: Desk) -> Views:
    """One notebook for all tests that can be undone by setting traits."""
    shared = desk.shared(CELLS, opened)
    shared.notebook.reset(FRESH)
    shared.notebook.settled()
    shared.notebook.errors.clear()
    return shared


@pytest.fixture
def alone(desk: Desk) -> Views:
    """A notebook of its own, for tests that end its kernel or change its classes."""
    return desk.alone(CELLS, opened)


def test_the_browser_has_nothing_to_complain_of(views: Views) -> None:
    assert views.notebook.errors == []
    assert views.notebook.outside == []


def test_a_region_lists_its_channels_with_images_and_maps(views: Views) -> None:
    views.look("0.1", "bullfrog and tree frog")
    channels = views.notebook.kernel(
        "list(venn.evidence.regions[frozenset(['bullfrog', 'tree frog'])])"
    )
    expect(views.venn.locator(".hx-card")).to_have_count(len(channels))
    expect(views.venn.locator(".hx-waiting")).to_have_count(0)
    card = views.card(channels[0])
    expect(card.locator("img")).to_have_count(5)
    expect(card.locator(".hx-map canvas")).to_have_attribute(
        "aria-label", re.compile(rf"Map of channel {channels[0]} on the image, from .* to ")
    )


def test_a_channel_chosen_in_the_venn_diagram_is_marked_in_all(views: Views) -> None:
    views.look("0.1", "bullfrog and tree frog")
    card = views.venn.locator(".hx-card").first
    channel = int(card.get_attribute("data-channel") or "-1")
    button(card, f"Choose channel {channel}").click()
    views.chosen(channel)
    expect(card).to_have_class(re.compile("hx-on"))
    expect(views.readout).to_contain_text(f"channel {channel}:")
    views.notebook.wait_kernel("bars._chosen.value", f"#{channel}")


def test_a_cell_chosen_in_the_matrix_is_marked_in_all(views: Views) -> None:
    views.grid.focus()
    for _ in range(2):
        views.page.keyboard.press("ArrowRight")
    expect(views.readout).to_contain_text("bullfrog, channel 2:")
    views.page.keyboard.press("Enter")
    views.chosen(2)
    expect(views.card(2)).to_have_class(re.compile("hx-on"))


def test_a_click_on_a_cell_chooses_its_channel_and_its_class(views: Views) -> None:
    box = views.matrix.locator(".hx-field").bounding_box()
    assert box is not None
    views.page.mouse.click(box["x"] + box["width"] * 10.5 / 64, box["y"] + box["height"] * 2.5 / 7)
    views.chosen(10)
    views.notebook.wait_kernel("matrix.view['row']", 2)


def test_a_click_on_a_bar_is_marked_in_all(views: Views) -> None:
    label = views.notebook.kernel("str(bars._bars.x[1])")
    views.bars.nth(1).click()
    views.chosen(int(label[1:]))
    expect(views.venn.locator(".hx-regions .hx-mark", has_text=label)).to_have_count(1)


def test_a_region_is_chosen_by_keyboard(views: Views) -> None:
    views.region("2").focus()
    views.page.keyboard.press("Enter")
    expect(views.venn.locator(".hx-cards h3")).to_contain_text("Only zebra")
    expect(views.region("2")).to_be_focused()


def test_the_slider_compares_live(views: Views) -> None:
    slider = views.venn.get_by_role("slider", name="Strongest channels of each class")
    slider.focus()
    for _ in range(4):
        views.page.keyboard.press("ArrowLeft")
    views.notebook.wait_kernel("venn.evidence.top", 6)
    expect(views.venn.locator(".hx-chip small").first).to_have_text("6 channels")
    for _ in range(4):
        views.page.keyboard.press("ArrowRight")
    views.notebook.wait_kernel("venn.evidence.top", 10)


def test_the_slider_stays_where_it_was_put_until_it_is_answered(alone: Views) -> None:
    alone.notebook.kernel("setattr(chip, 'before_answer', gate.wait)")
    slider = alone.venn.get_by_role("slider", name="Strongest channels of each class")
    slider.press("ArrowLeft")
    expect(alone.venn.locator(".hx-work", has_text="Comparing channels")).to_be_visible()
    alone.notebook.kernel("venn.set_trait('overlap', {**venn.overlap, 'notes': ['an old answer']})")
    alone.notebook.wait_heard()
    expect(slider).to_have_value("9")
    slider.press("ArrowLeft")
    alone.notebook.kernel("gate.set()")
    alone.notebook.wait_kernel("venn.evidence.top", 8)
    expect(slider).to_have_value("8")


def test_a_threshold_can_be_asked_for(views: Views) -> None:
    button(views.venn, "Threshold").click()
    views.notebook.wait_kernel("venn.evidence.threshold", 0.1)
    expect(views.venn.locator(".hx-limit output")).to_have_text("above 10 % of the largest")
    button(views.venn, "Strongest").click()
    views.notebook.wait_kernel("venn.evidence.top", 10)


def test_the_view_says_what_the_areas_are_worth(views: Views) -> None:
    expect(views.venn.locator("figcaption").first).to_contain_text(
        re.compile(r"Areas are (exact|off by [\d.]+ %)")
    )


def test_the_same_regions_can_be_seen_as_columns(views: Views) -> None:
    button(views.venn, "UpSet").click()
    views.notebook.wait_kernel("venn.view.get('shape')", "upset")
    first = views.venn.locator(".hx-column").first
    first.click()
    expect(first).to_have_attribute("aria-pressed", "true")
    views.notebook.settled()
    first.focus()
    views.page.keyboard.press("ArrowRight")
    expect(views.venn.locator(".hx-column").nth(1)).to_be_focused()
    expect(views.venn.locator(".hx-column").nth(1)).to_have_attribute("aria-pressed", "true")


def test_a_layer_turns_all_views_and_clears_the_mark(views: Views) -> None:
    views.notebook.kernel("matrix.set_trait('channel', 2)")
    views.matrix.get_by_role("combobox", name="Layer").select_option("features.22")
    for name in ("venn", "matrix", "bars"):
        views.notebook.wait_kernel(f"{name}.evidence.layer", "features.22")
    views.chosen(None)
    expect(views.venn.locator(".hx-title")).to_contain_text("features.22")
    expect(views.matrix.locator(".hx-title")).to_contain_text("32 channels")
    expect(views.row_faith).to_contain_text("bullfrog: the order of its channels can be trusted")


def test_a_class_is_added_and_left_out_again(alone: Views) -> None:
    search = alone.venn.get_by_role("combobox", name="Add a class")
    search.fill("harb")
    search.press("Enter")
    alone.notebook.wait_kernel("venn.evidence.classes[-1]", "harbor")
    expect(alone.venn.locator(".hx-column").first).to_be_visible()
    expect(alone.faith).to_contain_text("harbor, the lowest of 4: the order of its channels cannot")
    expect(alone.faith).to_contain_text("r = −0.05 (64 channels in 8 images, 0.1 s)")
    button(alone.venn, "Leave out harbor").click()
    alone.notebook.wait_kernel("len(venn.evidence.classes)", 3)
    expect(alone.region("0.1")).to_be_visible()
    expect(alone.faith).to_contain_text("zebra, the lowest of 3: the order of its channels can be")
    expect(alone.venn.locator(".hx-chip-note").first).to_have_text("✓trusted")


def test_a_class_without_channels_is_told_and_nothing_is_lost(alone: Views) -> None:
    alone.notebook.kernel("chip.importance()[5].fill(0)")
    search = alone.venn.get_by_role("combobox", name="Add a class")
    search.fill("harbor")
    search.press("Enter")
    banner = alone.venn.locator(".hx-banner")
    expect(banner).to_contain_text("refit with sparsity=0.002")
    expect(alone.venn.locator(".hx-chip")).to_have_count(3)
    button(banner, "Dismiss").click()
    expect(banner).to_have_count(0)


def test_a_long_comparison_is_given_up_and_nothing_is_lost(alone: Views) -> None:
    alone.notebook.kernel("setattr(chip, 'before_answer', gate.wait)")
    button(alone.venn, "Threshold").click()
    work = alone.venn.locator(".hx-work", has_text="Comparing channels")
    button(work, "Cancel").click()
    expect(work).to_be_hidden()
    alone.notebook.kernel("gate.set()")
    alone.region("0.1").click()  # asked after it: once this is answered, the comparison has ended
    expect(alone.venn.locator(".hx-card").first.locator("img")).to_have_count(5)
    alone.notebook.settled()
    assert alone.notebook.kernel("venn.evidence.top") == 10
    expect(alone.region("0.1")).to_be_visible()
    assert alone.venn.locator(".hx-banner").count() == 0


def test_class_names_that_are_markup_stay_text(alone: Views) -> None:
    search = alone.venn.get_by_role("combobox", name="Add a class")
    search.fill("img")
    search.press("Enter")
    alone.notebook.wait_kernel("venn.evidence.classes[-1] == MARKUP", True)
    button(alone.matrix, "Table").click()
    alone.notebook.kernel("bars._class.set_trait('value', 4)")
    expect(alone.matrix.locator("tbody th", has_text="<img src=x")).to_have_count(1)
    expect(alone.venn.locator(".hx-chip", has_text="<img src=x")).to_have_count(1)
    assert alone.page.locator("img[src='x']").count() == 0
    assert alone.notebook.errors == []


def test_the_matrix_is_sorted_scaled_and_zoomed_and_keeps_it(views: Views) -> None:
    views.matrix.get_by_role("combobox", name="Classes by").select_option("alike")
    views.matrix.get_by_role("combobox", name="Channels by").select_option("blocks")
    views.matrix.get_by_label("Each class its own scale").check()
    button(views.matrix, "Zoom in").click()
    views.notebook.wait_kernel("matrix.view['window']['k'] > 15", True)
    saved = views.notebook.kernel("{**matrix.view, 'window': None}")
    assert saved == {"rows": "alike", "columns": "blocks", "each": True, "window": None}


def test_the_matrix_is_moved_by_dragging_and_zoomed_by_the_wheel(views: Views) -> None:
    box = views.matrix.locator(".hx-field").bounding_box()
    assert box is not None
    x, y = box["x"] + 400, box["y"] + 80
    views.page.mouse.move(x, y)
    views.page.keyboard.down("Control")
    for _ in range(3):
        views.page.mouse.wheel(0, -200)
    views.page.keyboard.up("Control")
    views.notebook.wait_kernel("matrix.view['window']['k'] > 20", True)
    views.notebook.settled()
    before = views.notebook.kernel("matrix.view['window']['x']")
    views.page.mouse.move(x, y)
    views.page.mouse.down()
    views.page.mouse.move(x - 120, y, steps=4)
    views.page.mouse.up()
    views.notebook.wait_kernel(f"matrix.view['window']['x'] > {before} + 2", True)
    assert views.notebook.kernel("matrix.channel") is None


def test_a_class_is_found_and_sorts_the_channels(views: Views) -> None:
    search = views.matrix.get_by_role("combobox", name="Find a class")
    search.fill("harbor")
    search.press("Enter")
    views.notebook.wait_kernel("matrix.view['row']", 5)
    views.matrix.get_by_role("combobox", name="Channels by").select_option("class")
    expect(views.readout).to_contain_text("harbor: 13 of 64 channels")
    expect(views.readout).to_contain_text("Doubtful: never predicted and never labelled")


def test_the_matrix_can_be_read_as_a_table(views: Views) -> None:
    button(views.matrix, "Table").click()
    row = views.matrix.locator("tbody tr", has_text="zebra")
    expect(row).to_contain_text("of 64 channels")
    one = row.get_by_role("button").first
    channel = int((one.text_content() or "#").removeprefix("#"))
    one.click()
    views.chosen(channel)
    expect(one).to_have_attribute("aria-pressed", "true")


def test_keys_pressed_in_the_views_are_no_commands_of_the_notebook(views: Views) -> None:
    for place in (views.grid, views.region("0")):
        place.focus()
        views.notebook.assert_no_command("b", "a")


def test_the_matrix_is_painted_for_the_theme(views: Views) -> None:
    cells = views.matrix.locator(".hx-cells")
    light = cells.evaluate(BRIGHTNESS)
    views.notebook.theme("dark")
    drawn(cells, f"canvas => ({BRIGHTNESS})(canvas) < {0.9 * light}")
    views.notebook.theme("light")
    drawn(cells, f"canvas => ({BRIGHTNESS})(canvas) > {0.95 * light}")
    assert views.notebook.errors == []


def test_the_matrix_is_painted_for_a_theme_whose_sheet_comes_late(views: Views) -> None:
    cells = views.matrix.locator(".hx-cells")
    light = cells.evaluate(BRIGHTNESS)
    late = "() => { document.body.dataset.jpThemeName = 'Late'; setTimeout(() => { %s }, 1000); }"
    sheet = "document.createElement('style'), { id: 'late', textContent: %r }"
    dark = sheet % "html:root { --jp-layout-color0: #111; }"
    views.page.evaluate(late % f"document.head.append(Object.assign({dark}))")
    drawn(cells, f"canvas => ({BRIGHTNESS})(canvas) < {0.9 * light}")
    views.page.evaluate(late % "document.getElementById('late').remove()")
    drawn(cells, f"canvas => ({BRIGHTNESS})(canvas) > {0.95 * light}")
    views.page.evaluate("document.body.dataset.jpThemeName = 'JupyterLab Light'")


def test_saved_views_without_a_kernel_show_all_they_had(alone: Views) -> None:
    alone.look("0.1", "bullfrog and tree frog")
    card = alone.venn.locator(".hx-card").first
    channel = int(card.get_attribute("data-channel") or "-1")
    button(card, f"Choose channel {channel}").click()
    alone.chosen(channel)
    alone.matrix.get_by_role("combobox", name="Channels by").select_option("blocks")
    alone.notebook.wait_kernel("matrix.view.get('columns')", "blocks")
    expect(alone.faith).to_contain_text("r = 0.55")
    expect(alone.row_faith).to_contain_text("r = 0.95")
    alone.notebook.settled()
    alone.notebook.save()
    alone.notebook.reopen()
    expect(alone.card(channel)).to_have_class(re.compile("hx-on"))
    expect(alone.card(channel).locator("img")).to_have_count(5)
    expect(alone.matrix.get_by_role("combobox", name="Channels by")).to_have_value("blocks")
    expect(alone.readout).to_contain_text(f"channel {channel}:")
    expect(alone.bars.first).to_be_attached()
    expect(alone.faith).to_contain_text("zebra, the lowest of 3: the order of its channels can be")
    expect(alone.row_faith).to_contain_text("agrees with ablation: r = 0.95")
    alone.region("2").click()
    expect(alone.venn.locator(".hx-cards h3")).to_contain_text("Only zebra")


def test_after_a_kernel_restart_the_view_says_so_and_stays(alone: Views) -> None:
    alone.notebook.restart_kernel()
    button(alone.venn, "Threshold").click()
    expect(alone.venn.locator(".hx-banner")).to_contain_text("does not answer")
    alone.region("2").click()
    expect(alone.venn.locator(".hx-cards h3")).to_contain_text("Only zebra")


# three moves of the pointer in each of 120 frames: how often the cells are painted anew, and the
# most numbers that are turned into colours for that
PAN = """async () => {
  const grid = document.querySelector('.hx-grid'), box = grid.getBoundingClientRect();
  const cells = document.querySelector('.hx-cells'), pictures = new Set();
  const { clearRect } = CanvasRenderingContext2D.prototype;
  let paints = 0, most = 0;
  CanvasRenderingContext2D.prototype.clearRect = function (...of) {
    if (this.canvas === cells) paints++;
    return clearRect.apply(this, of);
  };
  const aside = OffscreenCanvasRenderingContext2D.prototype, { putImageData } = aside;
  aside.putImageData = function (image, ...at) {
    most = Math.max(most, image.width * image.height);
    return putImageData.call(this, image, ...at);
  };
  grid.setPointerCapture = () => {};
  const fire = (kind, x, y) => grid.dispatchEvent(new PointerEvent(kind, {
    bubbles: true, pointerId: 1, button: 0, clientX: box.left + x, clientY: box.top + y }));
  fire('pointerdown', 500, 250);
  for (let n = 0; n < 360; n++) {
    if (n % 3 === 0) await new Promise(requestAnimationFrame);
    fire('pointermove', 500 + 220 * Math.sin(n / 27), 250 + 150 * Math.sin(n / 39));
    if (n % 120 === 119) pictures.add(cells.toDataURL());
  }
  fire('pointerup', 500, 250);
  Object.assign(CanvasRenderingContext2D.prototype, { clearRect });
  Object.assign(aside, { putImageData });
  return { paints, most, pixels: cells.width * cells.height, pictures: pictures.size };
}"""


def test_a_thousand_classes_of_2048_channels_are_painted_once_a_frame_and_only_what_is_seen(
    open_notebook: Callable[[list[str]], Notebook],
) -> None:
    notebook = open_notebook([f"{MADE}\nmatrix = {BIG}", "matrix"])
    notebook.run_all()
    expect(notebook.page.locator(".hx-readout")).to_contain_text("of 2048 channels")
    notebook.settled()
    notebook.page.locator(".hx-grid").focus()
    for steps in (1, 2, 4):
        for _ in range(steps):
            notebook.page.keyboard.press("+")
        notebook.settled()
        spent, done = processor_time(notebook.page, PAN)
        print(
            f"1000 x 2048, zoomed {steps} more: {spent / 120:.1f} ms of processor a frame, {done}"
        )
        assert done["pictures"] == 3
        assert 60 < done["paints"] <= 121
        assert 0 < done["most"] <= 1.05 * done["pixels"]  # at the edges, cells seen in part


def test_offline_pages_show_the_views_and_ask_for_nothing(
    views: Views, open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    views.notebook.kernel("venn.set_trait('view', {'region': '0.1'})")
    for name in ("venn", "matrix", "bars"):
        views.notebook.kernel(f"str({name}.export_html({str(tmp_path / name)!r} + '.html'))")
        page = open_page(tmp_path / f"{name}.html")
        page.page.locator(".hx-card img, .hx-readout, rect.bar").first.wait_for(state="attached")
        still(page.page)
        assert (page.outside, page.errors) == ([], [])


REAL = """
from tests.browser.preludes import fitted_chip, house, world
chip, data = fitted_chip(), world()
venn = ChannelVenn(chip, ["house", "lake", "beach"], image=house(), data=data)
matrix = ChannelMatrix(chip, data=data)
bars = ChannelBars(chip, "house", data=data)
link = link_channels(venn, matrix, bars, layers=True)
"""


@pytest.mark.slow
def test_the_views_work_on_a_fitted_network(
    open_notebook: Callable[[list[str]], Notebook],
) -> None:
    notebook = open_notebook([MADE + REAL, "venn", "matrix", "bars"])
    notebook.page.set_viewport_size({"width": 1400, "height": 2600})
    notebook.run_all()
    views = Views(notebook)
    views.region("0").click()
    card = views.venn.locator(".hx-card").first
    expect(card.locator(".hx-map canvas")).to_be_visible()
    card.locator("button").click()
    views.chosen(int(card.get_attribute("data-channel") or "-1"))
    expect(views.faith).to_contain_text(re.compile(r"(agrees.* with ablation|Check against)"))
    notebook.page.get_by_role("button", name="Check against ablation").last.click()
    said = notebook.page.locator(
        ".widget-html summary", has_text="house: the order of its channels"
    )
    expect(said).to_be_visible()
    views.venn.get_by_role("combobox", name="Layer").select_option("stage4")
    for name in ("venn", "matrix", "bars"):
        notebook.wait_kernel(f"{name}.evidence.layer", "stage4")
    notebook.settled()
    assert notebook.errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_width_has_its_picture(views: Views, theme: Theme) -> None:
    views.notebook.theme(theme)
    views.notebook.kernel("venn.set_trait('channel', 2)")
    named = {"venn": views.venn, "matrix": views.matrix}
    shots = []
    for width in (420, 900, 1920):
        views.page.set_viewport_size({"width": width + 120, "height": 3400})
        views.notebook.settled()
        shots += [
            views.notebook.screenshot(f"channels_{name}_{theme}_{width}", of)
            for name, of in named.items()
        ]
    views.page.set_viewport_size({"width": 1400, "height": 2600})
    views.notebook.theme("light")
    assert all(shot.parent == SCREENSHOTS and shot.stat().st_size > 8_000 for shot in shots)
    assert views.notebook.errors == []
