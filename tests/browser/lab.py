"""A real JupyterLab, driven as a person drives it: what the fixtures of this folder hand out."""

from __future__ import annotations

import ast
import itertools
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from jupyter_client.blocking import BlockingKernelClient
from playwright.sync_api import Browser, Locator

from tests.browser import kernels
from tests.browser.waits import PATIENCE, frames, still

REPOSITORY = Path(__file__).resolve().parents[2]
SCREENSHOTS = REPOSITORY / "screenshots"
Theme = Literal["light", "dark"]
Shown = TypeVar("Shown")

# the notebook in front
_PANEL = """
const app = window.jupyterapp;
const panel = app.shell.currentWidget;
"""
# in the kernel: what another notebook left there would come to the page again
_CLEARED = (
    "'ipywidgets' in __import__('sys').modules and __import__('ipywidgets').Widget.close_all()"
)
_OPEN = """async ([path, id]) => {
  const app = window.jupyterapp, before = [...app.shell.widgets("main")];
  const options = { path, factory: "Notebook", kernel: id ? { id } : undefined };
  const panel = await app.commands.execute("docmanager:open", options);
  for (const old of before) old.dispose();
  await panel.context.ready;
  await panel.revealed;
  await panel.sessionContext.ready;
}"""

# Asks a kernel for its widgets whenever it is joined to one, and once more in another way where
# the kernel leaves it waiting for four seconds: what it asks then comes when cells may run already,
# and makes their widgets a second time, one of them deaf to the kernel.
_MANAGER = f"""async () => {{ {_PANEL}
  await panel.sessionContext.ready;
  const mime = "application/vnd.jupyter.widget-view+json";
  const renderer = panel.content.rendermime.createRenderer(mime);
  window.manager = await renderer._manager.promise;
  renderer.dispose();
}}"""
_ASKED = f"""() => {{ {_PANEL}
  return panel.sessionContext.session.kernel.connectionStatus === "connected"
    && window.manager.restoredStatus && !window.manager._kernelRestoreInProgress;
}}"""

# Told twice that it has a kernel, JupyterLab's manager of widgets may call itself restored before
# it has read the file's models, and then gives up what it was asked to draw meanwhile. Such
# outputs are set again, which draws them anew; a model that is truly missing is missing again.
_GIVEN_UP = "model not found"
_DRAW_AGAIN = f"""() => {{ {_PANEL}
  for (const {{ outputArea: area }} of panel.content.widgets)
    if (area?.node.textContent.includes("{_GIVEN_UP}")) area.model.fromJSON(area.model.toJSON());
}}"""

# anywidget's word of a model that took two seconds to initialize; `hearing.ts` mends what it breaks
_LATE = "[anywidget] Failed to initialize model"

