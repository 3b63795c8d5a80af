"""A concept that a Hint looks for in both images of a comparison, and the choice of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import ipywidgets
from torch import Tensor

from ...evidence import HeatMap
from .._shared.controls import WorkControls, button


@runtime_checkable
class FindsConcepts(Protocol):
    """A fitted Hint: it finds a concept in an image."""

    def explain(self, image: Any, concept: str) -> HeatMap:
        """Return where the concept is."""

    def explainable(self) -> tuple[str, ...]:
        """Return the concepts that can be looked for."""


class ConceptSought:
    """A concept of a fitted Hint that is looked for in a prepared image and in changed ones.

    `names` are the concepts that can be. Raises what `Hint.explain` raises.
    """

    def __init__(self, hint: FindsConcepts, image: Tensor, concept: str) -> None:
        self._hint, self._image, self._concept = hint, image, concept
        self.names = hint.explainable()
        self._original = hint.explain(image, concept)

    def another(self, concept: str) -> ConceptSought:
        """Return the same with another concept."""
        return ConceptSought(self._hint, self._image, concept)

    def maps(self, changed: Tensor) -> tuple[HeatMap, HeatMap]:
        """Return where the concept is in the image, and where in the changed one."""
        return self._original, self._hint.explain(changed, self._concept)


def concept_sought(
    hint: Any, concept: str | None, image: Tensor, named: Callable[[], str]
) -> ConceptSought | None:
    """Return what is looked for first, None without a Hint.

    Without `concept` it is the class that is `named` where the Hint knows it, its first concept if
    not. Raises TypeError for what is no Hint, ValueError for a concept without a Hint, for a Hint
    that can look for nothing, and what `Hint.explain` raises.
    """
    if hint is None:
        _check_alone(concept)
        return None
    if not isinstance(hint, FindsConcepts):
        raise TypeError(
            f"got {type(hint).__name__} as hint; expected a fitted Hint;"
            " make one with Hint().fit(model, data, hierarchy)"
        )
    return ConceptSought(hint, image, _first(hint, named()) if concept is None else concept)


def _check_alone(concept: str | None) -> None:
    if concept is not None:
        raise ValueError(
            "got concept= without hint=; expected a Hint to look for it; pass a fitted one as hint="
        )


def _first(hint: FindsConcepts, named: str) -> str:
    names = hint.explainable()
    if not names:
        raise ValueError(
            "got a Hint without a classifier of any concept; expected at least one; fit it on"
            " images of several concepts"
        )
    return named if named in names else names[0]


class ConceptControls(WorkControls):
    """Which concept is looked for; `chosen` is told the name of another, `cancel` drops it."""

    def __init__(
        self, names: Sequence[str], *, chosen: Callable[[str], None], cancel: Callable[[], None]
    ) -> None:
        self._chosen, self._press_cancel = chosen, cancel
        self._shown, self._working = names[0], False
        self.concept = ipywidgets.Dropdown(
            options=names,
            description="HINT's concept",
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="320px"),
        )
        self.cancel, self._said = button("Cancel", cancel), ipywidgets.HTML()
        self._row = ipywidgets.HBox(
            [self.concept, self.cancel, self._said],
            layout=ipywidgets.Layout(flex_flow="row wrap", overflow="visible", grid_gap="0 8px"),
        )
        super().__init__([self._row])
        self.concept.observe(self._read, "value")
        self.at_rest()

    def take(self, name: str) -> None:
        """Show which concept is on the screen, unless another is just looked for."""
        self._shown = name
        if not self._working:
            self.concept.value = name

    def close(self) -> None:
        """Close the controls with all their parts."""
        for part in (*self._row.children, self._row):
            part.close()
        super().close()

    def _offer(self, *, working: bool) -> None:
        self._working = working
        self.cancel.layout.display = "" if working else "none"
        if not working:  # what was not found is not on the screen
            self.concept.value = self._shown

    def _read(self, change: Any) -> None:
        if change["new"] != self._shown:
            self._chosen(change["new"])
        elif self._working:
            self._press_cancel()
