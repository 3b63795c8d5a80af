"""Controls of an analysis of a failure: the true class, and the words about the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets

from ...evidence import Prediction
from .._shared.controls import WorkControls, button


class FailureControls(WorkControls):
    """Where another class is taken as the true one; `compare` is told its name or index."""

    def __init__(
        self,
        classes: Sequence[str],
        *,
        compare: Callable[[int | str], None],
        cancel: Callable[[], None],
    ) -> None:
        self._runner_up: Prediction | None = None
        self.true = ipywidgets.Combobox(
            options=tuple(dict.fromkeys(classes)),
            placeholder="a class",
            description="Should be",
            continuous_update=False,
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="260px"),
        )
        self.compare = button("Compare", lambda: compare(self.chosen))
        self.runner_up = button("", self._offer_taken(compare), "primary")
        self.cancel = button("Cancel", cancel)
        self._said = ipywidgets.HTML()
        self._row = ipywidgets.HBox(
            [self.runner_up, self.true, self.compare, self.cancel],
            layout=ipywidgets.Layout(flex_flow="row wrap", overflow="visible"),
        )
        super().__init__([self._row, self._said])
        self.at_rest()

    @property
    def chosen(self) -> int | str:
        """The class that was written: a name, or an index where there are no names like it."""
        written: str = self.true.value.strip()
        if written in self.true.options or not written.isdecimal():
            return written
        return int(written)

    def take(self, true: str, runner_up: Prediction | None) -> None:
        """Show which class is the true one, and offer the runner-up where there is one."""
        self.true.value, self._runner_up = true, runner_up
        self.runner_up.description = "" if runner_up is None else f"Compare with {runner_up.name}"
        self.runner_up.layout.display = "none" if runner_up is None else ""

    def close(self) -> None:
        """Close the controls with all their parts."""
        for part in (*self._row.children, self._row, self._said):
            part.close()
        super().close()

    def _offer_taken(self, compare: Callable[[int | str], None]) -> Callable[[], None]:
        def taken() -> None:
            if self._runner_up is not None:
                compare(self._runner_up.index)

        return taken

    def _offer(self, *, working: bool) -> None:
        self.compare.disabled = self.runner_up.disabled = working
        self.cancel.disabled = not working
        self.cancel.layout.display = "" if working else "none"
