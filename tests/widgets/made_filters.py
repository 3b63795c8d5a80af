"""Filters of a layer made by hand: hundreds of them, thumbnails of few scenes, blobs as regions."""

from __future__ import annotations

import numpy as np

from hexplain_widgets.evidence import FilterPortrait, FilterSheet, Layer, Provenance
from tests.widgets.made import MARKUP, tinted
from tests.widgets.made_chip import bump

SIDE = 64
PARTS = ("wheel", "wing mirror", "door", "hood", MARKUP)
SILENT = (7, 40)


def sheet(filters: int = 60, *, labelled: bool = True, notes: tuple[str, ...] = ()) -> FilterSheet:
    """The first filters overlap parts; those of `SILENT` never fire."""
    draw = np.random.default_rng(0)
    pictures = [tinted(draw, SIDE, 0.5) for _ in range(24)]
    iou = draw.gamma(0.6, 0.03, (filters, len(PARTS)))
    iou[[k for k in SILENT if k < filters]] = 0
    return FilterSheet(
        layer=Layer("features.17", "Conv2dNormActivation", (filters, 8, 8), 4, (299, 299)),
        portraits=tuple(_portrait(k, pictures) for k in range(filters)),
        quantile=0.995,
        images=110,
        provenance=Provenance("filter gallery", "Made", "filters", {"network": "abc"}, seed=0),
        parts=PARTS if labelled else (),
        iou=iou if labelled else None,
        chance=draw.gamma(0.6, 0.02, filters) if labelled else None,
        notes=notes,
    )


def _portrait(k: int, pictures: list[np.ndarray]) -> FilterPortrait:
    draw = np.random.default_rng(k + 1)
    count = 0 if k in SILENT else 4
    some = draw.choice(len(pictures), count, replace=False)
    values = np.sort(draw.gamma(3, 1, count))[::-1]
    masks = [bump(draw, (SIDE, SIDE)) > 0.6 for _ in range(count)]
    return FilterPortrait(
        filter=k,
        images=np.array([pictures[i] for i in some], np.uint8).reshape(count, SIDE, SIDE, 3),
        values=values.copy(),
        masks=np.array(masks, bool).reshape(count, SIDE, SIDE),
        threshold=float(values[-1] * 0.8) if count else 0.0,
    )
