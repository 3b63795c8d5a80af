"""Fixtures for tests in a real browser and a real JupyterLab.

All tests of a worker share one page of JupyterLab and one kernel (`desk`, see `lab.py`).
`open_notebook(cells)` writes a notebook of these code cells, puts it in front and returns a
`Notebook`: `run_all()`, `kernel("w.value")`, `wait_kernel("w.value", 3)`, `settled()`,
`theme("dark")`, `screenshot("name")`, `save()`, `reopen()`, `reload()`, `restart_kernel()`, `page`,
`errors`, `outside`. `desk.shared(cells, opened)` is the notebook that many tests of a file look at.
`open_page(path)` opens an offline page from `file://`. Tests wait for states (`waits.py`), never
for a time. Without a browser all of them skip, or fail where CI is set.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.lab import Desk, Lab, Notebook
from tests.browser.offline import OfflinePage
from tests.browser.waits import PATIENCE

expect.set_options(timeout=1000 * PATIENCE)

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Files that take a minute and more, the longest first.
LONG = (
    *("test_layer_heatmaps", "test_channel_views", "test_neuron_concept_graph"),
    *("test_decomposition_tree", "test_inference_space", "test_concept_views"),
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder as one that drives a browser, and has time for it.

    In each file those that look at the shared notebook come first, for they follow each other
    quickly; those that spoil it are next, and those that open others last. Files that take long
    come before others, so that no worker is left alone with one at the end.
    """
    here = Path(__file__).parent
    own = [item for item in items if here in item.path.parents]
    for item in own:
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.timeout(15 * PATIENCE))
    files = sorted(dict.fromkeys(item.path for item in own), key=_begins_late)
    ordered = iter(sorted(own, key=lambda item: (files.index(item.path), _spoils(item))))
    items[:] = [next(ordered) if here in item.path.parents else item for item in items]


def _begins_late(file: Path) -> int:
    return LONG.index(file.stem) if file.stem in LONG else len(LONG)


def _spoils(item: pytest.Item) -> int:
    names = getattr(item, "fixturenames", ())
    return 2 * ("open_notebook" in names) + ("alone" in names)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Leave nothing of a test that failed to the next one."""
    report = yield
    desk = getattr(item, "funcargs", {}).get("desk")
    if report.failed and desk is not None:
        desk.forget()
    return report


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the machine's browser; skips where there is none, fails where CI is set."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    reason = f"no browser: none of {', '.join(NAMES)} is on the PATH"
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """A headless browser for all tests."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, args=list(FLAGS), timeout=1000 * PATIENCE
        )
        yield running
        running.close()


@pytest.fixture(scope="session")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab server for all tests, with a random token and JUPYTER_* folders of its own.

    It starts while the browser does: `Lab.wait` says when it is there.
    """
    server = Lab(tmp_path_factory.mktemp("lab"))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def desk(lab: Lab, browser: Browser) -> Iterator[Desk]:
    """JupyterLab in a page for all tests: see `Desk.open` and `Desk.shared`."""
    page = Desk(lab, browser)
    yield page
    page.close()


@pytest.fixture
def open_notebook(desk: Desk) -> Callable[[list[str]], Notebook]:
    """A function that opens a notebook of the given code cells, for one test alone."""
    return desk.open


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., OfflinePage]]:
    """A function that opens an HTML file from `file://`; `theme="dark"` is the reader's wish."""
    opened: list[OfflinePage] = []

    def start(path: Path, theme: str = "light") -> OfflinePage:
        opened.append(OfflinePage(browser, path, theme))
        return opened[-1]

    yield start
    for page in opened:
        page.close()
