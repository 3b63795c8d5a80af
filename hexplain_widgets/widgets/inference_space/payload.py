"""What travels to the view of inferences in space: points, sets and their table; thumbnails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ...evidence import ConceptInference, InferenceComparison, InferredConcept
from ...network.images import thumbnail
from .._shared.payload import files_payload, picture_bytes, six_digits
from ..concept_inference.payload import inference_payload, pictures_payload
from . import geometry
from .words import apart, p_value, remarks, verdict

MOST_PIXELS = 128  # the longer side of a thumbnail
FEW = 24  # inferences, up to which maps are finer: all are saved with the notebook
FINE, COARSE = 28, 14  # the longer side of a map


def space_payload(evidence: InferenceComparison) -> dict[str, Any]:
    """Return everything about a comparison but its images; `points` is float32, row by row."""
    every = range(len(evidence.names))
    return {
        "points": evidence.points.astype(np.float32).tobytes(),
        "sets": [int(s) for s in evidence.sets],
        "groups": [_group(evidence, s) for s in every],
        "level": evidence.level,
        "variance": _numbers(evidence.explained_variance),
        "box": [_numbers(corner) for corner in geometry.box(evidence)],
        "table": [[_entry(evidence, s, t) for t in every] for s in every],
        "tested": evidence.p_values is not None,
        "verdict": verdict(evidence),
        "remarks": [*remarks(evidence), *_other_flags(evidence)],
        "model": evidence.provenance.model,
    }


def thumbnails_payload(pictures: Iterable[UInt8[np.ndarray, "_h _w 3"]]) -> dict[str, Any]:
    """Return thumbnails in one buffer, in the order of the points: `[start, length]` of each."""
    return files_payload(picture_bytes(thumbnail(picture, MOST_PIXELS)) for picture in pictures)


def charts_payload(
    inferences: Mapping[int, ConceptInference], evidence: InferenceComparison
) -> dict[str, Any]:
    """Return the inferences of single points, as one tree: `of` says whose each is.

    Maps have at most 28 cells a side, of more than 24 points at most 14.
    """
    if not inferences:
        return {"of": [], "inference": {}, "pictures": {}}
    most = FINE if len(inferences) <= FEW else COARSE
    named = [
        replace(one, name=point_name(evidence, i), root=coarser(one.root, most))
        for i, one in inferences.items()
    ]
    return {
        "of": list(inferences),
        "inference": inference_payload(named),
        "pictures": pictures_payload(named),
    }


def points_checked(evidence: InferenceComparison) -> dict[str, Any]:
    """Return how far points agree with ablation, by their number, where it is known."""
    count = 0 if evidence.estimates is None else evidence.estimates.shape[1]
    return {
        str(i): {"r": six_digits(r), "count": count, "parts": "channels"}
        for i, r in enumerate(evidence.agreements)
        if r is not None
    }


def point_name(evidence: InferenceComparison, point: int) -> str:
    """Return what an image is called: its set's name and its number in it, from 1."""
    place = int(evidence.sets[point])
    return f"{evidence.names[place]} {1 + int((evidence.sets[:point] == place).sum())}"


def coarser(concept: InferredConcept, most: int) -> InferredConcept:
    """Return a concept and all below it with maps of at most so many cells a side."""
    values = concept.heatmap
    if values is not None and max(values.shape) > most:
        part = most / max(values.shape)
        size = tuple(max(1, round(side * part)) for side in reversed(values.shape))
        drawn = Image.fromarray(values.astype(np.float32))
        values = np.asarray(drawn.resize((size[0], size[1]), Image.Resampling.BOX))
    below = tuple(coarser(child, most) for child in concept.children)
    return replace(concept, heatmap=values, children=below)


def pictured(evidence: InferenceComparison) -> tuple[UInt8[np.ndarray, "_h _w 3"], ...]:
    """Return a picture of each point: its thumbnail, else what its inference was shown, or none."""
    return evidence.images or tuple(one.image for one in evidence.inferences)


def _group(evidence: InferenceComparison, place: int) -> dict[str, Any]:
    points = geometry.members(evidence, place)
    half = geometry.axes(points)
    name = evidence.names[place]
    return {
        "name": name,
        "concept": evidence.concepts[place],
        "images": len(points),
        "centre": _numbers(geometry.centre(points)),
        "axes": None if half is None else [_numbers(row) for row in half],
        "flag": evidence.flags.get(name),
    }


def _entry(evidence: InferenceComparison, s: int, t: int) -> dict[str, Any]:
    alone = s == t and geometry.sizes(evidence)[s] < 2
    return {
        "distance": None if alone else six_digits(float(evidence.distances[s, t])),
        "apart": apart(evidence, s, t),
        "p": p_value(evidence, s, t),
    }


def _other_flags(evidence: InferenceComparison) -> list[str]:
    return [
        f"{name}: {text}" for name, text in evidence.flags.items() if name not in evidence.names
    ]


def _numbers(values: Iterable[float]) -> list[float]:
    return [six_digits(float(value)) for value in values]
