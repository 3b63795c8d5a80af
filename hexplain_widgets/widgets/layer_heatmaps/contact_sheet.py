"""The contact sheet: many images of one class, each with the map of one layer over it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from PIL import Image

from ...arguments import counted
from ...chip.engine import Chip
from ...evidence import ClassHeatMaps
from ...evidence.heat import CONTESTED
from ...network.images import thumbnail
from ...pictures.page import FINER, SOFT, WIDTH, finished, page_of, percent, short
from .._shared.agreement import trust_words, weakly
from .._shared.payload import (
    files_payload,
    map_bytes,
    map_columns,
    picture_bytes,
    prediction_fields,
    quantized,
    six_digits,
)
from .._shared.state import ViewState, finite, understood, whole
from .._shared.view import View, check_evidence, settable, synced
from .messages import SCALES
from .picture import blended, contest_of

SIDE = 224  # pixels of the longer side of an image as it travels
SHOWN = ("all", "so", "otherwise")
LEAST_SIZE, MOST_SIZE = 72, 320
_ENTRIES = {
    "show": lambda value: value in SHOWN,
    "scale": lambda value: value in SCALES,
    "size": lambda value: finite(value) and LEAST_SIZE <= value <= MOST_SIZE,
    "at": lambda value: whole(value) and value >= 0,
}
_MARGIN, _GAP, _ABREAST, _HEAD, _FOOT = 48, 16, 6, 150, 64


def _cleaned(state: object, _: object = None) -> ViewState:
    return understood(state, _ENTRIES)


class ContactSheet(View):
    """Many images of one class, each with its map over it, to be looked over at a glance.

    `chip` is a fitted Chip with its model, `images` any data of images, of which the first `most`
    are shown, where they are labelled those of the class. `target` is the class (default: what the
    network names most of them), `layer` the deepest fitted one if not given, `method` one of those
    of `LayerHeatmaps`, `rivals` how many other classes of each image places are held against
    (default: the Chip's; 0 is the plain sum). Images that the network names otherwise are marked as
    such. Raises what `Chip.class_heatmaps` raises, TypeError for what is no Chip.
    """

    bundle = "contact_sheet"

    sheet = synced(traitlets.Dict)
    words = trust_words()
    live = synced(traitlets.Bool)
    view = settable(traitlets.Dict, from_json=_cleaned)

    def __init__(
        self,
        chip: Any,
        images: Any,
        target: int | str | None = None,
        *,
        layer: str | None = None,
        method: str = "CHIP",
        most: int = 60,
        rivals: int | None = None,
        progress: bool = True,
    ) -> None:
        if not isinstance(chip, Chip):
            raise TypeError(
                f"got {type(chip).__name__} as chip; expected a fitted Chip; make one with"
                " Chip().fit(model, data)"
            )
        maps = chip.class_heatmaps(
            images, target, layer, method=method, most=most, rivals=rivals, progress=progress
        )
        self._open(maps)

    @classmethod
    def from_evidence(cls, evidence: Any) -> ContactSheet:
        """Return a view of saved ClassHeatMaps; raises TypeError for anything else."""
        check_evidence(evidence, ClassHeatMaps, "chip.class_heatmaps(images, target)")
        self = cls.__new__(cls)
        self._open(evidence)
        return self

    def _open(self, evidence: ClassHeatMaps) -> None:
        self._evidence = evidence
        super().__init__(sheet=sheet_payload(evidence))

    @property
    def evidence(self) -> ClassHeatMaps:
        """The maps that are shown."""
        return self._evidence

    def __repr__(self) -> str:
        one = self._evidence
        return (
            f"ContactSheet({one.target!r}, {counted(len(one.maps), 'image')}, layer {one.layer!r})"
        )

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"Where is {self._evidence.target}?"

    def snapshot(self) -> ContactSheet:
        """Return a twin of what is on the screen."""
        twin = type(self).from_evidence(self._evidence)
        twin.view, twin.layout = self.view, self.layout
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write the maps as a picture for slides and print, 1920 pixels wide."""
        scale = str(self.view.get("scale", "map"))
        draw_sheet(self._evidence, scale, shown_of(self._evidence, self.view)).save(
            path, format="PNG"
        )
        return Path(path)


def shown_of(evidence: ClassHeatMaps, view: Mapping[str, Any]) -> list[int]:
    """Return which of the maps are on the screen: all, or those named so, or those that are not."""
    so = evidence.named_so
    kept = {"so": so, "otherwise": ~so}.get(view.get("show", "all"), np.ones(len(so), bool))
    return [int(i) for i in np.flatnonzero(kept)]


def peaks_of(evidence: ClassHeatMaps) -> list[float]:
    """Return the largest value of every map, 0 where nothing speaks for the class."""
    return [max(0.0, float(one.values.max(initial=0))) for one in evidence.maps]


def sheet_payload(evidence: ClassHeatMaps) -> dict[str, Any]:
    """Return the maps as columns, bytes and pictures of at most `SIDE` pixels a side."""
    maps = [quantized(one.values) for one in evidence.maps]
    return {
        "target": evidence.target,
        "index": evidence.index,
        "layer": evidence.layer,
        "method": evidence.method,
        "rivals": evidence.maps[0].against if evidence.method in CONTESTED else None,
        "model": evidence.provenance.model,
        "places": evidence.places.tolist(),
        "sizes": [list(one.image.shape[:2]) for one in evidence.maps],
        "named": [prediction_fields(one) for one in evidence.predictions],
        "likely": [six_digits(float(one)) for one in evidence.probabilities],
        "high": [six_digits(peak) for peak in peaks_of(evidence)],
        "remarks": [list(one.notes) for one in evidence.maps],
        "notes": list(evidence.notes),
        **map_columns(maps),
        "data": map_bytes(maps),
        "pictures": files_payload(
            picture_bytes(thumbnail(one.image, SIDE)) for one in evidence.maps
        ),
    }


def draw_sheet(evidence: ClassHeatMaps, scale: str, shown: list[int]) -> Image.Image:
    """Return these maps over their images, six a row, with what the network names each."""
    side = (WIDTH - 2 * _MARGIN - _GAP * (_ABREAST - 1)) / _ABREAST
    row, peaks = side + _FOOT, peaks_of(evidence)
    most = max((peaks[i] for i in shown), default=0.0)
    pen = page_of(_HEAD + row * -(-max(1, len(shown)) // _ABREAST) + _MARGIN)
    pen.text((_MARGIN, 78), f"Where is {short(evidence.target, 54)}?", 48)
    count = counted(len(shown), "image")
    contest = contest_of(evidence.maps[0])
    facts = ", ".join(filter(None, [evidence.method, contest, evidence.layer, count]))
    pen.text((WIDTH - _MARGIN, 78), short(facts, 60), 26, SOFT, "rs")
    for place, i in enumerate(shown):
        one, so = evidence.maps[i], evidence.named_so[i]
        x = _MARGIN + (side + _GAP) * (place % _ABREAST)
        y = _HEAD + row * (place // _ABREAST)
        height, width = one.image.shape[:2]
        k = side / max(height, width) * FINER
        size = (max(1, round(width * k)), max(1, round(height * k)))
        largest = (peaks[i] if scale == "map" else most) or 1.0
        pen.picture((x, y), blended(np.maximum(one.values, 0), one.image, size, largest))
        named = evidence.predictions[i]
        words = percent(named.probability) if so else f"named {short(named.name, 22)}"
        pen.text((x, y + side + 22), words, 20)
        weak = weakly(peaks[i], most) if scale == "map" else ""
        pen.text((x, y + side + 42), weak, 15, SOFT)
    return finished(pen)
