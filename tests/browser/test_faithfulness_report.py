"""The report on faithfulness in JupyterLab and in an offline page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import SCREENSHOTS, Desk, Notebook, Theme
from tests.browser.offline import OfflinePage

MEASURED = """
import hexplain_widgets as hx
from tests.networks import image, plain
data = [(image(48, seed)[0], seed) for seed in range(2)]
w = hx.FaithfulnessReport(plain(seed=3), data, progress=False)
"""


def opened(made: Notebook) -> Notebook:
    made.page.set_viewport_size({"width": 1400, "height": 1300})
    made.run_all()
    made.page.locator(".hx-faithfulness .bqplot").first.wait_for()
    made.settled()
    return made


@pytest.fixture
def notebook(desk: Desk) -> Notebook:
    return desk.shared([MEASURED, "w"], opened)


def choose_the_last_step(page: Page) -> None:
    every = page.locator(".hx-faithfulness details")
    numbers = every.filter(has=page.get_by_text("As numbers", exact=True)).first
    before = numbers.text_content() or ""
    page.get_by_role("button", name="4 → 1").click()
    expect(numbers).not_to_have_text(before)
    expect(page.locator(".hx-faithfulness .bqplot")).to_have_count(4)


def test_a_step_is_chosen_and_its_curves_are_shown(notebook: Notebook) -> None:
    choose_the_last_step(notebook.page)
    notebook.wait_kernel("w.children[3].children[0].selected_index", 2)
    assert notebook.errors == []


def test_the_page_without_a_kernel_does_the_same(
    notebook: Notebook, open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    notebook.kernel("setattr(w.children[2], 'index', 0)")
    notebook.kernel(f"str(w.export_html({str(tmp_path / 'f.html')!r}))")
    page = open_page(tmp_path / "f.html")
    choose_the_last_step(page.page)
    assert page.outside == []
    assert page.errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_has_its_picture(notebook: Notebook, theme: Theme) -> None:
    notebook.theme(theme)
    notebook.settled()
    view = notebook.page.locator(".hx-faithfulness")
    path = SCREENSHOTS / f"faithfulness_{theme}.png"
    view.screenshot(path=path)
    notebook.theme("light")
    assert path.stat().st_size > 20_000
