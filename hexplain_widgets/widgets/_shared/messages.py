"""Messages from the browser, as far as several views take the same: a class, a layer, numbers."""

from __future__ import annotations

from collections.abc import Sequence

from .conversation import Content
from .state import whole


def target_in(content: Content) -> int | str:
    """Return the `target` of a message; raises ValueError for what is no class."""
    target = content.get("target")
    if not whole(target) and not isinstance(target, str):
        raise ValueError(
            f"got target {target!r:.60}; expected a class name or its index;"
            " choose a class from the list"
        )
    return target


def layer_in(content: Content, known: Sequence[str]) -> str:
    """Return the `layer` of a message; raises ValueError where the view has no such layer."""
    layer = content.get("layer")
    if layer not in known:
        raise ValueError(
            f"got the layer {layer!r:.60}; expected one of {', '.join(known)};"
            " choose it from the list"
        )
    return str(layer)


def numbers_in(content: Content, kind: str, most: int, remedy: str) -> tuple[int, ...]:
    """Return numbers of a `kind` that a message names in the plural, each once.

    Raises ValueError for what is no such number, for none and for more than `most`.
    """
    numbers = content.get(f"{kind}s")
    good = isinstance(numbers, list) and all(whole(k) and k >= 0 for k in numbers)
    if not isinstance(numbers, list) or not good or not 1 <= len(numbers) <= most:
        raise ValueError(
            f"got {kind}s {numbers!r:.60}; expected 1 to {most} {kind} numbers; {remedy}"
        )
    return tuple(dict.fromkeys(numbers))
