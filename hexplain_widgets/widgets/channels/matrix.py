"""The view of channel importance: classes by channels, as a heatmap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import traitlets

from ...evidence import ChannelImportance
from .._shared.conversation import Content, Handler, Stop
from .._shared.linking import ChannelChoice
from .._shared.messages import layer_in
from .._shared.payload import layer_fields
from .._shared.state import ViewState, boolean, finite, understood, whole
from .._shared.view import check_evidence, settable, synced
from . import messages
from .checks import ClassChecks, chip_of, data_of, indices_of
from .payload import matrix_payload
from .picture import draw_matrix

FIRST_CLASSES = 30


def _window(value: object) -> bool:
    return isinstance(value, dict) and all(finite(value.get(name)) for name in "xykl")


def _cleaned(state: object, _: object = None) -> ViewState:
    return understood(state, _ENTRIES)


_ENTRIES = {
    "rows": lambda value: value in ("given", "name", "alike"),
    "columns": lambda value: value in ("number", "class", "shared", "blocks"),
    "row": lambda value: whole(value) and value >= 0,
    "window": _window,
    "scaled": boolean,
    "each": boolean,
    "table": boolean,
}


def _frequent(chip: Any) -> list[int] | None:
    """The classes that are shown where none are named; None for all."""
    return None if len(chip.classes_) <= FIRST_CLASSES else list(chip.frequent(FIRST_CLASSES))


def _offered(evidence: ChannelImportance, chip: Any) -> list[str]:
    every = () if chip is None else chip.classes_
    return list(every) if len(every) > len(evidence.classes) else []


class ChannelMatrix(ChannelChoice, ClassChecks):
    """How much each channel of a layer matters for each class: `chip` is fitted.

    `classes` are names or indices; if not given all, of more than 30 those most frequent in the
    data, and others by search; `layer` is the deepest fitted one if not
    given. Weights are shown times the channel's mean activation, or as they are; classes and
    channels can be sorted by similarity. With labelled `data`, as for Chip.fit, the view says how
    far the chosen class's importances agree with what the class loses without each channel
    (Chip.agreement). Raises ValueError for unknown classes or layers and for `data` without the
    model, TypeError for what is no Chip or no data that last.
    """

    bundle = "channel_matrix"
    opened_by = "ChannelMatrix(chip)"

    matrix = synced(traitlets.Dict)
    layers = synced(traitlets.List)
    offered = synced(traitlets.List)  # names of all classes, where not all of them are shown
    live = synced(traitlets.Bool)
    view = settable(traitlets.Dict, from_json=_cleaned)

    def __init__(
        self,
        chip: Any,
        classes: Sequence[int | str] | None = None,
        *,
        layer: str | None = None,
        data: Any = None,
    ) -> None:
        self._classes = _frequent(chip_of(chip)) if classes is None else list(classes)
        evidence = chip.matrix(self._classes, layer=layer)
        self._open(evidence, chip, data_of(data, chip))

    @classmethod
    def from_evidence(cls, evidence: Any) -> ChannelMatrix:
        """Return a view of a saved ChannelImportance; it needs no model and shows its layer alone.

        Raises TypeError for what is no ChannelImportance.
        """
        check_evidence(evidence, ChannelImportance, "chip.matrix()")
        self = cls.__new__(cls)
        self._classes = None
        self._open(evidence, None)
        return self

    def _open(self, evidence: ChannelImportance, chip: Any, data: Any = None) -> None:
        self._evidence, self._chip, self._data = evidence, chip, data
        super().__init__(
            matrix=matrix_payload(evidence),
            layers=[layer_fields(layer) for layer in chip.layers_] if chip else [],
            layer=evidence.layer,
            live=chip is not None,
            offered=_offered(evidence, chip),
            targets=[] if chip is None else indices_of(self._classes, chip.classes_),
            checkable=data is not None,
        )

    @property
    def evidence(self) -> ChannelImportance:
        """The importance as it is on the screen."""
        return self._evidence

    def __repr__(self) -> str:
        classes, channels = self._evidence.values.shape
        return (
            f"ChannelMatrix({classes} classes, {channels} channels, layer {self._evidence.layer!r})"
        )

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"Channel importance at {self._evidence.layer}"

    def snapshot(self) -> ChannelMatrix:
        """Return a twin of what is on the screen, without the Chip."""
        twin = type(self).from_evidence(self._evidence)
        twin.view, twin.layout, twin.channel = self.view, self.layout, self.channel
        self._keep_checks(twin)
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write the matrix as a picture for slides and print, 1920 pixels wide, similar classes
        and their channels together.
        """
        scaled = bool(self.view.get("scaled", True))
        draw_matrix(self._evidence, scaled=scaled).save(path, format="PNG")
        return Path(path)

    def turn_to(self, layer: str) -> None:
        """Show the same classes at another fitted layer."""
        self._show(self._importance_at(layer))

    def handlers(self) -> Mapping[str, Handler]:
        """Return what answers each kind of message."""
        return {
            "layer": self._change_layer,
            "classes": self._change_classes,
            "check": self._check,
        }

    def close(self) -> None:
        """Close the view and let go of the Chip."""
        self._let_go()
        super().close()

    def _change_layer(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        evidence = self._importance_at(layer_in(content, self.layer_names))
        if stopped():
            raise CancelledError
        self._show(evidence)
        return {"layer": evidence.layer}

    def _change_classes(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        chip = self._ask("other classes")
        chosen = messages.classes_in(content, chip.classes_, messages.MOST_ROWS)
        evidence = chip.matrix(list(chosen), layer=self._evidence.layer)
        if stopped():
            raise CancelledError
        self._classes, self._evidence = list(chosen), evidence
        self._publish(matrix=matrix_payload(evidence), targets=list(chosen))
        return {"classes": list(chosen)}

    def _importance_at(self, layer: str) -> ChannelImportance:
        chip = self._ask("another layer")
        return chip.matrix(self._classes, layer=layer)

    def _show(self, evidence: ChannelImportance) -> None:
        checks = self._still_true(evidence)
        self._evidence = evidence
        self._publish(matrix=matrix_payload(evidence), checks=checks)
        # outside the lock: linked views follow these two
        self.channel = None
        self.layer = evidence.layer
