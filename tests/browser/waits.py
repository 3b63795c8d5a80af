"""Waiting for states, never for a time: every limit here only ends a test that has failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page

# seconds until a state that did not come is a failure, on the busiest machine
PATIENCE = 90

# frames in a row without a change: more than the views wait before they act on a gesture
_STILL = """seconds => new Promise((done, fail) => {
  const root = document.querySelector(".jp-Notebook") ?? document.body, enough = 14;
  const end = Date.now() + 1000 * seconds;
  let left = enough, last = null;
  const watch = new MutationObserver(records => { left = enough; last = records.at(-1).target; });
  watch.observe(root, {
    subtree: true, childList: true, attributes: true, characterData: true,
  });
  const moves = one => one.playState === "running" && root.contains(one.effect?.target)
    && one.effect.getComputedTiming().endTime !== Infinity;
  const waits = one => one.checkVisibility();
  const step = () => {
    const busy = document.getAnimations().some(moves)
      || [...root.querySelectorAll(".hx-work, .hx-waiting")].some(waits);
    left = busy ? enough : left - 1;
    if (left > 0 && Date.now() < end) return requestAnimationFrame(step);
    watch.disconnect();
    if (left > 0) fail(new Error(`no rest, last at ${last?.cloneNode?.().outerHTML}`));
    else done();
  };
  step();
})"""


def still(page: Page) -> None:
    """Wait until no view waits for anything, no transition runs and the page no longer changes."""
    page.evaluate(_STILL, PATIENCE)


def until(page: Page, test: Callable[[], bool], what: str) -> None:
    """Wait, while the page's events come in, until a test is passed; raises AssertionError."""
    end = time.monotonic() + PATIENCE
    while not test():
        assert time.monotonic() < end, f"{what} did not come"
        page.wait_for_timeout(20)


def frames(page: Page, count: int = 3) -> None:
    """Wait until this many frames were drawn: what a view does with a frame, it has done then."""
    page.evaluate(
        "count => new Promise(done => { const step = () =>"
        " count-- > 0 ? requestAnimationFrame(step) : done(); step(); })",
        count,
    )


def picture(canvas: Locator) -> str:
    """What a canvas shows, as text that can be compared."""
    shown: str = canvas.evaluate("canvas => canvas.toDataURL()")
    return shown


def drawn(canvas: Locator, test: str) -> None:
    """Wait until a canvas passes a test, a JavaScript function of the element."""
    page, element = canvas.page, canvas.element_handle()
    page.wait_for_function(f"canvas => ({test})(canvas)", arg=element)


def drawn_anew(canvas: Locator, before: str) -> str:
    """Wait until a canvas shows another picture; return that."""
    drawn(canvas, f"canvas => canvas.toDataURL() !== {before!r}")
    return picture(canvas)


def processor_time(page: Page, script: str) -> tuple[float, Any]:
    """Milliseconds of processor time that the page's main thread spends on a script's work.

    To be printed, not asserted: on a busy machine the same work takes several times as long.
    """
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def spent() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(one["value"] for one in metrics if one["name"] == "ThreadTime")

    before = spent()
    result = page.evaluate(script)
    after = spent()
    session.detach()
    return after - before, result
