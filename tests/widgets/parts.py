"""The parts of a view as a person finds them: by what they are, by the name they stand under."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import ipywidgets

Kind = TypeVar("Kind")


def parts(view: Any) -> Iterator[Any]:
    """Yield a view, its children and theirs, with what its figures draw."""
    yield view
    for part in (*getattr(view, "children", ()), *getattr(view, "marks", ())):
        yield from parts(part)


def every(view: Any, kind: type[Kind]) -> list[Kind]:
    """Return the parts of a kind in the order in which they stand."""
    return [part for part in parts(view) if isinstance(part, kind)]


def only(view: Any, kind: type[Kind]) -> Kind:
    """Return the one part of a kind."""
    (part,) = every(view, kind)
    return part


def control(view: Any, name: str) -> Any:
    """Return the control that stands under a name, or the button that carries it."""
    named = [part for part in parts(view) if getattr(part, "description", None) == name]
    assert len(named) == 1, f"{len(named)} controls are called {name}"
    return named[0]


def texts(view: Any) -> str:
    """Return the markup of all that is said in a view."""
    return " ".join(part.value for part in every(view, ipywidgets.HTML))


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds that another thread brings about."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
