"""Widgets made of widgets: they close with all they have, and hear what a person may set."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakSet

import ipywidgets
from ipywidgets import Widget
from ipywidgets.widgets.widget import _instances as open_widgets
from ipywidgets.widgets.widget_link import Link
from traitlets import TraitError

log = logging.getLogger(__name__)
SETTABLE = "settable"  # the tag of traits that a person sets in the browser
# Layouts that views came with: another may be of the user's making.
_first_layouts: WeakSet[Widget] = WeakSet()


class Composite(ipywidgets.DOMWidget):
    """A widget that closes with all that it alone is made of, layouts and styles too.

    What another open widget refers to stays open, and so does a layout that somebody gave it. Of
    what a browser says only `settable` traits are taken: all else is the kernel's to say.
    """

    _closed = False
    _first_layout: Widget | None = None

    def open(self) -> None:
        """Tell the browser of the widget."""
        super().open()
        if self._first_layout is None:
            self._first_layout = self.layout
            _first_layouts.add(self.layout)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what a person set in the browser; what cannot be is set right there again."""
        heard = self.traits(**{SETTABLE: True})
        known = {name: value for name, value in sync_data.items() if name in heard}
        taken = {name: value for name, value in known.items() if self._holds(name, value)}
        super().set_state(taken)
        if len(taken) < len(known):
            self.send_state([name for name in known if name not in taken])

    def _holds(self, name: str, value: Any) -> bool:
        # traitlets would keep what a validator refuses with anything but a TraitError
        read = self.trait_metadata(name, "from_json", lambda given, _: given)
        try:
            self.traits()[name]._validate(self, read(value, self))
        except (ValueError, TypeError, TraitError) as error:
            log.warning("%s of the browser was refused: %s", name, error)
            return False
        return True

    def aside(self) -> Iterable[Widget | None]:
        """Return parts that are not always on the screen."""
        return ()

    def close(self) -> None:
        """Close the widget with all its parts."""
        if not self._closed:
            self._closed = True
            close_parts(self)
            super().close()


def wide(**settings: Any) -> ipywidgets.Layout:
    """Return the layout of a view that is as wide as there is room, also beside others."""
    return ipywidgets.Layout(**{"width": "100%", "min_width": "0", **settings})


def dismiss(*widgets: Widget, but: Iterable[Widget] = ()) -> None:
    """Close widgets with all that they alone are made of; `but` stays, with all that it has."""
    close_parts(*widgets, but=but)
    for widget in widgets:
        widget.close()


def close_parts(*wholes: Widget, but: Iterable[Widget] = ()) -> None:
    """Close what widgets are made of, not themselves, and not what others are made of too."""
    own = _reached(wholes)
    others = [one for one in list(open_widgets.values()) if one not in own]
    needed = {part for one in others if not isinstance(one, Link) for part in _made_of(one)}
    shared = _reached([part for part in (*needed, *but) if part in own and part not in wholes])
    going = {part for part in own if part not in shared}
    # a link that has lost an end links nothing
    links = [one for one in others if isinstance(one, Link) and going.intersection(_made_of(one))]
    for part in (*links, *(one for one in own if one in going and one not in wholes)):
        if part.comm is not None:
            part.close()


def _reached(wholes: Iterable[Widget]) -> dict[Widget, None]:
    """Widgets with all that they are made of, in the order in which they are found."""
    reached: dict[Widget, None] = {}
    waiting = list(wholes)
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached[one] = None
            waiting += _made_of(one)
    return reached


def _made_of(widget: Widget) -> Iterator[Widget]:
    """Yield the widgets that a widget refers to in the browser, and those it has put aside."""
    for name, value in list(widget._trait_values.items()):
        travels = widget._traits[name].metadata.get("to_json") if name in widget._traits else None
        if travels is not None and not _foreign(widget, name):
            yield from _widgets_in(value)
    if isinstance(widget, Composite):
        aside = (widget._first_layout, *widget.aside())
        yield from (part for part in aside if part is not None)


def _foreign(widget: Widget, name: str) -> bool:
    """Whether what a view has under a name is a layout that somebody gave it."""
    if name != "layout" or not isinstance(widget, Composite):
        return False
    return widget._trait_values.get(name) not in _first_layouts


def _widgets_in(value: object) -> Iterator[Widget]:
    if isinstance(value, Widget):
        yield value
    elif isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _widgets_in(one)
