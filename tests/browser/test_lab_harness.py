"""The harness itself, on the smallest widget there is."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Desk, Lab, Notebook
from tests.browser.waits import until

COUNTER = '''
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = """
    export default { render({ model, el }) {
      const button = document.createElement("button");
      button.className = "counter";
      const show = () => { button.textContent = "count " + model.get("value"); };
      button.onclick = () => { model.set("value", model.get("value") + 1); model.save_changes(); };
      model.on("change:value", show);
      show();
      el.append(button);
    } };
    """
    value = traitlets.Int(0).tag(sync=True)

w = Counter()
'''


CELLS = [COUNTER, "w"]


def started(notebook: Notebook) -> Notebook:
    notebook.run_all()
    notebook.page.wait_for_selector(".counter")
    return notebook


@pytest.fixture
def counter(desk: Desk) -> Notebook:
    shared = desk.shared(CELLS, started)
    shared.kernel("setattr(w, 'value', 0)")
    expect(shared.page.locator(".counter")).to_have_text("count 0")
    return shared


@pytest.fixture
def alone(desk: Desk) -> Notebook:
    return desk.alone(CELLS, started)


def test_a_click_in_the_browser_changes_the_value_in_the_kernel(counter: Notebook) -> None:
    counter.page.click(".counter")
    counter.wait_kernel("w.value", 1)
    expect(counter.page.locator(".counter")).to_have_text("count 1")


def test_a_value_set_in_the_kernel_reaches_the_view(counter: Notebook) -> None:
    counter.kernel("setattr(w, 'value', 7)")
    expect(counter.page.locator(".counter")).to_have_text("count 7")


def test_the_page_has_heard_what_the_kernel_said(counter: Notebook) -> None:
    for value in (3, 5, 9):
        counter.kernel(f"setattr(w, 'value', {value})")
        counter.wait_heard()
        assert counter.page.text_content(".counter") == f"count {value}"


def test_a_notebook_is_shared_until_another_is_in_front(desk: Desk) -> None:
    first = desk.shared(CELLS, started)
    assert desk.shared(CELLS, started) is first
    desk.open(["1"])
    assert desk.shared(CELLS, started) is not first


def test_a_notebook_that_was_spoiled_is_as_new_for_the_next(desk: Desk) -> None:
    spoiled = desk.alone(CELLS, started)
    spoiled.kernel("setattr(w, 'value', 7)")
    expect(spoiled.page.locator(".counter")).to_have_text("count 7")
    assert desk.shared(CELLS, started) is spoiled
    expect(spoiled.page.locator(".counter")).to_have_text(["count 0"])


def test_a_kernel_that_is_ended_leaves_no_process(lab: Lab, desk: Desk) -> None:
    kernel = lab.api("kernels", "POST", {"name": "python3"})["id"]
    process = desk.ask(kernel, "__import__('os').getpid()")
    os.kill(process, 0)
    lab.api(f"kernels/{kernel}", "DELETE")
    with pytest.raises(ProcessLookupError):
        until(desk.page, lambda: os.kill(process, 0) is not None, "its end")


def test_the_page_asks_nothing_of_the_outside(counter: Notebook) -> None:
    assert counter.outside == []


def test_the_theme_switches_to_dark_and_back(counter: Notebook) -> None:
    counter.theme("dark")
    assert counter.page.evaluate("document.body.dataset.jpThemeLight") == "false"
    counter.theme("light")
    assert counter.page.evaluate("document.body.dataset.jpThemeLight") == "true"


def test_a_saved_notebook_holds_the_state_of_its_widgets(counter: Notebook) -> None:
    counter.page.click(".counter")
    counter.wait_kernel("w.value", 1)
    saved = counter.save()["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]
    assert 1 in [model["state"].get("value") for model in saved["state"].values()]


def test_a_reloaded_page_shows_the_saved_view_without_its_kernel(alone: Notebook) -> None:
    alone.page.click(".counter")
    alone.wait_kernel("w.value", 1)
    alone.save()
    alone.reload()
    expect(alone.page.locator(".counter")).to_have_text("count 1")


def test_a_notebook_opened_again_shows_the_saved_view_with_a_kernel_of_its_own(
    alone: Notebook,
) -> None:
    alone.page.click(".counter")
    alone.wait_kernel("w.value", 1)
    alone.save()
    alone.reopen()
    expect(alone.page.locator(".counter")).to_have_text("count 1")
    assert alone.kernel("'w' in globals()") is False


def test_a_restarted_kernel_forgets_while_the_view_stays(alone: Notebook) -> None:
    alone.restart_kernel()
    assert alone.kernel("'w' in globals()") is False
    assert alone.page.locator(".counter").count() == 1


def test_a_failing_cell_is_reported_with_its_error(
    open_notebook: Callable[[list[str]], Notebook],
) -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        open_notebook(["1 / 0"]).run_all()


def test_a_screenshot_is_written_beside_the_sources(counter: Notebook) -> None:
    path = counter.screenshot("harness")
    assert path.read_bytes().startswith(b"\x89PNG")
