"""How a person arranged a view: what is selected, open and hidden, zoom, opacity, what is shown."""

from __future__ import annotations

import math
import re
from typing import Any

ViewState = dict[str, Any]

_PATH = re.compile(r"(\d+(\.\d+)*)?")
_SHOWN = ("map", "guided", "image")


def cleaned(state: object, _: object = None) -> ViewState:
    """Return the entries of a saved arrangement that are understood, dropping all others."""
    given = state if isinstance(state, dict) else {}
    return {
        name: given[name]
        for name, holds in _ENTRIES.items()
        if name in given and holds(given[name])
    }


def _path(value: object) -> bool:
    return isinstance(value, str) and len(value) < 200 and _PATH.fullmatch(value) is not None


def _paths(value: object) -> bool:
    return isinstance(value, list) and all(map(_path, value))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _zoom(value: object) -> bool:
    return value is None or (
        isinstance(value, dict)
        and all(_number(value.get(name)) for name in ("x", "y", "k"))
        and 0 < value["k"] < 100
    )


_ENTRIES = {
    "selected": _path,
    "open": _paths,
    "hidden": _paths,
    "zoom": _zoom,
    "opacity": lambda value: _number(value) and 0 <= value <= 1,
    "shown": lambda value: value in _SHOWN,
}
