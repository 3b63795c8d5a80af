"""The view of confusions: pairs of classes, most frequent first, and what both rest on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets

from ...diagnosis.confusion import measure_confusions
from ...evidence import ConfusionSummary
from .._shared.state import ViewState, understood, whole
from .._shared.view import View, check_evidence, settable, synced
from .payload import confusion_payload
from .picture import draw_confusions

ORDERS = ("count", "share")
_ENTRIES = {
    "pair": lambda value: whole(value) and value >= 0,
    "order": lambda value: value in ORDERS,
}


def _cleaned(state: object, _: object = None) -> ViewState:
    return understood(state, _ENTRIES)


class ConfusionMatrix(View):
    """Which classes a network takes for which others, over labelled images.

    Pairs stand in a list, the most frequent first, beside a matrix of the classes that are confused
    most. A pair chosen shows some of its images, and the channels that speak for both classes where
    `chip` is given, a Chip fitted on the network. `settings` are those of `measure_confusions`
    (`layer`, `top`, `resume`, `progress`, `stopped`). Raises what it raises.
    """

    bundle = "confusion_matrix"

    confusions = synced(traitlets.Dict)
    live = synced(traitlets.Bool)
    view = settable(traitlets.Dict, from_json=_cleaned)

    def __init__(self, model: Any, data: Any, *, chip: Any = None, **settings: Any) -> None:
        self._open(measure_confusions(model, data, chip=chip, **settings))

    @classmethod
    def from_evidence(cls, evidence: Any) -> ConfusionMatrix:
        """Return a view of a saved ConfusionSummary; raises TypeError for anything else."""
        check_evidence(evidence, ConfusionSummary, "hx.measure_confusions(model, data)")
        self = cls.__new__(cls)
        self._open(evidence)
        return self

    def _open(self, evidence: ConfusionSummary) -> None:
        self._evidence = evidence
        super().__init__(confusions=confusion_payload(evidence))

    @property
    def evidence(self) -> ConfusionSummary:
        """The confusions that are shown."""
        return self._evidence

    def __repr__(self) -> str:
        one = self._evidence
        labelled = one.seen - one.unlabelled
        return f"ConfusionMatrix({len(one.counts)} pairs, {one.mistakes} of {labelled} images)"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"Who is taken for whom: {self._evidence.provenance.model}"

    def snapshot(self) -> ConfusionMatrix:
        """Return a twin of what is on the screen."""
        twin = type(self).from_evidence(self._evidence)
        twin.view, twin.layout = self.view, self.layout
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write the first pairs as a picture for slides and print, 1920 pixels wide."""
        draw_confusions(self._evidence).save(path, format="PNG")
        return Path(path)
