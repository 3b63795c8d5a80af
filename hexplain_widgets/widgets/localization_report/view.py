"""The view of how well methods find things over many images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets

from ...diagnosis.localization import measure_localization
from ...evidence import LocalizationSummary
from ...evidence.localization import MEASURES
from .._shared.state import ViewState, understood, whole
from .._shared.view import View, check_evidence, settable, synced
from .payload import summary_payload
from .picture import draw_report
from .words import FOUND

_ENTRIES = {
    "row": lambda value: whole(value) and value >= 0,
    "measure": lambda value: whole(value) and 0 <= value < len(MEASURES),
}


def _cleaned(state: object, _: object = None) -> ViewState:
    return understood(state, _ENTRIES)


class LocalizationReport(View):
    """How well methods find the class of an image, over many images with boxes or masks.

    A table of methods, sorted by any of its columns, with standard errors and the paired difference
    to a reference; beside it images with the box of the method chosen and the true one. `settings`
    are those of `measure_localization` (`model`, `layer`, `concept`, `calibration`, `reference`,
    `seed`, `progress`, `stopped`). Raises what it raises.
    """

    bundle = "localization_report"

    report = synced(traitlets.Dict)
    live = synced(traitlets.Bool)
    view = settable(traitlets.Dict, from_json=_cleaned)

    def __init__(self, methods: Any, data: Any, **settings: Any) -> None:
        self._open(measure_localization(methods, data, **settings))

    @classmethod
    def from_evidence(cls, evidence: Any) -> LocalizationReport:
        """Return a view of a saved LocalizationSummary; raises TypeError for anything else."""
        check_evidence(evidence, LocalizationSummary, "hx.measure_localization(methods, data)")
        self = cls.__new__(cls)
        self._open(evidence)
        return self

    def _open(self, evidence: LocalizationSummary) -> None:
        self._evidence = evidence
        super().__init__(report=summary_payload(evidence))

    @property
    def evidence(self) -> LocalizationSummary:
        """The figures that are shown."""
        return self._evidence

    def __repr__(self) -> str:
        one = self._evidence
        return f"LocalizationReport({len(one.methods)} methods, {len(one.places)} images)"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"How well are things found: {self._evidence.provenance.model}"

    def snapshot(self) -> LocalizationReport:
        """Return a twin of what is on the screen."""
        twin = type(self).from_evidence(self._evidence)
        twin.view, twin.layout = self.view, self.layout
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write table and images as a picture for slides and print, 1920 pixels wide."""
        row = min(self.view.get("row", 0), len(self._evidence.methods) - 1)
        draw_report(self._evidence, row, self.view.get("measure", FOUND)).save(path, format="PNG")
        return Path(path)
