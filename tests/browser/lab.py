"""A real JupyterLab, driven as a person drives it: what the fixtures of this folder hand out."""

from __future__ import annotations

import ast
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Literal

import nbformat
from jupyter_client.blocking import BlockingKernelClient
from playwright.sync_api import Browser, Locator, Page

REPOSITORY = Path(__file__).resolve().parents[2]
SCREENSHOTS = REPOSITORY / "screenshots"
Theme = Literal["light", "dark"]

# the notebook in front, once it and its kernel are ready
_PANEL = """
const app = window.jupyterapp;
const panel = app.shell.currentWidget;
"""


class Lab:
    """A JupyterLab server on loopback with a token and settings of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "notebooks"
        self.runtime = folder / "runtime"
        self.log = folder / "server.log"
        self.token = secrets.token_hex(16)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.root.mkdir(parents=True)
        settings = folder / "settings" / "@jupyter-widgets" / "jupyterlab-manager"
        settings.mkdir(parents=True)
        # off in a fresh JupyterLab: the state of widgets is saved with the notebook
        (settings / "plugin.jupyterlab-settings").write_text('{"saveState": true}')
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command(), env=self._environment(folder), stdout=log, stderr=log
            )

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.root}",
            f"--IdentityProvider.token={self.token}",
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]

    def _environment(self, folder: Path) -> dict[str, str]:
        own = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "ANYWIDGET"))}
        return {**kept, **{name: str(folder / sub) for name, sub in own.items()}}

    def api(self, path: str, method: str = "GET") -> Any:
        """Answer of the server's REST interface, for example `api("sessions")`."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            method=method,
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def wait(self, seconds: float = 60) -> None:
        """Return once the server answers; raises RuntimeError with its log when it does not."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.api("status")
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        """End all kernels and the server."""
        for kernel in self.api("kernels"):
            self.api(f"kernels/{kernel['id']}", "DELETE")
        self.process.terminate()
        self.process.wait(20)

    def open(self, browser: Browser, cells: list[str], name: str = "test.ipynb") -> Notebook:
        """Write a notebook of these code cells and open it in a page of its own."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, self.root / name)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(20_000)
        return Notebook(self, page, name)


class Notebook:
    """One notebook open in JupyterLab, with its page, kernel and what the browser complained of.

    `page` is Playwright's page for everything not named here; `errors` lists the messages of
    uncaught exceptions and of `console.error`, `outside` the requests to anything but this server.
    """

    def __init__(self, lab: Lab, page: Page, name: str) -> None:
        self.lab, self.page, self.name = lab, page, name
        self.errors: list[str] = []
        self.outside: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("request", lambda request: self._note(request.url))
        page.goto(f"{lab.url}/lab/workspaces/{secrets.token_hex(4)}/tree/{name}?token={lab.token}")
        self._ready()
        self.theme("light")

    def _note(self, url: str) -> None:
        home = (self.lab.url, self.lab.url.replace("http", "ws"), "data:", "blob:", "about:")
        if not url.startswith(home):
            self.outside.append(url)

    def _ready(self) -> None:
        self.page.wait_for_function(
            "window.jupyterapp && window.jupyterapp.shell.currentWidget?.context?.isReady"
        )
        self.page.evaluate(
            f"async () => {{ {_PANEL} await app.restored; await panel.revealed;"
            " await panel.sessionContext.ready; app.shell.collapseLeft(); }"
        )
        self.wait_idle()

    def run_all(self, seconds: float = 120) -> None:
        """Run every cell and wait for the last; raises AssertionError when a cell fails."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.wait_idle(seconds)
        failed = self.page.evaluate(
            f"() => {{ {_PANEL} return panel.content.widgets.flatMap(c =>"
            " c.model.type === 'code' ? c.model.outputs.toJSON() : [])"
            ".filter(o => o.output_type === 'error').map(o => o.ename + ': ' + o.evalue); }"
        )
        if failed:
            raise AssertionError(f"cells of {self.name} failed: {failed}")

    def wait_idle(self, seconds: float = 60) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status"
            " === 'idle'",
            timeout=seconds * 1000,
        )

    def _session(self) -> dict[str, Any]:
        found = [s for s in self.lab.api("sessions") if s["path"] == self.name]
        if not found:
            raise AssertionError(f"{self.name} has no kernel")
        session: dict[str, Any] = found[0]
        return session

    def kernel(self, expression: str, seconds: float = 20) -> Any:
        """Value of a Python expression in this notebook's kernel, as a literal.

        Goes past the browser, through the kernel's own connection file.
        """
        client = BlockingKernelClient()
        kernel = self._session()["kernel"]["id"]
        client.load_connection_file(str(self.lab.runtime / f"kernel-{kernel}.json"))
        client.start_channels()
        try:
            client.wait_for_ready(timeout=seconds)
            reply = client.execute(
                "",
                user_expressions={"asked": f"repr({expression})"},
                store_history=False,
                reply=True,
                timeout=seconds,
            )
        finally:
            client.stop_channels()
        answer = reply["content"]["user_expressions"]["asked"]
        if answer["status"] != "ok":
            raise AssertionError(f"{expression}: {answer['ename']}: {answer['evalue']}")
        return ast.literal_eval(ast.literal_eval(answer["data"]["text/plain"]))

    def wait_kernel(self, expression: str, expected: Any, seconds: float = 10) -> None:
        """Wait until the expression has this value in the kernel; raises AssertionError."""
        end = time.monotonic() + seconds
        while (value := self.kernel(expression)) != expected:
            if time.monotonic() > end:
                raise AssertionError(f"{expression} stayed {value!r}, expected {expected!r}")
            self.page.wait_for_timeout(50)

    def outputs(self) -> Locator:
        """The areas under the cells in which widgets are drawn."""
        return self.page.locator(".jp-Cell-outputArea")

    def theme(self, which: Theme) -> None:
        """Switch JupyterLab's theme through its settings, and wait until it shows."""
        name = f"JupyterLab {which.capitalize()}"
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})",
            name,
        )
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)

    def screenshot(self, name: str, of: Locator | None = None) -> Path:
        """Write `screenshots/<name>.png` of the page or of one element; return where."""
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        if of is None:
            self.page.screenshot(path=path)
        else:
            of.screenshot(path=path)
        return path

    def save(self) -> dict[str, Any]:
        """Save with the state of the widgets, wait for it, and return the file's JSON."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        self.page.wait_for_function(
            "() => !window.jupyterapp.shell.currentWidget.context.model.dirty"
        )
        saved: dict[str, Any] = json.loads((self.lab.root / self.name).read_text())
        return saved

    def reload(self, *, kernel: bool = True) -> None:
        """Load the page again; `kernel=False` ends the kernel first, as after a night."""
        if not kernel:
            self.lab.api(f"sessions/{self._session()['id']}", "DELETE")
        self.page.reload()
        self._ready()

    def restart_kernel(self) -> None:
        """Restart the kernel under the open page: its variables are gone, the views stay."""
        self.page.evaluate(
            f"() => {{ {_PANEL} return panel.sessionContext.session.kernel.restart(); }}"
        )
        self.wait_idle()

    def close(self) -> None:
        """Close the page and end the kernel."""
        for session in self.lab.api("sessions"):
            if session["path"] == self.name:
                self.lab.api(f"sessions/{session['id']}", "DELETE")
        self.page.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
