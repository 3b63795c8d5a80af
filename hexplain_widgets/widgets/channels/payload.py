"""What travels to the views of channels: weights as bytes, orders, overlaps, portraits."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from ...evidence import ChannelImportance, ChannelOverlap, ChannelPortrait
from .._shared.payload import append_file, picture_bytes, quantized, six_digits

ZERO, STEPS = 128, 127
# Classes up to which neighbours are as like as can be, and up to which they are compared at all:
# ordering leaves takes 0.6 s of 500 and 100 s of 4,000, all distances of 4,000 one second.
BEST_ORDER, COMPARED = 400, 2000
STRONGEST = 5
MOST_PICTURES = 9


def matrix_payload(evidence: ChannelImportance) -> dict[str, Any]:
    """Return the matrix with everything that is told of its rows and columns.

    `data` is one byte per weight, row by row, compressed: `q` stands for
    `sign(q - 128) * ((q - 128) / 127)² * peaks[row]`, finer for small weights; zero is exact and
    nothing else is zero.
    """
    values = evidence.values
    scaled = values * evidence.means
    order = class_order(scaled)
    return {
        "layer": evidence.layer,
        "classes": list(evidence.classes),
        "channels": int(values.shape[1]),
        "sparsity": six_digits(evidence.sparsity),
        "data": zlib.compress(bytes_of(values).tobytes(), 6),
        "means": np.asarray(evidence.means, dtype="<f4").tobytes(),
        **_row_facts(evidence, scaled),
        "shared": np.count_nonzero(values > 0, axis=0).tolist(),
        "alike": order.tolist(),
        "blocks": channel_order(scaled, order).tolist(),
        "notes": list(evidence.notes),
        "model": evidence.provenance.model,
    }


def bytes_of(values: Float[np.ndarray, "c k"]) -> UInt8[np.ndarray, "c k"]:
    """Return signed weights as bytes around 128, by the square root of their part of the row."""
    peaks = np.abs(values).max(axis=1, keepdims=True, initial=0)
    part = np.sqrt(np.abs(values) / np.where(peaks > 0, peaks, 1))
    size = np.clip(np.rint(part * STEPS), np.where(values != 0, 1, 0), STEPS)
    return np.asarray(ZERO + np.sign(values) * size, dtype=np.uint8)


def class_order(rows: Float[np.ndarray, "c k"]) -> Int[np.ndarray, " c"]:
    """Return the classes so that similar ones stand together.

    Average linkage of cosine distances, leaves ordered so that neighbours are as similar as can
    be; a class without any weight is as far from all others as one that shares no channel. Of
    more than `BEST_ORDER` classes the leaves stand as the linkage gives them; more than `COMPARED`
    stand by the channel that matters most for them, the strongest first.
    """
    if len(rows) < 3:
        return np.arange(len(rows))
    if len(rows) > COMPARED:
        return np.lexsort((-rows.max(axis=1), rows.argmax(axis=1)))
    # here, for only the matrix sorts by likeness
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import pdist

    # the cosine of a row without any weight is not a number
    distances = np.clip(np.nan_to_num(pdist(rows, "cosine"), nan=1.0), 0, 2)
    tree = linkage(distances, "average")
    if len(rows) <= BEST_ORDER:
        tree = optimal_leaf_ordering(tree, distances)
    return np.asarray(leaves_list(tree), dtype=np.int64)


def channel_order(
    rows: Float[np.ndarray, "c k"], order: Int[np.ndarray, " c"]
) -> Int[np.ndarray, " k"]:
    """Return the channels by the class they matter most for, in the classes' `order`.

    Within a class the strongest come first; channels that matter for none come last.
    """
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    best = rows.max(axis=0)
    home = np.where(best > 0, place[rows.argmax(axis=0)], len(order))
    return np.lexsort((np.arange(len(best)), -best, home))


def _row_facts(
    evidence: ChannelImportance, scaled: Float[np.ndarray, "c k"]
) -> dict[str, list[Any]]:
    values = evidence.values
    peaks = np.abs(values).max(axis=1, initial=0)
    return {
        "peaks": [six_digits(float(peak)) for peak in peaks],
        "nonzero": np.count_nonzero(values, axis=1).tolist(),
        "fit": [six_digits(float(fit)) if np.isfinite(fit) else None for fit in evidence.fit],
        "flags": [evidence.flags.get(name, "") for name in evidence.classes],
        "strongest": [_strongest(row) for row in scaled],
    }


def _strongest(row: Float[np.ndarray, " k"]) -> list[list[float | int]]:
    first = np.argsort(-np.abs(row), kind="stable")[:STRONGEST]
    return [[int(k), six_digits(float(row[k]))] for k in first if row[k] != 0]


def overlap_payload(evidence: ChannelOverlap) -> dict[str, Any]:
    """Return classes, their channels, and the regions by positions among the classes.

    Regions come in order of how many classes share them, then by size, largest first.
    """
    place = {name: i for i, name in enumerate(evidence.classes)}
    regions = [
        {"classes": sorted(place[name] for name in names), "channels": list(channels)}
        for names, channels in evidence.regions.items()
    ]
    return {
        "classes": list(evidence.classes),
        "channels": [list(evidence.channels[name]) for name in evidence.classes],
        "weights": [list(map(six_digits, evidence.weights[name])) for name in evidence.classes],
        "regions": sorted(regions, key=_rank),
        "similarity": _similarities(evidence),
        "layer": evidence.layer,
        "top": evidence.top,
        "threshold": evidence.threshold,
        "notes": list(evidence.notes),
    }


def _rank(region: dict[str, Any]) -> tuple[int, int, list[int]]:
    return -len(region["classes"]), -len(region["channels"]), region["classes"]


def _similarities(evidence: ChannelOverlap) -> list[list[float]]:
    names = evidence.classes
    return [[six_digits(evidence.similarity(a, b)) for b in names] for a in names]


class PortraitEncoder:
    """Keeps the encoded pictures of portraits, so that each is encoded once."""

    def __init__(self) -> None:
        self._encoded: dict[int, tuple[ChannelPortrait, list[bytes]]] = {}

    def payload(self, layer: str, portraits: Iterable[ChannelPortrait]) -> dict[str, Any]:
        """Return the portraits of a layer: places in one buffer, `[start, length]` of each picture.

        A map is bytes `q` for the values `(q - zero) * step`, as in a decomposition.
        """
        self._encoded = {one.channel: self._encode(one) for one in portraits}
        data = bytearray()
        places = {
            str(channel): _placed(one, pictures, data)
            for channel, (one, pictures) in self._encoded.items()
        }
        return {"layer": layer, "places": places, "data": bytes(data)}

    def _encode(self, one: ChannelPortrait) -> tuple[ChannelPortrait, list[bytes]]:
        known = self._encoded.get(one.channel)
        if known is not None and known[0] is one:
            return known
        return one, [picture_bytes(pixels) for pixels in one.images[:MOST_PICTURES]]


def _placed(one: ChannelPortrait, pictures: list[bytes], data: bytearray) -> dict[str, Any]:
    images = [append_file(encoded, data) for encoded in pictures]
    values = [six_digits(float(value)) for value in one.values[: len(images)]]
    placed = _placed_map(one, data)
    return {"images": images, "values": values, "map": placed, "ranking": one.ranking}


def _placed_map(one: ChannelPortrait, data: bytearray) -> dict[str, Any] | None:
    if one.activation is None:
        return None
    start, (pixels, zero, step) = len(data), quantized(one.activation)
    data += pixels.tobytes()
    return {"start": start, "extent": list(pixels.shape), "zero": zero, "step": step}
