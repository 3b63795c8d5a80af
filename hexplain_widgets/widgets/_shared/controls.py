"""Work that takes a while: its controls, what is said of it, what is offered meanwhile."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from .agreement import WORDS, Check, Wording, trust_line
from .composite import Composite
from .conversation import Conversation, Handler
from .markup import alert, status


class WorkControls(Composite, ipywidgets.VBox):
    """Controls in a `_row` that say how the work asked for goes, in `_said`; `_offer` offers it."""

    _row: Any
    _said: Any
    _words = ""

    @abstractmethod
    def _offer(self, *, working: bool) -> None:
        """Offer to cancel while there is work, and everything else when there is none."""

    def at_work(self, words: str) -> None:
        """Say what goes on; nothing but to cancel it is offered."""
        self._words = words
        self._said.value = status(f"{words} …")
        self._offer(working=True)

    def at_rest(self, words: str = "") -> None:
        """Say how it ended and offer everything again."""
        self._said.value = status(words) if words else ""
        self._offer(working=False)

    def failed(self, words: str) -> None:
        """Say what went wrong and offer everything again."""
        self._said.value = alert(words)
        self._offer(working=False)

    def answered(self, message: Mapping[str, Any]) -> None:
        """Show how the work ended, as a conversation tells it."""
        if message["kind"] == "error":
            self.failed(message["text"])
        elif message["kind"] == "accepted" and "done" in message:
            self._said.value = status(f"{self._words}{how_far(message)} …")
        elif message["kind"] == "result":
            cancelled = message.get("cancelled")
            self.at_rest("Cancelled: what was there stays." if cancelled else "")

    @property
    def said(self) -> str:
        """The markup of what is said about the work."""
        return self._said.value


def how_far(news: Mapping[str, Any]) -> str:
    """Return in words how far work is, and how long the rest will take.

    >>> how_far({"done": 12, "total": 40, "unit": "image", "left": 8.3})
    ': 12 of 40 images, about 8 s left'
    """
    done, total, left = news["done"], news["total"], news["left"]
    count = f"{done}" if total is None else f"{done} of {total}"
    unit = news["unit"] if (done if total is None else total) == 1 else f"{news['unit']}s"
    return f": {count} {unit}" + ("" if left is None else f", about {time_in_words(left)} left")


def time_in_words(seconds: float) -> str:
    """Return a time as it is said: in seconds, of much in minutes.

    >>> time_in_words(8.3), time_in_words(200)
    ('8 s', '3 min')
    """
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


class Requests:
    """What controls ask for in a conversation of their own; each is told how its last work ended.

    `handlers` answer as in a Conversation, on its thread.
    """

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._conversation = Conversation(handlers, self._told)
        self._numbers = itertools.count(1)
        self._last: dict[WorkControls, int] = {}

    def begin(self, controls: WorkControls, kind: str, words: str, **content: Any) -> None:
        """Ask for work instead of what these controls asked for before; `words` say what it is."""
        before, number = self._next(controls)
        controls.at_work(words)
        self._cancel(next(self._numbers), before)
        self._conversation.receive({**content, "kind": kind, "id": number})

    def cancel(self, controls: WorkControls) -> None:
        """Cancel what these controls asked for."""
        before, number = self._next(controls)
        self._cancel(number, before)

    def close(self) -> None:
        """Drop what waits, stop what runs."""
        self._conversation.close()

    def _next(self, controls: WorkControls) -> tuple[int, int]:
        before, number = self._last.get(controls, 0), next(self._numbers)
        self._last[controls] = number
        return before, number

    def _cancel(self, number: int, work: int) -> None:
        self._conversation.receive({"kind": "cancel", "id": number, "of": work})

    def _told(self, message: dict[str, Any]) -> None:
        for controls, number in tuple(self._last.items()):
            if message["id"] == number:
                controls.answered(message)


def button(name: str, pressed: Callable[[], None], style: str = "") -> Any:
    """Return a button as wide as its name; `style` is one of ipywidgets' button styles."""
    made = ipywidgets.Button(
        description=name, button_style=style, layout=ipywidgets.Layout(width="auto")
    )
    made.on_click(lambda _: pressed())
    return made


class CheckControls(WorkControls):
    """How far a class agrees with ablation, and a button to find out where there are data.

    `check` and `cancel` are called when their buttons are pressed; `missing` is what a check lacks
    ("data" or "model"), nothing where it can be made.
    """

    def __init__(
        self, *, missing: str, check: Callable[[], None], cancel: Callable[[], None]
    ) -> None:
        self._missing, self._known = missing, False
        self.check = button(WORDS["check"], check)
        self.cancel = button("Cancel", cancel)
        self._line, self._said = ipywidgets.HTML(), ipywidgets.HTML()
        self._row = ipywidgets.HBox(
            [self._line, self.check, self._said, self.cancel],
            layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center", min_height="36px"),
        )
        super().__init__([self._row])
        self.at_rest()

    def show(self, check: Check | None, wording: Wording) -> None:
        """Say what is known of a class; where nothing is, offer to find it out."""
        self._known = check is not None
        needs = WORDS["needs"][self._missing or "time"]
        self._line.value = trust_line(check, wording, "" if self._known else needs)
        if self.cancel.disabled:
            self.at_rest()

    def failed(self, words: str) -> None:
        """Say what a check lacked, beside its button: what is shown is none the worse for it."""
        self.at_rest(words)

    @property
    def line(self) -> str:
        """The markup of what is said of the class."""
        return self._line.value

    def _offer(self, *, working: bool) -> None:
        offered = not self._missing and not self._known
        self.check.disabled = working or not offered
        self.cancel.disabled = not working
        for part, visible in (
            (self.check, offered and not working),
            (self.cancel, working),
            (self._line, not working),
        ):
            part.layout.display = "" if visible else "none"
