"""What travels to the view that names filters: each picture once, masks as bits."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...atlas.labels import FORMAT, MOST_NAME, FilterLabels
from ...evidence import FilterPortrait, FilterSheet
from .._shared.payload import append_file, layer_fields, picture_bytes, six_digits

# Parts that are offered for a filter, best first.
OFFERED = 3
NO_PART = ""

Names = dict[str, str]


def sheet_payload(sheet: FilterSheet) -> dict[str, Any]:
    """Return the filters with everything that is told of them.

    `shown` are each filter's pictures, as places in `pictures`, which holds every picture once.
    `masks` are the bits of all masks, filter by filter and row by row, compressed. `best` are the
    parts that overlap a filter most, as `[place, IoU]`; `lucky` counts the filters that chance
    would give a part.
    """
    pictures = _PictureBuffer()
    shown = [[pictures.place(image) for image in one.images] for one in sheet.portraits]
    return {
        "layer": layer_fields(sheet.layer),
        "model": sheet.provenance.model,
        "network": network_of(sheet),
        "format": FORMAT,
        "longest": MOST_NAME,
        "quantile": six_digits(sheet.quantile),
        "images": int(sheet.images),
        "least": six_digits(sheet.least),
        "parts": list(sheet.parts),
        "notes": list(sheet.notes),
        "shown": shown,
        "values": [[six_digits(float(v)) for v in one.values] for one in sheet.portraits],
        "ranking": [one.ranking for one in sheet.portraits],
        "thresholds": [six_digits(one.threshold) for one in sheet.portraits],
        "pictures": {"places": pictures.places, "data": bytes(pictures.data)},
        "side": next((one.masks.shape[1] for one in sheet.portraits if len(one.masks)), 1),
        "masks": zlib.compress(b"".join(map(_bits, sheet.portraits)), 6),
        "best": _best(sheet),
        "chance": [] if sheet.chance is None else [six_digits(float(c)) for c in sheet.chance],
        "lucky": None if sheet.chance is None else int((sheet.chance >= sheet.least).sum()),
    }


class _PictureBuffer:
    """Pictures that many filters share, each encoded once."""

    def __init__(self) -> None:
        self.places: list[list[int]] = []
        self.data = bytearray()
        self._known: dict[bytes, int] = {}

    def place(self, pixels: np.ndarray) -> int:
        key = pixels.tobytes()
        if key not in self._known:
            self._known[key] = len(self.places)
            self.places.append(append_file(picture_bytes(pixels), self.data))
        return self._known[key]


def _bits(one: FilterPortrait) -> bytes:
    return b"".join(np.packbits(mask).tobytes() for mask in one.masks)


def _best(sheet: FilterSheet) -> list[list[list[float | int]]]:
    if sheet.iou is None or not sheet.parts:
        return [[] for _ in sheet.portraits]
    order = np.argsort(-sheet.iou, axis=1, kind="stable")[:, :OFFERED]
    return [
        [[int(p), six_digits(float(row[p]))] for p in first if row[p] > 0]
        for row, first in zip(sheet.iou, order, strict=True)
    ]


def network_of(sheet: FilterSheet) -> str | None:
    """Return the hash of the weights that the filters are of, where the evidence has it."""
    network = sheet.provenance.settings.get("network")
    return network if isinstance(network, str) else None


def names_of(labels: FilterLabels) -> Names:
    """Return labels as the view keeps them: by number as text, no part as an empty name."""
    given = {**dict.fromkeys(labels.without, NO_PART), **labels.names}
    return {str(k): given[k] for k in sorted(given)}


def labels_of(names: Mapping[str, str], sheet: FilterSheet) -> FilterLabels:
    """Return the names that a view keeps as labels; raises ValueError like FilterLabels."""
    given = {int(k): name for k, name in names.items()}
    return FilterLabels(
        layer=sheet.layer.name,
        filters=len(sheet.portraits),
        network=network_of(sheet),
        names={k: name for k, name in given.items() if name != NO_PART},
        without=tuple(sorted(k for k, name in given.items() if name == NO_PART)),
    )
