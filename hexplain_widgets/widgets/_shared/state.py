"""How a person arranged a view: what is selected, open and hidden, zoom, opacity, what is shown."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

ViewState = dict[str, Any]

_PATH = re.compile(r"(\d+(\.\d+)*)?")
_SHOWN = ("map", "guided", "image")


def understood(state: object, entries: Mapping[str, Callable[[Any], bool]]) -> ViewState:
    """Return those entries of a saved arrangement that hold, dropping all others."""
    given = state if isinstance(state, dict) else {}
    return {
        name: given[name] for name, holds in entries.items() if name in given and holds(given[name])
    }


def cleaned(state: object, _: object = None) -> ViewState:
    """Return what is understood of the saved arrangement of a decomposition."""
    return understood(state, _ENTRIES)


def dotted_numbers(value: object) -> bool:
    """Return whether a value is whole numbers with dots between them, or none at all."""
    return isinstance(value, str) and len(value) < 200 and _PATH.fullmatch(value) is not None


def _paths(value: object) -> bool:
    return isinstance(value, list) and all(map(dotted_numbers, value))


def finite(value: object) -> bool:
    """Return whether a value is a number, neither infinite nor NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _zoom(value: object) -> bool:
    return value is None or (
        isinstance(value, dict)
        and all(finite(value.get(name)) for name in ("x", "y", "k"))
        and 0 < value["k"] < 100
    )


_ENTRIES = {
    "selected": dotted_numbers,
    "open": _paths,
    "hidden": _paths,
    "zoom": _zoom,
    "opacity": lambda value: finite(value) and 0 <= value <= 1,
    "shown": lambda value: value in _SHOWN,
}
