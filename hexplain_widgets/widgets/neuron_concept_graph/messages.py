"""What the view of neurons and concepts may ask: its messages, checked before they are done."""

from __future__ import annotations

from collections.abc import Sequence

from ...arguments import nearest, place_of_name
from .._shared.conversation import Content
from .._shared.messages import numbers_in

MOST_NEURONS = 24


def concept_in(content: Content, known: Sequence[str]) -> str:
    """Return the `concept` of a message; raises ValueError for what is none of the view's."""
    return known_concept(content.get("concept"), known)


def known_concept(name: object, known: Sequence[str]) -> str:
    """Return a concept's name; raises ValueError with the nearest where the view has it not."""
    meant = place_of_name(name, known) if isinstance(name, str) else None
    if meant is not None:
        return known[meant]
    raise ValueError(
        f"got the concept {name!r:.60}; expected one of {len(known)} of this view;"
        f" the nearest are {nearest(str(name)[:60], known)}"
    )


def estimator_in(content: Content, known: Sequence[str]) -> str:
    """Return the `estimator` of a message; raises ValueError for one the view cannot turn to."""
    return known_estimator(content.get("estimator"), known)


def known_estimator(name: object, known: Sequence[str]) -> str:
    """Return an estimator's name; raises ValueError for one the view cannot turn to."""
    if isinstance(name, str) and name in known:
        return name
    raise ValueError(
        f"got the estimator {name!r:.60}; expected one of {', '.join(known)};"
        " saved evidence holds one; open the view on a fitted Hint for the others"
    )


def neurons_in(content: Content) -> tuple[int, ...]:
    """Return the `neurons` of a message; raises ValueError for what is no neuron."""
    return numbers_in(content, "neuron", MOST_NEURONS, "choose them in the graph")