# whether the style sheet of a dark theme is in force, or of a light one
_ON_GROUND = """dark => {
  const probe = document.createElement("i");
  probe.style.color = "var(--jp-layout-color0)";
  document.body.append(probe);
  const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).map(Number);
  probe.remove();
  return (r + g + b < 384) === dark;
}"""


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
        kernel = folder / "data" / "kernels" / "python3"
        kernel.mkdir(parents=True)
        (kernel / "kernel.json").write_text(json.dumps(kernels.spec(folder)))
        forks = [sys.executable, "-P", "-m", kernels.__name__]
        self.processes = [self._start(command, folder) for command in (forks, self._command())]

    def _start(self, command: list[str], folder: Path) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=folder, env=self._environment(folder), stdout=log, stderr=log
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
        here = {"PYTHONPATH": str(REPOSITORY)}  # kernels import the tests' builders
        return {**kept, **here, **{name: str(folder / sub) for name, sub in own.items()}}

    def api(self, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any:
        """Answer of the server's REST interface, for example `api("sessions")`."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or b"null")

    def wait(self, seconds: float = 4 * PATIENCE) -> None:
        """Return once the server answers; raises RuntimeError with its log when it does not."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and all(one.poll() is None for one in self.processes):
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
        for process in self.processes:
            process.terminate()
            process.wait(PATIENCE)


class Desk:
    """JupyterLab in one page, with one notebook at a time in front and a kernel that is kept warm.

    To load the page and to import the package take far longer than a test: notebooks follow each
    other on one page, and share one kernel unless they ask for their own.
    """

    def __init__(self, lab: Lab, browser: Browser) -> None:
        self.lab = lab
        self.page = browser.new_page()
        self.page.set_default_timeout(1000 * PATIENCE)
        self.errors: list[str] = []
        self.outside: list[str] = []
        self._numbers = itertools.count(1)
        self._kernel: str | None = None
        self._clients: dict[str, BlockingKernelClient] = {}
        self._spoiled = False
        self._shared: tuple[list[str], Notebook, Any] | None = None
        self.page.on("pageerror", lambda error: self._complain(str(error)))
        self.page.on("console", lambda m: self._complain(m.text) if m.type == "error" else None)
        self.page.on("request", lambda request: self._note(request.url))
        lab.wait()
        self._warm()  # it starts while the page loads
        self.load()

    def _complain(self, text: str) -> None:
        if _LATE not in text:
            self.errors.append(text)

    def _note(self, url: str) -> None:
        home = (self.lab.url, self.lab.url.replace("http", "ws"), "data:", "blob:", "about:")
        if not url.startswith(home):
            self.outside.append(url)

    def load(self, name: str = "") -> None:
        """Load the page, with a notebook in front if one is named."""
        tree = f"/tree/{name}" if name else ""
        self.away()
        workspace = f"{self.lab.url}/lab/workspaces/{secrets.token_hex(4)}"
        self.page.goto(f"{workspace}{tree}?token={self.lab.token}")
        ready = "window.jupyterapp && window.jupyterapp.shell.currentWidget"
        self.page.wait_for_function(f"{ready}?.context?.isReady" if name else ready)
        self.page.evaluate(
            f"async () => {{ {_PANEL} await app.restored; app.shell.collapseLeft(); }}"
        )
        self.page.add_style_tag(content=".Toastify { display: none }")  # JupyterLab's own news

    def open(self, cells: list[str]) -> Notebook:
        """Write a notebook of these code cells and put it in front, in place of the one before."""
        name = self.new_name()
        (self.lab.root / name).write_text(json.dumps(_written(cells)))
        kernel = self._warm()
        self.ask(kernel, _CLEARED)
        return self.show(name, kernel)

    def show(self, name: str, kernel: str | None = None) -> Notebook:
        """Put a file of the server's folder in front, with this kernel or one of its own."""
        self.page.set_viewport_size({"width": 1400, "height": 1000})
        self.page.emulate_media(reduced_motion="no-preference")
        self.away()
        self.put(name, kernel)
        shown = Notebook(self, name)
        shown.wait_restored()
        shown.theme("light")
        self.errors.clear()
        return shown

    def away(self) -> None:
        """Take the pointer off everything: left where it was, it looks at whatever comes there."""
        self.page.mouse.move(0, 0)

    def shared(self, cells: list[str], shown: Callable[[Notebook], Shown]) -> Shown:
        """What `shown` makes of a notebook of these cells: the one in front, where it made that.

        Where a test has spoiled that one, its cells run again.
        """
        if self._shared is None or self._shared[0] != cells:
            notebook = self.open(cells)
            self._shared = (cells, notebook, shown(notebook))
        elif self._spoiled:
            notebook = self._shared[1]
            notebook.clear()
            self._shared = (cells, notebook, shown(notebook))
        self._spoiled = False
        kept: Shown = self._shared[2]
        return kept

    def alone(self, cells: list[str], shown: Callable[[Notebook], Shown]) -> Shown:
        """The same, as new, for a test that leaves it otherwise than it was."""
        self._spoiled = self._shared is not None
        made = self.shared(cells, shown)
        self._spoiled = True
        return made

    def forget(self) -> None:
        """Share the notebook in front no longer."""
        self._shared, self._spoiled = None, False

    def new_name(self) -> str:
        """Name of a file that no notebook has yet."""
        return f"test{next(self._numbers)}.ipynb"

    def put(self, name: str, kernel: str | None = None) -> None:
        """Put a file in front, with this kernel or a new one; what was there is closed."""
        self.forget()
        self.page.evaluate(_OPEN, [name, kernel])
        for session in self.lab.api("sessions"):
            if session["path"] != name and session["kernel"]["id"] != self._kernel:
                self.lab.api(f"sessions/{session['id']}", "DELETE")

    def _warm(self) -> str:
        if self._kernel not in [kernel["id"] for kernel in self.lab.api("kernels")]:
            self._kernel = self.lab.api("kernels", "POST", {"name": "python3"})["id"]
        assert self._kernel is not None
        return self._kernel

    def ask(self, kernel: str, expression: str, seconds: float = PATIENCE) -> Any:
        """Value of a Python expression in a kernel, as a literal.

        Goes past the browser, through the kernel's own connection file.
        """
        reply = self._client(kernel).execute(
            "",
            user_expressions={"asked": f"repr({expression})"},
            store_history=False,
            reply=True,
            timeout=seconds,
        )
        answer = reply["content"]["user_expressions"]["asked"]
        if answer["status"] != "ok":
            raise AssertionError(f"{expression}: {answer['ename']}: {answer['evalue']}")
        return ast.literal_eval(ast.literal_eval(answer["data"]["text/plain"]))

    def _client(self, kernel: str) -> BlockingKernelClient:
        if kernel not in self._clients:
            client = BlockingKernelClient()
            client.load_connection_file(str(self.lab.runtime / f"kernel-{kernel}.json"))
            client.start_channels(iopub=False, stdin=False, hb=False, control=False)
            self._clients[kernel] = client
        return self._clients[kernel]

    def close(self) -> None:
        """Close the page."""
        for client in self._clients.values():
            client.stop_channels()
        self.page.close()


class Notebook:
    """The notebook in front, with its page, kernel and what the browser complained of.

    `page` is Playwright's page for everything not named here; `errors` lists the messages of
    uncaught exceptions and of `console.error` since it was opened, `outside` the requests of the
    whole session to anything but this server.
    """

    def __init__(self, desk: Desk, name: str) -> None:
        self.desk, self.lab, self.page, self.name = desk, desk.lab, desk.page, name
        self.errors, self.outside = desk.errors, desk.outside
        self._kernel: str | None = None

    def run_all(self, seconds: float = 4 * PATIENCE) -> None:
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

    def clear(self) -> None:
        """Take away all outputs and the widgets in them, as before the cells ran."""
        self.kernel(_CLEARED)
        self.wait_heard()
        self.desk.away()
        self.page.evaluate(
            "() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"
        )
        self.page.emulate_media(reduced_motion="no-preference")
        self.theme("light")
        self.errors.clear()

    def wait_idle(self, seconds: float = PATIENCE) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status"
            " === 'idle'",
            timeout=seconds * 1000,
        )

    def wait_heard(self) -> None:
        """Wait until the page has taken up everything that the kernel has said so far."""
        self.page.evaluate(
            f"() => {{ {_PANEL} return panel.sessionContext.session.kernel.requestExecute("
            "{ code: '', silent: true, store_history: false }).done; }"
        )

    def reset(self, expression: str) -> None:
        """Bring views back by an expression in the kernel, once it has heard all from the page.

        What an earlier test did last may still be held back in the page until the kernel has
        answered what came before.
        """
        for _ in range(2):
            self.wait_heard()
        self.kernel(expression)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Keep the kernel at work meanwhile, as a long cell does."""
        kernel = self._session()["kernel"]["id"]
        self.page.evaluate(
            f"() => {{ {_PANEL} panel.sessionContext.session.kernel.requestExecute("
            f"{{ code: '__import__(\"time\").sleep({PATIENCE})' }}); }}"
        )
        try:
            yield
        finally:
            self.lab.api(f"kernels/{kernel}/interrupt", "POST")

    def wait_restored(self) -> None:
        """Wait until the page shows what the file has, with a kernel it was just joined to."""
        self.page.evaluate(_MANAGER)
        for _ in range(2):  # the news of a connection may have it ask anew
            self.page.wait_for_function(_ASKED)
            self.wait_heard()
        self.page.wait_for_function(_ASKED)
        self.page.evaluate(_DRAW_AGAIN)

    def settled(self) -> None:
        """Wait until the page knows what the kernel knows, no view waits, and nothing moves."""
        self.wait_heard()
        still(self.page)

    def _session(self) -> dict[str, Any]:
        found = [s for s in self.lab.api("sessions") if s["path"] == self.name]
        if not found:
            raise AssertionError(f"{self.name} has no kernel")
        session: dict[str, Any] = found[0]
        return session

    def kernel(self, expression: str, seconds: float = PATIENCE) -> Any:
        """Value of a Python expression in this notebook's kernel, as a literal."""
        if self._kernel is None:
            self._kernel = self._session()["kernel"]["id"]
        return self.desk.ask(self._kernel, expression, seconds)

    def wait_kernel(self, expression: str, expected: Any, seconds: float = PATIENCE) -> None:
        """Wait until the expression has this value in the kernel; raises AssertionError."""
        end = time.monotonic() + seconds
        while (value := self._so_far(expression)) != expected:
            if time.monotonic() > end:
                raise AssertionError(f"{expression} stayed {value!r}, expected {expected!r}")
            self.page.wait_for_timeout(20)

    def _so_far(self, expression: str) -> Any:
        try:
            return self.kernel(expression)
        except AssertionError as error:  # a key, for example, that is not there yet
            return error

    def outputs(self) -> Locator:
        """The areas under the cells in which widgets are drawn."""
        return self.page.locator(".jp-Cell-outputArea")

    def assert_no_command(self, *keys: str) -> None:
        """Press keys, none of which may add a cell to the notebook or take one away."""
        cells = self.page.locator(".jp-Notebook-cell").count()
        for key in keys:
            self.page.keyboard.press(key)
        frames(self.page)
        assert self.page.locator(".jp-Notebook-cell").count() == cells

    def theme(self, which: Theme) -> None:
        """Switch JupyterLab's theme through its settings, and wait until it shows."""
        name = f"JupyterLab {which.capitalize()}"
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})",
            name,
        )
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)
        self.page.wait_for_function(_ON_GROUND, arg=which == "dark")

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

    def reopen(self) -> None:
        """Close the notebook and open the file again as it was saved, with a kernel of its own.

        Like a reload on the next day, without loading JupyterLab itself again.
        """
        saved = self.lab.root / self.name
        self.name = self.desk.new_name()
        (self.lab.root / self.name).write_bytes(saved.read_bytes())
        self._kernel = None
        self.desk.put(self.name)
        self.wait_restored()

    def reload(self) -> None:
        """End the kernel, as after a night, and load the page again."""
        self.lab.api(f"sessions/{self._session()['id']}", "DELETE")
        self._kernel = None
        self.desk.forget()
        self.desk.load(self.name)
        self.page.evaluate(f"() => {{ {_PANEL} return panel.sessionContext.ready; }}")
        self.wait_restored()

    def restart_kernel(self) -> None:
        """Restart the kernel under the open page: its variables are gone, the views stay."""
        self.desk.forget()
        self.page.evaluate(
            f"() => {{ {_PANEL} return panel.sessionContext.session.kernel.restart(); }}"
        )
        self.wait_idle()


def button(inside: Locator, name: str) -> Locator:
    """The button of exactly this name."""
    return inside.get_by_role("button", name=name, exact=True)


def _written(cells: list[str]) -> dict[str, Any]:
    """A notebook of code cells that has not run."""
    code = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    return {
        "cells": [{**code, "id": f"cell{at}", "source": cell} for at, cell in enumerate(cells)],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
