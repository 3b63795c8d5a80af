"""What a decomposition view may ask: its messages, checked before anything is done for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ...evidence import Decomposition
from .._shared.conversation import RELOAD

Content = Mapping[str, Any]
Path = tuple[int, ...]

MOST_CHILDREN = 24


def whole(value: object) -> bool:
    """Return whether a JSON value is a whole number (true and false are none)."""
    return isinstance(value, int) and not isinstance(value, bool)


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
    top_k: Any = content.get("top_k")
    if not whole(top_k) or not 1 <= top_k <= MOST_CHILDREN:
        raise ValueError(
            f"got top_k {top_k!r:.60}; expected a whole number from 1 to {MOST_CHILDREN};"
            " choose one in that range"
        )
    return int(top_k)


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
    channels = content.get("channels")
    if channels is None:
        return None
    good = isinstance(channels, list) and all(whole(c) and c >= 0 for c in channels)
    if not good or not 1 <= len(channels) <= MOST_CHILDREN:
        raise ValueError(
            f"got channels {channels!r:.60}; expected 1 to {MOST_CHILDREN} channel numbers;"
            " choose them from the list"
        )
    return tuple(dict.fromkeys(channels))


def target_in(content: Content) -> int | str:
    """Return the `target` of a message; raises ValueError for what is no class."""
    target = content.get("target")
    if not whole(target) and not isinstance(target, str):
        raise ValueError(
            f"got target {target!r:.60}; expected a class name or its index;"
            " choose a class from the list"
        )
    return target  # type: ignore[return-value]


def _existing(path: object, evidence: Decomposition) -> Path:
    if not isinstance(path, list) or not all(whole(i) for i in path):
        raise ValueError(f"got path {path!r:.60}; expected a list of indices; {RELOAD}")
    try:
        evidence.node(tuple(path))
    except IndexError as error:
        raise ValueError(str(error)) from error
    return tuple(path)
