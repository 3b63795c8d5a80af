"""Where the nodes of a tree stand on a picture: row by row, families together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol, runtime_checkable

Path = tuple[int, ...]

MOST_ROWS = 60
GAP = 0.16  # rows between families of a level


@runtime_checkable
class PathTree(Protocol):
    """A tree whose nodes, found by their paths, have `children`."""

    def node(self, path: Path, /) -> Any:
        """Return the node at `path`."""


def rows(tree: PathTree, opened: Collection[Path], between: float = GAP) -> dict[Path, float]:
    """Return the row of every node on the picture; a parent stands in line with its first child.

    Families of a level are `between` rows apart.
    """
    free: dict[int, float] = {}
    placed: dict[Path, float] = {}

    def children(path: Path) -> list[Path]:
        return [(*path, i) for i in range(len(tree.node(path).children))] if path in opened else []

    def first(path: Path) -> float:
        here, below = free.get(len(path), 0.0), children(path)
        if not below:
            return here
        gap = between if len(path) + 1 in free else 0.0
        return max(here, first(below[0]) + gap)

    def place(path: Path, least: float) -> None:
        placed[path] = max(least, first(path))
        free[len(path)] = placed[path] + 1
        for child in children(path):
            place(child, placed[path])

    place((), 0.0)
    return placed


def check_room(placed: Mapping[Path, float], what: str) -> None:
    """Raise ValueError where more is open than a picture can hold."""
    needed = 1 + max(placed.values())
    if needed > MOST_ROWS:
        raise ValueError(
            f"got {needed:.0f} rows of open {what}; expected at most {MOST_ROWS} on one picture;"
            " fold some branches in the view, or write a page with export_html"
        )
