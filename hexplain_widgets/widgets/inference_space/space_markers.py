"""Marks of sets in a plot: a colour and a shape each, told apart by the colour-blind."""

from __future__ import annotations

import math

from ..concept_inference.tree_picture import SETS

Outline = tuple[tuple[float, float], ...]


def colour(place: int) -> str:
    """Return the colour of a set, as the other views of concept inference have it."""
    return SETS[place % len(SETS)]


def marker(place: int) -> Outline:
    """Return the corners of a set's mark around zero, y downward, all of about the same area."""
    return SHAPES[place % len(SHAPES)]


def _regular(corners: int, radius: float, turn: float = 0.0) -> Outline:
    angles = [2 * math.pi * (i / corners + turn) for i in range(corners)]
    return tuple((radius * math.sin(a), -radius * math.cos(a)) for a in angles)


def _star() -> Outline:
    angles = [math.pi * i / 5 for i in range(10)]
    return tuple(
        ((0.72 if i % 2 else 1.5) * math.sin(a), -(0.72 if i % 2 else 1.5) * math.cos(a))
        for i, a in enumerate(angles)
    )


def _cross() -> Outline:
    a, b = 0.45, 1.2
    return (
        (-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a),
        (a, b), (-a, b), (-a, a), (-b, a), (-b, -a), (-a, -a),
    )  # fmt: skip


SHAPES: tuple[Outline, ...] = (
    _regular(32, 1.0),
    _regular(3, 1.52),
    _regular(4, 1.26, 0.125),
    _regular(4, 1.28),
    _cross(),
    _regular(3, 1.52, 0.5),
    _star(),
)
