"""Parts of a view that take turns, for a laptop has room for one of them at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets

# Themes write the names of pages that are not in front too faintly on their ground.
STYLE = """<style>
.jupyter-widgets.jupyter-widget-tab.hx-pages > .lm-TabBar .lm-TabBar-tab {
  color: var(--jp-ui-font-color1);
}
</style>"""


def pages() -> Any:
    """Return tabs that have the width of the view; `turn` fills them.

    A view shows `STYLE` beside them.
    """
    made = ipywidgets.Tab(layout=ipywidgets.Layout(width="auto"))
    made.add_class("hx-pages")
    return made


def turn(tabs: Any, parts: Mapping[str, Any]) -> None:
    """Show these parts by their names, the one that was in front still in front if it is there."""
    chosen = tabs.selected_index or 0
    named = dict(zip(tabs.titles, tabs.children, strict=False))
    if named == parts:
        return
    tabs.children, tabs.titles = tuple(parts.values()), tuple(parts)
    tabs.selected_index = min(chosen, len(parts) - 1)
