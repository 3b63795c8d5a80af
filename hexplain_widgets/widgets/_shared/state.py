"""What a browser's values may be, and what of a saved arrangement of a view is understood."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

ViewState = dict[str, Any]

_PATH = re.compile(r"(\d+(\.\d+)*)?")


def understood(state: object, entries: Mapping[str, Callable[[Any], bool]]) -> ViewState:
    """Return those entries of a saved arrangement that hold, dropping all others."""
    given = state if isinstance(state, dict) else {}
    return {
        name: given[name] for name, holds in entries.items() if name in given and holds(given[name])
    }


def whole(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number (true and false are none)."""
    return isinstance(value, int) and not isinstance(value, bool)


def finite(value: object) -> bool:
    """Return whether a value is a number, neither infinite nor NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def boolean(value: object) -> bool:
    """Return whether a value is true or false."""
    return isinstance(value, bool)


def dotted_numbers(value: object) -> bool:
    """Return whether a value is whole numbers with dots between them, or none at all."""
    return isinstance(value, str) and len(value) < 200 and _PATH.fullmatch(value) is not None


def dotted_paths(value: object) -> bool:
    """Return whether a value is a list of such numbers with dots, paths in a tree."""
    return isinstance(value, list) and all(map(dotted_numbers, value))
