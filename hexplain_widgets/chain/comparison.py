"""Sets of images compared by what one concept rests on in them (CHAIN, Fig. 8-11).

Principal components of inference weights, distances of sets, and how often chance gives as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ..arguments import Stop
from ..evidence import InferenceComparison, Provenance
from ..network.classifier import Classifier, PreparedImage, notes_of
from ..network.images import thumbnail
from .harmonize import ConceptLevels
from .inference import LevelInference

# Divisions into sets at random that a test looks at.
DRAWS = 2000
# Whether inference weights are compared as they are, or at unit length.
Distances = Literal["unit", "raw"]
ALONE = "one image only: it has no distance within"
UNMOVED = "in {} of its images no channel moves the concept: there the weights are zero"


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """Principal components: `points` are the first three, `explained_variance` their shares."""

    points: Float[np.ndarray, "n 3"]
    explained_variance: Float[np.ndarray, " 3"]


def principal_components(weights: Float[np.ndarray, "n k"]) -> PrincipalComponents:
    """Return the first three principal components of vectors; zeros where there are fewer.

    Signs are such that the largest entry of each axis is positive.
    """
    centred = weights - weights.mean(axis=0)
    _, scale, axes = np.linalg.svd(centred, full_matrices=False)
    some = np.flatnonzero(scale[:3] > 1e-9 * max(scale[0], 1e-12))
    signs = np.sign(axes[some, np.abs(axes[some]).argmax(axis=1)])
    points, explained = np.zeros((len(weights), 3)), np.zeros(3)
    points[:, some] = centred @ axes[some].T * signs
    explained[some] = scale[some] ** 2 / (scale**2).sum()
    return PrincipalComponents(points, explained)


def distances(
    weights: Float[np.ndarray, "n k"], sets: Int[np.ndarray, " n"], count: int
) -> Float[np.ndarray, "s s"]:
    """Return the distances of set centres (Eq. 25), on the diagonal those within sets (Eq. 23)."""
    centres = np.stack([weights[sets == s].mean(axis=0) for s in range(count)])
    matrix = np.linalg.norm(centres[:, None] - centres, axis=-1)
    for s in range(count):
        matrix[s, s] = np.linalg.norm(weights[sets == s] - centres[s], axis=1).mean()
    return matrix


def p_values(
    weights: Float[np.ndarray, "n k"],
    sets: Int[np.ndarray, " n"],
    count: int,
    *,
    seed: int,
    draws: int = DRAWS,
) -> Float[np.ndarray, "s s"]:
    """Return how often two sets, drawn at random from both, lie at least as far apart as they do.

    A permutation test of the distance of centres: the share of `draws` divisions into sets of the
    same sizes, the one found counted among them. 1 on the diagonal.
    """
    values = np.ones((count, count))
    random = np.random.default_rng(seed)
    for s, t in combinations(range(count), 2):
        both = weights[(sets == s) | (sets == t)]
        first = int((sets == s).sum())
        values[s, t] = values[t, s] = _share_as_far(
            both, sets[(sets == s) | (sets == t)] == s, first, random, draws
        )
    return values


def _share_as_far(
    both: Float[np.ndarray, "n k"],
    own: Bool[np.ndarray, " n"],
    first: int,
    random: np.random.Generator,
    draws: int,
) -> float:
    """Compare by inner products alone, so that a draw costs n² however long the vectors are."""
    centred = both - both.mean(axis=0)
    gram = centred @ centred.T
    order = random.random((draws, len(both))).argsort(axis=1)
    chosen = np.concatenate([own[None], order < first])
    signs = np.where(chosen, 1 / first, -1 / (len(both) - first))
    apart = np.einsum("dn,dn->d", signs @ gram, signs)
    return float((apart >= apart[0] * (1 - 1e-9)).mean())


@dataclass(frozen=True, eq=False)
class ComparisonRequest:
    """What is compared: `sets` of images, and each set's concept of the level `level`.

    `depth` counts levels from the output on; `numbers[s]` is the place of a set's concept in its
    level.
    """

    sets: Mapping[str, tuple[Any, ...]]
    depth: int
    level: str
    concepts: tuple[str, ...]
    numbers: tuple[int, ...]


def request_of(
    levels: ConceptLevels,
    sets: Mapping[str, Sequence[Any]],
    concept: str | int | Mapping[str, str | int],
    level: str | None,
) -> ComparisonRequest:
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
    depth = levels.depth(level)
    numbers = [levels.number(depth, each[name]) for name in sets]
    return ComparisonRequest(
        sets={name: tuple(some) for name, some in sets.items()},
        depth=depth,
        level=levels.names[depth],
        concepts=tuple(levels.concepts(depth)[n] for n in numbers),
        numbers=tuple(numbers),
    )


def compare_sets(
    classifier: Classifier,
    inference: LevelInference,
    request: ComparisonRequest,
    seed: int,
    stopped: Stop,
    *,
    kind: Distances = "unit",
) -> InferenceComparison:
    """Return the space of the sets' inference weights, at unit length or raw, and distances in it.

    Raises ValueError where it is stopped before there is any.
    """
    of = np.repeat(np.arange(len(request.sets)), [len(some) for some in request.sets.values()])
    prepared = [classifier.prepare(image) for image in chain(*request.sets.values())]
    numbers = np.array(request.numbers)[of].tolist()
    concept_weights = list(
        inference.weights([p.x for p in prepared], numbers, request.depth, stopped)
    )
    if not concept_weights:
        raise ValueError(
            "was stopped before the first images were inferred; at least these are needed to"
            " compare sets; call chain.compare again"
        )
    present = np.unique(of[: len(concept_weights)])
    weights = np.array([getattr(one, kind) for one in concept_weights])
    comparison = _measured(request, present, weights, of[: len(concept_weights)], prepared, seed)
    return replace(
        comparison,
        weights=kind,
        estimates=np.array([one.estimates for one in concept_weights]),
        notes=(*comparison.notes, *notes_of(prepared[: len(concept_weights)])),
    )


def _measured(
    request: ComparisonRequest,
    present: Int[np.ndarray, " s"],
    weights: Float[np.ndarray, "n k"],
    of: Int[np.ndarray, " n"],
    prepared: Sequence[PreparedImage],
    seed: int,
) -> InferenceComparison:
    names, space, count = (
        tuple(request.sets)[: len(present)],
        principal_components(weights),
        len(present),
    )
    return InferenceComparison(
        points=space.points,
        sets=of,
        names=names,
        concepts=request.concepts[:count],
        level=request.level,
        distances=distances(weights, of, count),
        explained_variance=space.explained_variance,
        provenance=Provenance("CHAIN", "", ""),
        p_values=p_values(weights, of, count, seed=seed),
        images=_pictures(prepared, len(of)),
        flags=_flags(names, weights, of),
    )


def _pictures(
    prepared: Sequence[PreparedImage], count: int
) -> tuple[UInt8[np.ndarray, "h w 3"], ...]:
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
