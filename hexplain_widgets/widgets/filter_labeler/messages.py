"""What the view that names filters may say: its messages, checked before anything is kept."""

from __future__ import annotations

from ...atlas.labels import MOST_NAME
from .._shared.conversation import RELOAD, Content
from .._shared.state import ViewState, understood, whole
from .payload import NO_PART, Names

SHOWN = ("all", "unnamed", "suggested", "without")
OF_PART = "part:"


def filter_in(content: Content, filters: int) -> int:
    """Return the `filter` of a message; raises ValueError for one the layer has not."""
    number = content.get("filter")
    if not whole(number) or not 0 <= number < filters:
        raise ValueError(
            f"got filter {number!r:.60}; expected a number from 0 to {filters - 1}; {RELOAD}"
        )
    return number


def name_in(content: Content) -> str | None:
    """Return the `name` of a message: None takes it away, an empty one stands for no part.

    Raises ValueError for what is no name.
    """
    name = content.get("name")
    if name is None or name == NO_PART:
        return name
    if not _is_name(name):
        raise ValueError(
            f"got {name!r:.60} as a filter's name; expected a text of 1 to {MOST_NAME} characters;"
            " give it a shorter one, or leave it unnamed"
        )
    return " ".join(str(name).split())


def cleaned_names(value: object, filters: int) -> Names:
    """Return those entries of saved names that hold, by number, dropping all others."""
    given = value if isinstance(value, dict) else {}
    names = {
        int(k): str(name)
        for k, name in given.items()
        if str(k).isdecimal() and int(k) < filters and (name == NO_PART or _is_name(name))
    }
    return {str(k): names[k] for k in sorted(names)}


def cleaned_view(state: object, _: object = None) -> ViewState:
    """Return what is understood of a saved view.

    It says which filters are shown, which one is looked at, and which names are on their way.
    """
    return understood(state, _ENTRIES)


def _shown(value: object) -> bool:
    if not isinstance(value, str):
        return False
    return value in SHOWN or (value.startswith(OF_PART) and _is_name(value[len(OF_PART) :]))


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name.strip()) and len(name) <= MOST_NAME


def _sent(value: object) -> bool:
    return isinstance(value, dict) and all(
        str(k).isdecimal() and (name is None or name == NO_PART or _is_name(name))
        for k, name in value.items()
    )


_ENTRIES = {"show": _shown, "at": lambda value: whole(value) and value >= 0, "sent": _sent}
