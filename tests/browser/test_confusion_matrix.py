"""Who is taken for whom on an offline page: a pair from the list and from the matrix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

import hexplain_widgets as hx
from hexplain_widgets.evidence.store import load
from tests.browser.offline import OfflinePage
from tests.widgets.made_views import file_of

SUMMARY = load(file_of("ConfusionSummary"))


@pytest.fixture
def confusions(open_page: Callable[..., OfflinePage], tmp_path: Path) -> Locator:
    made = hx.ConfusionMatrix.from_evidence(SUMMARY)
    made.export_html(tmp_path / "c.html")
    made.close()
    return open_page(tmp_path / "c.html").page.locator(".hx-confusions")


def test_a_pair_of_the_list_shows_its_images_and_its_channels(confusions: Locator) -> None:
    pairs, details = confusions.get_by_role("option"), confusions.locator(".hx-details")
    expect(pairs).to_have_count(len(SUMMARY.counts))
    pairs.nth(1).click()
    label, named = SUMMARY.names(1)
    expect(details.get_by_role("heading", level=3)).to_have_text(f"{label} → {named}")
    expect(details.get_by_role("figure")).to_have_count(int((SUMMARY.pictured == 1).sum()))
    expect(details.locator("code")).to_contain_text(f'true="{label}"')
    expect(details.get_by_role("listitem")).to_have_count(len(SUMMARY.channels(1)))


def test_a_cell_of_the_matrix_chooses_the_pair(confusions: Locator) -> None:
    label, named = SUMMARY.names(2)
    confusions.get_by_role("button", name=f"{label}, named {named}").click()
    expect(confusions.get_by_role("option").nth(2)).to_have_attribute("aria-selected", "true")
    expect(confusions.locator(".hx-details h3")).to_have_text(f"{label} → {named}")


def test_the_keyboard_walks_the_pairs(confusions: Locator) -> None:
    pairs = confusions.get_by_role("option")
    pairs.first.focus()
    confusions.page.keyboard.press("ArrowDown")
    expect(pairs.nth(1)).to_be_focused()
    confusions.page.keyboard.press("o")
    expect(confusions.get_by_role("button", name="By share of the class")).to_have_attribute(
        "aria-pressed", "true"
    )
