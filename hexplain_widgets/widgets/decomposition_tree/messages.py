"""What a decomposition view sends: its messages and its arrangement, checked before use."""

from __future__ import annotations

from collections.abc import Collection

from ...evidence import Decomposition
from .._shared.conversation import RELOAD, Content
from .._shared.messages import numbers_in
from .._shared.state import ViewState, dotted_numbers, dotted_paths, finite, understood, whole

Path = tuple[int, ...]

MOST_CHILDREN = 24
SHOWN = ("map", "guided", "image")


def path_in(content: Content, evidence: Decomposition) -> Path:
    """Return the `path` of a message; raises ValueError where the tree has no such node."""
    return _existing(content.get("path"), evidence)


def paths_in(content: Content, evidence: Decomposition) -> tuple[Path, ...]:
    """Return the `paths` of a message; raises ValueError where the tree lacks one of them."""
    paths = content.get("paths")
    if not isinstance(paths, list):
        raise ValueError(f"got paths {paths!r:.60}; expected a list of paths; {RELOAD}")
    return tuple(_existing(path, evidence) for path in paths)


def top_k_in(content: Content) -> int:
    """Return the `top_k` of a message; raises ValueError for what is no small number."""
    top_k = content.get("top_k")
    if not whole(top_k) or not 1 <= top_k <= MOST_CHILDREN:
        raise ValueError(
            f"got top_k {top_k!r:.60}; expected a whole number from 1 to {MOST_CHILDREN};"
            " choose one in that range"
        )
    return top_k


def method_in(content: Content, methods: Collection[str]) -> str:
    """Return the `method` of a message; raises ValueError for one that there is not."""
    method = content.get("method")
    if not isinstance(method, str) or method not in methods:
        raise ValueError(
            f"got method {method!r:.60}; expected one of {', '.join(methods)}; {RELOAD}"
        )
    return method


def channels_in(content: Content) -> tuple[int, ...] | None:
    """Return the `channels` of a message or None; raises ValueError for what is no channel."""
    if content.get("channels") is None:
        return None
    return numbers_in(content, "channel", MOST_CHILDREN, "choose them from the list")


def cleaned(state: object, _: object = None) -> ViewState:
    """Return what is understood of the saved arrangement of a decomposition."""
    return understood(state, _ENTRIES)


def _existing(path: object, evidence: Decomposition) -> Path:
    if not isinstance(path, list) or not all(whole(i) for i in path):
        raise ValueError(f"got path {path!r:.60}; expected a list of indices; {RELOAD}")
    try:
        evidence.node(tuple(path))
    except IndexError as error:
        raise ValueError(str(error)) from error
    return tuple(path)


def _zoom(value: object) -> bool:
    return value is None or (
        isinstance(value, dict)
        and all(finite(value.get(name)) for name in ("x", "y", "k"))
        and 0 < value["k"] < 100
    )


_ENTRIES = {
    "selected": dotted_numbers,
    "open": dotted_paths,
    "hidden": dotted_paths,
    "zoom": _zoom,
    "opacity": lambda value: finite(value) and 0 <= value <= 1,
    "shown": lambda value: value in SHOWN,
}
