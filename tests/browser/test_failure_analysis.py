"""The analysis of a failure in JupyterLab and in an offline page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import SCREENSHOTS, Desk, Notebook, Theme
from tests.browser.offline import OfflinePage

# A dog with a red ear in its upper left quarter, which is named a cat.
ANALYSED = """
import hexplain_widgets as hx
from tests.planted_failure import classifier, dog, ear
data = [(dog(32)[0] * share, 1) for share in (1, 0.6, 0.3)]
w = hx.FailureAnalysis(classifier(), dog(32), "dog", data=data, top_k=2)
"""


def opened(made: Notebook) -> Notebook:
    made.page.set_viewport_size({"width": 1400, "height": 1500})
    made.run_all()
    made.page.locator(".hx-failure .hx-brush-canvas").wait_for()
    made.page.locator(".hx-failure .hx-node").first.wait_for(state="attached")
    made.settled()
    return made


@pytest.fixture
def notebook(desk: Desk) -> Notebook:
    return desk.shared([ANALYSED, "w"], opened)


def verdict(page: Page) -> Locator:
    return page.locator(".hx-failure .hx-verdict")


def draw_over_the_ear(page: Page) -> None:
    """Drag the largest brush over the upper left quarter."""
    page.get_by_label("Brush", exact=True).fill("28")
    box = page.locator(".hx-brush-canvas").bounding_box()
    assert box is not None
    x, y, side = box["x"], box["y"], box["width"]
    page.mouse.move(x + 0.1 * side, y + 0.1 * side)
    page.mouse.down()
    page.mouse.move(x + 0.26 * side, y + 0.26 * side, steps=4)
    page.mouse.up()


def test_drawing_over_the_ear_names_the_dog(notebook: Notebook) -> None:
    page = notebook.page
    expect(verdict(page)).to_have_text(re.compile("^Named cat"))
    draw_over_the_ear(page)
    expect(verdict(page)).to_have_text(re.compile("covered it is rightly named dog"))
    notebook.wait_kernel("w.occlusion.named.name", "dog")
    assert notebook.kernel("bool(w.occlusion.mask[:26, :26].all())")
    page.get_by_role("button", name="Undo").click()
    expect(verdict(page)).to_have_text(re.compile("^Named cat"))


def test_the_brush_goes_by_keyboard(notebook: Notebook) -> None:
    page = notebook.page
    page.locator(".hx-brush-canvas").focus()
    for key in ("Shift+ArrowUp", "Shift+ArrowLeft", "Space"):
        page.keyboard.press(key)
    expect(page.locator(".hx-brush-where")).to_have_text(
        re.compile(r"row \d+, column \d+, covered")
    )
    expect(verdict(page)).to_have_text(re.compile("covered it is"))
    page.keyboard.press("Delete")
    expect(verdict(page)).to_have_text(re.compile("^Named cat"))
    notebook.wait_kernel("w.occlusion is None", True)
    assert notebook.errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_has_its_picture(notebook: Notebook, theme: Theme) -> None:
    notebook.theme(theme)
    notebook.settled()
    path = SCREENSHOTS / f"failure_{theme}.png"
    notebook.page.locator(".hx-failure").screenshot(path=path)
    notebook.theme("light")
    assert path.stat().st_size > 20_000


def test_the_page_without_a_kernel_shows_what_was_covered(
    notebook: Notebook, open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    notebook.kernel("str(w.cover(ear()))")
    notebook.kernel(f"str(w.export_html({str(tmp_path / 'f.html')!r}))")
    page = open_page(tmp_path / "f.html")
    expect(verdict(page.page)).to_have_text(re.compile("With 25 % covered it is rightly named dog"))
    page.page.get_by_role("button", name="#2").click()
    expect(page.page.get_by_text("Channel 2 of layer 4", exact=True)).to_be_visible()
    assert page.outside == []
    assert page.errors == []
