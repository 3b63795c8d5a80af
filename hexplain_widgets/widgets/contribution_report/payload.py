"""What travels to the report of contributions: numbers and names as JSON, maps as bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from ...evidence import Contributions
from ...evidence.faithfulness import faithfulness
from .._shared.agreement import faithfulness_fields, with_lines
from .._shared.payload import (
    files_payload,
    map_bytes,
    map_columns,
    picture_bytes,
    quantized,
    six_digits,
)
from .table import (
    ContributionTable,
    accounted,
    attention,
    beside,
    entropies,
    explained,
    folded_words,
    typical,
    warning,
)

# How elements are called, one and several of them.
ELEMENTS = {"filters": ("filter", "filters"), "heads": ("head", "heads")}
FEWEST_CHECKED = 3  # concepts: two always lie on a line
_NOWHERE = np.zeros((0, 0))


def report_payload(table: ContributionTable, target: str) -> dict[str, Any]:
    """Return names in their order and, per image, every number and sentence of its card.

    `shown` concepts stand alone; `values` are in logits, as exact as they were worked out.
    """
    first = table.images[0] if table.images else None
    return {
        "target": target,
        "layer": first.layer if first else "",
        "kind": first.kind if first else "",
        "names": list(table.names),
        "shown": table.shown,
        "unnamed": table.unnamed,
        "typical": typical(table.images),
        "notes": list(shared_notes(table)),
        "images": [_card(table, one) for one in table.images],
    }


def shared_notes(table: ContributionTable) -> tuple[str, ...]:
    """Return the notes that all images have, each once."""
    first = table.images[0].notes if table.images else ()
    every = [one.notes for one in table.images]
    return tuple(dict.fromkeys(n for n in first if all(n in notes for notes in every)))


def pictures_payload(table: ContributionTable) -> dict[str, Any]:
    """Return the images, of any sizes, in one buffer, with `[start, length]` of each."""
    return files_payload(picture_bytes(one.image) for one in table.images)


def maps_payload(table: ContributionTable) -> dict[str, Any]:
    """Return the maps image by image, concepts in their order and then the folded ones' sum.

    A byte `q` of `data` is the value `(q - zero) * step`.
    """
    return _coded(values for one in table.images for values in _maps(table, one))


def attention_payload(table: ContributionTable) -> dict[str, Any]:
    """Return Grad-CAM image by image, as `maps_payload` does; of no extent where there is none."""
    return _coded([_NOWHERE if i.attention is None else i.attention for i in table.images])


def _coded(maps: Iterable[Float[np.ndarray, "_ _"]]) -> dict[str, Any]:
    coded = [quantized(values) for values in maps]
    return {**map_columns(coded), "data": map_bytes(coded)}


def _maps(table: ContributionTable, one: Contributions) -> Iterator[Float[np.ndarray, "H W"]]:
    yield from (one.maps[i] for i in table.order)
    yield table.others_map(one)


def _card(table: ContributionTable, one: Contributions) -> dict[str, Any]:
    return {
        **_numbers(table, one),
        "probability": _probability(one),
        "elements": _counts(table, one),
        "explained": explained(one),
        "total": accounted(one),
        "warning": warning(one),
        "beside": beside(table, one),
        "folded": folded_words(table, one),
        "slices": [list(one_slice) for one_slice in table.slices(one)],
        "entropies": entropies(one),
        "attention": attention(one),
        "check": _check(one),
        "notes": [note for note in one.notes if note not in shared_notes(table)],
        "baseline": None if one.baseline is None else _numbers(table, one.baseline),
    }


def _numbers(table: ContributionTable, one: Contributions) -> dict[str, Any]:
    return {
        "values": list(table.values(one)),
        "others": table.others(one),
        "bias": float(one.bias),
        "unexplained": float(one.unexplained),
        "score": float(one.score),
    }


def _counts(table: ContributionTable, one: Contributions) -> list[str]:
    """How many elements each concept sums over, or which one it is, in words."""
    single, several = ELEMENTS.get(one.kind, ("element", "elements"))
    mine = [np.flatnonzero(one.owners == i) for i in table.order]
    return [
        f"{single} {one.elements[of[0]]}" if len(of) == 1 else f"{len(of)} {several}" for of in mine
    ]


def _probability(one: Contributions) -> float | None:
    probabilities = (p.probability for p in one.predictions if p.index == one.index)
    likely = next(probabilities, None)
    return None if likely is None else six_digits(likely)


def _check(one: Contributions) -> dict[str, Any] | None:
    """How far contributions agree with what the score loses without each concept."""
    if one.drops is None or len(one.drops) < FEWEST_CHECKED:
        return None
    agreement = faithfulness(one.values, one.drops, parts="concepts")
    fields = faithfulness_fields(agreement)
    # the evidence does not say how long it took
    del fields["seconds"]
    return with_lines(fields)
