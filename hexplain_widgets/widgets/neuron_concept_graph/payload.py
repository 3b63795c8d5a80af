"""What travels to the view of neurons and concepts: names as JSON, scores and maps as bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ...evidence import ClassifierQuality, HeatMap, NeuronConcepts, NeuronPortrait
from .._shared.agreement import with_lines
from .._shared.payload import (
    append_file,
    files_payload,
    layer_fields,
    map_bytes,
    map_columns,
    picture_bytes,
    quantized,
    six_digits,
    six_digits_or_none,
)

Picture = UInt8[np.ndarray, "h w 3"]

MOST_PICTURES = 6
ROWS = 26  # concepts that are seen at first
# Every way to score a neuron, and what it is called in full.
ESTIMATORS: Mapping[str, str] = {
    "owen": "Shapley value, Owen's integral",
    "permutation": "Shapley value, sampled permutations",
    "retrained": "Shapley value, classifiers fitted again",
    "retrained_logistic": "Shapley value, classifiers trained again",
    "logit": "Shapley value of the logit",
    "coefficient": "coefficient × standard deviation",
    "random": "random, the baseline",
}


def graph_payload(evidence: NeuronConcepts, most: int) -> dict[str, Any]:
    """Return concepts, neurons and how well each concept is known.

    `scores` and `errors` are float32, neuron by neuron; no errors where nothing was sampled.
    `parents` are places among the concepts, `most` how many neurons of a concept are complete.
    """
    return {
        "concepts": [one.name for one in evidence.concepts],
        "parents": parents_of(evidence),
        "classes": [len(one.classes) for one in evidence.concepts],
        "flags": [one.flag or "" for one in evidence.qualities],
        "quality": [_quality(one) for one in evidence.qualities],
        "checks": checks_of(evidence),
        "neurons": list(map(int, evidence.neurons)),
        "scores": np.asarray(evidence.scores, dtype="<f4").tobytes(),
        "errors": b"" if evidence.errors is None else evidence.errors.astype("<f4").tobytes(),
        "estimator": evidence.estimator,
        "error": _largest(evidence),
        "layer": evidence.layer,
        "layers": [layer_fields(layer) for layer in evidence.layers],
        "f1": [[six_digits(float(f1)) for f1 in row] for row in evidence.f1],
        "most": most,
        "notes": list(evidence.notes),
        "model": evidence.provenance.model,
    }


def checks_of(evidence: NeuronConcepts) -> list[dict[str, Any] | None]:
    """Return how far each concept's scores agree with ablation, None where that is not known."""
    width = next(one.shape[0] for one in evidence.layers if one.name == evidence.layer)
    known = evidence.agreement or (None,) * len(evidence.concepts)
    rests = evidence.agreement_rests or (None,) * len(known)
    return [
        None
        if not evidence.agreement
        else with_lines(
            {
                "r": six_digits_or_none(r),
                "rest": six_digits_or_none(rest),
                "count": width,
                "parts": "neurons",
            },
            "what the scores say",
        )
        for r, rest in zip(known, rests, strict=True)
    ]


def parents_of(evidence: NeuronConcepts) -> list[list[int]]:
    """Return the parents of every concept, as places among the concepts, first ones first."""
    place = {one.name: i for i, one in enumerate(evidence.concepts)}
    return [[place[name] for name in one.parents if name in place] for one in evidence.concepts]


def first_folds(evidence: NeuronConcepts, most: int = ROWS) -> list[str]:
    """Return the concepts that are folded at first, so that about `most` are seen.

    The deepest levels are folded; a level that fits is seen whole.
    """
    parents = [above[0] if above else -1 for above in parents_of(evidence)]
    depths: list[int] = []
    for parent in parents:
        depths.append(depths[parent] + 1 if parent >= 0 else 0)
    levels = np.bincount(depths) if depths else np.zeros(1, dtype=int)
    fitting = int(np.searchsorted(np.cumsum(levels), most, side="right"))
    last = max(1, fitting) - 1  # the deepest level that is seen
    inner = {parent for parent in parents if parent >= 0}
    return [evidence.concepts[i].name for i in sorted(inner) if depths[i] == last]


def portraits_payload(portraits: Iterable[NeuronPortrait]) -> dict[str, Any]:
    """Return portraits by neuron, pictures in one buffer as `[start, length]` of each.

    With each its value, and the place of that value, `(y, x)` as fractions of the picture.
    """
    data = bytearray()
    places = {str(one.neuron): _placed(one, data) for one in portraits}
    return {"places": places, "data": bytes(data)}


def pictures_payload(pictures: Sequence[Picture]) -> dict[str, Any]:
    """Return the chosen images in one buffer, with `[start, length]` of each."""
    return files_payload(map(picture_bytes, pictures))


def maps_payload(maps: Sequence[HeatMap], pictures: Sequence[Picture]) -> dict[str, Any]:
    """Return concept maps as columns; a byte `q` of `data` is the value `(q - zero) * step`."""
    coded = [quantized(one.values) for one in maps]
    return {
        "concept": [one.target for one in maps],
        "picture": [place_of(one.image, pictures) for one in maps],
        **map_columns(coded),
        "notes": [list(one.notes) for one in maps],
        "data": map_bytes(coded),
    }


def pictures_of(maps: Iterable[HeatMap]) -> tuple[Picture, ...]:
    """Return the images that maps lie on, each once."""
    pictures: list[Picture] = []
    for one in maps:
        if place_of(one.image, pictures) < 0:
            pictures.append(one.image)
    return tuple(pictures)


def place_of(picture: Picture, pictures: Sequence[Picture]) -> int:
    """Return where a picture stands among others, -1 where it does not."""
    return next((i for i, one in enumerate(pictures) if np.array_equal(one, picture)), -1)


def _quality(one: ClassifierQuality) -> dict[str, Any]:
    parts = ("precision", "recall", "f1", "chance", "fitted_f1")
    counts = {"regions": int(one.regions), "others": int(one.others)}
    return {name: six_digits(float(getattr(one, name))) for name in parts} | counts


def _largest(evidence: NeuronConcepts) -> float | None:
    if evidence.errors is None or evidence.errors.size == 0:
        return None
    return six_digits(float(evidence.errors.max()))


def _placed(portrait: NeuronPortrait, data: bytearray) -> dict[str, Any]:
    images = [append_file(picture_bytes(one), data) for one in portrait.images[:MOST_PICTURES]]
    return {
        "images": images,
        "values": [six_digits(float(value)) for value in portrait.values[: len(images)]],
        "at": [[six_digits(float(i)) for i in place] for place in portrait.places[: len(images)]],
        "ranking": portrait.ranking,
    }
