"""What stands where the browser is, in tests of the kernel's side of a view."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Sequence
from typing import Any

from ipywidgets.widgets.widget import _put_buffers, _remove_buffers

from hexplain_widgets.widgets._shared.view import View


class Answers:
    """Stands where the browser is: sends messages and keeps the answers."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.said: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._next = 0
        view.send = self._keep  # type: ignore[method-assign]

    def _keep(self, message: dict[str, Any], buffers: object = None) -> None:
        with self._news:
            self.said.append(message)
            self._news.notify_all()

    def send(self, kind: str, buffers: Sequence[Any] = (), **fields: Any) -> int:
        self._next += 1
        tell(self.view, {"kind": kind, "id": self._next, **fields}, buffers)
        return self._next

    def to(self, number: int) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [m for m in self.said if m["id"] == number and m["kind"] != "accepted"]

        with self._news:
            assert self._news.wait_for(found, 20), self.said
            return found()[0]

    def ask(self, kind: str, buffers: Sequence[Any] = (), **fields: Any) -> dict[str, Any]:
        return self.to(self.send(kind, buffers, **fields))


def tell(widget: Any, content: dict[str, Any], buffers: Sequence[Any] = ()) -> None:
    """Bring a widget a message of its own as the browser does."""
    data = {"method": "custom", "content": content}
    widget.comm.handle_msg({"content": {"data": data}, "buffers": list(buffers)})


def to_the_browser_and_back(state: dict[str, Any]) -> dict[str, Any]:
    """Return what becomes of a view's state on its way: text, and bytes beside it."""
    _, paths, buffers = _remove_buffers(copy.deepcopy(state))
    back = json.loads(as_text(state))
    _put_buffers(back, paths, [bytes(buffer) for buffer in buffers])
    return back


def as_text(state: dict[str, Any]) -> str:
    """Return what of a state goes as text."""
    return json.dumps(_remove_buffers(copy.deepcopy(state))[0])
