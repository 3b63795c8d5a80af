"""An exported page: opened from a file, it draws everything and asks for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import anywidget
import bqplot
import ipywidgets
import numpy as np
import pytest
import traitlets
from playwright.sync_api import Browser, expect

from hexplain_widgets.widgets._shared.export import write_html
from tests.browser.offline import OfflinePage
from tests.browser.waits import until

MARKUP = '<img src=x onerror="document.title=1"></script><!--<script>'


class Labels(anywidget.AnyWidget):
    """Draws its labels as text and its bytes as a sum."""

    _esm = """
    export default { render({ model, el }) {
      const list = document.createElement("ul");
      for (const label of model.get("labels")) {
        const item = document.createElement("li");
        item.textContent = label;
        list.append(item);
      }
      const view = model.get("data");
      const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
      const sum = document.createElement("output");
      sum.textContent = "sum " + bytes.reduce((a, b) => a + b, 0);
      el.append(list, sum);
    } };
    """
    _css = "output { color: var(--jp-ui-font-color1); }"
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    data = traitlets.Bytes(b"\x01\x02\x03").tag(sync=True)


class Broken(anywidget.AnyWidget):
    _esm = "export default { render() { fetch('https://example.org/'); } };"


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflinePage]:
    path = tmp_path_factory.mktemp("offline") / "page.html"
    made = OfflinePage(browser, write_html(Labels(labels=["house", MARKUP]), path, title=MARKUP))
    yield made
    made.close()


def test_the_page_asks_for_nothing_but_itself(page: OfflinePage) -> None:
    page.page.wait_for_selector("output")
    assert page.outside == []


def test_the_browser_has_nothing_to_complain_of(page: OfflinePage) -> None:
    page.page.wait_for_selector("output")
    assert page.errors == []


def test_the_view_is_drawn_from_its_saved_state(page: OfflinePage) -> None:
    assert page.page.text_content("li >> nth=0") == "house"


def test_bytes_reach_the_view(page: OfflinePage) -> None:
    assert page.page.text_content("output") == "sum 6"


def test_a_label_with_markup_is_shown_as_text(page: OfflinePage) -> None:
    assert page.page.text_content("li >> nth=1") == MARKUP
    assert page.page.locator("img").count() == 0


def test_a_title_with_markup_is_shown_as_text(page: OfflinePage) -> None:
    assert page.page.title() == MARKUP
    assert page.page.text_content("h1") == MARKUP


@pytest.mark.parametrize(("theme", "ink"), [("light", "rgba(0, 0, 0,"), ("dark", "rgba(255, 255,")])
def test_the_page_follows_the_system_theme(
    theme: str, ink: str, tmp_path: Path, open_page: Callable[..., OfflinePage]
) -> None:
    page = open_page(write_html(Labels(labels=[]), tmp_path / "page.html", title="t"), theme)
    color = page.page.locator("output").evaluate("node => getComputedStyle(node).color")
    assert color.startswith(ink)


def test_a_view_that_wants_the_network_does_not_get_it(
    tmp_path: Path, open_page: Callable[..., OfflinePage]
) -> None:
    page = open_page(write_html(Broken(), tmp_path / "page.html", title="t"))
    refused = "Content Security Policy"
    until(page.page, lambda: any(refused in error for error in page.errors), refused)
    assert page.outside == []


def test_charts_and_controls_are_drawn(
    tmp_path: Path, open_page: Callable[..., OfflinePage]
) -> None:
    scales = {"x": bqplot.LinearScale(), "y": bqplot.LinearScale()}
    bars = bqplot.Bars(x=np.arange(3.0), y=np.array([1.0, 2.0, 3.0]), scales=scales)
    box = ipywidgets.VBox([ipywidgets.IntSlider(value=3), bqplot.Figure(marks=[bars])])
    page = open_page(write_html(box, tmp_path / "page.html", title="t"))
    page.page.wait_for_selector(".bqplot rect.bar", state="attached")
    expect(page.page.locator(".widget-slider")).to_have_count(1)
    assert (page.outside, page.errors) == ([], [])
