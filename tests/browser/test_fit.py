"""Every view on a laptop: nothing cut, nothing faint, nothing that a screen reader misses.

Each view is seen once in a theme, wide in one and narrow in the other; `make views-full` sees all
at three widths in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.laptop import AXE, MADE_LONG, Fit, class_of, opened, page_of, pages_of, problems
from tests.browser.offline import OfflinePage
from tests.browser.waits import frames, still

# the themes' widths: every view is once wide and once narrow
SEEN = {"light": (1280, 420), "dark": (420, 1280)}


def part(which: int) -> dict:
    """Half of the views: each half is wide in the theme in which the other is narrow."""
    return {name: make for i, (name, make) in enumerate(MADE_LONG.items()) if i % 2 == which}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two pages, with half of the views each."""
    assert AXE.is_file(), f"{AXE} is missing; run `npm ci` in js/"
    return [page_of(tmp_path_factory.mktemp(f"half{i}"), part(i)) for i in (0, 1)]


@pytest.fixture(scope="module", params=[(t, i) for t in SEEN for i in (0, 1)], ids=str)
def seen(
    request: pytest.FixtureRequest, browser: Browser, files: list[Path]
) -> Iterator[tuple[OfflinePage, int, dict[str, list[Fit]]]]:
    """A page of half of the views in a theme, its width, and what was measured of each view."""
    theme, half = request.param
    width = SEEN[theme][half]
    page = opened(browser, files[half], theme, width)
    still(page.page)
    yield page, width, {name: list(pages_of(page.page, name)) for name in part(half)}
    page.close()


def test_every_view_fits(seen: tuple[OfflinePage, int, dict[str, list[Fit]]]) -> None:
    _, width, fits = seen
    found = [
        what for name, all in fits.items() for one in all for what in problems(one, name, width)
    ]
    assert found == []


def scrolled(page: Page) -> int:
    return page.evaluate("() => Math.round(scrollY)")


# where a person has clicked when the wheel is turned
TARGETS = {
    "DecompositionTree": ".hx-window",
    "ChannelMatrix": ".hx-grid",
    "InferenceSpace": ".hx-plot",
    "OcclusionBrush": ".hx-brush-canvas",
}


def test_the_wheel_scrolls_the_page_after_a_click(
    seen: tuple[OfflinePage, int, dict[str, list[Fit]]],
) -> None:
    page = seen[0].page
    for name in (name for name in TARGETS if name in seen[2]):
        target = page.locator(f".{class_of(name)} {TARGETS[name]}").first
        target.scroll_into_view_if_needed()
        target.click(position={"x": 12, "y": 12})
        before = scrolled(page)
        page.mouse.wheel(0, -160 if before > 400 else 160)
        page.wait_for_function("y => Math.round(scrollY) !== y", arg=before)


def test_what_a_view_is_about_is_large(
    seen: tuple[OfflinePage, int, dict[str, list[Fit]]],
) -> None:
    for name in (name for name in TARGETS if name in seen[2]):
        box = seen[0].page.locator(f".{class_of(name)} {TARGETS[name]}").first.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) > 150, f"{name}: {box}"


def test_with_ctrl_the_wheel_zooms_and_the_page_stays(
    seen: tuple[OfflinePage, int, dict[str, list[Fit]]],
) -> None:
    page = seen[0].page
    if "DecompositionTree" not in seen[2]:
        return  # it is on the other page
    window = page.locator(f".{class_of('DecompositionTree')} .hx-window")
    window.scroll_into_view_if_needed()
    window.hover(position={"x": 60, "y": 60})
    plane = window.locator(".hx-plane")
    before, where = plane.evaluate("node => node.style.transform"), scrolled(page)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    frames(page)
    assert plane.evaluate("node => node.style.transform") != before
    assert scrolled(page) == where
