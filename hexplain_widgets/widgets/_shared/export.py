"""Offline pages: a widget's saved state with everything that draws it, in one HTML file."""

from __future__ import annotations

import html
import json
import os
import re
import sys
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets
from ipywidgets.embed import dependency_state, embed_data
from jupyter_core.paths import jupyter_path

from ...evidence.files import replacing

OFFLINE = Path(__file__).parents[2] / "static" / "offline"
# Nothing may be fetched; views come from blob: addresses inside the page.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline' blob: data:;"
    " img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
)
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body data-base-url="">
<h1>{title}</h1>
<main></main>
{scripts}
</body>
</html>
"""


class Exportable:
    """Something on the screen that a page can show from a file."""

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return repr(self)

    @abstractmethod
    def snapshot(self) -> ipywidgets.DOMWidget:
        """Return a twin without a model, for pages where no kernel answers."""

    def export_html(self, path: str | Path, *, title: str | None = None) -> Path:
        """Write a page that shows this view from a file, without kernel and network."""
        twin = self.snapshot()
        try:
            return write_html(twin, path, title=title or self.title)
        finally:
            twin.close()


def write_html(widget: ipywidgets.DOMWidget, path: str | Path, *, title: str) -> Path:
    """Write a page that shows the widget from a file, without kernel and network.

    The page follows the reader's light or dark system theme. Raises FileNotFoundError where the
    folder, the built runtime or a widget library's browser part is missing.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"cannot write {target}: the folder {target.parent} was expected and does not exist;"
            " make it first, or name another"
        )
    # by default the state of every widget of the kernel would go into the page
    own = dependency_state([widget], drop_defaults=False)
    data = embed_data(views=[widget], drop_defaults=False, state=own)
    page = _PAGE.format(
        policy=html.escape(POLICY),
        title=html.escape(title),
        style=_runtime("runtime.css").replace("</style", "<\\/style"),
        scripts="\n".join(_scripts(data)),
    )
    with replacing(target) as partial:
        partial.write_text(page, encoding="utf-8")
    return target


def _scripts(data: dict[str, Any]) -> Iterator[str]:
    yield _script(_runtime("runtime.js"))
    models = data["manager_state"]["state"].values()
    names = {model["model_module"] for model in models}
    for name in sorted(n for n in names if not n.startswith("@jupyter-widgets/")):
        yield _script(f"(function (define) {{\n{_installed(name)}\n}})(hexplainDefine({name!r}));")
    yield _json("widget-state", data["manager_state"])
    for view in data["view_specs"]:
        yield _json("widget-view", view)


def _json(kind: str, value: Any) -> str:
    # no name from a user may end the element that holds it
    text = json.dumps(value).replace("<", "\\u003c")
    return f'<script type="application/vnd.jupyter.{kind}+json">{text}</script>'


def _script(code: str) -> str:
    lines = re.sub(r"^//# sourceMappingURL=.*$", "", code, flags=re.MULTILINE)
    harmless = re.sub(r"</(?=script)", r"<\\/", lines, flags=re.IGNORECASE)
    return f"<script>{harmless.replace('<!--', '<' + chr(92) + '!--')}</script>"


def _runtime(name: str) -> str:
    file = OFFLINE / name
    if not file.is_file():
        raise FileNotFoundError(
            f"the runtime of offline pages, {file}, was expected in the package and is missing;"
            " install the package again, or run `npm run build` in js/"
        )
    return file.read_text(encoding="utf-8")


def _installed(name: str) -> str:
    """Browser part of an installed widget library, as its nbextension carries it."""
    places = [*jupyter_path("nbextensions"), os.path.join(sys.prefix, "share/jupyter/nbextensions")]
    for place in places:
        file = Path(place) / name / "index.js"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise FileNotFoundError(
        f"the page needs the browser part of {name}, expected as {name}/index.js in a folder of"
        f" Jupyter's nbextensions and found in none of {places}; install {name} again"
    )
