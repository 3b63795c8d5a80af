"""Two trees side by side under their captions, below each other where there is no room."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets

from .composite import Composite


class TreePair(Composite, ipywidgets.GridBox):
    """Two views that are compared, each under a caption."""

    def __init__(self) -> None:
        self._captions = [ipywidgets.HTML() for _ in range(2)]
        self._cells = [ipywidgets.VBox([]) for _ in range(2)]
        super().__init__(self._cells, layout=abreast(430))

    def show(self, captions: Sequence[str], views: Sequence[Any]) -> None:
        """Show two views under captions (markup)."""
        shown = zip(self._cells, self._captions, captions, views, strict=True)
        for cell, caption, words, view in shown:
            caption.value = words
            cell.children = (caption, view)

    def aside(self) -> list[Any]:
        """Return the captions, which are not there as long as nothing is shown."""
        return self._captions


def caption(what: str, words: str) -> str:
    """Return what stands over a tree, as markup: a word in bold and others (text)."""
    return (
        "<div style='font-size: 14px; color: var(--jp-ui-font-color1)'>"
        f"<b>{html.escape(what)}</b>, {html.escape(words)}</div>"
    )


def abreast(least: int) -> Any:
    """Return a layout of equal columns, at least so many pixels wide, below each other if not."""
    return ipywidgets.Layout(
        width="100%",
        grid_template_columns=f"repeat(auto-fit, minmax(min(100%, {least}px), 1fr))",
        grid_gap="16px",
    )
