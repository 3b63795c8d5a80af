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
from .._shared.agreement import POOR, r_of, with_lines
from .._shared.payload import files_payload, picture_bytes, six_digits, six_digits_or_none
from ..concept_inference.payload import inference_payload, pictures_payload
from . import geometry
from .words import apart, p_value, remarks, verdict

MOST_PIXELS = 128  # the longer side of a thumbnail
FEW = 24  # inferences, up to which maps are finer: all are saved with the notebook
FINE, COARSE = 28, 14  # the longer side of a map

LACK = (
    "This comparison holds no inferences of single images."
    " chain.compare(sets, concept, level, inferences=True) makes them;"
    " InferenceSpace(comparison, chain, images=sets) infers them when points are chosen."
)
GONE = "The inference of this point was not kept with the page."
BOLD = "Bold: larger than the spread within both sets. Diagonal: the spread within a set."


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
        "remarks": [
            *([BOLD] if len(evidence.names) > 1 else []),
            *remarks(evidence),
            *_other_flags(evidence),
        ],
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
        return {"of": [], "lack": LACK, "inference": {}, "pictures": {}}
    most = FINE if len(inferences) <= FEW else COARSE
    named = [
        replace(one, name=point_name(evidence, i), root=coarser(one.root, most))
        for i, one in inferences.items()
    ]
    return {
        "of": list(inferences),
        "lack": GONE,
        "inference": inference_payload(named),
        "pictures": pictures_payload(named),
    }


def points_checked(evidence: InferenceComparison) -> dict[str, Any]:
    """Return how far points agree with ablation, by their number, where it is known."""
    count = 0 if evidence.estimates is None else evidence.estimates.shape[1]
    rests = evidence.agreement_rests or (None,) * len(evidence.agreements)
    checks = {
        str(i): _check(r, rest, count)
        for i, (r, rest) in enumerate(zip(evidence.agreements, rests, strict=True))
        if r is not None
    }
    return with_mean(checks, evidence)


def with_mean(checks: Mapping[str, Any], evidence: InferenceComparison) -> dict[str, Any]:
    """Return the checks of points with that of `all`, once each has one: their mean, the lowest."""
    points = {name: one for name, one in checks.items() if name != "all"}
    known = [(one["r"], int(name)) for name, one in points.items() if one["r"] is not None]
    if len(points) < len(evidence.points) or not known:
        return points
    rests = [points[str(i)].get("rest") for _, i in known]
    low, at = min(known)
    return points | {
        "all": _check(
            float(np.mean([r for r, _ in known])),
            None if None in rests else float(np.mean(rests)),
            points[str(at)]["count"],
            images=len(known),
            least=low,
            lowest=f" on average, {_low(low)} in {point_name(evidence, at)}",
        )
    }


def _check(r: float, rest: float | None, count: int, **more: Any) -> dict[str, Any]:
    fields = {"r": six_digits(r), "rest": six_digits_or_none(rest)}
    return with_lines({**fields, "count": count, "parts": "channels", **more})


def _low(r: float) -> str:
    return f"but only {r_of(r)}" if r < POOR else f"{r_of(r)} at least"


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
