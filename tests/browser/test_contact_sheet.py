"""The contact sheet on an offline page: looked over, walked through, told apart in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

import hexplain_widgets as hx
from hexplain_widgets.evidence.store import load
from tests.browser.offline import OfflinePage
from tests.widgets.made_views import file_of


@pytest.fixture
def sheet(open_page: Callable[..., OfflinePage], tmp_path: Path) -> Locator:
    """Four images, the first of which is named otherwise."""
    maps = load(file_of("ClassHeatMaps"))
    house = replace(maps.predictions[0], index=0, name="house")
    other = replace(maps.predictions[0], index=2, name="beach")
    made = hx.ContactSheet.from_evidence(replace(maps, predictions=(other, *[house] * 3)))
    made.export_html(tmp_path / "s.html")
    made.close()
    return open_page(tmp_path / "s.html").page.locator(".hx-contact-sheet")


def test_every_image_has_its_map_and_says_what_it_is_named(sheet: Locator) -> None:
    images = sheet.get_by_role("option")
    expect(images).to_have_count(4)
    assert images.first.get_attribute("aria-label").startswith("Image 0: named beach")
    assert "not house" in images.first.get_attribute("aria-label")
    expect(images.nth(1)).not_to_contain_text("named")
    sheet.page.wait_for_function(
        "() => [...document.querySelectorAll('.hx-contact canvas')].every(c =>"
        " c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[3] > 0)"
    )


def test_the_arrow_keys_walk_and_what_is_looked_at_is_said(sheet: Locator) -> None:
    images, said = sheet.get_by_role("option"), sheet.get_by_role("status")
    images.first.focus()
    sheet.page.keyboard.press("ArrowRight")
    expect(images.nth(1)).to_be_focused()
    expect(said).to_contain_text("Image 1: named house")
    sheet.page.keyboard.press("End")
    expect(images.nth(3)).to_be_focused()
    expect(images.nth(3)).to_have_attribute("aria-selected", "true")


def test_those_named_otherwise_are_shown_alone(sheet: Locator) -> None:
    sheet.get_by_role("button", name="Named otherwise").click()
    expect(sheet.get_by_role("option")).to_have_count(1)
    expect(sheet.get_by_role("option")).to_contain_text("named beach")
    sheet.get_by_role("button", name="All", exact=True).click()
    expect(sheet.get_by_role("option")).to_have_count(4)
