"""What travels to the view of images by methods: rows, columns, and maps in one buffer."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...evidence import HeatMap, MethodSheet
from ...network.images import thumbnail
from ...network.localize import upsampled
from .._shared.payload import (
    CodedMap,
    files_payload,
    map_bytes,
    map_columns,
    picture_bytes,
    prediction_fields,
    quantized,
    six_digits,
)

SIDE = 256  # pixels of the longer side of an image, and of a map, as they travel
NOTHING = np.zeros((0, 0), dtype=np.uint8)


def method_payload(evidence: MethodSheet) -> dict[str, Any]:
    """Return everything that is shown; a map with a picture of its own travels as that picture."""
    coded = [_coded(one) for one in evidence.maps]
    return {
        "model": evidence.provenance.model,
        "methods": list(evidence.methods),
        "layers": list(evidence.layers),
        "targets": list(evidence.targets),
        "indices": evidence.indices.tolist(),
        "named": [prediction_fields(one) for one in evidence.predictions],
        "likely": [six_digits(float(one)) for one in evidence.probabilities],
        "sizes": [list(one.shape[:2]) for one in evidence.images],
        "pictures": files_payload(picture_bytes(thumbnail(one, SIDE)) for one in evidence.images),
        "places": evidence.places.tolist(),
        "of": [one.layer for one in evidence.maps],
        "grids": [list(one.values.shape) for one in evidence.maps],
        "high": [six_digits(float(one.values.max(initial=0))) for one in evidence.maps],
        "low": [six_digits(float(one.values.min(initial=0))) for one in evidence.maps],
        "remarks": [list(one.notes) for one in evidence.maps],
        "drawn": files_payload(map(_own_picture, evidence.maps)),
        "gaps": evidence.gaps.tolist(),
        "reasons": list(evidence.reasons),
        "notes": list(evidence.notes),
        **map_columns(coded),
        "data": map_bytes(coded),
    }


def _own_picture(heat: HeatMap) -> bytes:
    return b"" if heat.picture is None else picture_bytes(thumbnail(heat.picture, SIDE))


def _coded(heat: HeatMap) -> CodedMap:
    if heat.picture is not None:
        return NOTHING, 0, 1.0
    height, width = heat.values.shape
    smaller = SIDE / max(height, width)
    if smaller >= 1:
        return quantized(heat.values)
    size = max(1, round(height * smaller)), max(1, round(width * smaller))
    return quantized(upsampled(heat.values.astype(np.float64), size))
