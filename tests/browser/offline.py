"""A page opened from `file://`, with everything that it asked for and complained of."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.waits import PATIENCE


class OfflinePage:
    """An offline page: `page` is Playwright's, `requests` and `errors` are lists of text."""

    def __init__(
        self,
        browser: Browser,
        path: Path,
        theme: str = "light",
        size: tuple[int, int] = (1280, 900),
    ) -> None:
        self.context = browser.new_context(
            color_scheme="dark" if theme == "dark" else "light",
            viewport={"width": size[0], "height": size[1]},
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(1000 * PATIENCE)
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]")

    @property
    def outside(self) -> list[str]:
        """Requests to anything but the page itself and what it holds."""
        inside = ("blob:", "data:", self.page.url)
        return [url for url in self.requests if not url.startswith(inside)]

    def close(self) -> None:
        """Close the page and forget its storage."""
        self.context.close()
