"""What travels to a heatmap view: names and numbers as JSON, all maps as one buffer of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...chip.heatmaps import OF_THE_IMAGE
from ...evidence import HeatMap
from ...evidence.heat import CONTESTED
from .._shared.payload import (
    CodedMap,
    layer_fields,
    map_bytes,
    map_columns,
    picture_bytes,
    prediction_fields,
    quantized,
    six_digits,
)
from .grid import WITHOUT_WEIGHTS, HeatmapGrid, MapCell, Spot

NOTHING = np.zeros((0, 0), dtype=np.uint8)


class GridEncoder:
    """Writes a grid for the browser; pictures that were written before are not written again."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[HeatMap, bytes]] = {}

    def payload(self, grid: HeatmapGrid) -> dict[str, Any]:
        """Return everything about a grid but its image, maps as columns.

        `data` holds every map row by row, as uint8: the value of a byte `q` is `(q - zero) * step`.
        A map that has a picture of its own travels as that picture, in `pictures`.
        """
        placed = list(grid.ordered())
        maps = [_quantized(cell.heatmap) for _, cell in placed]
        encoded = self._pictures([cell for _, cell in placed])
        return {
            "size": list(grid.image.shape[:2]),
            "model": grid.provenance.model,
            "sparsity": grid.sparsity,
            "rivals": grid.rivals,
            "methods": [_method(name) for name in grid.methods],
            "predictions": [prediction_fields(p) for p in grid.predictions],
            "layers": [layer_fields(layer) for layer in grid.layers],
            "targets": [{"key": key, "name": name} for key, name in grid.targets().items()],
            "notes": list(grid.notes),
            "errors": [[*spot, text] for spot, text in grid.errors.items()],
            "maps": _columns(placed, maps, encoded),
            "data": map_bytes(maps),
            "pictures": b"".join(encoded),
        }

    def _pictures(self, cells: list[MapCell]) -> list[bytes]:
        fresh = {id(cell.heatmap): self._picture(cell.heatmap) for cell in cells}
        self._known = fresh
        return [fresh[id(cell.heatmap)][1] for cell in cells]

    def _picture(self, heatmap: HeatMap) -> tuple[HeatMap, bytes]:
        known = self._known.get(id(heatmap))
        if known is not None and known[0] is heatmap:
            return known
        pixels = heatmap.picture
        return heatmap, b"" if pixels is None else picture_bytes(pixels)


def _method(name: str) -> dict[str, Any]:
    """A method: whether it has one map per class, whether the sparsity changes its maps.

    And whether it has maps whose places are held against other classes.
    """
    return {
        "name": name,
        "whole": name in OF_THE_IMAGE,
        "weighed": name not in WITHOUT_WEIGHTS,
        "contested": name in CONTESTED,
    }


def _quantized(heatmap: HeatMap) -> CodedMap:
    if heatmap.picture is not None:
        return NOTHING, 0, 1.0
    return quantized(heatmap.values)


def _columns(
    placed: list[tuple[Spot, MapCell]], maps: list[CodedMap], encoded: list[bytes]
) -> Mapping[str, list[Any]]:
    return {
        "method": [spot.method for spot, _ in placed],
        "target": [spot.target for spot, _ in placed],
        "layer": [spot.layer for spot, _ in placed],
        "contested": [spot.contested for spot, _ in placed],
        **map_columns(maps),
        "picture": [len(one) for one in encoded],
        **{name: [value(cell) for _, cell in placed] for name, value in _FACTS.items()},
    }


def _box(cell: MapCell) -> list[int] | None:
    one = cell.box
    return None if one is None or one.box[2:] <= one.box[:2] else [int(i) for i in one.box]


_FACTS: dict[str, Any] = {
    "of": lambda cell: cell.heatmap.layer,
    "grid": lambda cell: list(cell.heatmap.values.shape),
    "low": lambda cell: six_digits(float(cell.heatmap.values.min(initial=0))),
    "high": lambda cell: six_digits(float(cell.heatmap.values.max(initial=0))),
    "channels": lambda cell: None if cell.channels is None else list(cell.channels),
    "boxed": lambda cell: int(cell.boxed),
    "foreign": lambda cell: int(cell.foreign),
    "rivals": lambda cell: cell.heatmap.against,
    "against": lambda cell: list(cell.heatmap.rivals or ()),
    "box": _box,
    "threshold": lambda cell: (
        None if cell.localization is None else six_digits(cell.localization.threshold)
    ),
    "notes": lambda cell: list(cell.heatmap.notes),
}
