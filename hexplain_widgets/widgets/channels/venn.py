"""The view of channels that classes share: a Venn diagram, or an UpSet plot of many classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from jaxtyping import UInt8

from ...evidence import ChannelOverlap, ChannelPortrait
from .._shared.conversation import Content, Handler, Stop
from .._shared.linking import ChannelChoice
from .._shared.messages import layer_in
from .._shared.payload import layer_fields, picture_bytes
from .._shared.state import ViewState, dotted_numbers, understood
from .._shared.view import check_evidence, settable, synced
from . import messages
from .checks import ClassChecks, chip_of, data_of, indices_of
from .payload import PortraitEncoder, overlap_payload
from .picture import draw_overlap

MOST_PORTRAITS = 48


def _cleaned(state: object, _: object = None) -> ViewState:
    return understood(state, _ENTRIES)


_ENTRIES = {
    "region": dotted_numbers,
    "shape": lambda value: value in ("venn", "upset"),
    "sort": lambda value: value in ("size", "classes"),
}


class ChannelVenn(ChannelChoice, ClassChecks):
    """Which important channels classes share: `chip` is fitted, `classes` are names or indices.

    Two or three classes are drawn as circles, more as an UpSet plot. A class's important channels
    are its `top` strongest, or all above `threshold` times its strongest. A region lists its
    channels with the images where they are strongest and, with `image`, their maps on it. With
    labelled `data`, as for Chip.fit, the view says how far each class's importances agree with what
    the class loses without each channel (Chip.agreement). `layer` is the deepest fitted one if not
    given. Raises ValueError for unknown classes or layers, for a class without any important
    channel and for `image` or `data` without the model, TypeError for what is no Chip, image or
    data that last.
    """

    bundle = "channel_venn"
    opened_by = "ChannelVenn(chip, classes)"

    overlap = synced(traitlets.Dict)
    portraits = synced(traitlets.Dict)
    image = synced(traitlets.Bytes)
    classes = synced(traitlets.List)
    layers = synced(traitlets.List)
    live = synced(traitlets.Bool)
    view = settable(traitlets.Dict, from_json=_cleaned)

    def __init__(
        self,
        chip: Any,
        classes: Sequence[int | str],
        *,
        image: Any = None,
        top: int = 10,
        threshold: float | None = None,
        layer: str | None = None,
        data: Any = None,
    ) -> None:
        shown, data = _shown_image(chip_of(chip), image), data_of(data, chip)
        overlap = chip.overlap(list(classes), layer=layer, **_limit(top, threshold))
        self._image = image
        targets = indices_of(classes, chip.classes_)
        self._open(replace(overlap, image=shown), chip, data, targets)

    @classmethod
    def from_evidence(cls, evidence: Any) -> ChannelVenn:
        """Return a view of a saved ChannelOverlap; it needs no model and cannot ask for more.

        Raises TypeError for what is no ChannelOverlap.
        """
        check_evidence(evidence, ChannelOverlap, "chip.overlap(classes)")
        self = cls.__new__(cls)
        self._image = None
        self._open(evidence, None)
        return self

    def _open(
        self, evidence: ChannelOverlap, chip: Any, data: Any = None, targets: Sequence[int] = ()
    ) -> None:
        self._evidence, self._chip, self._encoder = evidence, chip, PortraitEncoder()
        self._data = data
        super().__init__(
            overlap=overlap_payload(evidence),
            portraits=self._encoder.payload(evidence.layer, evidence.portraits),
            image=b"" if evidence.image is None else picture_bytes(evidence.image),
            classes=list(chip.classes_ if chip else evidence.classes),
            layers=[layer_fields(layer) for layer in chip.layers_] if chip else [],
            layer=evidence.layer,
            live=chip is not None,
            targets=list(targets),
            checkable=data is not None,
        )

    @property
    def evidence(self) -> ChannelOverlap:
        """The overlap as it is on the screen, with the portraits that were looked at."""
        return self._evidence

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self._evidence.classes))
        return f"ChannelVenn([{names}], layer {self._evidence.layer!r})"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"Channels shared by {', '.join(self._evidence.classes)}"

    def snapshot(self) -> ChannelVenn:
        """Return a twin of what is on the screen, without the Chip, portraits fetched."""
        if self._chip is not None:
            self._fetch(self._missing())
        twin = type(self).from_evidence(self._evidence)
        twin.view, twin.layout, twin.channel = self.view, self.layout, self.channel
        self._keep_checks(twin)
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write the diagram as a picture for slides and print, 1920 pixels wide."""
        draw_overlap(self._evidence).save(path, format="PNG")
        return Path(path)

    def turn_to(self, layer: str) -> None:
        """Show the same classes at another fitted layer."""
        shown, targets = self._evidence, tuple(self.targets)
        self._show(self._overlap_of(targets, _limit(shown.top, shown.threshold), layer), targets)

    def handlers(self) -> Mapping[str, Handler]:
        """Return what answers each kind of message."""
        return {"overlap": self._change, "portraits": self._portray, "check": self._check}

    def close(self) -> None:
        """Close the view and let go of the Chip."""
        self._let_go()
        self._image = None
        super().close()

    def _change(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        chip = self._ask("to compare other channels")
        classes = messages.classes_in(content, chip.classes_)
        limit = messages.limit_in(content)
        layer = layer_in(content, self.layer_names)
        overlap = self._overlap_of(classes, limit, layer)
        if stopped():
            raise CancelledError
        self._show(overlap, classes)
        return {"regions": len(self._evidence.regions)}

    def _portray(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        channels = messages.channels_in(content)
        self._ask("to show what a channel answers to")
        self._fetch(channels, stopped)
        return {"channels": list(channels)}

    def _overlap_of(
        self, classes: Sequence[int], limit: Mapping[str, Any], layer: str
    ) -> ChannelOverlap:
        overlap = self._ask("to compare other channels").overlap(
            list(classes), layer=layer, **limit
        )
        same = layer == self._evidence.layer
        kept = self._evidence.portraits if same else ()
        return replace(overlap, portraits=kept, image=self._evidence.image)

    def _show(self, evidence: ChannelOverlap, targets: Sequence[int]) -> None:
        turned = evidence.layer != self._evidence.layer
        checks = self._still_true(evidence)
        self._evidence = evidence
        self._publish(
            overlap=overlap_payload(evidence),
            portraits=self._portraits(),
            targets=list(targets),
            checks=checks,
        )
        # outside the lock: linked views follow these two
        if turned:
            self.channel = None
        self.layer = evidence.layer

    def _fetch(self, channels: Sequence[int], stopped: Stop = lambda: False) -> None:
        layer = self._evidence.layer
        portraits = self._chip.portraits(list(channels), layer=layer, image=self._image)
        if stopped() or layer != self._evidence.layer:
            raise CancelledError
        self._evidence = replace(self._evidence, portraits=self._joined(portraits))
        self._publish(portraits=self._portraits())

    def _joined(self, fresh: Sequence[ChannelPortrait]) -> tuple[ChannelPortrait, ...]:
        new = {one.channel for one in fresh}
        kept = [one for one in self._evidence.portraits if one.channel not in new]
        return (*kept, *fresh)[-MOST_PORTRAITS:]

    def _missing(self) -> list[int]:
        known = {one.channel for one in self._evidence.portraits}
        shown = [c for channels in self._evidence.regions.values() for c in channels]
        return [c for c in shown if c not in known][: MOST_PORTRAITS - len(known)]

    def _portraits(self) -> dict[str, Any]:
        return self._encoder.payload(self._evidence.layer, self._evidence.portraits)


def _shown_image(chip: Any, image: Any) -> UInt8[np.ndarray, "h w 3"] | None:
    if image is None:
        return None
    if chip.classifier_ is None:
        raise ValueError(
            "got an image, but this Chip was loaded without its model; expected one with it;"
            " load it with the model, or leave image= out"
        )
    return chip.classifier_.prepare(image).shown


def _limit(top: int | None, threshold: float | None) -> dict[str, Any]:
    return {"top": top} if threshold is None else {"threshold": threshold}
