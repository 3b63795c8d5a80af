"""Few cases in which every two values of different factors meet."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

Case = tuple[Any, ...]
# two values with the places of their factors and their own among those
Pair = tuple[tuple[int, int], tuple[int, int]]


def pairwise(*factors: Sequence[Any]) -> list[Case]:
    """Return cases, a value of each factor in each, so that all pairs of values occur.

    The case with the most new pairs is taken next, the first of them in the order of the values.
    """
    places = list(itertools.product(*(range(len(values)) for values in factors)))
    missing = pairs(places)
    chosen = []
    while missing:
        best = max(places, key=lambda case: len(missing & pairs([case])))
        missing -= pairs([best])
        chosen.append(best)
    return [tuple(v[i] for v, i in zip(factors, case, strict=True)) for case in chosen]


def pairs(cases: Iterable[Case]) -> set[Pair]:
    """Return which two entries meet in which two places of a case."""
    return {two for case in cases for two in itertools.combinations(enumerate(case), 2)}
