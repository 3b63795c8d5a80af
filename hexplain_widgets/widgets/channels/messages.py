"""What a view of channels may ask: its messages, checked before anything is done for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._shared.conversation import RELOAD, Content
from .._shared.messages import numbers_in
from .._shared.state import whole

MOST_CLASSES = MOST_CHANNELS = 24
MOST_ROWS = 400  # classes that a matrix shows on request


def classes_in(content: Content, names: Sequence[str], most: int = MOST_CLASSES) -> tuple[int, ...]:
    """Return the `classes` of a message, as indices; raises ValueError for what is no class."""
    classes = content.get("classes")
    good = isinstance(classes, list) and all(whole(c) for c in classes)
    if not isinstance(classes, list) or not good or not 1 <= len(set(classes)) <= most:
        raise ValueError(
            f"got classes {classes!r:.60}; expected 1 to {most} of them by index;"
            " choose them from the list"
        )
    wrong = [c for c in classes if not 0 <= c < len(names)]
    if wrong:
        raise ValueError(
            f"got class {wrong[0]}; expected an index from 0 to {len(names) - 1};"
            " choose it from the list"
        )
    return tuple(dict.fromkeys(classes))


def limit_in(content: Content) -> dict[str, Any]:
    """Return the `top` or the `threshold` of a message, by name; raises ValueError."""
    top: Any = content.get("top")
    threshold: Any = content.get("threshold")
    if whole(top) and top >= 1 and threshold is None:
        return {"top": top}
    number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if top is None and number and 0 < threshold <= 1:
        return {"threshold": float(threshold)}
    raise ValueError(
        f"got top {top!r:.40} and threshold {threshold!r:.40}; expected a whole number from 1 up"
        " or a fraction above 0, up to 1, and the other left out; move the slider"
    )


def channels_in(content: Content) -> tuple[int, ...]:
    """Return the `channels` of a message; raises ValueError for what is no channel."""
    if content.get("channels") is None:
        raise ValueError(f"got no channels; expected a list of channel numbers; {RELOAD}")
    return numbers_in(content, "channel", MOST_CHANNELS, "choose them from the list")


def class_in(content: Content, names: Sequence[str]) -> int:
    """Return the `target` of a message, a class by index; raises ValueError for another thing."""
    target = content.get("target")
    if not whole(target) or not 0 <= target < len(names):
        raise ValueError(
            f"got target {target!r:.60}; expected the index of a class, from 0 to"
            f" {len(names) - 1}; choose one that is shown"
        )
    return target
