"""What travels to the view of confusions: pairs as columns, pictures as files."""

from __future__ import annotations

from typing import Any

from ...evidence import ConfusionSummary
from .._shared.payload import files_payload, picture_bytes, six_digits

# Images of a channel, and pairs in the list: a thousand classes may have as many pairs as images.
IMAGES, LISTED = 3, 400


def confusion_payload(evidence: ConfusionSummary) -> dict[str, Any]:
    """Return everything that is shown, of the pairs the `LISTED` most frequent."""
    shown = [
        (pair, place, pixels)
        for pair, place, pixels in zip(
            evidence.pictured.tolist(), evidence.places.tolist(), evidence.thumbnails, strict=True
        )
        if pair < LISTED
    ]
    portraits = evidence.portraits
    return {
        "classes": list(evidence.classes),
        "labelled": evidence.labelled.tolist(),
        "right": evidence.right.tolist(),
        "pairs": evidence.pairs[:LISTED].tolist(),
        "counts": evidence.counts[:LISTED].tolist(),
        "all": [len(evidence.counts), evidence.mistakes],
        "images": evidence.seen - evidence.unlabelled,
        "pictured": [pair for pair, _, _ in shown],
        "places": [place for _, place, _ in shown],
        "pictures": files_payload(picture_bytes(pixels) for _, _, pixels in shown),
        "layer": evidence.layer,
        "compared": evidence.compared,
        "shared": _shared(evidence),
        "portraits": [[one.channel, len(one.images[:IMAGES])] for one in portraits],
        "faces": files_payload(
            picture_bytes(pixels) for one in portraits for pixels in one.images[:IMAGES]
        ),
        "model": evidence.provenance.model,
        "notes": list(evidence.notes),
    }


def _shared(evidence: ConfusionSummary) -> list[list[float | int]]:
    if evidence.shared is None or evidence.weights is None:
        return []
    rows = zip(evidence.shared.tolist(), evidence.weights.tolist(), strict=True)
    return [[*at, *map(six_digits, weights)] for at, weights in rows]
