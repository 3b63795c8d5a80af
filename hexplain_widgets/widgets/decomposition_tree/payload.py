"""What travels to a view of a decomposition: nodes as columns, maps and pictures as buffers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ...evidence import Decomposition, Node
from .._shared.agreement import with_lines
from .._shared.payload import (
    append_file,
    dotted,
    layer_fields,
    map_bytes,
    map_columns,
    prediction_fields,
    quantized,
    six_digits,
    six_digits_or_none,
)

Path = tuple[int, ...]


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
        "method": method_of(evidence),
        "nodes": {**_columns(nodes, evidence), **map_columns(maps)},
        "maps": map_bytes(maps),
    }


def pictures_payload(pictures: Iterable[tuple[Path, bytes]]) -> dict[str, Any]:
    """Return the guided-backpropagation pictures in one buffer, with `[start, length]` of each."""
    data = bytearray()
    places = {dotted(path): append_file(encoded, data) for path, encoded in pictures}
    return {"places": places, "data": bytes(data)}


def checks_payload(evidence: Decomposition) -> dict[str, Any]:
    """Return how far each decomposed node's estimates agree with ablation, where it is known."""
    return {
        dotted(path): with_lines(
            {
                "r": six_digits_or_none(node.agreement),
                "rest": six_digits_or_none(node.agreement_rest),
                "count": evidence.layers[len(path)].shape[0],
                "parts": "channels",
                "instead": instead_of(evidence),
            },
            estimate_of(evidence),
        )
        for path, node in evidence.root.walk()
        if node.agreement is not None and len(path) < len(evidence.layers)
    }


def estimate_of(evidence: Decomposition) -> str:
    """Return what of a tree is compared with ablation: the gradient where the tree is not."""
    return "the gradient" if method_of(evidence) == "ablation" else ""


def instead_of(evidence: Decomposition) -> str:
    """Return what removed channels of a tree are set to, in words; nothing where that is zero."""
    said = str(evidence.provenance.settings.get("baseline", "zero"))
    return "" if said == "zero" else said


def method_of(evidence: Decomposition) -> str:
    """Return by what method contributions were found."""
    return str(evidence.provenance.settings.get("method", "gradient"))


def pictured(evidence: Decomposition) -> Iterator[tuple[Path, UInt8[np.ndarray, "h w 3"]]]:
    """Yield `(path, picture)` of every node that has one."""
    for path, node in evidence.root.walk():
        if node.picture is not None and node.picture.size:
            yield path, node.picture


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
    "completeness": lambda node: six_digits_or_none(node.completeness),
    "estimate": lambda node: six_digits_or_none(node.estimate),
    "corner": lambda node: [int(i) for i in node.offset],
    "grid": lambda node: [int(i) for i in node.shape],
}
