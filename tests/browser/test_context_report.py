"""The report on context and degrees in JupyterLab and in an offline page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import SCREENSHOTS, Desk, Notebook, Theme
from tests.browser.offline import OfflinePage

MEASURED = """
import hexplain_widgets as hx
data = hx.demo.scenes(4, seed=1).concepts()
w = hx.ContextReport(hx.demo.classifier(), data, level="object", top_k=2, progress=False)
"""


def opened(made: Notebook) -> Notebook:
    made.page.set_viewport_size({"width": 1400, "height": 1300})
    made.run_all()
    made.page.locator(".hx-context-report .bqplot").first.wait_for()
    made.settled()
    return made


@pytest.fixture
def notebook(desk: Desk) -> Notebook:
    return desk.shared([MEASURED, "w"], opened)


def check_charts(page: Page) -> None:
    """Four classes' bars and the curve of degrees, and the numbers on request."""
    report = page.locator(".hx-context-report")
    expect(report.locator(".bqplot")).to_have_count(5)
    expect(report.locator(".bqplot").first.locator("rect.bar")).not_to_have_count(0)
    expect(report.get_by_role("status")).to_have_count(2)
    table = report.locator("table.hx-context")
    expect(table).not_to_be_visible()
    report.get_by_text("As numbers").click()
    expect(table.get_by_role("row")).to_have_count(5)


def test_every_class_has_its_bars_and_the_layers_their_curve(notebook: Notebook) -> None:
    check_charts(notebook.page)
    assert notebook.errors == []


def test_the_page_without_a_kernel_does_the_same(
    notebook: Notebook, open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    notebook.kernel(f"str(w.export_html({str(tmp_path / 'c.html')!r}))")
    page = open_page(tmp_path / "c.html")
    check_charts(page.page)
    assert page.outside == []
    assert page.errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_has_its_picture(notebook: Notebook, theme: Theme) -> None:
    notebook.theme(theme)
    notebook.settled()
    view = notebook.page.locator(".hx-context-report")
    path = SCREENSHOTS / f"context_{theme}.png"
    view.screenshot(path=path)
    notebook.theme("light")
    assert path.stat().st_size > 20_000
