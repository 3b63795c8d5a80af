"""Sets of images compared by what one concept rests on in them (CHAIN, Fig. 8-11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from ..evidence import InferenceComparison, Provenance
from ..network.classifier import Classifier, Prepared, thumbnail
from .distances import distances, p_values, principal
from .harmony import Harmony
from .inference import Stop
from .inferring import Inferrer

ALONE = "one image only: it has no distance within"
UNMOVED = "in {} of its images no channel moves the concept: there the weights are zero"


@dataclass(frozen=True, eq=False)
class Compared:
    """What is compared: `sets` of images, and each set's concept of the level `level`.

    `depth` counts levels from the output on; `numbers[s]` is the place of a set's concept in its
    level.
    """

    sets: Mapping[str, tuple[Any, ...]]
    depth: int
    level: str
    concepts: tuple[str, ...]
    numbers: tuple[int, ...]


def asked_of(
    harmony: Harmony,
    sets: Mapping[str, Sequence[Any]],
    concept: str | int | Mapping[str, str | int],
    level: str | None,
) -> Compared:
    """Return what is compared: `concept` is one for all sets, or one for each by its name.

    Raises ValueError for an unknown level or concept, for the last level, for no sets, a set
    without images, and concepts that are not those of the sets.
    """
    each = dict(concept) if isinstance(concept, Mapping) else dict.fromkeys(sets, concept)
    if set(each) != set(sets) or not sets:
        raise ValueError(
            f"got concepts for {sorted(each)} and the sets {sorted(sets)}; expected at least one"
            " set, and a concept for each; give concept='house', or one by set name"
        )
    for name, some in sets.items():
        if not len(some):
            raise ValueError(
                f"got no images in the set {name!r}; expected at least one; twenty a set are usual"
            )
    depth = harmony.depth(level)
    numbers = [harmony.number(depth, each[name]) for name in sets]
    return Compared(
        sets={name: tuple(some) for name, some in sets.items()}, depth=depth,
        level=harmony.names[depth],
        concepts=tuple(harmony.concepts(depth)[n] for n in numbers),
        numbers=tuple(numbers),
    )  # fmt: skip


def compared(
    look: Classifier, inferrer: Inferrer, asked: Compared, seed: int, stopped: Stop
) -> InferenceComparison:
    """Return the space of the sets' unit inference weights, and distances in it.

    Raises ValueError where it is stopped before there is any.
    """
    of = np.repeat(np.arange(len(asked.sets)), [len(some) for some in asked.sets.values()])
    prepared = [look.prepare(image) for image in chain(*asked.sets.values())]
    numbers = np.array(asked.numbers)[of].tolist()
    weighed = list(inferrer.weights([p.x for p in prepared], numbers, asked.depth, stopped))
    if not weighed:
        raise ValueError(
            "was stopped before the first images were inferred; at least these are needed to"
            " compare sets; call chain.compare again"
        )
    kept = np.unique(of[: len(weighed)])
    weights = np.array([one.unit for one in weighed])
    found = _measured(asked, kept, weights, of[: len(weighed)], prepared, seed)
    return replace(found, estimates=np.array([one.estimates for one in weighed]))


def _measured(
    asked: Compared,
    kept: Int[np.ndarray, " s"],
    weights: Float[np.ndarray, "n k"],
    of: Int[np.ndarray, " n"],
    prepared: Sequence[Prepared],
    seed: int,
) -> InferenceComparison:
    names, space, count = tuple(asked.sets)[: len(kept)], principal(weights), len(kept)
    return InferenceComparison(
        points=space.points, sets=of, names=names, concepts=asked.concepts[:count],
        level=asked.level, distances=distances(weights, of, count),
        explained_variance=space.explained_variance,
        provenance=Provenance("CHAIN", "", ""),
        p_values=p_values(weights, of, count, seed=seed), images=_pictures(prepared, len(of)),
        flags=_flags(names, weights, of),
    )  # fmt: skip


def _pictures(prepared: Sequence[Prepared], count: int) -> tuple[UInt8[np.ndarray, "h w 3"], ...]:
    return tuple(thumbnail(one.shown) for one in prepared[:count])


def _flags(
    names: Sequence[str], weights: Float[np.ndarray, "n k"], of: Int[np.ndarray, " n"]
) -> dict[str, str]:
    flags: dict[str, str] = {}
    for s, name in enumerate(names):
        own = weights[of == s]
        still = int((~own.any(axis=1)).sum())
        if len(own) == 1:
            flags[name] = ALONE
        elif still:
            flags[name] = UNMOVED.format(still)
    return flags
