"""The line that says how far a class agrees with ablation, and the button that finds it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from .agreement_words import agreement_line
from .controls import WorkControls, button


class CheckControls(WorkControls):
    """The line, and a button where there are data; `check` and `cancel` are called when pressed."""

    def __init__(
        self, *, checkable: bool, check: Callable[[], None], cancel: Callable[[], None]
    ) -> None:
        self._checkable, self._known = checkable, False
        self.check = button("Check against ablation", check)
        self.cancel = button("Cancel", cancel)
        self._line, self._said = ipywidgets.HTML(), ipywidgets.HTML()
        self._row = ipywidgets.HBox(
            [self._line, self.check, self._said, self.cancel],
            layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center", min_height="36px"),
        )
        super().__init__([self._row])
        self.at_rest()

    def show(self, found: Mapping[str, Any] | None, subject: str) -> None:
        """Say what is known of a class; where nothing is, offer to find it out."""
        self._known = found is not None
        self._line.value = agreement_line(found, subject)
        if self.cancel.disabled:
            self.at_rest()

    @property
    def line(self) -> str:
        """The markup of what is said of the class."""
        text: str = self._line.value
        return text

    def close(self) -> None:
        """Close the controls with all their parts."""
        for part in (*self._row.children, self._row):
            part.close()
        super().close()

    def _offer(self, *, working: bool) -> None:
        offered = self._checkable and not self._known
        self.check.disabled = working or not offered
        self.cancel.disabled = not working
        for part, seen in (
            (self.check, offered and not working),
            (self.cancel, working),
            (self._line, not working and not offered),
        ):
            part.layout.display = "" if seen else "none"
