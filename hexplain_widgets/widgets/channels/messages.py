"""What a view of channels may ask: its messages, checked before anything is done for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._shared.conversation import RELOAD
from ..decomposition_tree import messages as questions

Content = Mapping[str, Any]

MOST_CLASSES = 24


def classes_in(content: Content, names: Sequence[str]) -> tuple[int, ...]:
    """Return the `classes` of a message, as indices; raises ValueError for what is no class."""
    classes: Any = content.get("classes")
    good = isinstance(classes, list) and all(questions.whole(c) for c in classes)
    if not good or not 1 <= len(set(classes)) <= MOST_CLASSES:
        raise ValueError(
            f"got classes {classes!r:.60}; expected 1 to {MOST_CLASSES} of them by index;"
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
    if questions.whole(top) and top >= 1 and threshold is None:
        return {"top": top}
    number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if top is None and number and 0 < threshold <= 1:
        return {"threshold": float(threshold)}
    raise ValueError(
        f"got top {top!r:.40} and threshold {threshold!r:.40}; expected a whole number from 1 up"
        " or a fraction above 0, up to 1, and the other left out; move the slider"
    )


def layer_in(content: Content, known: Sequence[str]) -> str:
    """Return the `layer` of a message; raises ValueError where the view has no such layer."""
    layer = content.get("layer")
    if layer not in known:
        raise ValueError(
            f"got the layer {layer!r:.60}; expected one of {', '.join(known)};"
            " choose it from the list"
        )
    return str(layer)


def channels_in(content: Content) -> tuple[int, ...]:
    """Return the `channels` of a message; raises ValueError for what is no channel."""
    found = questions.channels_in(content)
    if found is None:
        raise ValueError(f"got no channels; expected a list of channel numbers; {RELOAD}")
    return found


def class_in(content: Content, names: Sequence[str]) -> int:
    """Return the `target` of a message, a class by index; raises ValueError for another thing."""
    target: Any = content.get("target")
    if not questions.whole(target) or not 0 <= target < len(names):
        raise ValueError(
            f"got target {target!r:.60}; expected the index of a class, from 0 to"
            f" {len(names) - 1}; choose one that is shown"
        )
    return int(target)
