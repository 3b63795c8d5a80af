"""What travels to the Venn view: channels and regions as JSON, pictures as one binary buffer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...evidence import ChannelOverlap, ChannelPortrait
from .._shared.payload import picture_bytes, quantized, six_digits

MOST_PICTURES = 9


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


class PortraitCase:
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
    images = []
    for encoded in pictures:
        images.append([len(data), len(encoded)])
        data += encoded
    values = [six_digits(float(value)) for value in one.values[: len(images)]]
    return {"images": images, "values": values, "map": _placed_map(one, data)}


def _placed_map(one: ChannelPortrait, data: bytearray) -> dict[str, Any] | None:
    if one.activation is None:
        return None
    start, (pixels, zero, step) = len(data), quantized(one.activation)
    data += pixels.tobytes()
    return {"start": start, "extent": list(pixels.shape), "zero": zero, "step": step}
