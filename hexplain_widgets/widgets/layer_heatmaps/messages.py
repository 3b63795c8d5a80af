"""What a heatmap view sends: its messages and its arrangement, checked before use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...arguments import SETTINGS, nearest, place_of_name
from ...chip.heatmaps import SUMS
from ...chip.importance import LEAST_SPARSITY
from ...evidence.heat import CONTESTED
from .._shared.conversation import RELOAD, Content
from .._shared.messages import target_in
from .._shared.state import ViewState, boolean, finite, understood, whole
from .grid import MapRequest

MOST_CLASSES = 24
SUMMED = tuple(SUMS)  # methods that sum channels, so that each can be taken out
SCALES = ("map", "layer", "all")
MOST = 200


def maps_in(
    content: Content, methods: Sequence[str], layers: Sequence[str], classes: Sequence[str]
) -> MapRequest:
    """Return the maps that a message asks for; raises ValueError for what there is not."""
    method, boxes, plain = (content.get(n, False) for n in ("method", "boxes", "plain"))
    if method not in methods or not isinstance(boxes, bool) or not isinstance(plain, bool):
        raise ValueError(
            f"got method {method!r:.60}, boxes {boxes!r:.20} and plain {plain!r:.20}; expected one"
            f" of {', '.join(methods)}, and true or false; {RELOAD}"
        )
    contested = method in CONTESTED and not plain
    chosen = _targets(content, classes), _layers(content, layers)
    return MapRequest(str(method), *chosen, boxes, contested)


def spot_in(content: Content, layers: Sequence[str], classes: Sequence[str]) -> MapRequest:
    """Return the one map that a message asks of; raises ValueError."""
    target, layer = content.get("target"), content.get("layer")
    return maps_in({**content, "classes": [target], "layers": [layer]}, SUMMED, layers, classes)


def sparsity_in(content: Content) -> float:
    """Return the `sparsity` of a message; raises ValueError out of range."""
    return checked_sparsity(content.get("sparsity"))


def checked_sparsity(sparsity: Any) -> float:
    """Return a sparsity that a Chip takes; raises ValueError for another value."""
    number = isinstance(sparsity, int | float) and not isinstance(sparsity, bool)
    if not number or not LEAST_SPARSITY <= sparsity <= 1:
        raise ValueError(
            f"got sparsity {sparsity!r:.60}; expected a number above 0 and up to 1, at least"
            f" {LEAST_SPARSITY:g}, the fraction of the smallest penalty that zeroes every channel;"
            f" {SETTINGS['default']['Chip']['sparsity']:g} is the default"
        )
    return float(sparsity)


def class_in(content: Content, classes: Sequence[str]) -> int:
    """Return the index of the `target` of a message; raises ValueError for no class."""
    return class_index(target_in(content), classes)


def class_index(target: int | str, classes: Sequence[str]) -> int:
    """Return the index of a class given by name or index; raises ValueError with the nearest."""
    if not isinstance(target, str):
        if not 0 <= target < len(classes):
            raise ValueError(
                f"got class {target}; expected an index from 0 to {len(classes) - 1};"
                " choose one in that range, or a name"
            )
        return int(target)
    places = [i for i, name in enumerate(classes) if name == target]
    meant = place_of_name(target, classes)
    if meant is not None:
        return meant
    if places:
        raise ValueError(
            f"got the class name {target!r:.60}, which stands for {len(places)} classes; expected"
            f" one; give its index: {', '.join(map(str, places))}"
        )
    raise ValueError(
        f"got the unknown class {target!r:.60}; expected one of {len(classes)} names; the nearest"
        f" are {nearest(target, classes)}"
    )


def _targets(content: Content, classes: Sequence[str]) -> tuple[int, ...]:
    given: Any = content.get("classes")
    good = isinstance(given, list) and all(whole(c) and 0 <= c < len(classes) for c in given)
    if not good or not 1 <= len(given) <= MOST_CLASSES:
        raise ValueError(
            f"got classes {given!r:.60}; expected 1 to {MOST_CLASSES} indices below"
            f" {len(classes)}; choose them from the list"
        )
    return tuple(dict.fromkeys(given))


def _layers(content: Content, layers: Sequence[str]) -> tuple[str, ...]:
    given = content.get("layers", list(layers))
    if not isinstance(given, list) or not given or not all(name in layers for name in given):
        raise ValueError(
            f"got layers {given!r:.60}; expected some of {', '.join(layers)}; {RELOAD}"
        )
    return tuple(name for name in layers if name in given)


def cleaned(state: object, _: object = None) -> ViewState:
    """Return what is understood of a saved arrangement: method, classes, scale, what is chosen."""
    return understood(state, _ENTRIES)


def _key(value: object) -> bool:
    return whole(value) or _name(value)


def _name(value: object) -> bool:
    return isinstance(value, str) and len(value) < 1000


def _keys(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MOST and all(map(_key, value))


def _place(value: object) -> bool:
    return value is None or (
        isinstance(value, list) and len(value) == 2 and _key(value[0]) and _name(value[1])
    )


_ENTRIES = {
    "method": _name,
    "classes": _keys,
    "scale": lambda value: value in SCALES,
    "opacity": lambda value: finite(value) and 0 <= value <= 1,
    "boxes": boolean,
    "plain": boolean,
    "signed": boolean,
    "selected": _place,
    "pinned": boolean,
}
