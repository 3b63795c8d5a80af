"""An attack compared in JupyterLab, live on the embedded world, and on a page without a kernel."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from hexplain_widgets.widgets import AttackComparison
from tests.browser.lab import Desk, Notebook
from tests.browser.offline import OfflinePage
from tests.widgets.made import MARKUP
from tests.widgets.made_attack import made_attack, made_concept, made_set

LIVE = """
import hexplain_widgets as hx
from tests.browser.preludes import house
from tests.widgets.made_attack import MadeFinder
compared = hx.AttackComparison(
    hx.demo.classifier(), house(), images=hx.demo.scenes(2), top_k=1, hint=MadeFinder()
)
compared
"""


def bars(page: Page) -> Locator:
    return page.locator(".bqplot rect.bar")


def opened(notebook: Notebook) -> Notebook:
    notebook.page.set_viewport_size({"width": 1400, "height": 2600})
    notebook.run_all()
    bars(notebook.page).first.wait_for(state="attached")
    expect(notebook.page.locator(".hx-stage")).to_have_count(2)
    notebook.settled()
    return notebook


@pytest.fixture
def shared(desk: Desk) -> Notebook:
    return desk.shared([LIVE], opened)


def asked(page: Page, target: str) -> None:
    """Write a target, and leave the field."""
    page.get_by_label("Towards").fill(target)
    page.get_by_label("Steps").fill("8")
    page.get_by_label("Seed").click()


def pressed(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(f"^{name}")).click()


def turned(page: Page, name: str) -> None:
    """Bring one of the view's pages to the front."""
    page.get_by_role("tab", name=name).click()


def test_both_trees_stand_side_by_side_on_a_page_of_their_own(shared: Notebook) -> None:
    expect(bars(shared.page)).to_have_count(16)
    turned(shared.page, "Both trees")
    expect(shared.page.locator(".hx-stage").first).to_be_visible()
    shared.settled()
    left, right = (tree.bounding_box() for tree in shared.page.locator(".hx-stage").all())
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]
    assert left["y"] == pytest.approx(right["y"], abs=2)
    shared.screenshot("attack")
    turned(shared.page, "Images")


def test_another_attack_and_another_concept_run_from_their_controls(shared: Notebook) -> None:
    asked(shared.page, "park")
    pressed(shared.page, "Attack$")
    expect(shared.page.get_by_text(re.compile("^Named house .* before, park"))).to_be_visible()
    shared.wait_kernel("compared.evidence.goal[0].name", "park")
    turned(shared.page, "Concept")
    shared.page.get_by_label("HINT's concept").select_option(label="plant")
    expect(shared.page.get_by_text("Where HINT sees plant")).to_be_visible()
    shared.wait_kernel("compared.evidence.concept[0].target", "plant")


def test_what_cannot_be_is_said_in_the_view(shared: Notebook) -> None:
    asked(shared.page, "parc")
    pressed(shared.page, "Attack$")
    said = shared.page.get_by_role("alert").filter(has_text="got the unknown class 'parc'")
    expect(said).to_be_visible()
    expect(shared.page.locator(".hx-stage")).to_have_count(2)


def test_the_set_is_attacked_on_request(shared: Notebook) -> None:
    asked(shared.page, "")
    pressed(shared.page, r"Attack the set \(2\)")
    expect(shared.page.get_by_text("Over a set of images")).to_be_visible()
    expect(shared.page.get_by_role("button", name="Cancel")).to_be_disabled()
    shared.wait_kernel("compared.set_evidence.images", 2)


def test_the_browser_has_nothing_to_complain_of(shared: Notebook) -> None:
    assert shared.errors == []
    assert shared.outside == []


def test_a_page_shows_it_without_a_kernel(
    open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    one = made_attack(MARKUP, concept=made_concept(2, 1))
    view = AttackComparison.from_evidence(one, made_set())
    page = open_page(view.export_html(tmp_path / "attack.html"), theme="dark")
    view.close()
    expect(page.page.locator(".hx-stage")).to_have_count(2)
    expect(bars(page.page)).to_have_count(32)
    expect(page.page.get_by_text("6 of 8 images; 2 withstood")).to_be_visible()
    expect(page.page.get_by_alt_text("the change, magnified 15 times")).to_be_visible()
    assert page.page.locator("img[src=x]").count() == 0
    assert page.errors == []
