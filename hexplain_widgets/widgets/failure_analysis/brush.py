"""A brush that covers regions of an image, and the scores of two classes that move with it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import traitlets
from jaxtyping import UInt8

from ...diagnosis.failures import FILLS, GRID, Occluder, mask_of
from ...evidence import Failure, Occlusion, Prediction
from .._shared.conversation import Content, Handler, Stop, answering
from .._shared.payload import picture_bytes, prediction_fields, six_digits
from .._shared.state import boolean, finite, understood
from .._shared.view import View, settable, synced

Picture = UInt8[np.ndarray, "h w 3"]
NOTHING = bytes(GRID * GRID)
# how the brush was left: its side in cells, and whether it uncovers
_ENTRIES = {
    "size": lambda value: finite(value) and 1 <= value <= GRID,
    "uncovers": boolean,
}


@dataclass(frozen=True)
class RightlyNamed:
    """An image that is classified rightly, `true` the class that its score is held against."""

    image: Picture
    named: Prediction
    true: Prediction
    occlusion: Occlusion | None = None


class OcclusionBrush(View):
    """An image to draw on: what is drawn over is covered, and the network is asked again.

    `subject` names the two classes whose scores are shown, and what was covered last. Without an
    `occluder` of its image the view shows what was found and cannot be drawn on.
    """

    bundle = "occlusion_brush"

    image = synced(traitlets.Bytes)
    fills = synced(traitlets.Dict)
    grid = synced(traitlets.Int)
    scores = synced(traitlets.Dict)
    mask = synced(traitlets.Bytes)
    fill = synced(traitlets.Unicode)
    live = synced(traitlets.Bool)
    view = settable(traitlets.Dict, from_json=lambda state, _: understood(state, _ENTRIES))

    def __init__(self, subject: Failure | RightlyNamed, occluder: Occluder | None = None) -> None:
        self._subject, self._occluder = subject, occluder
        self._occlusion = subject.occlusion
        super().__init__(
            image=picture_bytes(subject.image),
            fills=_fills(subject, occluder),
            grid=GRID,
            live=occluder is not None,
            **self._shown(self._occlusion),
        )

    @property
    def occlusion(self) -> Occlusion | None:
        """What is covered, and what is then named; None where nothing is covered."""
        return self._occlusion

    def __repr__(self) -> str:
        covered = self._occlusion.share if self._occlusion else 0.0
        names = f"{self._subject.named.name!r}, {self._subject.true.name!r}"
        return f"OcclusionBrush({names}, {covered:.0%} covered)"

    def snapshot(self) -> OcclusionBrush:
        """Return a twin of what is on the screen, without the model."""
        twin = type(self)(replace(self._subject, occlusion=self._occlusion))
        twin.view, twin.layout = self.view, self.layout
        return twin

    def handlers(self) -> Mapping[str, Handler]:
        """Return what answers each kind of message."""
        return {"occlude": self._occlude}

    def cover(self, mask: Any, fill: str = "mean") -> Occlusion:
        """Cover the cells of a mask `(56, 56)`, show and return what is then named.

        Raises ValueError for a view without a model, and what `Occluder.occlusion` raises.
        """
        occlusion = self._occluded(mask, fill)
        self._take(occlusion, lambda: False)
        return occlusion

    def close(self) -> None:
        """Close the view and let go of the model."""
        self._occluder = None
        super().close()

    def _hear(self, widget: object, content: object, buffers: Any) -> None:
        """The mask comes beside the message, as bytes."""
        if isinstance(content, dict) and content.get("kind") == "occlude":
            content = {**content, "mask": bytes(buffers[0]) if buffers else None}
        super()._hear(widget, content, buffers)

    def _occlude(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        mask, fill = mask_of(content.get("mask")), str(content.get("fill"))
        self._take(self._occluded(mask, fill), stopped)
        return {"covered": int(mask.sum())}

    def _occluded(self, mask: Any, fill: str) -> Occlusion:
        call = "FailureAnalysis(model, image, true=...)"
        occluder = answering(self._occluder, "model", "to cover a region", call)
        named, true = self._subject.named.index, self._subject.true.index
        return occluder.occlusion(mask, fill, wrong=named, right=true)

    def _take(self, occlusion: Occlusion, stopped: Stop) -> None:
        if stopped():
            raise CancelledError
        self._occlusion = occlusion if occlusion.mask.any() else None
        self._publish(**{**self._shown(self._occlusion), "fill": occlusion.fill})

    def _shown(self, occlusion: Occlusion | None) -> dict[str, Any]:
        subject = self._subject
        now = (
            None
            if occlusion is None
            else _scores(occlusion.named, occlusion.wrong, occlusion.right)
        )
        return {
            "scores": {
                "start": _scores(subject.named, subject.named, subject.true),
                "now": now,
                "share": 0.0 if occlusion is None else six_digits(occlusion.share),
                "rightly": isinstance(subject, RightlyNamed),
            },
            "mask": NOTHING if occlusion is None else occlusion.mask.astype(np.uint8).tobytes(),
            "fill": "mean" if occlusion is None else occlusion.fill,
        }


def _scores(named: Prediction, wrong: Prediction, right: Prediction) -> dict[str, Any]:
    every = {"named": named, "wrong": wrong, "right": right}
    return {name: prediction_fields(one) for name, one in every.items()}


def _fills(subject: Failure | RightlyNamed, occluder: Occluder | None) -> dict[str, bytes]:
    """The whole image under each fill; of saved evidence what the network saw, once covered."""
    if occluder is not None:
        return {name: picture_bytes(occluder.shown(name)) for name in FILLS}
    occlusion = subject.occlusion
    return {} if occlusion is None else {occlusion.fill: picture_bytes(occlusion.image)}
