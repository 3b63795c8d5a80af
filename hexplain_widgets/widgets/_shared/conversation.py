"""The talk between a view and its kernel: every message is answered, with a result or an error."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from ...arguments import SlowBar, heard
from ...arguments import Stop as Stop
from .state import whole

T = TypeVar("T")
Content = Mapping[str, Any]
Handler = Callable[[Content, Stop], Mapping[str, Any]]

EXPECTED = (ValueError, IndexError, TypeError, RuntimeError)
RELOAD = "reload the page so that view and kernel are of one version"
SIGN_OF_LIFE = 0.5  # seconds between two words on the same work
log = logging.getLogger(__name__)


class Conversation:
    """Answers a view's messages one after the other on a thread of its own.

    A message is `{kind, id, ...}`. It is acknowledged at once, so that the view knows that the
    kernel lives, and answered when its handler is done; what takes long is acknowledged again and
    again, with how far it is wherever a bar counts that. `cancel` names an id in `of`: what waits
    is dropped, what runs is told to stop by its `stopped`, or ended where it counts, and is not
    answered.
    """

    def __init__(
        self, handlers: Mapping[str, Handler], send: Callable[[dict[str, Any]], None]
    ) -> None:
        self._handlers = handlers
        self._send = send
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hexplain-view")
        self._pending: set[int] = set()
        self._lock = threading.Lock()

    def receive(self, content: object) -> None:
        """Take one message; never raises, for there is nobody to catch it."""
        try:
            message = self._checked(content)
        except ValueError as error:
            self._send({"kind": "error", "id": _number_of(content), "text": str(error)})
            return
        kind, number = message["kind"], message["id"]
        if kind == "cancel":
            self._cancel(number, message.get("of"))
        else:
            self._start(number, partial(self._handlers[kind], message))

    def close(self) -> None:
        """Drop what waits, stop what runs, and let the thread end."""
        with self._lock:
            self._pending.clear()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _checked(self, content: object) -> Content:
        if not isinstance(content, dict):
            raise ValueError(
                f"got a {type(content).__name__} from the view;"
                f" expected an object with kind and id; {RELOAD}"
            )
        known = [*self._handlers, "cancel"]
        if content.get("kind") not in known:
            raise ValueError(
                f"got a message of kind {content.get('kind')!r:.60} from the view;"
                f" expected one of {', '.join(known)}; {RELOAD}"
            )
        if _number_of(content) is None:
            raise ValueError(
                f"got the id {content.get('id')!r:.60} from the view;"
                f" expected a whole number; {RELOAD}"
            )
        return content

    def _start(self, number: int, work: Callable[[Stop], Mapping[str, Any]]) -> None:
        with self._lock:
            self._pending.add(number)
        self._send({"kind": "accepted", "id": number})
        try:
            self._worker.submit(self._work, number, work)
        except RuntimeError:  # the view was closed while its message was under way
            self._answer(
                number, "error", {"text": f"the view was closed; expected it open; {RELOAD}"}
            )

    def _work(self, number: int, work: Callable[[Stop], Mapping[str, Any]]) -> None:
        try:
            if number in self._pending:
                with heard(self._teller(number)):
                    fields = work(lambda: number not in self._pending)
                self._answer(number, "result", fields)
        except CancelledError:
            log.debug("message %s was cancelled", number)
        except Exception as error:
            if not isinstance(error, EXPECTED):
                log.exception("a message of the view could not be answered")
            self._answer(number, "error", {"text": _lesson(error)})

    def _teller(self, number: int) -> Callable[[SlowBar], None]:
        """What tells the view at times how far a message's work is, and ends what was cancelled."""
        last = time.monotonic()

        def tell(bar: SlowBar) -> None:
            nonlocal last
            if number not in self._pending:
                raise CancelledError
            if time.monotonic() - last >= SIGN_OF_LIFE:
                last = time.monotonic()
                self._send({"kind": "accepted", "id": number, **news_of(bar)})

        return tell

    def _answer(self, number: int, kind: str, fields: Mapping[str, Any]) -> None:
        with self._lock:
            pending = number in self._pending
            self._pending.discard(number)
        if pending:
            self._send({**fields, "kind": kind, "id": number})

    def _cancel(self, number: int, other: object) -> None:
        with self._lock:
            known = whole(other) and other in self._pending
            self._pending -= {other} if known else set()
        self._send({"kind": "result", "id": number, "cancelled": known})


def news_of(bar: SlowBar) -> dict[str, Any]:
    """Return how far work is, as it travels: `left` in seconds, None where that is not known."""
    return {"done": bar.n, "total": bar.total, "unit": bar.unit, "left": bar.left}


def answering(engine: T | None, kind: str, purpose: str, call: str) -> T:
    """Return the engine that answers a view's messages.

    Raises ValueError for a view of saved evidence, which has none: `purpose` is what it would be
    for, `call` what opens a view with a `kind` of engine.
    """
    if engine is None:
        article = "an" if kind[0] in "aeiou" else "a"
        raise ValueError(
            f"this view was opened from saved evidence, without {article} {kind}; {purpose} takes"
            f" the {kind}; run {call} to have it live"
        )
    return engine


def _number_of(content: object) -> int | None:
    number = content.get("id") if isinstance(content, dict) else None
    return number if whole(number) else None


def _lesson(error: Exception) -> str:
    return str(error) or f"the kernel stopped with {type(error).__name__}; see its log; try again"
