"""What travels to a decomposition view: names and numbers as JSON, pixels as binary buffers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ...evidence import Decomposition, Faithfulness, Layer, Node, Prediction

Path = tuple[int, ...]
SMALL_PICTURE = 40  # pixels a side up to which a PNG is smaller than a JPEG's tables


def dotted(path: Path) -> str:
    """Return a path as the view writes it: `(0, 2, 1)` is `"0.2.1"`, the root is `""`."""
    return ".".join(map(str, path))


def tree_payload(evidence: Decomposition, top_k: int) -> dict[str, Any]:
    """Return everything about a tree but its pictures: columns of its nodes, parents first.

    `maps` is one buffer with the activation map of every node, row by row, as uint8:
    the value of a byte `q` is `(q - zero) * step`, so that zero is exact.
    """
    nodes = list(evidence.root.walk())
    maps = [quantized(node.patch) for _, node in nodes]
    return {
        "size": list(evidence.image.shape[:2]),
        "top_k": top_k,
        "target": prediction_fields(evidence.target),
        "predictions": [prediction_fields(p) for p in evidence.predictions],
        "layers": [layer_fields(layer) for layer in evidence.layers],
        "notes": list(evidence.notes),
        "model": evidence.provenance.model,
        "method": evidence.provenance.settings.get("method", "gradient"),
        "nodes": {**_columns(nodes, evidence), **_map_columns(maps)},
        "maps": b"".join(pixels.tobytes() for pixels, _, _ in maps),
    }


def quantized(values: Float[np.ndarray, "h w"]) -> tuple[UInt8[np.ndarray, "h w"], int, float]:
    """Return `(q, zero, step)` with `values = (q - zero) * step` to half a step."""
    low, high = (
        (min(0.0, float(values.min())), max(0.0, float(values.max()))) if values.size else (0, 0)
    )
    step = six_digits((high - low) / 254) or 1.0
    zero = round(-low / step)
    return np.clip(np.rint(values / step) + zero, 0, 255).astype(np.uint8), zero, step


def picture_bytes(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Return a picture as JPEG of quality 85, or as PNG where that is the smaller."""
    out = BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if max(picture.size) <= SMALL_PICTURE:
        picture.save(out, format="PNG", optimize=True)
    else:
        picture.save(out, format="JPEG", quality=85)
    return out.getvalue()


def pictures_payload(pictures: Iterable[tuple[Path, bytes]]) -> dict[str, Any]:
    """Return the guided-backpropagation pictures in one buffer, with `[start, length]` of each."""
    places: dict[str, list[int]] = {}
    data = bytearray()
    for path, encoded in pictures:
        places[dotted(path)] = [len(data), len(encoded)]
        data += encoded
    return {"places": places, "data": bytes(data)}


def _columns(nodes: list[tuple[Path, Node]], evidence: Decomposition) -> dict[str, list[Any]]:
    place = {path: i for i, (path, _) in enumerate(nodes)}
    level = {layer.name: i for i, layer in enumerate(evidence.layers)}
    return {
        "parent": [place[path[:-1]] if path else -1 for path, _ in nodes],
        "layer": [level.get(node.layer, -1) for _, node in nodes],
        **{name: [value(node) for _, node in nodes] for name, value in _FACTS.items()},
    }


_FACTS: dict[str, Any] = {
    "channel": lambda node: int(node.channel),
    "position": lambda node: [int(i) for i in node.position],
    "value": lambda node: six_digits(node.value),
    "contribution": lambda node: six_digits(node.contribution),
    "share": lambda node: six_digits(node.share),
    "box": lambda node: [int(i) for i in node.box],
    "also": lambda node: [int(i) for i in node.also],
    "negated": lambda node: int(node.negated),
    "unclipped": lambda node: int(node.unclipped),
    "activated": lambda node: node.activated,
    "completeness": lambda node: _or_none(node.completeness),
    "estimate": lambda node: _or_none(node.estimate),
    "corner": lambda node: [int(i) for i in node.offset],
    "grid": lambda node: [int(i) for i in node.shape],
}


def _map_columns(maps: list[tuple[UInt8[np.ndarray, "_ _"], int, float]]) -> dict[str, list[Any]]:
    return {
        "extent": [list(pixels.shape) for pixels, _, _ in maps],
        "zero": [zero for _, zero, _ in maps],
        "step": [step for _, _, step in maps],
    }


def prediction_fields(prediction: Prediction) -> dict[str, Any]:
    """Return what a view needs to name a class and say how likely it is."""
    return {
        "index": int(prediction.index),
        "name": prediction.name,
        "probability": six_digits(prediction.probability),
        "logit": six_digits(prediction.logit),
    }


def layer_fields(layer: Layer) -> dict[str, Any]:
    """Return what a view needs to name a layer."""
    return {
        "name": layer.name,
        "type": layer.type,
        "shape": list(layer.shape),
        "stage": layer.stage,
        "field": None if layer.receptive_field is None else list(layer.receptive_field),
    }


def faithfulness_fields(found: Faithfulness) -> dict[str, Any]:
    """Return what a view says of how far an explanation agrees with ablation."""
    return {
        "r": _or_none(found.pearson),
        "rank": _or_none(found.spearman),
        "count": len(found.drops),
        "parts": found.parts,
        "images": found.images,
        "seconds": six_digits(found.seconds),
    }


def six_digits(value: float) -> float:
    """Return a number as it is written for a view: to six digits."""
    return float(f"{value:.6g}")


def _or_none(value: float | None) -> float | None:
    return None if value is None else six_digits(value)


def checks_payload(evidence: Decomposition) -> dict[str, Any]:
    """Return how far each decomposed node's estimates agree with ablation, where it is known."""
    return {
        dotted(path): {
            "r": _or_none(node.agreement),
            "count": evidence.layers[len(path)].shape[0],
            "parts": "channels",
        }
        for path, node in evidence.root.walk()
        if node.agreement is not None and len(path) < len(evidence.layers)
    }


def pictured(evidence: Decomposition) -> Iterator[tuple[Path, UInt8[np.ndarray, "h w 3"]]]:
    """Yield `(path, picture)` of every node that has one."""
    for path, node in evidence.root.walk():
        if node.picture is not None and node.picture.size:
            yield path, node.picture
