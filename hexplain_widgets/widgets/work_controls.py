"""Controls of work that takes a while: what is said of it, what is offered meanwhile."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import ipywidgets

from .attack_words import alert, status


class WorkControls(ipywidgets.VBox):
    """Controls that say how the work asked for goes; `_said` is where, `_offer` what is offered."""

    _said: Any

    @abstractmethod
    def _offer(self, *, working: bool) -> None:
        """Offer to cancel while there is work, and everything else when there is none."""

    def at_work(self, words: str) -> None:
        """Say what goes on; nothing but to cancel it is offered."""
        self._said.value = status(words)
        self._offer(working=True)

    def at_rest(self, words: str = "") -> None:
        """Say how it ended and offer everything again."""
        self._said.value = status(words) if words else ""
        self._offer(working=False)

    def failed(self, words: str) -> None:
        """Say what went wrong and offer everything again."""
        self._said.value = alert(words)
        self._offer(working=False)

    def answered(self, message: dict[str, Any], running: int) -> None:
        """Show how the work with the number `running` ended, as a conversation tells it."""
        if message["kind"] == "error":
            self.failed(message["text"])
        elif message.get("cancelled"):
            self.at_rest("Cancelled: what was there stays.")
        elif message["kind"] == "result" and message["id"] == running:
            self.at_rest()

    @property
    def said(self) -> str:
        """The markup of what is said about the work."""
        text: str = self._said.value
        return text
