"""How a person arranged a heatmap view: method, classes, colour scale, what is drawn and pinned."""

from __future__ import annotations

import math
from typing import Any

ViewState = dict[str, Any]

SCALES = ("map", "layer", "all")
MOST = 200


def cleaned(state: object, _: object = None) -> ViewState:
    """Return the entries of a saved arrangement that are understood, dropping all others."""
    given = state if isinstance(state, dict) else {}
    return {
        name: given[name]
        for name, holds in _ENTRIES.items()
        if name in given and holds(given[name])
    }


def _key(value: object) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole or _name(value)


def _name(value: object) -> bool:
    return isinstance(value, str) and len(value) < 1000


def _keys(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MOST and all(map(_key, value))


def _place(value: object) -> bool:
    return value is None or (
        isinstance(value, list) and len(value) == 2 and _key(value[0]) and _name(value[1])
    )


def _part(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) and 0 <= value <= 1


def _choice(value: object) -> bool:
    return isinstance(value, bool)


_ENTRIES = {
    "method": _name,
    "classes": _keys,
    "scale": lambda value: value in SCALES,
    "opacity": _part,
    "boxes": _choice,
    "signed": _choice,
    "selected": _place,
    "pinned": _choice,
}
