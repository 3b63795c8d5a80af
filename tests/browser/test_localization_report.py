"""The report of localisation on an offline page: sorted by a measure, a row's boxes on images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

import hexplain_widgets as hx
from hexplain_widgets.evidence.store import load
from tests.browser.offline import OfflinePage
from tests.widgets.made_views import file_of

SUMMARY = load(file_of("LocalizationSummary"))


@pytest.fixture
def report(open_page: Callable[..., OfflinePage], tmp_path: Path) -> Locator:
    made = hx.LocalizationReport.from_evidence(SUMMARY)
    made.export_html(tmp_path / "c.html")
    made.close()
    return open_page(tmp_path / "c.html").page.locator(".hx-localizations")


def names(report: Locator) -> list[str]:
    rows = report.locator("tbody tr").all()
    return [row.get_attribute("aria-label") or "" for row in rows]


def sorted_by(column: int, sign: int) -> list[str]:
    values = SUMMARY.figures[:, column, 0]
    order = sorted(range(len(SUMMARY.methods)), key=lambda m: (sign * values[m], m))
    return [SUMMARY.methods[m] for m in order]


def test_the_verdict_comes_first_and_the_table_is_sorted_by_what_is_found(report: Locator) -> None:
    expect(report.locator(".hx-verdict")).to_contain_text("CHIP finds ")
    assert names(report) == sorted_by(2, -1)


def test_a_column_is_chosen_with_the_pointer_and_with_keys(report: Locator) -> None:
    report.get_by_role("button", name="mean IoU").click()
    assert names(report) == sorted_by(3, -1)
    report.locator("tbody tr").first.focus()
    for _ in range(3):
        report.page.keyboard.press("ArrowLeft")
    expect(report.get_by_role("button", name="top-1 error")).to_have_attribute(
        "aria-pressed", "true"
    )
    assert names(report) == sorted_by(0, 1)


def test_a_row_shows_its_boxes_beside_the_true_ones(report: Locator) -> None:
    images = report.locator(".hx-images figure")
    expect(images).to_have_count(len(SUMMARY.thumbnails))
    report.locator("tbody tr", has_text="whole image").click()
    expect(report.locator(".hx-beside h3")).to_have_text("whole image")
    box = images.first.locator("rect.hx-own")
    assert [box.get_attribute(n) for n in ("x", "y", "width", "height")] == ["0", "0", "16", "16"]
    row = SUMMARY.methods.index("whole image")
    iou = SUMMARY.ious[row, SUMMARY.pictured[0]]
    expect(images.first.locator("figcaption")).to_contain_text(f"IoU {iou:.2f}, missed")
    expect(report.locator("rect.hx-true")).to_have_count(len(SUMMARY.truths))


def test_the_keyboard_walks_the_methods(report: Locator) -> None:
    rows = report.locator("tbody tr")
    rows.first.click()
    report.page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    report.page.keyboard.press("End")
    expect(rows.last).to_be_focused()


def test_a_region_has_its_box_on_the_image(
    open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    region = load(file_of("Localization"))
    made = hx.LocalizationPicture(region)
    made.export_html(tmp_path / "c.html")
    made.close()
    picture = open_page(tmp_path / "c.html").page.locator(".hx-localization")
    x0, y0, x1, y1 = region.box
    box = picture.locator("rect.hx-own")
    values = [box.get_attribute(name) for name in ("x", "y", "width", "height")]
    assert values == list(map(str, (x0, y0, x1 - x0, y1 - y0)))
    expect(picture.get_by_role("img")).to_have_attribute("alt", f"{picture_words(region)}")


def picture_words(region: hx.Localization) -> str:
    from hexplain_widgets.widgets.localization_report.localization_picture import words_of

    return f"The image, {region.target} asked for. {' '.join(words_of(region))}"
