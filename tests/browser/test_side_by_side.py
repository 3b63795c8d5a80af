"""Views beside each other in a box share its width, whatever they are made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ipywidgets
import pytest

from hexplain_widgets.widgets._shared.composite import dismiss
from hexplain_widgets.widgets._shared.export import write_html
from tests.browser.offline import OfflinePage
from tests.widgets.made_views import MADE, made_view

OpenPage = Callable[..., OfflinePage]
WIDTHS = """() => {
  const box = document.querySelector("main .widget-box");
  const parts = [...box.children].map(part => part.getBoundingClientRect().width);
  return { room: box.clientWidth, needed: box.scrollWidth, parts };
}"""


def measured(open_page: OpenPage, path: Path, box: ipywidgets.Box) -> dict[str, object]:
    """Return how wide a box is, what it would need, and how wide its parts are."""
    try:
        write_html(box, path, title="side by side")
    finally:
        dismiss(box)
    page = open_page(path).page
    page.wait_for_function("document.querySelector('main .widget-box')?.children.length > 0")
    return dict(page.evaluate(WIDTHS))


@pytest.mark.parametrize("name", MADE)
def test_two_views_in_a_row_have_half_of_it_each(
    name: str, open_page: OpenPage, tmp_path: Path
) -> None:
    box = ipywidgets.HBox([made_view(name), made_view(name)])
    found = measured(open_page, tmp_path / "row.html", box)
    assert found["room"] > 1000
    assert all(0.48 < part / found["room"] <= 0.51 for part in found["parts"])
    assert found["needed"] <= found["room"] + 1


@pytest.mark.parametrize("name", MADE)
def test_a_view_in_a_column_is_as_wide_as_it(
    name: str, open_page: OpenPage, tmp_path: Path
) -> None:
    layout = ipywidgets.Layout(align_items="center")
    found = measured(
        open_page, tmp_path / "column.html", ipywidgets.VBox([made_view(name)], layout=layout)
    )
    assert found["parts"][0] >= 0.98 * found["room"]
    assert found["needed"] <= found["room"] + 1


def test_a_view_keeps_the_width_that_a_person_gave_it(open_page: OpenPage, tmp_path: Path) -> None:
    view, tree = made_view("FaithfulnessReport"), made_view("DecompositionTree")
    view.layout.width, tree.layout.width = "300px", "400px"
    found = measured(open_page, tmp_path / "own.html", ipywidgets.HBox([view, tree]))
    assert found["parts"] == pytest.approx([300, 400], abs=1)
