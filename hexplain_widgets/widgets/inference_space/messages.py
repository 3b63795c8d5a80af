"""What the view of inferences in space sends: points, and its arrangement, checked before use."""

from __future__ import annotations

from typing import Any

from .._shared.conversation import Content
from .._shared.state import ViewState, dotted_numbers, finite, understood, whole

MOST_CHARTS = 6


def points_in(content: Content, count: int) -> tuple[int, ...]:
    """Return the `points` of a message; raises ValueError for what is none, and for too many."""
    points = content.get("points")
    good = isinstance(points, list) and all(whole(i) for i in points)
    if not isinstance(points, list) or not good or not 1 <= len(points) <= MOST_CHARTS:
        raise ValueError(
            f"got points {points!r:.60}; expected 1 to {MOST_CHARTS} of them by number;"
            " choose them in the plot"
        )
    wrong = [i for i in points if not 0 <= i < count]
    if wrong:
        raise ValueError(
            f"got point {wrong[0]}; expected a number from 0 to {count - 1}; choose it in the plot"
        )
    return tuple(dict.fromkeys(points))


def point_in(content: Content, count: int) -> int:
    """Return the `point` of a message; raises ValueError for what is none."""
    return points_in({"points": [content.get("point")]}, count)[0]


def cleaned(state: object, _: object = None) -> ViewState:
    """Return what is understood of a saved arrangement: how it is turned, what is chosen."""
    return understood(state, _ENTRIES)


def _turn(value: object) -> bool:
    turn: dict[str, Any] = value if isinstance(value, dict) else {}
    if not all(finite(turn.get(name)) for name in ("yaw", "pitch", "zoom")):
        return False
    return bool(abs(turn["pitch"]) <= 90 and 0.1 <= turn["zoom"] <= 20)


def _points(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MOST_CHARTS and all(map(whole, value))


_ENTRIES = {
    "turn": _turn,
    "spread": lambda value: value in ("ellipsoids", "spokes", "none"),
    "cell": dotted_numbers,
    "points": _points,
    "selected": dotted_numbers,
    "zoom": dotted_numbers,
}
