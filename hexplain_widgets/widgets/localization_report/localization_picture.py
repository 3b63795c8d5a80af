"""The view of one region on its image: its outline, its box, and the true ones beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets

from ...evidence import Localization
from ...evidence.localization import OVERLAP
from .._shared.view import View, check_evidence, settable, synced
from .payload import localization_payload
from .picture import draw_localization
from .words import points


class LocalizationPicture(View):
    """The region that a map points at, on its image, with its box (CHIP, Fig. 6).

    `localization` is what `chip.localize` and `hint.localize` return; with the true box or mask
    where one was given, and the IoU of both. Raises TypeError for anything else.
    """

    bundle = "localization_picture"

    picture = synced(traitlets.Dict)
    live = synced(traitlets.Bool)
    view = settable(traitlets.Dict)

    def __init__(self, localization: Any) -> None:
        check_evidence(localization, Localization, "chip.localize(image, class)")
        self._evidence = localization
        fields = {**localization_payload(localization), "words": list(words_of(localization))}
        super().__init__(picture=fields)

    @classmethod
    def from_evidence(cls, evidence: Any) -> LocalizationPicture:
        """Return a view of a saved Localization; raises TypeError for anything else."""
        return cls(evidence)

    @property
    def evidence(self) -> Localization:
        """The region that is shown."""
        return self._evidence

    def __repr__(self) -> str:
        return f"LocalizationPicture({self._evidence.target!r}, box {self._evidence.box})"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"Where is {self._evidence.target}?"

    def snapshot(self) -> LocalizationPicture:
        """Return a twin of what is on the screen."""
        twin = type(self)(self._evidence)
        twin.layout = self.layout
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write image, outlines and words as a picture for slides and print, 1920 pixels wide."""
        draw_localization(self._evidence, words_of(self._evidence)).save(path, format="PNG")
        return Path(path)


def words_of(one: Localization) -> tuple[str, ...]:
    """Return what is to be said of a region: whether it is right, and how it was found."""
    method = one.provenance.method
    height = (
        "of the way from the map's lowest value to its highest"
        if method == "HINT"
        else "of the map's maximum"
    )
    if not one.mask.any():
        return (f"{method} points at nothing here.", *_true(one))
    cut = f"the largest connected part at or above {points(one.threshold)} % {height}"
    part = f"It covers {points(float(one.mask.mean()))} % of the picture."
    return (*_true(one), f"{method} at {one.layer}: {cut}. {part}")


def _true(one: Localization) -> tuple[str, ...]:
    if one.iou is None:
        return ()
    of = (
        "the region and the true mask" if one.truth_mask is not None else "its box and the true one"
    )
    found = "found" if one.iou > OVERLAP else "missed"
    more = "more than" if one.iou > OVERLAP else "at most"
    return (f"IoU {one.iou:.2f} of {of}: {found}, as {more} half of their union is shared.",)
