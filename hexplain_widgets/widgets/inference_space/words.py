"""What a comparison of inferences says in words: which sets lie apart, and which overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from ...evidence import InferenceComparison
from .geometry import sizes

Pair = tuple[int, int]

CHANCE = 0.05  # p-values below it are called more than chance
_FLAT = 1e-9


def apart(evidence: InferenceComparison, s: int, t: int) -> bool | None:
    """Return whether the distance of two sets is larger than that within both (Eq. 23-25).

    None where it cannot be said: for a set with itself, or one of a single image.
    """
    if s == t or min(sizes(evidence)[one] for one in (s, t)) < 2:
        return None
    within = max(evidence.distances[s, s], evidence.distances[t, t])
    return bool(evidence.distances[s, t] > within)


def p_words(p: float) -> str:
    """Return a p-value as it is printed: to two digits, never as zero."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.0995 else f"p = {p:.2f}"


def p_value(evidence: InferenceComparison, s: int, t: int) -> str | None:
    """Return the p-value between two sets in words, None where there is none."""
    if evidence.p_values is None or s == t or min(sizes(evidence)[one] for one in (s, t)) < 2:
        return None
    return p_words(float(evidence.p_values[s, t]))


def verdict(evidence: InferenceComparison) -> list[str]:
    """Return in sentences which sets lie apart and which overlap, from the distances alone."""
    if len(evidence.names) == 1:
        return [f"There is one set, {evidence.names[0]}: nothing to compare it with."]
    verdicts = {
        pair: apart(evidence, *pair) for pair in combinations(range(len(evidence.names)), 2)
    }
    away = [pair for pair, one in verdicts.items() if one]
    near = [pair for pair, one in verdicts.items() if one is False]
    clauses = list(_clauses(away, near, evidence.names))
    said = [f"{'; '.join(clauses)}."] if clauses else []
    return [*said, *_doubts(evidence, away, near), *_single(evidence)]


LENGTHS = {
    "unit": "Points and distances are of inference weights at unit length.",
    "raw": "Points and distances are of inference weights as they are, whatever their length.",
}


def remarks(evidence: InferenceComparison) -> list[str]:
    """Return what else is to be known: flat directions, which weights are compared, notes."""
    kept = int((evidence.explained_variance > _FLAT).sum())
    flat = [
        "The inference weights do not vary at all: every point lies in one place.",
        "The inference weights vary in one direction only: the others are flat.",
        "The inference weights vary in two directions only: the third is flat.",
    ][kept : kept + 1]
    return [*flat, LENGTHS[evidence.weights], *evidence.notes]


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _clauses(away: list[Pair], near: list[Pair], names: Sequence[str]) -> Iterator[str]:
    if away and not near and len(away) > 1:
        yield f"{_all_of(away, names)} lie apart from each other"
        return
    yield from _apart_clauses(away, names, near)
    yield from _near_clauses(near, names, alone=not away)


def _all_of(pairs: list[Pair], names: Sequence[str]) -> str:
    count = len({s for pair in pairs for s in pair})
    return f"All {count} sets" if count == len(names) else f"The {count} other sets"


def _apart_clauses(away: list[Pair], names: Sequence[str], near: list[Pair]) -> Iterator[str]:
    """Clauses of who lies apart from whom: who does from most comes first, each pair once."""
    left = list(away)
    compared = {s for pair in (*away, *near) for s in pair}
    while left:
        degree = {s: sum(s in pair for pair in left) for pair in left for s in pair}
        most = max(sorted(degree), key=lambda s: degree[s])
        others = [t for pair in left if most in pair for t in pair if t != most]
        every = len(others) == len(compared) - 1 and len(others) > 2
        whom = "all others" if every else listed([names[t] for t in others])
        yield f"{names[most]} lies apart from {whom}"
        left = [pair for pair in left if most not in pair]


def _near_clauses(near: list[Pair], names: Sequence[str], *, alone: bool) -> Iterator[str]:
    """Clauses of who overlaps: together where all of them do, else one with the others."""
    sets = sorted({s for pair in near for s in pair})
    together = len(near) == len(sets) * (len(sets) - 1) // 2
    if near and together:
        every = alone and len(sets) == len(names) and len(sets) > 2
        yield (
            f"All {len(sets)} sets overlap"
            if every
            else (f"{listed([names[s] for s in sets])} overlap")
        )
        return
    left = list(near)
    while left:
        degree = {s: sum(s in pair for pair in left) for pair in left for s in pair}
        most = max(sorted(degree), key=lambda s: degree[s])
        others = [t for pair in left if most in pair for t in pair if t != most]
        yield f"{names[most]} overlaps with {listed([names[t] for t in others])}"
        left = [pair for pair in left if most not in pair]


def _doubts(evidence: InferenceComparison, away: list[Pair], near: list[Pair]) -> Iterator[str]:
    """Where the permutation test says otherwise than the distances."""
    p = evidence.p_values
    if p is None:
        return
    weak = [pair for pair in away if p[pair] >= CHANCE]
    if weak:
        yield f"By the permutation test the distance {_pairs(weak, evidence)} may be chance."
    real = [pair for pair in near if p[pair] < CHANCE]
    if real:
        yield (
            f"By the permutation test the distance {_pairs(real, evidence)} is still more than"
            " chance."
        )


def _pairs(pairs: list[Pair], evidence: InferenceComparison) -> str:
    names = evidence.names
    return ", ".join(
        f"between {names[s]} and {names[t]} ({p_value(evidence, s, t)})" for s, t in pairs
    )


def _single(evidence: InferenceComparison) -> Iterator[str]:
    lone = [evidence.names[s] for s in np.flatnonzero(np.array(sizes(evidence)) < 2)]
    if lone:
        has = "have one image each" if len(lone) > 1 else "has one image"
        yield f"{listed(lone)} {has}: without a spread it cannot be said what lies apart."
