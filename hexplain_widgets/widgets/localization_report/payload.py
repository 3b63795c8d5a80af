"""What travels to the views of localisation: rows of figures, pictures as files, boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ...evidence import Localization, LocalizationSummary
from ...evidence.localization import ERRORS, MEASURES, OVERLAP
from .._shared.payload import files_payload, picture_bytes, six_digits
from .words import counts, facts, verdict


def summary_payload(summary: LocalizationSummary) -> dict[str, Any]:
    """Return everything that is shown of many images."""
    shown = summary.pictured
    return {
        "measures": list(MEASURES),
        "errors": ERRORS,
        "methods": [_row(summary, m) for m in range(len(summary.methods))],
        "reference": summary.reference,
        "images": len(summary.places),
        "verdict": verdict(summary),
        "facts": facts(summary),
        "places": summary.places[shown].tolist(),
        "named": [summary.classes[i] for i in summary.labels[shown]],
        "masked": summary.masked[shown].tolist(),
        "sizes": summary.sizes.tolist(),
        "boxes": summary.boxes.tolist(),
        "answered": summary.answered[:, shown].tolist(),
        "ious": [[six_digits(float(v)) for v in row] for row in summary.ious[:, shown]],
        "truths": summary.truths.tolist(),
        "pictures": files_payload(map(picture_bytes, summary.thumbnails)),
        "model": summary.provenance.model,
        "notes": list(summary.notes),
    }


def _row(summary: LocalizationSummary, method: int) -> dict[str, Any]:
    differences = summary.differences[method]
    return {
        "name": summary.methods[method],
        "kind": summary.kinds[method],
        "layer": summary.layers[method],
        "simple": bool(summary.simple[method]),
        "threshold": six_digits(float(summary.thresholds[method])),
        "reason": summary.reasons[method],
        "images": int(summary.answered[method].sum()),
        "figures": _figures(summary.figures[method]),
        "differences": _figures(differences),
        "counts": [counts(mean, error) for mean, error in differences.tolist()],
    }


def _figures(values: Float[np.ndarray, "6 2"]) -> list[list[float | None]]:
    return [[None if np.isnan(v) else six_digits(v) for v in row] for row in values.tolist()]


def localization_payload(one: Localization) -> dict[str, Any]:
    """Return everything that is shown of one region on its image."""
    mask = one.truth_mask
    return {
        "target": one.target,
        "method": one.provenance.method,
        "layer": one.layer,
        "model": one.provenance.model,
        "threshold": six_digits(one.threshold),
        "size": list(one.image.shape[:2]),
        "box": list(map(int, one.box)),
        "truth": None if one.truth is None else list(map(int, one.truth)),
        "iou": None if one.iou is None else six_digits(one.iou),
        "agrees": one.iou is not None and one.iou > OVERLAP,
        "area": six_digits(float(one.mask.mean())),
        "edges": edges_of(one.mask).tolist(),
        "true_edges": [] if mask is None else edges_of(mask).tolist(),
        "image": picture_bytes(one.image),
        "notes": list(one.notes),
    }


def edges_of(mask: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "n 4"]:
    """Return the outline of a mask as straight lines `(x0, y0, x1, y1)` between its pixels.

    >>> edges_of(np.array([[True, True]])).tolist()
    [[0, 0, 2, 0], [0, 1, 2, 1], [0, 0, 0, 1], [2, 0, 2, 1]]
    """
    across = _lines(mask)
    down = _lines(mask.T)[:, [1, 0, 3, 2]]
    return np.concatenate([across, down])


def _lines(mask: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "n 4"]:
    """Return the level parts of an outline, each as long as it goes."""
    padded = np.pad(mask, ((1, 1), (0, 0))).astype(np.int8)
    change = np.diff(padded, axis=0)  # +1 where a mask begins below, -1 where it ends above
    found = []
    for sign in (1, -1):
        steps = np.diff(np.pad(change == sign, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        y, x0 = np.nonzero(steps == 1)
        _, x1 = np.nonzero(steps == -1)
        found.append(np.stack([x0, y, x1, y], axis=1))
    return np.concatenate(found)
