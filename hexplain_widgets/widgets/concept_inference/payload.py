"""What travels to the views of concept inference: one tree over all sets, maps as one buffer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from ...evidence import ConceptInference
from .._shared.agreement import WORDS, with_lines
from .._shared.payload import (
    append_file,
    dotted,
    layer_fields,
    picture_bytes,
    prediction_fields,
    quantized,
    six_digits,
    six_digits_or_none,
)
from .merging import (
    ConceptPath,
    MergedConcept,
    concept_colours,
    first_open,
    merged,
    part_of,
    placed_words,
)

MOST_THUMBNAILS = 24


def inference_payload(inferences: Sequence[ConceptInference]) -> dict[str, Any]:
    """Return everything about inferences but their images.

    `nodes` are columns over the concepts of the merged tree, parents first; `parts` are columns
    over what each set says of each of them. `maps` is one buffer of maps as uint8, row by row: the
    value of a byte `q` is `(q - zero) * step`. A map that comes twice is in it once.
    """
    root, levels = merged(inferences), inferences[0].levels
    colours = concept_colours(root, levels)
    walked = list(root.walk())
    place = {path: i for i, (path, _) in enumerate(walked)}
    maps = _MapBuffer()
    return {
        "levels": list(levels),
        "layers": [_layer(inferences, level) for level in levels],
        "sets": [_set(one, i, len(inferences)) for i, one in enumerate(inferences)],
        "open": [dotted(path) for path in first_open(root)],
        "nodes": {
            "parent": [place[path[:-1]] if path else -1 for path, _ in walked],
            "concept": [one.concept for _, one in walked],
            "colour": [colours[path] for path, _ in walked],
        },
        "parts": _parts(walked, maps),
        "maps": bytes(maps.data),
    }


def checks_payload(inferences: Sequence[ConceptInference]) -> dict[str, Any]:
    """Return how far concepts agree with ablation, by `spot`, where it is known."""
    return {
        spot(s, path): with_lines(
            {
                "r": six_digits_or_none(one.agreement),
                "rest": six_digits_or_none(one.agreement_rest),
                "count": 0 if one.estimates is None else len(one.estimates),
                "parts": "channels",
                "images": one.count,
            }
        )
        for path, node in merged(inferences).walk()
        for s, one in node.known
        if one.agreement is not None
    }


def spot(place: int, path: ConceptPath) -> str:
    """Return what a concept of the merged tree is called in a set's checks."""
    return f"{place}|{dotted(path)}"


def pictures_payload(inferences: Sequence[ConceptInference]) -> dict[str, Any]:
    """Return the image of each set and its thumbnails in one buffer: `[start, length]` of each."""
    data = bytearray()
    places = [
        [
            append_file(picture_bytes(image), data)
            for image in (one.image, *one.images[:MOST_THUMBNAILS])
        ]
        for one in inferences
    ]
    return {"places": places, "data": bytes(data)}


def set_name(inference: ConceptInference, place: int, count: int) -> str:
    """Return what a set is called; one that has no name is called by its place among `count`."""
    if inference.name or count == 1:
        return inference.name
    return f"{'Set' if of_a_class(inference) else 'Image'} {place + 1}"


def of_a_class(inference: ConceptInference) -> bool:
    """Return whether an inference is one over many images, which has no maps."""
    return len(inference.images) > 0 and all(
        concept.heatmap is None for _, concept in inference.root.walk()
    )


def _set(one: ConceptInference, place: int, count: int) -> dict[str, Any]:
    return {
        "name": set_name(one, place, count),
        "target": prediction_fields(one.target),
        "size": list(one.image.shape[:2]),
        "images": len(one.images) if of_a_class(one) else 0,
        "notes": list(one.notes),
        "pale": pale_words(one),
        "placed": placed_words(one),
        "model": one.provenance.model,
    }


def pale_words(inference: ConceptInference) -> str:
    """Return which concepts are drawn pale, for they are hardly recognised; empty for none."""
    names = dict.fromkeys(one.concept for _, one in inference.root.walk() if one.hardly_recognised)
    return f"pale, {WORDS['hardly']}: {', '.join(names)}" if names else ""


def _layer(inferences: Sequence[ConceptInference], level: str) -> dict[str, Any] | None:
    layer = next((one.layers[level] for one in inferences if level in one.layers), None)
    return None if layer is None else layer_fields(layer)


def _parts(
    walked: list[tuple[ConceptPath, MergedConcept]], maps: _MapBuffer
) -> dict[str, list[Any]]:
    at = dict(walked)
    rows = [
        (i, s, concept, at[path[:-1]].by_set[s] if path else None)
        for i, (path, node) in enumerate(walked)
        for s, concept in node.known
    ]
    return {
        "node": [i for i, _, _, _ in rows],
        "set": [s for _, s, _, _ in rows],
        "part": [six_digits(part_of(concept, parent)) for _, _, concept, parent in rows],
        "map": [maps.add(concept.heatmap) for _, _, concept, _ in rows],
        **{name: [value(concept) for _, _, concept, _ in rows] for name, value in _FACTS.items()},
    }


_FACTS: dict[str, Any] = {
    "weight": lambda one: six_digits(one.weight),
    "share": lambda one: six_digits(one.share),
    "unexplained": lambda one: six_digits_or_none(one.unexplained),
    "precision": lambda one: six_digits_or_none(one.precision),
    "chance": lambda one: six_digits_or_none(one.chance),
    "count": lambda one: int(one.count),
    "flag": lambda one: one.flag,
    "hardly": lambda one: WORDS["hardly"] if one.hardly_recognised else None,
    "inferred": lambda one: one.estimates is not None,
}


class _MapBuffer:
    """Maps behind each other, each once."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._known: dict[tuple[Any, ...], int] = {}

    def add(self, values: Float[np.ndarray, "h w"] | None) -> dict[str, Any] | None:
        """Return where a map stands and how its bytes are read."""
        if values is None:
            return None
        pixels, zero, step = quantized(values)
        key = (pixels.shape, zero, step, pixels.tobytes())
        if key not in self._known:
            self._known[key] = len(self.data)
            self.data += pixels.tobytes()
        start = self._known[key]
        return {"start": start, "extent": list(pixels.shape), "zero": zero, "step": step}
