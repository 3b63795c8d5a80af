"""The view of images by methods: every map in one grid, one of them large with its facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets

from ...diagnosis.method_grid import method_grid
from ...evidence import MethodSheet
from ...evidence.files import replacing
from .._shared.agreement import trust_words
from .._shared.state import ViewState, boolean, finite, understood, whole
from .._shared.view import View, check_evidence, settable, synced
from .payload import method_payload
from .picture import SCALES, SheetLook, draw_methods, write_methods

LEAST_SIZE, MOST_SIZE = 72, 320


def _is_place(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(whole(i) and i >= 0 for i in value)


_ENTRIES = {
    "scale": lambda value: value in SCALES,
    "signed": boolean,
    "opacity": lambda value: finite(value) and 0 <= value <= 1,
    "size": lambda value: finite(value) and LEAST_SIZE <= value <= MOST_SIZE,
    "at": _is_place,
}


def _cleaned(state: object, _: object = None) -> ViewState:
    return understood(state, _ENTRIES)


class MethodGrid(View):
    """Heatmaps of several images by several methods, rows by columns, one of them large.

    `images`, `methods` and `settings` (`model`, `targets`, `layers`, `most`, `progress`, `stopped`)
    are those of `method_grid`. A cell that a method cannot answer is empty and says why; a map on
    its own scale that is weak beside those of its column says so. Raises what `method_grid` raises.
    """

    bundle = "method_grid"

    sheet = synced(traitlets.Dict)
    words = trust_words()
    live = synced(traitlets.Bool)
    view = settable(traitlets.Dict, from_json=_cleaned)

    def __init__(self, images: Any, methods: Any, **settings: Any) -> None:
        self._open(method_grid(images, methods, **settings))

    @classmethod
    def from_evidence(cls, evidence: Any) -> MethodGrid:
        """Return a view of a saved MethodSheet; raises TypeError for anything else."""
        check_evidence(evidence, MethodSheet, "hx.method_grid(images, methods)")
        self = cls.__new__(cls)
        self._open(evidence)
        return self

    def _open(self, evidence: MethodSheet) -> None:
        self._evidence = evidence
        super().__init__(sheet=method_payload(evidence))

    @property
    def evidence(self) -> MethodSheet:
        """The maps that are shown."""
        return self._evidence

    def __repr__(self) -> str:
        rows, columns = self._evidence.shape
        empty = len(self._evidence.reasons)
        return f"MethodGrid({rows} x {columns}{f', {empty} empty' if empty else ''})"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"Where does each method look? {self._evidence.provenance.model}"

    def snapshot(self) -> MethodGrid:
        """Return a twin of what is on the screen."""
        twin = type(self).from_evidence(self._evidence)
        twin.view, twin.layout = self.view, self.layout
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write the grid as a picture for slides and print, 1920 pixels wide."""
        draw_methods(self._evidence, SheetLook.of(self.view)).save(path, format="PNG")
        return Path(path)

    def export_svg(self, path: str | Path) -> Path:
        """Write the grid as a vector picture: words stay words, each map is an embedded picture."""
        with replacing(Path(path)) as partial:
            partial.write_text(
                write_methods(self._evidence, SheetLook.of(self.view)), encoding="utf-8"
            )
        return Path(path)
