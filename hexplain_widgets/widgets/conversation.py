"""The talk between a view and its kernel: every message is answered, with a result or an error."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

Content = Mapping[str, Any]
Handler = Callable[[Content], Mapping[str, Any]]

EXPECTED = (ValueError, IndexError, KeyError, TypeError, RuntimeError)
log = logging.getLogger(__name__)


class Conversation:
    """Answers a view's messages one after the other on a thread of its own.

    A message is `{kind, id, ...}`. It is acknowledged at once, so that the view knows that the
    kernel lives, and answered when its handler is done. `cancel` names an id in `of`: what waits
    is dropped, the result of what runs is not sent.
    """

    def __init__(self, handlers: Mapping[str, Handler], send: Callable[[dict[str, Any]], None]):
        self._handlers = handlers
        self._send = send
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hexplain-view")
        self._waiting: dict[int, Future[None]] = {}
        self._lock = threading.Lock()

    def receive(self, content: object) -> None:
        """Take one message; never raises, for there is nobody to catch it."""
        number = content.get("id") if isinstance(content, dict) else None
        try:
            kind, number = self._envelope(content)
        except ValueError as error:
            self._answer(number if _whole(number) else None, "error", text=str(error))
            return
        assert_content: Content = content  # type: ignore[assignment]
        if kind == "cancel":
            self._cancel(number, assert_content.get("of"))
        else:
            self._submit(number, self._handlers[kind], assert_content)

    def close(self) -> None:
        """Drop what waits and let the thread end."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _envelope(self, content: object) -> tuple[str, int]:
        known = ", ".join([*self._handlers, "cancel"])
        if not isinstance(content, dict):
            raise ValueError(
                f"The view sent a {type(content).__name__}; a message is an object with kind and id;"
                " reload the page so that view and kernel are of one version."
            )
        kind, number = content.get("kind"), content.get("id")
        if not isinstance(kind, str) or (kind not in self._handlers and kind != "cancel"):
            raise ValueError(
                f"The view sent a message of kind {kind!r:.60}; known kinds are {known};"
                " reload the page so that view and kernel are of one version."
            )
        if not _whole(number):
            raise ValueError(
                f"The view sent {kind!r} with id {number!r:.60}; an id is a whole number;"
                " reload the page so that view and kernel are of one version."
            )
        return kind, int(number)  # type: ignore[arg-type]

    def _submit(self, number: int, handler: Handler, content: Content) -> None:
        self._answer(number, "accepted")
        with self._lock:
            self._waiting[number] = self._worker.submit(self._work, number, handler, content)

    def _work(self, number: int, handler: Handler, content: Content) -> None:
        try:
            answer, fields = "result", dict(handler(content))
        except Exception as error:
            if not isinstance(error, EXPECTED):
                log.exception("a message of the view could not be answered")
            answer, fields = "error", {"text": _lesson(error)}
        with self._lock:
            wanted = self._waiting.pop(number, None) is not None
        if wanted:
            self._answer(number, answer, **fields)

    def _cancel(self, number: int, other: object) -> None:
        with self._lock:
            future = self._waiting.pop(other, None) if _whole(other) else None  # type: ignore[call-overload]
        if future is not None:
            future.cancel()
        self._answer(number, "result", cancelled=future is not None)

    def _answer(self, number: object, kind: str, **fields: object) -> None:
        self._send({"kind": kind, "id": number, **fields})


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _lesson(error: Exception) -> str:
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return text or f"The kernel stopped with {type(error).__name__}; see its log, and try again."
