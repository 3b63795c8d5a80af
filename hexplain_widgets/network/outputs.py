"""Where in what a network returns its scores are: a tensor, a tuple, a dict, an object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor, fx

from ..arguments import nearest

Path = tuple[int | str, ...]
# What scores are called where a network names what it returns.
NAMES = ("logits", "out")


def entries(value: Any) -> list[tuple[int | str, Any]]:
    """Return what a container holds by name or place; nothing of a tensor or an unknown object."""
    if isinstance(value, Tensor | fx.Node):
        return []
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value, strict=True))
    if isinstance(value, tuple | list):
        return list(enumerate(value))
    if is_dataclass(value):
        return [(f.name, getattr(value, f.name)) for f in fields(value)]
    return list(getattr(value, "__dict__", {}).items())


def item(value: Any, key: int | str) -> Any:
    """Return what a container holds under a name or at a place; raises KeyError for neither."""
    held = entries(value)
    if isinstance(key, int) and not isinstance(value, Mapping) and -len(held) <= key < len(held):
        return held[key][1]
    return dict(held)[key]


def picked(value: Any, path: Path) -> Any:
    """Return what lies at a path of names and places."""
    for key in path:
        value = item(value, key)
    return value


def tensors(value: Any, path: Path = ()) -> Iterator[tuple[Path, Tensor]]:
    """Yield every tensor that a network returned with the path to it, in order."""
    if isinstance(value, Tensor):
        yield path, value
    elif len(path) < 4:
        for key, held in entries(value):
            yield from tensors(held, (*path, key))


def columns_of(value: Tensor, images: int) -> int | None:
    """Return how many scores of each image a tensor holds, None where it holds something else.

    `(N, C)`, `(N, C, 1, 1)`, `(N,)` of one output, and of one image `(C,)` and a single number.
    """
    if not value.is_floating_point():
        return None
    if value.ndim == 0:
        return 1 if images == 1 else None
    if value.ndim == 1 and images == 1:
        return len(value) or None
    if value.shape[0] != images or sum(n > 1 for n in value.shape[1:]) > 1:
        return None
    return value.numel() // images or None


def path_of(returned: Any, images: int, output: int | str | None, wanted: int | None) -> Path:
    """Return the path to the scores in what a network returned for so many images.

    `output` is the name or the place that the user gave; without one it is what is called `logits`
    or `out`, else the first `N x C` tensor with `wanted` columns, else the first. Raises ValueError
    where there is none.
    """
    start: Path = () if output is None else (output,)
    try:
        held = list(tensors(picked(returned, start), start))
    except KeyError as cause:
        raise _no_entry(returned, output) from cause
    known = {p: columns_of(t, images) for p, t in held}
    rows = [p for p, columns in known.items() if columns is not None]
    named = [p for name in NAMES for p in rows if p and p[-1] == name]
    fitting = [p for p in rows if known[p] == wanted]
    both = [p for p in named if p in fitting]
    choice = (*both, *named, *fitting, *rows)
    if not choice:
        raise ValueError(f"{described(returned)}; expected logits N x C;")
    return choice[0]


def _no_entry(returned: Any, output: Any) -> ValueError:
    names = [str(key) for key, _ in entries(returned)]
    have = f"{', '.join(names)}; the nearest is {nearest(str(output), names)}" if names else "none"
    return ValueError(
        f"{described(returned)}, in which there is no output={output!r}; expected a name or a"
        f" place of what it returns: {have};"
    )


def worded(path: Path) -> str:
    """Return a path as it is written: `logits`, `0`, `aux.0`."""
    return ".".join(map(str, path))


def described(returned: Any) -> str:
    """Return in words what a network returned."""
    if isinstance(returned, Tensor):
        return f"a tensor of shape {tuple(returned.shape)}"
    held = entries(returned)
    kind = type(returned).__name__
    parts = ", ".join(f"{key}: {_part(value)}" for key, value in held)
    return f"a {kind} of {parts}" if held else f"a {kind}"


def _part(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return type(value).__name__
